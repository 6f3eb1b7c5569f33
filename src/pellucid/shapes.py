"""The one place where sizes are computed: pairs, padding, and windows over an image.

Along one axis, with input size H, filter size F, padding P on each side, stride S and dilation D,
a window covers ``E = D·(F-1) + 1`` cells and the output has

    O = (H + 2P - E) // S + 1

cells ("Deep Learning from Scratch", section 7.2.4; CS231n, "Spatial arrangement").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Literal, TypeAlias, cast

from .errors import ArgumentError, ShapeError
from .typing import Pair

__all__ = [
    "Misfit",
    "Padding",
    "Windows",
    "output_size",
    "pair",
    "require_sliding",
    "shape_text",
    "slide",
    "slide_transposed",
]

Misfit: TypeAlias = Literal["floor", "error", "pad"]
Same: TypeAlias = Literal["same", "same_lower"]
Padding: TypeAlias = int | Sequence[int] | Same | Literal["valid"]
Sides: TypeAlias = tuple[int, int]

MISFITS = ("floor", "error", "pad")
_AXES = ("height", "width")


def shape_text(shape: Iterable[object]) -> str:
    """Format sizes for messages and tables.

    Examples
    --------
    >>> shape_text((3, 32, 32))
    '3x32x32'
    """
    return "x".join(map(str, shape))


def pair(value: Pair, name: str = "value", *, least: int = 1) -> tuple[int, int]:
    """Return ``value`` as (vertical, horizontal); one integer is used for both.

    Raises
    ------
    ArgumentError
        If it is neither an integer nor two, or if one is below ``least``.

    Examples
    --------
    >>> pair(3)
    (3, 3)
    >>> pair((2, 5))
    (2, 5)
    """
    both = cast(Sequence[int], (value, value) if _is_integer(value) else value)
    if not (
        isinstance(both, Sequence)
        and not isinstance(both, str)
        and len(both) == 2
        and all(_is_integer(v) and v >= least for v in both)
    ):
        raise ArgumentError(
            f"must be an integer of at least {least}, or two of them (vertical, horizontal); "
            f"received {value!r}.",
            where=name,
        )
    return int(both[0]), int(both[1])


def output_size(
    size: int,
    window: int,
    stride: int = 1,
    padding: int | Sides | Same | Literal["valid"] = 0,
    dilation: int = 1,
    misfit: Misfit = "floor",
) -> int:
    """Return how many windows fit along one axis: ``(H + 2P - E) // S + 1``.

    Parameters
    ----------
    size, window, stride, dilation : int
        Input size; filter size; step of the window; distance between two cells of the filter.
    padding : int, (int, int), "same", "same_lower" or "valid"
        Zeros on each side; before and after; enough for an output of ``ceil(size / stride)``, an
        odd remainder at the end or at the beginning; none.
    misfit : {"floor", "error", "pad"}
        If the last window does not end at the end of the input: leave the rest unread, refuse (as
        in the textbook), or pad after the end so that everything is read (PyTorch's ``ceil_mode``).

    Raises
    ------
    ShapeError
        If the window is larger than the padded input (under ``"pad"``: by a stride or more), or
        does not fit under ``"error"``.

    Examples
    --------
    >>> output_size(7, 3, stride=2)
    3
    >>> [output_size(n, 5, stride=3, padding=2, misfit="error") for n in (28, 31)]  # both fit
    [10, 11]
    >>> output_size(10, 3, stride=2), output_size(10, 3, stride=2, misfit="pad")
    (4, 5)
    >>> output_size(10, 3, stride=2, misfit="error")
    Traceback (most recent call last):
    pellucid.errors.ShapeError: a window of 3 with stride 2 does not fit a length of 10: (10 + 0 - 3) / 2 + 1 = 4.5 is not a whole number. Change stride or padding, or choose misfit='floor' or 'pad'.
    """  # noqa: E501
    whole = _axis(size, window, stride, _sides(padding, 0, 1), dilation, misfit, "length")
    return whole.output


def require_sliding(padding: Padding, misfit: str) -> None:
    """Refuse a padding or a misfit policy that is invalid for every image.

    Raises
    ------
    ArgumentError
        If one is not of a form that `slide` accepts.
    """
    _sides(padding, 0, 2)
    if misfit not in MISFITS:
        raise ArgumentError(
            f"must be 'floor', 'error' or 'pad', received {misfit!r}.", where="misfit"
        )


@dataclass(frozen=True, slots=True)
class Windows:
    """How a window moves over an image: every size that a sliding op needs.

    Attributes
    ----------
    input, window, stride, dilation, output : (int, int)
        Vertical and horizontal; cells.
    padding : ((int, int), (int, int))
        ((top, bottom), (left, right)) cells.
    unread : (int, int)
        Rows and columns of the input (not of its padding) at the end that no window reads.
    overhang : (int, int)
        Rows and columns of the padding at the end that ``misfit="pad"`` has added.
    """

    input: tuple[int, int]
    window: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[Sides, Sides]
    output: tuple[int, int]
    unread: tuple[int, int]
    overhang: tuple[int, int] = (0, 0)

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first to the last cell of a window, ``D·(F-1) + 1``."""
        (fh, fw), (dh, dw) = self.window, self.dilation
        return dh * (fh - 1) + 1, dw * (fw - 1) + 1

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the input with its padding."""
        (h, w), ((top, bottom), (left, right)) = self.input, self.padding
        return h + top + bottom, w + left + right

    @property
    def count(self) -> int:
        """Number of windows over one image."""
        return math.prod(self.output)


def slide(
    input_size: tuple[int, int],
    window: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    dilation: Pair = 1,
    misfit: Misfit = "floor",
) -> Windows:
    """Return how ``window`` moves over an image of ``input_size`` (rows, columns).

    ``padding`` is an integer (all sides), two (vertical, horizontal), four (top, bottom, left,
    right), ``"same"`` (output ``ceil(H / S)``; an odd remainder goes to the end, as in PyTorch and
    TensorFlow), ``"same_lower"`` (it goes to the beginning; ONNX's SAME_LOWER) or ``"valid"``
    (none). The other arguments are those of `output_size`, each an
    integer or a pair.

    Raises
    ------
    ArgumentError, ShapeError
        For a value that is not allowed; for a window that does not fit.

    Examples
    --------
    >>> slide((28, 28), 5, padding="same").output
    (28, 28)
    >>> slide((227, 227), 11, stride=4).output
    (55, 55)
    >>> slide((4, 5), (2, 3), stride=(1, 2), padding=(0, 1, 1, 0)).padding
    ((0, 1), (1, 0))
    """
    windows, strides = pair(window, "window"), pair(stride, "stride")
    dilations = pair(dilation, "dilation")
    rows, columns = (
        _axis(
            input_size[a],
            windows[a],
            strides[a],
            _sides(padding, a, 2),
            dilations[a],
            misfit,
            _AXES[a],
        )
        for a in (0, 1)
    )
    return Windows(
        input=input_size,
        window=windows,
        stride=strides,
        dilation=dilations,
        padding=(rows.padding, columns.padding),
        output=(rows.output, columns.output),
        unread=(rows.unread, columns.unread),
        overhang=(rows.overhang, columns.overhang),
    )


def slide_transposed(
    input_size: tuple[int, int],
    window: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
) -> Windows:
    """Return the windows of the convolution that a transposed convolution transposes.

    They slide over the *output* of the transposed convolution, one for each cell of its input. The
    output has ``(H - 1)·S - 2P + E + output_padding`` cells along an axis (Dumoulin & Visin 2016,
    section 4). Since strides round sizes down, ``output_padding``, below stride or dilation,
    selects the size. ``padding`` is of the forms that `slide` takes; ``"same"`` crops to ``H·S``
    cells, or nothing if there are fewer.

    Raises
    ------
    ArgumentError, ShapeError
        For a value that is not allowed; if padding crops the whole output.

    Examples
    --------
    >>> back = slide_transposed((4, 4), 3, stride=2, padding=1, output_padding=1)
    >>> back.input, slide(back.input, 3, stride=2, padding=1).output
    ((8, 8), (4, 4))
    """
    windows, strides, dilations = pair(window), pair(stride, "stride"), pair(dilation, "dilation")
    more = pair(output_padding, "output_padding", least=0)
    image, unread, cropped = [], [], []
    for a, axis in enumerate(_AXES):
        if more[a] >= max(strides[a], dilations[a]):
            raise ArgumentError(
                f"must be smaller than the stride of {strides[a]} or the dilation of "
                f"{dilations[a]}, received {more[a]}.",
                where="output_padding",
            )
        extent = dilations[a] * (windows[a] - 1) + 1
        reach = (input_size[a] - 1) * strides[a] + extent
        sides = _sides(padding, a, 2)
        if isinstance(sides, str):
            sides = _halved(max(extent + more[a] - strides[a], 0), sides)
        before, after = sides
        image.append(reach - before - after + more[a])
        unread.append(max(more[a] - after, 0))
        cropped.append(sides)
        if input_size[a] < 1 or image[a] < 1:
            crop = f"2·{before}" if before == after else f"{before} - {after}"
            raise ShapeError(
                f"an input {axis} of {input_size[a]} gives an output of {reach} - {crop} + "
                f"{more[a]} = {image[a]} cells. Use less padding, or a larger input."
            )
    return Windows(
        input=(image[0], image[1]),
        window=windows,
        stride=strides,
        dilation=dilations,
        padding=(cropped[0], cropped[1]),
        output=input_size,
        unread=(unread[0], unread[1]),
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    output: int
    padding: Sides
    unread: int
    overhang: int


def _axis(
    size: int,
    window: int,
    stride: int,
    padding: Sides | Same,
    dilation: int,
    misfit: str,
    axis: str,
) -> _Axis:
    """Compute the windows along one axis."""
    for name, value in (("window", window), ("stride", stride), ("dilation", dilation)):
        if not _is_integer(value) or value < 1:
            raise ArgumentError(f"must be an integer, 1 or more; received {value!r}.", where=name)
    if not _is_integer(size):
        raise ArgumentError(f"must be an integer, received {size!r}.", where=axis)
    require_sliding(0, misfit)
    extent = dilation * (window - 1) + 1
    if isinstance(padding, str):
        total = max((math.ceil(size / stride) - 1) * stride + extent - size, 0)
        before, after = _halved(total, padding)
        if misfit == "error":
            misfit = "floor"  # "same" defines the output size, so that there is no misfit
    else:
        before, after = padding
    free = size + before + after - extent
    # Under "pad" any window, even the first, may exceed the end by less than a stride.
    least = 1 - stride if misfit == "pad" else 0
    if free < least or size < 1:
        stretched = f" (dilation {dilation}: it covers {extent})" if dilation > 1 else ""
        raise ShapeError(
            f"a window of {window}{stretched} is larger than the input's {axis} of {size} with "
            f"padding {before} + {after}. Use a smaller window, more padding or a larger input."
        )
    output, rest = free // stride + 1, free % stride
    if rest and misfit == "error":
        raise ShapeError(
            f"a window of {extent} with stride {stride} does not fit a {axis} of {size}: "
            f"({size} + {before + after} - {extent}) / {stride} + 1 = {free / stride + 1:g} is not "
            "a whole number. Change stride or padding, or choose {misfit}.",
            arguments={"misfit": ("floor", "pad")},
        )
    # A window that starts after the input's end would see only padding.
    if rest and misfit == "pad" and output * stride < size + before:
        overhang = stride - rest
        return _Axis(output + 1, (before, after + overhang), 0, overhang)
    return _Axis(output, (before, after), min(max(rest - after, 0), size), 0)


def _halved(total: int, padding: Same) -> Sides:
    """Return ``total`` cells on two sides, an odd one where ``padding`` says."""
    less, more = total // 2, total - total // 2
    return (less, more) if padding == "same" else (more, less)


def _sides(padding: Padding, axis: int, axes: int) -> Sides | Same:
    """Return the padding (before, after) along ``axis``, unless it depends on the size."""
    if isinstance(padding, str):
        if padding not in ("same", "same_lower", "valid"):
            raise ArgumentError(
                f"must be 'same', 'same_lower', 'valid' or numbers, received {padding!r}.",
                where="padding",
            )
        return (0, 0) if padding == "valid" else padding
    sides = tuple(padding) if isinstance(padding, Iterable) else (padding,)
    lengths = (1, 2, 4) if axes == 2 else (1, 2)
    if len(sides) not in lengths or any(not _is_integer(p) or p < 0 for p in sides):
        four = ", four (top, bottom, left, right)" if axes == 2 else ""
        raise ArgumentError(
            f"must be an integer of 0 or more, two{four}, 'same' or 'valid'; received {padding!r}.",
            where="padding",
        )
    if len(sides) == 1:
        return sides[0], sides[0]
    if axes == 1:
        return sides[0], sides[1]
    if len(sides) == 2:
        return sides[axis], sides[axis]
    return sides[2 * axis], sides[2 * axis + 1]


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
