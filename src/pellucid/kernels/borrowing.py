"""Who counts references to a kernel's arrays: nobody.

Numba counts who refers to an array, so that the last one frees it. Wherever a kernel takes an array
out of a tuple, or a branch reads one, the count goes up and down. LLVM removes most of that, but
what remains within a loop is a call, and around a call all sums that registers hold are written to
memory and read again: a matrix product on rows of 256 numbers ran at half the speed.

Whoever calls a kernel keeps its arrays until it returns, so the kernel *borrows* them: their
reference counters are null pointers, which Numba allows, and LLVM removes every count of those. An
array that the kernel allocates itself, outside loops, is freed when the kernel returns, and is
borrowed until then. One that comes from a call within a loop is counted as usual, and so are all in
a kernel that returns an array, which may be one of its arguments.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core import ir as numba_ir
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

__all__ = ["BorrowingCompiler"]


class _Borrowing(Lower):
    """Numba's step from typed Python to LLVM, for a function that borrows its arrays."""

    def setup_function(self, fndesc: Any) -> None:
        """Declare the function, to be vectorised as `pellucid.kernels.jit.widest_vectors` asks."""
        super().setup_function(fndesc)
        if bits := getattr(self.func_ir.func_id.func, "vector_bits", 0):
            # llvmlite's own ``add`` takes no attribute that has a value.
            set.add(self.function.attributes, f'"prefer-vector-width"="{bits}"')

    def pre_lower(self) -> None:
        """Begin a function."""
        super().pre_lower()
        self.kept: list[tuple[Any, Any]] = []  # types of arrays, and where their counters are
        self.ends: list[tuple[Any, Any]] = []  # blocks, and the instructions that return
        loops = compute_cfg_from_blocks(self.blocks).loops().values()
        self.repeated = [self.blocks[label] for loop in loops for label in loop.body]

    def pre_block(self, block: Any) -> None:
        """Begin a block of statements."""
        super().pre_block(block)
        self.repeats = any(block is each for each in self.repeated)

    def extract_function_arguments(self) -> Any:
        """Return the arguments as Numba's values, and remember them."""
        given = super().extract_function_arguments()
        self.borrows = not self.generator_info and _are_numbers(self.fndesc.restype)
        if self.borrows:
            pairs = zip(self.fndesc.argtypes, given, strict=True)
            self.fnargs = [self._without_counter(*pair) for pair in pairs]
        return self.fnargs

    def _lower_call_normal(self, function: Any, expression: Any, signature: Any) -> Any:
        made = super()._lower_call_normal(function, expression, signature)
        if self.borrows and not self.repeats:
            made = self._without_counter(signature.return_type, made, keep=True)
        return made

    def lower_inst(self, inst: Any) -> None:
        """Translate a statement."""
        block, before = self.builder.block, len(self.builder.block.instructions)
        super().lower_inst(inst)
        if self.borrows and isinstance(inst, numba_ir.Return):
            self.ends.append((block, block.instructions[before:][0]))

    def post_lower(self) -> None:
        """Before each return, free what has been allocated."""
        for block, end in self.ends:
            with self.builder.goto_block(block):
                self.builder.position_before(end)
                for kind, place in self.kept:
                    self._count_down(kind, place)
        super().post_lower()

    def _without_counter(self, kind: Any, value: Any, keep: bool = False) -> Any:
        """Return an array with null pointers to its counter and owner, or a tuple of such."""
        if isinstance(kind, types.Array):
            array = cgutils.create_struct_proxy(kind)(self.context, self.builder, value=value)
            if keep:
                place = cgutils.alloca_once(self.builder, array.meminfo.type)
                self.builder.store(array.meminfo, place)
                self.kept.append((kind, place))
            array.meminfo = ir.Constant(array.meminfo.type, None)
            array.parent = ir.Constant(array.parent.type, None)
            return array._getvalue()
        for k, part in enumerate(_parts(kind)):
            if _has_arrays(part):
                element = self.builder.extract_value(value, k)
                made = self._without_counter(part, element, keep)
                value = self.builder.insert_value(value, made, k)
        return value

    def _count_down(self, kind: Any, place: Any) -> None:
        # Not by a proxy: that would move the builder.
        array = ir.Constant(self.context.get_value_type(kind), ir.Undefined)
        array = self.builder.insert_value(array, self.builder.load(place), 0)
        self.context.nrt.decref(self.builder, kind, array)


def _parts(kind: Any) -> tuple[Any, ...]:
    return tuple(getattr(kind, "types", ())) if isinstance(kind, types.BaseTuple) else ()


def _has_arrays(kind: Any) -> bool:
    return isinstance(kind, types.Array) or any(map(_has_arrays, _parts(kind)))


def _are_numbers(kind: Any) -> bool:
    """Return whether no array can be in what a function of this type returns."""
    plain = isinstance(kind, types.Number | types.Boolean | types.NoneType)
    return plain or (bool(_parts(kind)) and all(map(_are_numbers, _parts(kind))))


@register_pass(mutates_CFG=True, analysis_only=False)
class _BorrowingLowering(NativeLowering):
    _name = "borrowing_lowering"

    @property
    def lowering_class(self) -> Any:
        return _Borrowing


class BorrowingCompiler(Compiler):
    """Numba's compiler, for a function that borrows its arrays."""

    def define_pipelines(self) -> Any:
        """Return Numba's passes, with ours in place of one."""
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (_BorrowingLowering if each is NativeLowering else each, why)
                for each, why in pipeline.passes
            ]
        return pipelines
