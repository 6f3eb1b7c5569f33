"""The layers that only the LeNet-5 of 1998 has."""

from __future__ import annotations

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..nn import Buffer, Layer, Parameter
from ..nn.init import WeightInit, constant, initial_weights, signs
from ..ops.checks import as_floats
from ..receptive import ReceptiveField
from ..shapes import Windows
from ..typing import Array, Shape

__all__ = ["TABLE", "RadialBasis", "ScaleAndShift", "ScaledTanh", "TableConv2d"]


A, S = 1.7159, 2 / 3

#: Which of the six maps of S2 each of the sixteen maps of C3 sees: three or four neighbours,
#: around the end; four with gaps; all.
TABLE = (
    *(tuple((k + i) % 6 for i in range(3)) for k in range(6)),
    *(tuple((k + i) % 6 for i in range(4)) for k in range(6)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    tuple(range(6)),
)
OUT = np.array([o for o, seen in enumerate(TABLE) for _ in seen])
IN = np.array([c for seen in TABLE for c in seen])


class ScaledTanh(Layer):
    """Squash: ``y = A·tanh(S·x)``, with A = 1.7159 and S = 2/3, so that ±1 stays about ±1.

    Source: LeCun et al. 1998, section II.B, eq. 6, and appendix A.
    """

    def forward(self, x: Array) -> Array:
        """Return ``A·tanh(S·x)``."""
        t = np.tanh(S * as_floats(x))
        self.remember(t)
        return A * t

    def backward(self, dy: Array) -> Array:
        """Return ``dy · A·S·(1 - tanh²)``."""
        (t,) = self.recall()
        return dy * (A * S * (1 - t * t))


class ScaleAndShift(Layer):
    """Multiply every channel by a number of its own, and add another: of S2 and S4.

        y[n,c,i,j] = w[c] · x[n,c,i,j] + b[c]

    Source: LeCun et al. 1998, section II.B. The paper adds the four numbers of a window; after an
    average, the coefficient is four times the paper's.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.weight = Parameter(constant((channels,), 1))
        self.bias = Parameter(constant((channels,), 0), decay=0.0)

    def forward(self, x: Array) -> Array:
        """Return ``w·x + b``."""
        self.remember(x)
        w, b = (p.data[:, np.newaxis, np.newaxis] for p in (self.weight, self.bias))
        return w * x + b

    def backward(self, dy: Array) -> Array:
        """Return ``w·dy``."""
        (x,) = self.recall()
        self.weight.grad = (dy * x).sum(axis=(0, 2, 3))
        self.bias.grad = dy.sum(axis=(0, 2, 3))
        return dy * self.weight.data[:, np.newaxis, np.newaxis]


class TableConv2d(Layer):
    """C3: 16 filters of 5x5, each of which sees only some of the 6 maps below it.

    It is a convolution whose other weights are zero. Source: LeCun et al. 1998, table I.

    Attributes
    ----------
    weight : Parameter (60, 5, 5)
        One 5x5 for each connection of `TABLE`, in its order.
    bias : Parameter (16,)
    """

    def __init__(
        self, *, weight_init: WeightInit = "he", rng: np.random.Generator | None = None
    ) -> None:
        self.weight_init = weight_init
        self.weight = Parameter(initial_weights((16, 6, 5, 5), weight_init, rng)[OUT, IN])
        self.bias = Parameter(constant((16,), 0), decay=0.0)

    def forward(self, x: Array) -> Array:
        """Return (N, 16, H-4, W-4) for ``x`` (N, 6, H, W)."""
        w = np.zeros((16, 6, 5, 5), dtype=self.weight.data.dtype)
        w[OUT, IN] = self.weight.data
        self.remember(x, w)
        return ops.conv2d(x, w, self.bias.data)

    def backward(self, dy: Array) -> Array:
        """Return ``dx`` (N, 6, H, W)."""
        dx, dw, self.bias.grad = ops.conv2d_backward(dy, *self.recall())
        self.weight.grad = dw[OUT, IN]
        return dx

    def windows(self, input_shape: Shape) -> Windows:
        """Return how the filters move over one image (6, H, W)."""
        return ops.conv2d_windows(input_shape, (16, 6, 5, 5))

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (16, H-4, W-4)."""
        return 16, *self.windows(input_shape).output

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``OH·OW·60·25``."""
        return self.windows(input_shape).count * self.weight.data.size

    def parameters_without_sharing(self, input_shape: Shape) -> int:
        """Return ``OH·OW`` times the parameters."""
        return self.windows(input_shape).count * self.parameter_count()

    def receptive_field(self, field: ReceptiveField, input_shape: Shape) -> ReceptiveField:
        """Return the field, widened by the filter."""
        return field.through(self.windows(input_shape))


class RadialBasis(Layer):
    """Score each class by how near the input is to its code: ``y[n,k] = -Σ_i (x[n,i] - w[k,i])²``.

    Source: LeCun et al. 1998, section II.B, eq. 7, with the sign reversed, so that the nearest has
    the highest score. The codes are ±1 and are not trained; the paper draws them as pictures of the
    characters, and says that they may be chosen at random, as they are here.

    Attributes
    ----------
    codes : Buffer (classes, features)
    """

    def __init__(
        self, features: int, classes: int, *, rng: np.random.Generator | None = None
    ) -> None:
        self.features = features
        self.classes = classes
        self.codes = Buffer(signs((classes, features), rng))

    def forward(self, x: Array) -> Array:
        """Return the scores (N, classes) for ``x`` (N, features)."""
        self.output_shape(x.shape[1:])
        apart = x[:, np.newaxis] - self.codes.data
        self.remember(apart)
        return -(apart * apart).sum(axis=2)

    def backward(self, dy: Array) -> Array:
        """Return ``-2 Σ_k dy[n,k] · (x[n] - w[k])``."""
        (apart,) = self.recall()
        return -2 * (dy[:, :, np.newaxis] * apart).sum(axis=1)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (classes,)."""
        if tuple(input_shape) != (self.features,):
            raise ShapeError(
                f"expects rows of {self.features} numbers, received shape {tuple(input_shape)}. "
                f"Build it as `RadialBasis({input_shape[0]}, ...)` after a Flatten."
            )
        return (self.classes,)

    def multiply_adds(self, input_shape: Shape) -> int:
        """Return ``features·classes``."""
        return self.features * self.classes
