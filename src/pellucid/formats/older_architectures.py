"""Architectures that older versions wrote, in the arguments of this one.

Until 0.1, `SimpleConvNet` took the book's arguments, which a script of the book still gives to the
class in its own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["books_arguments", "translated"]

ARGUMENTS = {"input_dim": "input_shape", "output_size": "classes", "weight_init_std": "weight_init"}
CONV_PARAM = {
    "filter_num": "filters", "filter_size": "kernel_size", "pad": "padding", "stride": "stride",
}  # fmt: skip


def translated(layer: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments of today for those in a file of any version.

    Examples
    --------
    >>> translated("SimpleConvNet", {"input_dim": (1, 8, 8), "conv_param": {"pad": 1}})
    {'padding': 1, 'input_shape': (1, 8, 8)}
    """
    config = dict(config)
    if layer != "SimpleConvNet":
        return config
    convolution = config.get("conv_param")
    if isinstance(convolution, Mapping):
        del config["conv_param"]
        config = dict(convolution) | config
    today = CONV_PARAM | ARGUMENTS
    return {today.get(key, key): value for key, value in config.items()}


def books_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the book's SimpleConvNet for those of ours, but its weights' scale.

    Examples
    --------
    >>> books_arguments({"input_shape": (1, 8, 8), "classes": 10, "hidden_size": 9, "filters": 30})
    {'input_dim': (1, 8, 8), 'conv_param': {'filter_num': 30}, 'hidden_size': 9, 'output_size': 10}
    """
    given = {book: config[ours] for book, ours in CONV_PARAM.items() if ours in config}
    return {
        "input_dim": config["input_shape"],
        "conv_param": given,
        "hidden_size": config["hidden_size"],
        "output_size": config["classes"],
    }
