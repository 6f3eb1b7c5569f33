"""A module of PyTorch as a graph of layers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ....errors import ArgumentError
from ....nn import Graph
from ...onnx.importing import network_of, without_softmax
from ...onnx.importing.refusal import refusal
from ...onnx.operations import Operations
from .exporting import decomposed, traced
from .in_place import changes_parts
from .translation import Translation

__all__ = ["from_torch"]

OWN = "A function of your own: pellucid.formats.torch.tracing.translates."


def from_torch(
    module: Any,
    input_shape: Sequence[int] | None = None,
    *,
    example: Any = None,
    fold: bool = False,
    softmax: Literal["keep", "drop"] = "keep",
) -> Graph:
    """Return a graph of layers that computes what a module of PyTorch does, with its weights.

    PyTorch traces the module (torch.export) in evaluation mode, with any number of images. Batch
    norms and dropouts stay layers that train; what the module's own code does in training only, as
    a random depth, is not seen. The module itself is not changed, and shares no memory with the
    graph, whose weights are float32.

    Layers are called as the submodules are: where a layer corresponds to one, its keys and shapes
    are the same, and ``graph.state_dict()`` holds the module's. A submodule that is called twice
    becomes two layers, which start with the same weights and are trained apart. Parameters with
    ``requires_grad=False`` are frozen.

    Parameters
    ----------
    module : torch.nn.Module
    input_shape : tuple of int
        The images (C, H, W).
    example : torch.Tensor or array, or tuple of them, optional
        Instead of ``input_shape``: images (N, C, H, W). Of a module with further arguments all of
        them, which then become part of the network.
    fold : bool
        Make batch norms part of the convolutions before them, for inference.
    softmax : {"keep", "drop"}
        Whether to keep a softmax at the end: `pellucid.predict` and the loss of a training apply it
        themselves.

    Raises
    ------
    ArgumentError
        If PyTorch cannot trace the module, as one that decides by the images' numbers; if calls
        cannot be converted, all of them with reasons.

    Examples
    --------
    >>> import pytest
    >>> torch = pytest.importorskip("torch")
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10)
    ... )
    >>> from_torch(module, (1, 8, 8))
    Graph({
        '0': (Conv2d(1, 4, 3), 'input'),
        '1': (ReLU(), '0'),
        '2': (Flatten(), '1'),
        '3': (Linear(144, 10), '2'),
    }, input='input')
    """
    _require_module(module)
    images, *others = _example(module, input_shape, example)
    shape = tuple(images.shape[1:])
    program = traced(module, (images, *others))
    operations = _operations(module, program, others)
    if softmax == "drop":
        operations, _ = without_softmax(operations)
    graph = network_of(operations, input_shape=shape, fold=fold)
    _settle(graph, module)
    return graph


def _require_module(module: Any) -> None:
    torch = sys.modules.get("torch")  # a module of it is not there without it
    if torch is None or not isinstance(module, torch.nn.Module):
        raise ArgumentError(
            f"must be a torch.nn.Module, received {type(module).__name__}. A file is opened by "
            "pellucid.from_onnx, or its weights by pellucid.load.",
            where="module",
        )
    if isinstance(module, torch.jit.ScriptModule):
        raise ArgumentError(
            "is TorchScript, which PyTorch does not trace. Give the module that it was made from.",
            where="module",
        )
    if not hasattr(getattr(torch.export, "Dim", None), "DYNAMIC"):
        raise ArgumentError(
            f"PyTorch {torch.__version__} cannot trace with any number of images; 2.6 can. Update "
            "it.",
            where="from_torch",
        )
    if any(tensor.is_meta for tensor in module.state_dict().values()):
        raise ArgumentError(
            "its weights are on the device 'meta', where they have no values. Load them first.",
            where="module",
        )


def _example(module: Any, input_shape: Sequence[int] | None, example: Any) -> tuple[Any, ...]:
    """Return two images and further arguments, of the module's dtype and device."""
    import torch

    if (input_shape is None) == (example is None):
        raise ArgumentError(
            "give either the images' shape, {input_shape}, or an example of images.",
            where="from_torch",
            arguments={"input_shape": ((3, 224, 224),)},
        )
    weight = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    if input_shape is not None:
        shape = tuple(int(size) for size in input_shape)
        if not shape or min(shape) < 1:
            raise ArgumentError(
                f"must be lengths (C, H, W) of at least 1, received {shape}.", where="input_shape"
            )
        return (torch.zeros((2, *shape), dtype=weight.dtype, device=weight.device),)
    given = example if isinstance(example, tuple) else (example,)
    tensors = [torch.as_tensor(np.asarray(e) if not torch.is_tensor(e) else e) for e in given]
    images = tensors[0] if tensors else torch.zeros(())
    if images.ndim < 2 or not images.numel():
        raise ArgumentError(
            f"must be images (N, C, H, W), received an array of shape {tuple(images.shape)}.",
            where="example",
        )
    images = images.detach().to(device=weight.device, dtype=weight.dtype)
    two = images[:1].expand(2, *images.shape[1:]).clone() if len(images) == 1 else images[:2]
    return (two, *(each.detach().to(weight.device) for each in tensors[1:]))


def _operations(module: Any, program: Any, others: Sequence[Any]) -> Operations:
    """Return a traced module in ONNX's operators.

    Functions without a translator are taken apart by PyTorch; so are changes in place of tensors
    that are read later under other names or in parts.
    """
    if changes_parts(program.graph):
        program = decomposed(program)
    translation = Translation(module, program, others)
    operations = translation.run()
    if translation.unknown:
        simpler = Translation(module, decomposed(program, list(translation.unknown)), others)
        again = simpler.run()
        if not simpler.refused:
            return again
    if translation.refused:
        raise refusal(translation.refused, "call", OWN)
    return operations


def _settle(graph: Graph, module: Any) -> None:
    """Freeze what the module has frozen, and take over what its batch norms have counted."""
    parameters = graph.parameters()
    for key, parameter in module.named_parameters():
        if key in parameters and not parameter.requires_grad:
            parameters[key].rate = 0.0
    counts = {
        key: value.detach().cpu().numpy()
        for key, value in module.state_dict().items()
        if key.endswith("num_batches_tracked")
    }
    state = graph.state_dict()
    graph.load_state_dict(state | {key: value for key, value in counts.items() if key in state})
