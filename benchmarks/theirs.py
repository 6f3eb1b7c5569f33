"""PyTorch's side: building a case and running one step of it, as fast as eager mode allows.

Images and weights are converted to the memory format beforehand; Adam is the fused one, which is
not PyTorch's default but the fastest there (`default Adam` is timed besides); inference runs in one
`inference_mode`; denormal numbers are treated as PyTorch does by default.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from cases import Case
    from images import Batch

__all__ = ["Kit", "Torch"]


class Kit:
    """The words of `networks` as PyTorch's modules, with the same weights as `ours.Kit`."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def conv(
        self, channels: int, filters: int, size: int, padding: int = 0, stride: int = 1,
        bias: bool = True, groups: int = 1,
    ) -> nn.Module:  # fmt: skip
        """Return a convolution."""
        how: dict[str, Any] = {"bias": bias, "groups": groups}
        return self._with_weights(nn.Conv2d(channels, filters, size, stride, padding, **how))

    def linear(self, inputs: int, outputs: int) -> nn.Module:
        """Return a fully connected layer."""
        return self._with_weights(nn.Linear(inputs, outputs))

    def relu(self) -> nn.Module:
        """Return a rectifier."""
        return nn.ReLU(inplace=True)

    def relu6(self) -> nn.Module:
        """Return a rectifier up to 6."""
        return nn.ReLU6(inplace=True)

    def pool(self, size: int = 2, stride: int = 2, padding: int = 0) -> nn.Module:
        """Return a max pooling."""
        return nn.MaxPool2d(size, stride, padding)

    def average(self) -> nn.Module:
        """Return the average over the image."""
        return nn.AdaptiveAvgPool2d(1)

    def batch_norm(self, channels: int) -> nn.Module:
        """Return a batch normalisation."""
        return nn.BatchNorm2d(channels)

    def response_norm(self) -> nn.Module:
        """Return a local response normalisation, whose α is PyTorch's: n times the paper's."""
        return nn.LocalResponseNorm(5, 5 * 1e-4, 0.75, 2.0)

    def flatten(self) -> nn.Module:
        """Return a flattening layer."""
        return nn.Flatten()

    def dropout(self) -> nn.Module:
        """Return a dropout of one half."""
        return nn.Dropout(0.5)

    def chain(self, *layers: nn.Module) -> nn.Module:
        """Return the layers one after the other."""
        return nn.Sequential(*layers)

    def residual(self, inputs: int, filters: int, stride: int, *layers: nn.Module) -> nn.Module:
        """Return a residual block, and a ReLU."""
        return Residual(nn.Sequential(*layers), filters - inputs, stride)

    def skip(self, *layers: nn.Module) -> nn.Module:
        """Return a chain that is added to its input."""
        return Skip(*layers)

    def total(self, *branches: nn.Module) -> nn.Module:
        """Return the sum of what two chains make of one input."""
        return Total(branches)

    def joined(self, *branches: nn.Module) -> nn.Module:
        """Return the channels of what several chains make of one input, one after the other."""
        return Joined(branches)

    def _with_weights(self, layer: Any) -> nn.Module:
        shape = tuple(layer.weight.shape)
        weights = math.sqrt(2 / math.prod(shape[1:])) * self.rng.standard_normal(shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weights))
            if layer.bias is not None:
                layer.bias.zero_()
        return layer


class Residual(nn.Module):
    """A chain added to its input, subsampled by the stride."""

    def __init__(self, chain: nn.Module, more: int, stride: int) -> None:
        super().__init__()
        self.chain, self.more, self.stride = chain, more, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum, rectified."""
        around = x
        if self.stride > 1:
            kept = x[:, :, :: self.stride, :: self.stride]
            around = nn.functional.pad(kept, (0, 0, 0, 0, 0, self.more))
        return nn.functional.relu(self.chain(x) + around, inplace=True)


class Skip(nn.Sequential):
    """A chain added to its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        return super().forward(x) + x


class Total(nn.ModuleList):
    """Chains of one input, whose outputs are added."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        inside, around = (branch(x) for branch in self)
        return inside + around


class Joined(nn.ModuleList):
    """Chains of one input, whose channels are joined."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the channels one after the other."""
        return torch.cat([branch(x) for branch in self], 1)


class Torch:
    """A case in PyTorch, in one of its two memory formats, eager or compiled (`torch.compile`)."""

    def __init__(
        self, case: Case, data: Sequence[Batch], threads: int, last: bool = False,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        form = torch.channels_last if last else torch.contiguous_format
        self.model = case.network(Kit()).train(case.training).to(memory_format=form)
        if compiled:
            # Not self.model.compile(), which leaves layers of an nn.Sequential uncompiled.
            self.model = torch.compile(self.model)
        self.measure = nn.CrossEntropyLoss()
        self.rule = torch.optim.Adam(self.model.parameters(), fused=True)
        self.session: AbstractContextManager[Any] = (
            nullcontext() if case.training else torch.inference_mode()
        )
        self.slower_variants = {"default Adam": self._use_default_adam} if case.training else {}
        self.data = itertools.cycle(
            [
                (torch.from_numpy(x).to(memory_format=form), torch.from_numpy(labels))
                for x, labels in data
            ]
        )

    def train(self) -> float:
        """Take a training step; return the loss before it."""
        x, labels = next(self.data)
        self.rule.zero_grad(set_to_none=True)
        loss = self.measure(self.model(x), labels)
        loss.backward()
        self.rule.step()
        return loss.item()

    def infer(self) -> None:
        """Compute the scores of a batch."""
        x, _ = next(self.data)
        self.model(x)

    def loss(self) -> float:
        """Return the loss on the next batch."""
        x, labels = next(self.data)
        return self.measure(self.model(x), labels).item()

    @staticmethod
    def square_product(n: int) -> Callable[[], Any]:
        """Return a function that multiplies two n x n matrices in float32."""
        a, b = torch.rand(2, n, n)
        return lambda: torch.mm(a, b)

    def _use_default_adam(self) -> None:
        self.rule = torch.optim.Adam(self.model.parameters())
