"""A network in an ONNX file as those who show it pictures expect it."""

from __future__ import annotations

from collections.abc import Sequence

from ....nn import Graph
from ....typing import PathLike
from ..reading import read_onnx
from .channels import with_channels_first, with_red_first
from .from_file import card_of
from .network import network_of, without_softmax
from .pixels import with_unit_pixels

__all__ = ["for_pictures"]


def for_pictures(
    path: PathLike,
    *,
    input_shape: Sequence[int] | None = None,
    bgr: bool = False,
    fold: bool = False,
    external_data: bool = False,
    softmax: bool = False,
) -> tuple[Graph, list[str]]:
    """Read a network for images (N, C, H, W) of numbers from 0 to 1, whatever the file takes.

    Parameters
    ----------
    path, input_shape, bgr, fold, external_data
        Those of `from_onnx`.
    softmax : bool
        Keep a softmax at the end; by default the network ends in scores.

    Returns
    -------
    graph : Graph
        With its card, if the file names the classes.
    notes : list of str
        What is different from the file, in sentences.

    Raises
    ------
    PellucidError
        As `from_onnx`.
    """
    operations = read_onnx(path, external_data=external_data)
    operations, moved = with_channels_first(operations)
    if bgr:
        operations = with_red_first(operations)
    operations, divided = with_unit_pixels(operations)
    dropped = False
    if not softmax:
        operations, dropped = without_softmax(operations)
    graph = network_of(operations, input_shape=input_shape, fold=fold)
    graph.card = card_of(graph, operations.metadata)
    told = {
        "the file takes pixels from 0 to 255; the model takes numbers from 0 to 1, as all here": (
            divided
        ),
        "the file has the channels of images last; they are first here": moved,
        "the softmax at its end was left out: networks here end in scores": dropped,
    }
    return graph, [sentence for sentence, so in told.items() if so]
