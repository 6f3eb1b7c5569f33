"""Numba's type of a tile of vector registers, and what emits the LLVM code that acts on one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

from ..jit import LANES

__all__ = [
    "ALIGN",
    "FLOAT",
    "INDEX",
    "VECTOR",
    "ZERO",
    "Tile",
    "TileModel",
    "Writer",
    "first_lanes",
    "masked",
    "splat",
]

FLOAT, INDEX = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
ZERO = ir.Constant(VECTOR, [0.0] * LANES)
ALIGN = 4  # arrays are aligned to a number, not to a vector


class Tile(types.Type):
    """Numba's type of a tile of ``rows`` x ``columns`` vectors."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        super().__init__(name=f"Tile({rows}x{columns}x{LANES})")


@register_model(Tile)
class TileModel(models.PrimitiveModel):
    """A tile is kept as a struct of vectors, which LLVM maps to registers."""

    def __init__(self, dmm: Any, tile: Tile) -> None:
        super().__init__(dmm, tile, ir.LiteralStructType([VECTOR] * (tile.rows * tile.columns)))


class Writer:
    """Emits the LLVM code of one function on a tile, with pointers into its arrays."""

    def __init__(
        self, context: Any, builder: Any, signature: Any, values: Any, tile: Tile | None = None
    ) -> None:
        self.context, self.builder = context, builder
        self.types, self.values = signature.args, values
        self.tile: Tile = signature.args[0] if tile is None else tile
        self.cells = [(r, c) for r in range(self.tile.rows) for c in range(self.tile.columns)]

    def pointer(self, array: int, at: int) -> Any:
        """Return the address of argument ``array`` at the position in argument ``at``."""
        make = self.context.make_array(self.types[array])
        data = make(self.context, self.builder, self.values[array]).data
        return self.builder.gep(data, [self.values[at]])

    def offset(self, pointer: Any, count: int, step: Any = None) -> Any:
        """Return ``pointer`` offset by ``count``, or by ``count`` times the argument ``step``."""
        distance = ir.Constant(INDEX, count)
        if step is not None:
            distance = self.builder.mul(distance, self.values[step])
        return self.builder.gep(pointer, [distance])

    def load(self, pointer: Any) -> Any:
        """Read a vector."""
        return self.builder.load(self.builder.bitcast(pointer, VECTOR.as_pointer()), align=ALIGN)

    def zeros(self) -> Any:
        """Return the address of a vector of zeros."""
        module, name, kind = self.builder.module, "pellucid.zeros", ir.ArrayType(FLOAT, LANES)
        if name not in module.globals:
            numbers = ir.GlobalVariable(module, kind, name)
            numbers.linkage, numbers.global_constant = "internal", True
            numbers.initializer, numbers.align = ir.Constant(kind, [0.0] * LANES), 4 * LANES
        return self.builder.bitcast(module.globals[name], FLOAT.as_pointer())

    def store(self, vector: Any, pointer: Any) -> None:
        """Write a vector."""
        place = self.builder.bitcast(pointer, VECTOR.as_pointer())
        self.builder.store(vector, place, align=ALIGN)

    def column_masks(self, count: int) -> list[Any]:
        """Return for each column the mask of its lanes that lie before the argument ``count``."""
        total = self.values[count]
        starts = [ir.Constant(INDEX, c * LANES) for c in range(self.tile.columns)]
        return [first_lanes(self.builder, self.builder.sub(total, at)) for at in starts]

    def within(self, r: int, c: int, limits: int, pointer: Any, first: Any) -> tuple[Any, Any]:
        """Return where the vector (r, c) lies, given its ``pointer``, and the mask of its lanes.

        The arguments from ``limits`` on say how many rows, columns and lanes there are. A vector
        outside of them is where the ``first`` one is: a masked access to memory that is not there
        does nothing, but takes hundreds of cycles.
        """
        row_count, column_count, count = self.values[limits : limits + 3]
        row_is = self.builder.icmp_signed("<", ir.Constant(INDEX, r), row_count)
        column_is = self.builder.icmp_signed("<", ir.Constant(INDEX, c), column_count)
        inside = self.builder.and_(row_is, column_is)
        lanes = first_lanes(self.builder, count)
        mask = self.builder.select(inside, lanes, ir.Constant(lanes.type, [False] * LANES))
        return self.builder.select(inside, pointer, first), mask

    def load_masked(self, pointer: Any, mask: Any, kind: Any = VECTOR, zero: Any = ZERO) -> Any:
        """Read a vector, of numbers or of another ``kind``, where ``mask`` says so, and zeros."""
        place = self.builder.bitcast(pointer, kind.as_pointer())
        align = ir.Constant(ir.IntType(32), ALIGN if kind is VECTOR else 1)
        return masked(self.builder, "load", kind, [place, align, mask, zero])

    def shuffle(self, a: Any, b: Any, lanes: list[int]) -> Any:
        """Return the vector with these lanes of ``a`` (from 0 on) and ``b`` (from `LANES` on)."""
        chosen = ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)
        return self.builder.shuffle_vector(a, b, chosen)

    def store_masked(self, vector: Any, pointer: Any, mask: Any) -> None:
        """Write a vector of numbers or of bytes where ``mask`` says so."""
        place = self.builder.bitcast(pointer, vector.type.as_pointer())
        size = 1 if vector.type.element == ir.IntType(8) else ALIGN
        align = ir.Constant(ir.IntType(32), size)
        masked(self.builder, "store", ir.VoidType(), [vector, place, align, mask])

    def broadcast(self, pointer: Any) -> Any:
        """Read one number into every lane."""
        return splat(self.builder, self.builder.load(pointer), FLOAT)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return ``a·b + c``, rounded once."""
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        name = f"llvm.fma.v{LANES}f32"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, name), [a, b, c]
        )

    def keep_rolled(self) -> None:
        """Keep LLVM from unrolling the loop around this place.

        An unrolled tile of as many sums as there are registers spills some of them at every turn:
        it then runs at less than two thirds of its rate. LLVM does not unroll what is convergent by
        a number of turns that it does not know. The instruction itself is empty.
        """
        nothing = ir.FunctionType(ir.VoidType(), [])
        call = self.builder.asm(nothing, "", "", [], side_effect=True)
        for attribute in ("convergent", "readnone", "nounwind"):
            call.attributes.add(attribute)

    def each(self, change: Callable[[int, int, Any], Any]) -> Any:
        """Return the tile with every vector replaced by ``change(row, column, vector)``."""
        tile = self.values[0]
        for k, (r, c) in enumerate(self.cells):
            vector = change(r, c, self.builder.extract_value(tile, k))
            tile = self.builder.insert_value(tile, vector, k)
        return tile

    def unpacked(self, argument: int) -> list[Any]:
        """Return the vectors of the tile that is this argument."""
        tile, count = (
            self.values[argument],
            self.types[argument].rows * self.types[argument].columns,
        )
        return [self.builder.extract_value(tile, k) for k in range(count)]

    def vectors(self) -> list[tuple[int, int, Any]]:
        """Return the tile's vectors with their rows and columns."""
        return [
            (r, c, self.builder.extract_value(self.values[0], k))
            for k, (r, c) in enumerate(self.cells)
        ]


def splat(builder: Any, number: Any, kind: Any) -> Any:
    """Return a vector with ``number`` in every lane."""
    nothing = ir.Constant(ir.VectorType(kind, LANES), ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, nothing, first)


def first_lanes(builder: Any, count: Any) -> Any:
    """Return the mask of the first ``count`` lanes."""
    lanes = ir.Constant(ir.VectorType(INDEX, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, splat(builder, count, INDEX))


def masked(builder: Any, word: str, result: Any, values: list[Any]) -> Any:
    """Call LLVM's masked load or store."""
    kind = ir.FunctionType(result, [value.type for value in values])
    vector = result if word == "load" else values[0].type
    name = f"llvm.masked.{word}.v{LANES}{'i8' if vector.element == ir.IntType(8) else 'f32'}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)
