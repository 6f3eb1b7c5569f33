"""Write a model as a file of Python that needs NumPy only."""

from __future__ import annotations

import keyword
import re
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

from ... import __version__
from ...data import decoding, drawing
from ...errors import ArgumentError
from ...formats.files import atomic_write
from ...nn import Layer, walk
from ...typing import PathLike, Shape
from ..program import Line, Program, program_of
from . import drawings, pictures, running
from .functions import MODULES
from .sources import Sources

__all__ = ["INFIX", "to_numpy"]

# Functions that are operators of Python.
INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}
INFIX_OF_ARRAY = {"scale": "*", "shift": "+"}
WIDTH = 100  # of the constants
MOST_CODE = 72  # columns before an aligned comment
USED_NAMES = {"x", "w", "np", "images"}


def to_numpy(model: Layer, path: PathLike, *, input_shape: Shape | None = None) -> int:
    """Write ``model`` in evaluation mode as one Python file, and its weights beside it.

    The file reads like a textbook: the functions that this network uses, with their equations, and
    ``forward(x, w)``, in which each line is a layer with the shape of its output. It needs Python
    3.11 and NumPy, and Pillow to read pictures. ``python model.py picture.png`` prints classes with
    probabilities; ``import model; model.predict(images)`` returns them. The weights are in a file
    of the same name that ends in ``.npz`` and belongs next to it.

    Parameters
    ----------
    model : Layer
        Layers of `pellucid.nn`, and your own that register with `pellucid.standalone.becomes`.
    path : str or path
        Ends in ``.py``. Both files are replaced if they exist.
    input_shape : (C, H, W), optional
        By default ``model.input_shape``.

    Returns
    -------
    int
        The number of lines of the Python file.

    Raises
    ------
    ArgumentError
        If nothing is registered for some of the layers, all of them at once; if the path does not
        end in ``.py``. Nothing is written then.
    ShapeError
        If the images do not fit.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid.models import SimpleConvNet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = to_numpy(SimpleConvNet((1, 28, 28)), f"{folder}/digits.py")
    ...     text = Path(f"{folder}/digits.py").read_text("utf-8")
    >>> print(text[text.index("    x = conv2d"):].splitlines()[0])
        x = conv2d(x, **w["conv1"])                    # conv1: (30, 24, 24)
    """
    path = Path(path)
    if path.suffix.lower() != ".py":
        raise ArgumentError(f"must end in .py, received '{path}'.", where="path")
    program = program_of(model, "to_numpy", input_shape)
    weights = path.with_suffix(".npz")
    text = source(program, weights.name)
    with atomic_write(weights) as part, part.open("wb") as file:
        np.savez(file, **program.weights)  # type: ignore[arg-type]
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")
    return text.count("\n")


def source(program: Program, weights: str) -> str:
    """Return the text of the file, which reads its weights from a file of this name beside it."""
    reads_pictures = program.preparation is not None and program.classes is not None
    finds = reads_pictures and program.preparation.drawing is not None  # type: ignore[union-attr]
    reader = [drawings if finds else pictures] if reads_pictures else []
    functions = _sources(MODULES)
    around = _sources((running, *reader, pictures, decoding, drawing))
    helpers = functions.closure(line.function for line in program.lines if not _is_infix(line))
    ends = ["predict"] if program.classes is not None else ["scores"]
    rest = around.closure([*ends, *(["main", "read_image"] if reads_pictures else [])])
    imports = {*functions.imported(helpers), *around.imported(rest), "import numpy as np"}
    if reads_pictures:
        imports.add("import sys")
    parts = [
        _docstring(program, weights, reads_pictures),
        "from __future__ import annotations",
        _import_block(imports, finds, reads_pictures),
        _constants(program, weights, finds),
        _forward(program),
        "# The functions of these lines " + "-" * 57,
        *(definition.text for definition in helpers),
        "# Running it " + "-" * 75,
        *(definition.text for definition in rest),
    ]
    if reads_pictures:
        parts.append('if __name__ == "__main__":\n    main(sys.argv[1:])')
    return _laid_out(parts)


@lru_cache
def _sources(modules: tuple[ModuleType, ...]) -> Sources:
    return Sources(modules)


def _laid_out(parts: list[str]) -> str:
    """Return the parts with two empty lines around functions, and one elsewhere."""
    text = ""
    for before, part in zip(["", *parts], parts, strict=False):
        apart = any(each.startswith(("def ", "@", "# ", "if ")) for each in (before, part))
        text += "\n\n\n" if text and apart else "\n\n" if text else ""
        text += part
    # Constants of one module stand together.
    return re.sub(r"(?m)^([A-Z_a-z, ]+ = [^\n]+)\n\n(?=[A-Z_a-z, ]+ = )", r"\1\n", text) + "\n"


def _docstring(program: Program, weights: str, reads_pictures: bool) -> str:
    count = sum(array.size for array in program.weights.values())
    numbers = f"numbers from {program.value_range[0]:g} to {program.value_range[1]:g}"
    stem = Path(weights).stem
    used = "predict(images)" if program.classes is not None else "scores(images)"
    needs = ", but Pillow to read pictures" if reads_pictures else ""
    ways = [f"    python {stem}.py picture.png\n"] if reads_pictures else []
    ways += [f"    import {stem}\n    {stem}.{used}\n"] if stem.isidentifier() else []
    return "\n".join(
        [
            f'"""A trained network in NumPy: nothing else is needed{needs}.\n',
            *ways,
            f"images is an array (N, {', '.join(map(str, program.shape))}): bytes, or {numbers}.",
            f"Its {count:,} weights are in {weights}, which belongs next to this file.",
            f'Written by Pellucid {__version__}.\n"""',
        ]
    )


def _import_block(imports: set[str], finds: bool, reads_pictures: bool) -> str:
    imports |= {"from types import SimpleNamespace"} if finds else set()
    imports |= {"from typing import TYPE_CHECKING"} if reads_pictures else set()
    own = "import numpy as np"
    standard = sorted(imports - {own}, key=lambda line: (line.startswith("from"), line))
    checked = ["", "if TYPE_CHECKING:", "    from PIL import Image"] if reads_pictures else []
    return "\n".join([*standard, "", own, *checked])


def _constants(program: Program, weights: str, finds: bool) -> str:
    lines = [
        "Array = np.ndarray",
        "Weights = dict[str, dict[str, Array]]  # by layer, and by the name of the argument",
        f"WEIGHTS = {_quoted(weights)}",
        f"SHAPE = {program.shape!r}  # channels, rows and columns of an image"
        if len(program.shape) == 3
        else f"SHAPE = {program.shape!r}  # of one image",
    ]
    if program.classes is not None:
        numbers = program.classes == tuple(map(str, range(len(program.classes))))
        counted = f"CLASSES = tuple(map(str, range({len(program.classes)})))"
        lines.append(counted if numbers else _listed("CLASSES", program.classes))
    if finds:
        found = program.preparation.drawing  # type: ignore[union-attr]
        assert found is not None
        lines += [
            "Drawing = SimpleNamespace",
            f"# The longer side of a drawing, as a share of the image's; what is centred.\n"
            f"DRAWING = Drawing(box={found.box!r}, centre={found.centre!r})",
        ]
    return "\n".join(lines)


def _listed(name: str, values: tuple[str, ...]) -> str:
    """Return the assignment of a tuple of strings, in lines that fit."""
    lines, line = [], ""
    for value in map(_quoted, values):
        if line and len(line) + len(value) + 6 > WIDTH:
            lines.append(f"    {line},")
            line = ""
        line += f"{', ' if line else ''}{value}"
    one = f"{name} = ({line}{',' if len(values) == 1 else ''})"
    if not lines and len(one) <= WIDTH:
        return one
    return "\n".join([f"{name} = (", *lines, f"    {line},", ")"])


# The lines of the network -------------------------------------------------------------------------


def _forward(program: Program) -> str:
    names = _value_names(program)
    given = names[0]
    lines = [
        f"def forward({given}: Array, w: Weights) -> Array:",
        f'    """Return the output for images {given} '
        f'(N, {", ".join(map(str, program.shape))}): each line is a layer."""',
    ]
    groups: dict[str, set[str]] = {}
    for key in program.weights:
        path, _, name = key.rpartition(".")
        groups.setdefault(path, set()).add(name)
    calls = [
        (f"    {names[made]} = {_call(line, names, groups)}", f"{_said(line)}: {line.shape}")
        for made, line in enumerate(program.lines, 1)
    ]
    column = max((len(code) for code, _ in calls if len(code) <= MOST_CODE), default=0)
    lines += [f"{code:<{column}}  # {said}" for code, said in calls]
    ends = ", ".join(names[k] for k in program.outputs)
    lines.append(f"    return {ends}{',' if program.names and len(program.outputs) == 1 else ''}")
    if program.names:
        lines[0] = lines[0].replace("-> Array:", "-> tuple[Array, ...]:")
        lines.insert(2, f"    # Returned: {', '.join(map(_comment, program.names))}.")
    return "\n".join(lines)


def _value_names(program: Program) -> dict[int, str]:
    """Return the variable of each value: x if only the next line reads it, else one of its own."""
    last, taken = program.last_readers(), set(USED_NAMES) | {*_all_functions()}
    names: dict[int, str] = {}
    count = len(program.lines)
    for k in range(count + 1):
        kept = last.get(k, k + 1) > k + 1
        if not kept:
            names[k] = "x"
        elif k == 0:
            names[k] = "images"
        else:
            names[k] = _variable(program.lines[k - 1].path, taken)
    return names


def _all_functions() -> list[str]:
    return [*_sources(MODULES).definitions]


def _variable(path: str, taken: set[str]) -> str:
    """Return an identifier for a path that is not taken, and take it."""
    name = re.sub(r"\W+", "_", path, flags=re.ASCII).strip("_") or "value"
    if name[0].isdigit():
        name = f"layer_{name}"
    if keyword.iskeyword(name):
        name = f"{name}_"
    found, more = name, 2
    while found in taken:
        found, more = f"{name}_{more}", more + 1
    taken.add(found)
    return found


def _is_infix(line: Line) -> bool:
    return line.function in INFIX or line.function in INFIX_OF_ARRAY


def _call(line: Line, names: dict[int, str], groups: dict[str, set[str]]) -> str:
    values = [names[k] for k in line.reads]
    if line.function in INFIX:
        return f" {INFIX[line.function]} ".join(values)
    if line.function in INFIX_OF_ARRAY:
        return f" {INFIX_OF_ARRAY[line.function]} ".join(
            [*values, *(_array(key) for key in line.keys.values())]
        )
    options = [f"{name}={_option(value)}" for name, value in line.options.items()]
    return f"{line.function}({', '.join([*values, *_arrays(line, groups), *options])})"


def _arrays(line: Line, groups: dict[str, set[str]]) -> list[str]:
    """Return the arguments of a line's arrays: a whole group of the weights if it is that."""
    paths = {key.rpartition(".")[0] for key in line.keys.values()}
    for path in paths:
        own = {name: walk.path_of(path, name) for name in groups[path]}
        if len(paths) == 1 and own == line.keys:
            return [f"**w[{_quoted(path)}]"]
    return [f"{name}={_array(key)}" for name, key in line.keys.items()]


def _array(key: str) -> str:
    path, _, name = key.rpartition(".")
    return f"w[{_quoted(path)}][{_quoted(name)}]"


def _option(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """Return a string literal in double quotes where that is as short."""
    plain = text.isprintable() and '"' not in text and "\\" not in text
    return f'"{text}"' if plain else repr(text)


def _said(line: Line) -> str:
    return _comment(line.path) or line.kind


def _comment(text: str) -> str:
    """Return a name for a comment: on one line, whatever is in it."""
    return text if text.isprintable() else repr(text)[1:-1]
