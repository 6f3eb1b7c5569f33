"""The activation layers made of straight pieces. Equations and sources: `ops.rectifiers`."""

from __future__ import annotations

import math
from numbers import Real

from .. import ops
from ..errors import ArgumentError
from ..ops.checks import require_count
from ..ops.rectifiers import require_slopes
from ..typing import Array, Shape
from .activations import Activation
from .checks import require_number
from .init import constant
from .layer import Layer
from .parameter import Parameter
from .pattern_words import PatternWord

__all__ = ["Clip", "Hardsigmoid", "Hardswish", "PReLU", "ReLU6", "ThresholdedReLU"]


class _Clipped(Activation):
    """Base class: both bounds, and what lies between."""

    low: float | None
    high: float | None

    def forward(self, x: Array) -> Array:
        """Return ``min(max(x, low), high)``."""
        self.remember(x)
        return ops.clip(x, self.low, self.high)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` where the input was between the bounds, else 0."""
        (x,) = self.recall()
        return ops.clip_backward(dy, x, self.low, self.high)


class Clip(_Clipped):
    """Limit to a range: ``y = min(max(x, low), high)``, ``dx = dy`` inside of it; any shape.

    Parameters
    ----------
    low, high : float or None
        None means no bound. If ``low`` is above ``high``, every output is ``high``.

    Examples
    --------
    >>> import numpy as np
    >>> Clip(0, 6)(np.array([-1.0, 2.0, 9.0]))
    array([0., 2., 6.])
    """

    short_name = "clip"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low = _bound(low, "low", -math.inf)
        self.high = _bound(high, "high", math.inf)
        self.rectifies = self.low == 0 and (self.high is None or self.high > 0)


def _bound(value: float | None, name: str, none: float) -> float | None:
    """Return a bound; None for the infinite one that limits nothing."""
    if value is None or value == none:
        return None
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise ArgumentError(f"must be a finite number or None, received {value!r}.", where=name)
    return value


class ReLU6(_Clipped):
    """Rectify and limit to 6: ``y = min(max(0, x), 6)``; any shape.

    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10", section 4.1; the
    activation of MobileNetV2.

    Examples
    --------
    >>> import numpy as np
    >>> relu6 = ReLU6()
    >>> relu6(np.array([-1.0, 2.0, 9.0])), relu6.backward(np.array([5.0, 5.0, 5.0]))
    (array([0., 2., 6.]), array([0., 5., 0.]))
    """

    pattern_word = PatternWord("RELU6", layer_name="relu")
    low, high = 0.0, 6.0
    rectifies = True


class Hardsigmoid(Activation):
    """Squash to [0, 1] by straight lines: ``y = α·x + β``, clipped; any shape.

    With the default α = 1/6 and β = 1/2 it is PyTorch's and MobileNetV3's; ONNX's default α is 0.2.
    Source: Howard et al. 2019, "Searching for MobileNetV3", section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> Hardsigmoid()(np.array([-4.0, 0.0, 1.5, 4.0]))
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    short_name = "hard sigmoid"
    pattern_word = PatternWord("HARDSIGMOID", also=("HSIGMOID",))

    def __init__(self, alpha: float = 1 / 6, beta: float = 0.5) -> None:
        require_number(alpha, "alpha")
        require_number(beta, "beta")
        self.alpha = alpha
        self.beta = beta

    def forward(self, x: Array) -> Array:
        """Return ``α·x + β``, clipped to [0, 1]."""
        self.remember(x)
        return ops.hardsigmoid(x, self.alpha, self.beta)

    def backward(self, dy: Array) -> Array:
        """Return ``α·dy`` where the output was between 0 and 1, else 0."""
        (x,) = self.recall()
        return ops.hardsigmoid_backward(dy, x, self.alpha, self.beta)


class Hardswish(Activation):
    """Multiply by the hard sigmoid: ``y = x · clip(x/6 + 1/2, 0, 1)``; any shape.

    SiLU by straight lines: 0 up to -3, ``x`` from 3 on. Source: Howard et al. 2019, "Searching for
    MobileNetV3", section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> Hardswish()(np.array([-4.0, 0.0, 1.5, 4.0]))
    array([-0.   ,  0.   ,  1.125,  4.   ])
    """

    short_name = "hard swish"
    pattern_word = PatternWord("HARDSWISH", also=("HSWISH",))

    def forward(self, x: Array) -> Array:
        """Return ``x`` times its hard sigmoid."""
        self.remember(x)
        return ops.hardswish(x)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input."""
        return ops.hardswish_backward(dy, *self.recall())


class ThresholdedReLU(Activation):
    """Keep what is above a threshold: ``y = x`` where ``x > θ``, else 0; any shape.

    Source: Konda et al. 2014, "Zero-bias autoencoders and the benefits of co-adapting features",
    section 3.
    """

    short_name = "thresholded ReLU"

    def __init__(self, theta: float = 1.0) -> None:
        require_number(theta, "theta")
        self.theta = theta

    def forward(self, x: Array) -> Array:
        """Return ``x`` above ``theta``, else 0."""
        self.remember(x)
        return ops.thresholded_relu(x, self.theta)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` where the input was above ``theta``, else 0."""
        (x,) = self.recall()
        return ops.thresholded_relu_backward(dy, x, self.theta)


class PReLU(Layer):
    """Rectify with learned slopes below zero: ``y = x`` or ``a[c] · x``.

    Input and output (N, C, ...); with one slope, any shape. ``dx = dy`` or ``a[c] · dy``, and
    ``da[c] = Σ dy · x`` over the inputs up to zero. Source: He et al. 2015, "Delving deep into
    rectifiers", section 2.1.

    Parameters
    ----------
    num_parameters : int
        C, or 1: one slope for all channels.
    init : float
        The slopes at the start.

    Attributes
    ----------
    weight : Parameter (num_parameters,)
        a. It has no weight decay, which would make it a ReLU (ibid.).

    Examples
    --------
    >>> import numpy as np
    >>> PReLU(2, init=0.5)(np.array([[-2.0, 3.0]]))
    array([[-1.,  3.]])
    """

    per_pixel = True
    pattern_word = PatternWord("PRELU")

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        self.num_parameters = require_count(num_parameters, "num_parameters")
        require_number(init, "init")
        self.init = init
        self.per_number = self.num_parameters == 1
        self.weight = Parameter(constant((self.num_parameters,), init), decay=0.0)

    def forward(self, x: Array) -> Array:
        """Return ``x`` above zero, and ``x`` times the slope of its channel below."""
        self.remember(x)
        return ops.prelu(x, self.weight.data)

    def backward(self, dy: Array) -> Array:
        """Return ``dy`` times the slope at the input; the slopes get their gradient."""
        (x,) = self.recall()
        dx, self.weight.grad = ops.prelu_backward(dy, x, self.weight.data)
        return dx

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        require_slopes(input_shape, self.num_parameters)
        return input_shape
