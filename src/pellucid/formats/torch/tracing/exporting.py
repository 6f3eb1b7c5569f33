"""Trace a module of PyTorch with any number of images."""

from __future__ import annotations

import importlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

from ....errors import ArgumentError

__all__ = ["decomposed", "traced"]


def traced(module: Any, example: Sequence[Any]) -> Any:
    """Return what torch.export records of a module, in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Its mode is the same afterwards.
    example : sequence of torch.Tensor
        The images (N, ...), N at least 2, and further arguments.

    Raises
    ------
    ArgumentError
        If PyTorch cannot trace it.
    """
    training = {each: each.training for each in module.modules()}
    module.eval()
    try:
        with _quiet():
            torch_export = importlib.import_module("torch.export")
            shapes = torch_export.ShapesCollection()
            shapes[example[0]] = {0: torch_export.Dim.DYNAMIC}
            return torch_export.export(module, tuple(example), dynamic_shapes=shapes, strict=False)
    except Exception as error:  # whatever the module's own code raises, and PyTorch's
        raise ArgumentError(_reason(error), where="from_torch") from error
    finally:
        for each, mode in training.items():
            each.training = mode


def decomposed(program: Any, functions: Sequence[Any] = ()) -> Any:
    """Return a traced module without changes in place, and with ``functions`` in simpler ones."""
    with _quiet():
        known = importlib.import_module("torch.export").default_decompositions()
        table = {each: known[each] for each in functions if each in known}
        return program.run_decompositions(table)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what PyTorch's parts warn, log and print; what fails is an error."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _reason(error: Exception) -> str:
    """Return what PyTorch's message means here."""
    text, kind = str(error), type(error).__name__
    own, *_ = [line.strip() for line in text.splitlines() if line.strip()] or ["(nothing)"]
    if "DataDependent" in kind or "data-dependent" in text:
        advice = (
            "its forward decides by the numbers of the images (an if, a loop, or an index computed "
            "from them), and a graph computes the same for all images. Give the part of the module "
            "before that."
        )
    elif "specialized" in text or "Constraints violated" in text:
        advice = (
            "its forward works for one number of images only. Write N as x.shape[0], not as "
            "len(x) or a number, and -1 for sizes that follow from it."
        )
    else:
        advice = "call the module with such images to see whether it runs by itself."
    return f"PyTorch cannot trace this module: {advice} PyTorch says: {kind}: {own}"
