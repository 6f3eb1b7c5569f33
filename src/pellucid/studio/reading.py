"""A network in a file of any format: a model, the book's parameters, or ONNX."""

from __future__ import annotations

from pathlib import Path

from ..errors import ArgumentError
from ..formats import from_book
from ..formats.registry import reader_of
from ..formats.sniff import look_at
from ..nn import Layer
from ..runs.listener import Listener
from ..runs.networks import network

__all__ = ["read"]


def read(source: str, image: tuple[int, int, int] | None, listener: Listener) -> Layer:
    """Return the network in a run folder or a file, in evaluation mode.

    Parameters
    ----------
    source : str
        A run folder, a model file, the book's params.pkl, or an ONNX file.
    image : (C, H, W), optional
        The images, where the file leaves them open.
    listener : Listener
        Is told what the file does not say, and was assumed.

    Raises
    ------
    PellucidError
        If it cannot be read.
    """
    path = Path(source)
    kind = look_at(path).kind if path.exists() else ""
    if kind == "onnx":
        from ..formats.onnx.importing import for_pictures  # here, as onnx is an extra

        model, notes = for_pictures(path, input_shape=image, softmax=True)
        for sentence in notes:
            listener.note(sentence)
        return model
    if kind in ("pickle", "npz"):
        arrays = reader_of(path).contents(path).tensors
        if "W1" in arrays:
            return _of_the_book(path, from_book(arrays, input_shape=image), listener)
        raise ArgumentError(
            "holds arrays but no architecture, and not those of the book's networks (W1, b1, ...). "
            "Build the model yourself, give it the arrays with `load_state_dict`, and save it.",
            where=source,
        )
    return network(source)


def _of_the_book(path: Path, model: Layer, listener: Listener) -> Layer:
    """Say of one of the book's networks what its file does not say."""
    if model.card is not None:
        listener.note(f"{path.name}: assumed to be trained on MNIST, classes 0 to 9")
    if type(model).__name__ == "Sequential":
        listener.note(
            f"{path.name}: ReLU is assumed between its layers; for sigmoid, convert it with "
            "--activation sigmoid first"
        )
    return model
