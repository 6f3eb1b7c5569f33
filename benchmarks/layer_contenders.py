"""One layer on one batch by each contender, in its own favourite layout.

Each has ``infer()``, which returns the output, and where it can train ``train()``, which returns
the output and the gradients of the inputs and of the weights; all as its own arrays, which
``numpy`` converts to (N, C, H, W) once, to compare them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from layer_cases import LayerCase

__all__ = ["OnnxRuntime", "Ours", "Torch", "inputs"]

Array = Any
CONVOLUTION = ("channels", "filters", "size", "stride", "padding", "dilation", "groups")


def inputs(case: LayerCase) -> tuple[list[Array], Array]:
    """Return the images (N, C, H, W) that the layer reads, and a gradient of its output."""
    rng = np.random.default_rng(0)
    _, *side = case.image
    depths = case.options.get("depths") or [case.image[0]] * (2 if case.word == "sum" else 1)
    image = [] if case.word == "linear" else side
    x = [rng.standard_normal((case.batch, c, *image), dtype=np.float32) for c in depths]
    shape = our_layer(case).output_shape(*(a.shape[1:] for a in x))
    return x, rng.standard_normal((case.batch, *shape), dtype=np.float32)


def our_layer(case: LayerCase) -> Any:
    """Return Pellucid's layer."""
    from pellucid import nn

    given, channels = case.options, case.image[0]
    rng = np.random.default_rng(1)
    match case.word:
        case "conv":
            return nn.Conv2d(*(given[name] for name in CONVOLUTION), rng=rng)
        case "linear":
            return nn.Linear(channels, given["outputs"], weight_init="he", rng=rng)
        case "max pool":
            return nn.MaxPool2d(given["size"], given["stride"], given.get("padding", 0))
        case "average pool":
            return nn.AvgPool2d(given["size"], given["stride"])
        case "batch norm":
            return nn.BatchNorm2d(channels)
        case "layer norm":
            return nn.LayerNorm2d(channels)
        case "LRN":
            return nn.LocalResponseNorm.krizhevsky()
    words = {"global average": nn.GlobalAvgPool2d, "concat": nn.Concat, "sum": nn.Add}
    words |= {"ReLU": nn.ReLU, "sigmoid": nn.Sigmoid, "SiLU": nn.SiLU}
    return (words | {"Hardswish": nn.Hardswish, "GELU": nn.GELU})[case.word]()


class Ours:
    """The step that serves the layer in a plan; its kernels are called as there.

    A plan records what a step calls the second time, and calls it again without Python: so do both
    passes here.
    """

    name = "pellucid"

    def __init__(
        self, case: LayerCase, x: list[Array], dy: Array, *, training: bool,
        precision: str = "float32",
    ) -> None:  # fmt: skip
        from pellucid.distributed import Share
        from pellucid.engine.cpu.backend import CPU
        from pellucid.memory import aligned_zeros

        self.layer = layer = our_layer(case).train(training)
        shapes: Any = tuple(a.shape[1:] for a in x)
        if len(x) == 1:
            (shapes,) = shapes
        kind = CPU.steps.find(layer, shapes)
        self.step = kind(case.name, layer, shapes, case.batch)
        share = Share()
        share.begin(case.batch)
        if precision != "float32":
            self.step.compute_in(precision)
        self.step.divide(share, case.batch)
        if not training:
            self.step.freeze()
        self.step.prepare(training=training)
        self.step.place({a: aligned_zeros(a.shape, a.dtype) for a in self.step.reserved()})
        self.last = self.step.channels_last is not False and dy.ndim == 4
        self.x, self.dy = [self._laid_out(a) for a in x], self._laid_out(dy)
        self._recording: Any = CPU.recording() if self.step.repeats(case.batch) else None
        self._passes, self._made = 0, None

    def _laid_out(self, a: Array) -> Array:
        a = np.ascontiguousarray(a.transpose(0, 2, 3, 1) if self.last else a)
        aligned = np.empty(a.size + 16, np.float32)
        first = -aligned.ctypes.data // 4 % 16
        copy = aligned[first : first + a.size].reshape(a.shape)
        copy[...] = a
        return copy

    def infer(self) -> Any:
        """Return the output."""
        return self._again(lambda: self.step.forward(*self.x))

    def train(self) -> Any:
        """Return the output, and the gradients."""
        return self._again(self._train)

    def _train(self) -> Any:
        y = self.step.forward(*self.x)
        below = self.step.backward(self.dy, need_dx=True)
        gradients = [p.grad for p in self.layer.parameters().values()]
        return y, below if isinstance(below, tuple) else (below,), gradients

    def _again(self, run: Callable[[], Any]) -> Any:
        """Return what ``run`` returns, computed anew in the same arrays."""
        self._passes += 1
        if self._recording is None or self._passes == 1:
            return run()
        if self._passes == 2:
            with self._recording:
                self._made = run()
        elif not self._recording.repeat():
            raise RuntimeError(f"a kernel of {self.step.name} failed")
        return self._made

    def numpy(self, a: Array) -> Array:
        """Return an array of images as (N, C, H, W)."""
        return np.array(a.transpose(0, 3, 1, 2) if self.last and a.ndim == 4 else a)


class Torch:
    """PyTorch eager, in one of its two memory formats; the weights are ours."""

    def __init__(
        self, case: LayerCase, x: list[Array], dy: Array, *, training: bool, last: bool
    ) -> None:
        import torch

        self.torch, self.name = torch, "torch channels-last" if last else "torch"
        form = torch.channels_last if last else torch.contiguous_format
        self.layer = self._module(case)
        if isinstance(self.layer, torch.nn.Module):
            ours = our_layer(case).parameters()
            with torch.no_grad():
                for name, p in self.layer.named_parameters():
                    p.copy_(torch.from_numpy(ours[name.rpartition(".")[2]].data))
            self.layer = self.layer.train(training).to(memory_format=form)
        form = form if dy.ndim == 4 else torch.contiguous_format
        *made, self.dy = [torch.from_numpy(a).to(memory_format=form) for a in (*x, dy)]
        self.x = [a.requires_grad_(training) for a in made]
        self.parameters = (
            list(self.layer.parameters()) if isinstance(self.layer, torch.nn.Module) else []
        )

    def _module(self, case: LayerCase) -> Any:
        torch, given, channels = self.torch, case.options, case.image[0]
        nn = torch.nn
        match case.word:
            case "conv":
                return nn.Conv2d(*(given[name] for name in CONVOLUTION))
            case "linear":
                return nn.Linear(channels, given["outputs"])
            case "max pool":
                return nn.MaxPool2d(given["size"], given["stride"], given.get("padding", 0))
            case "average pool":
                return nn.AvgPool2d(given["size"], given["stride"])
            case "batch norm":
                return nn.BatchNorm2d(channels)
            case "layer norm":
                return _LayerNorm2d(channels)
            case "LRN":
                return nn.LocalResponseNorm(5, 5 * 1e-4, 0.75, 2.0)
            case "concat":
                return lambda *x: torch.cat(x, 1)
            case "sum":
                return lambda a, b: a + b
        words = {"global average": nn.AdaptiveAvgPool2d(1), "ReLU": nn.ReLU(), "GELU": nn.GELU()}
        words |= {"sigmoid": nn.Sigmoid(), "SiLU": nn.SiLU(), "Hardswish": nn.Hardswish()}
        return words[case.word]

    def infer(self) -> Any:
        """Return the output."""
        with self.torch.inference_mode():
            return self.layer(*self.x)

    def train(self) -> Any:
        """Return the output, and the gradients."""
        for a in (*self.x, *self.parameters):
            a.grad = None
        y = self.layer(*self.x)
        y.backward(self.dy)
        return y, [a.grad for a in self.x], [p.grad for p in self.parameters]

    @staticmethod
    def numpy(a: Any) -> Array:
        """Return a tensor as an array."""
        return a.detach().numpy()


class OnnxRuntime:
    """ONNX Runtime on the layer alone, exported by us; its images stay (N, C, H, W)."""

    name = "onnxruntime"

    def __init__(self, case: LayerCase, x: list[Array], threads: int) -> None:
        import onnxruntime

        import pellucid
        from pellucid import nn

        layer, shape = our_layer(case).eval(), x[0].shape[1:]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "layer.onnx"
            pellucid.to_onnx(nn.Sequential(layer), path, input_shape=shape)
            self.session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        (given,) = self.session.get_inputs()
        self.x = {given.name: x[0]}

    def infer(self) -> Any:
        """Return the output."""
        return self.session.run(None, self.x)[0]

    @staticmethod
    def numpy(a: Array) -> Array:
        """Return the array."""
        return a


def _LayerNorm2d(channels: int) -> Any:  # noqa: N802 - a class, once PyTorch is imported
    from torch import nn

    class LayerNorm2d(nn.LayerNorm):
        """Over the channels of each pixel, as torchvision's."""

        def forward(self, x: Any) -> Any:
            normalized = nn.functional.layer_norm(
                x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps
            )
            return normalized.permute(0, 3, 1, 2)

    return LayerNorm2d(channels, eps=1e-6)
