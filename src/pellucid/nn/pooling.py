"""The pooling layers. Equations: `pellucid.ops.pooling`."""

from __future__ import annotations

from .. import ops
from ..ops.checks import require_image_shape, require_images, require_shape
from ..receptive import ReceptiveField
from ..shapes import Misfit, Padding, Windows, pair, require_sliding, slide
from ..typing import Array, Pair, Shape
from .checks import require_number
from .layer import Layer
from .pattern_words import Argument, PatternWord

__all__ = [
    "AvgPool2d",
    "GlobalAvgPool2d",
    "GlobalLpPool2d",
    "GlobalMaxPool2d",
    "LpPool2d",
    "MaxPool2d",
]


def _word(text: str, *also: str) -> PatternWord:
    """Return the word of a pooling layer: window, stride and padding may follow."""
    arguments = (
        Argument("kernel_size", implied=2, meaning="window"),
        Argument("stride", "/", lambda arguments: arguments["kernel_size"]),
        Argument("padding", "p", 0, least=0),
    )
    example = f"{text}3/2p1"
    return PatternWord(
        text, arguments, takes="images", layer_name="pool", example=example, also=also
    )


class _WindowPool(Layer):
    """Base class of the pooling layers with a sliding window."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = 0
    dilation: tuple[int, int] = (1, 1)
    misfit: Misfit = "floor"

    def windows(self, input_shape: Shape) -> Windows:
        """Return how the window moves over one image (C, H, W)."""
        return ops.pool2d_windows(
            input_shape, self.kernel_size, self.stride, self.padding, self.dilation, self.misfit
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, OH, OW)."""
        return input_shape[0], *self.windows(input_shape).output

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, enlarged by the window, its step multiplied by the stride."""
        return field.through(self.windows(input_shape))

    def unread(self, input_shape: Shape) -> tuple[int, int]:
        """Return the number of rows and columns after the last window."""
        return self.windows(input_shape).unread


class MaxPool2d(_WindowPool):
    """Take the maximum of each window: ``y = max z``; ``dy`` goes to the argmax.

    Input (N, C, H, W), output (N, C, OH, OW). Source: "Deep Learning from Scratch", section 7.3;
    windows that overlap: Krizhevsky et al. 2012, section 3.4.

    Parameters
    ----------
    kernel_size : int or (int, int)
    stride : int or (int, int), optional
        Defaults to the window's size.
    padding, dilation, misfit
        As in `pellucid.shapes.slide`. Padding is never the maximum.

    Examples
    --------
    >>> import numpy as np
    >>> pool = MaxPool2d(2)
    >>> pool(np.arange(16.0).reshape(1, 1, 4, 4))[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    >>> pool.backward(np.ones((1, 1, 2, 2)))[0, 0, 1]
    array([0., 1., 0., 1.])
    """

    short_name = "max"
    pattern_word = _word("POOL", "MAXPOOL")

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        dilation: Pair = 1,
        *,
        misfit: Misfit = "floor",
    ) -> None:
        require_sliding(padding, misfit)
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, "stride")
        self.padding = padding
        self.dilation = pair(dilation, "dilation")
        self.misfit = misfit

    def forward(self, x: Array) -> Array:
        """Return the maxima (N, C, OH, OW) of ``x`` (N, C, H, W)."""
        require_images(x, "pooling")
        windows = self.windows(x.shape[1:])
        y, arg_max = ops.max_pool2d(x, windows)
        self.remember(arg_max, windows)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W): each ``dy`` accumulated at the argmax."""
        return ops.max_pool2d_backward(dy, *self.recall())


class AvgPool2d(_WindowPool):
    """Average each window: ``y = Σ z / count``; ``dy`` is spread evenly over it.

    Input (N, C, H, W), output (N, C, OH, OW). Source: CS231n, "General pooling"; the
    sub-sampling of LeCun et al. 1998, section II.B.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, misfit
        As for `MaxPool2d`.
    count_include_pad : bool
        Whether padding counts in the mean. Cells that ``misfit="pad"`` adds beyond the end do not.

    Examples
    --------
    >>> import numpy as np
    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """

    short_name = "mean"
    pattern_word = _word("AVGPOOL", "MEANPOOL")

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Padding = 0,
        *,
        count_include_pad: bool = True,
        dilation: Pair = 1,
        misfit: Misfit = "floor",
    ) -> None:
        require_sliding(padding, misfit)
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, "stride")
        self.padding = padding
        self.dilation = pair(dilation, "dilation")
        self.count_include_pad = count_include_pad
        self.misfit = misfit

    def forward(self, x: Array) -> Array:
        """Return the means (N, C, OH, OW) of ``x`` (N, C, H, W)."""
        require_images(x, "pooling")
        windows = self.windows(x.shape[1:])
        y = ops.avg_pool2d(x, windows, count_include_pad=self.count_include_pad)
        self.remember(windows, y.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W): each ``dy`` spread over its window."""
        windows, shape = self.recall()
        require_shape(dy, shape, "an output gradient", "(N, C, OH, OW)", "pooling")
        return ops.avg_pool2d_backward(dy, windows, count_include_pad=self.count_include_pad)


class LpPool2d(_WindowPool):
    """Take the Lp norm of each window: ``y = (Σ |z|^p)^(1/p)``.

    Input (N, C, H, W), output (N, C, OH, OW). Source: CS231n, "General pooling" (L2-norm pooling).

    Parameters
    ----------
    norm_type : float
        p, at least 1; 2 is the Euclidean length.
    kernel_size, stride, padding, dilation, misfit
        As for `MaxPool2d`. Padding is 0 in the sum, and so are the cells that ``misfit="pad"`` adds
        beyond the end. (PyTorch's ``ceil_mode`` scales the sum of such a window up to a full one.)

    Examples
    --------
    >>> import numpy as np
    >>> LpPool2d(2, (1, 2))(np.array([[[[3.0, 4.0]]]]))
    array([[[[5.]]]])
    """

    short_name = "Lp"

    def __init__(
        self,
        norm_type: float,
        kernel_size: Pair,
        stride: Pair | None = None,
        *,
        padding: Padding = 0,
        dilation: Pair = 1,
        misfit: Misfit = "floor",
    ) -> None:
        require_number(norm_type, "norm_type", 1)
        require_sliding(padding, misfit)
        self.norm_type = norm_type
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride = self.kernel_size if stride is None else pair(stride, "stride")
        self.padding = padding
        self.dilation = pair(dilation, "dilation")
        self.misfit = misfit

    def forward(self, x: Array) -> Array:
        """Return the norms (N, C, OH, OW) of ``x`` (N, C, H, W)."""
        require_images(x, "pooling")
        windows = self.windows(x.shape[1:])
        y = ops.lp_pool2d(x, windows, self.norm_type)
        self.remember(x, y, windows)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W)."""
        x, y, windows = self.recall()
        return ops.lp_pool2d_backward(dy, x, y, windows, self.norm_type)


class _GlobalPool(Layer):
    """Base class of the pooling layers over the whole image, one number per channel."""

    one_size = True

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (C, 1, 1)."""
        return require_image_shape(input_shape, "pooling")[0], 1, 1

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the union of the fields of all cells."""
        image = require_image_shape(input_shape, "pooling")[1:]
        return field.through(slide(image, image))


class GlobalAvgPool2d(_GlobalPool):
    """Average each channel over the whole image: (N, C, H, W) to (N, C, 1, 1).

    Source: Lin et al. 2013, "Network In Network", section 3.2.
    """

    short_name = "mean of all"
    pattern_word = PatternWord("GAP", takes="images")

    def forward(self, x: Array) -> Array:
        """Return the means (N, C, 1, 1)."""
        y = ops.global_avg_pool2d(x)
        self.remember(x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W)."""
        return ops.global_avg_pool2d_backward(dy, *self.recall())


class GlobalMaxPool2d(_GlobalPool):
    """Take the maximum of each channel: (N, C, H, W) to (N, C, 1, 1)."""

    short_name = "max of all"

    def forward(self, x: Array) -> Array:
        """Return the maxima (N, C, 1, 1)."""
        y, arg_max = ops.global_max_pool2d(x)
        self.remember(arg_max, x.shape)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W)."""
        return ops.global_max_pool2d_backward(dy, *self.recall())


class GlobalLpPool2d(_GlobalPool):
    """Take the Lp norm of each channel: ``y = (Σ |x|^p)^(1/p)``, (N, C, H, W) to (N, C, 1, 1).

    Parameters
    ----------
    norm_type : float
        p, at least 1; 2 is the Euclidean length.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalLpPool2d()(np.array([[[[3.0], [4.0]]]]))
    array([[[[5.]]]])
    """

    short_name = "Lp of all"

    def __init__(self, norm_type: float = 2) -> None:
        require_number(norm_type, "norm_type", 1)
        self.norm_type = norm_type

    def forward(self, x: Array) -> Array:
        """Return the norms (N, C, 1, 1)."""
        y = ops.global_lp_pool2d(x, self.norm_type)
        self.remember(x, y)
        return y

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, C, H, W)."""
        x, y = self.recall()
        return ops.global_lp_pool2d_backward(dy, x, y, self.norm_type)
