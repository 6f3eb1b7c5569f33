"""Inference by ONNX Runtime and OpenVINO, of the network that Pellucid exports to ONNX."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ours import Kit

import pellucid

if TYPE_CHECKING:
    from cases import Case
    from images import Batch

__all__ = ["OnnxRuntime", "OpenVino"]


class _Runtime:
    """A case in one of the runtimes, which have no training."""

    def __init__(self, case: Case, data: Sequence[Batch], threads: int) -> None:
        model = case.network(Kit()).eval()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            pellucid.to_onnx(model, path, input_shape=case.image)
            self.run = self.load(path, threads, (case.batch, *case.image))
        self.data: Iterator[Batch] = itertools.cycle(data)
        self.session: AbstractContextManager[Any] = nullcontext()
        self.slower_variants: dict[str, Callable[[], None]] = {}

    @staticmethod
    def load(path: Path, threads: int, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        """Return the function that computes the scores."""
        raise NotImplementedError

    def infer(self) -> None:
        """Compute the scores of a batch."""
        x, _ = next(self.data)
        self.run(x)

    def loss(self) -> float:
        """Return the loss on the next batch."""
        x, labels = next(self.data)
        return pellucid.nn.SoftmaxCrossEntropy()(np.array(self.run(x)), labels)

    @staticmethod
    def square_product(n: int) -> Callable[[], Any]:
        """Return a function that multiplies two n x n matrices in float32: NumPy's."""
        a = np.random.default_rng(0).random((n, n), dtype=np.float32)
        return lambda: np.matmul(a, a)


class OnnxRuntime(_Runtime):
    """ONNX Runtime's default provider for the CPU, at its highest level of optimization."""

    @staticmethod
    def load(path: Path, threads: int, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        """Return the function that computes the scores."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        return lambda x: session.run(None, {given.name: x})[0]


class OpenVino(_Runtime):
    """OpenVINO's CPU plugin, in float32, asked for the shortest time of one call."""

    @staticmethod
    def load(path: Path, threads: int, shape: tuple[int, ...]) -> Callable[[Any], Any]:
        """Return the function that computes the scores."""
        import openvino

        model = openvino.Core().read_model(str(path))
        model.reshape(list(shape))
        how = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        request = openvino.compile_model(model, "CPU", how).create_infer_request()
        return lambda x: request.infer([x], share_inputs=True, share_outputs=True)[0]
