"""Normalizations."""

from __future__ import annotations

import numpy as np

from ....onnx.importing.registry import Unsupported
from ..call import Call
from ..registry import translates
from ..values import Images

__all__: list[str] = []


def _affine(call: Call, shape: tuple[int, ...]) -> list[str]:
    """Return the names of weight and bias; 1 and 0 where a norm has none."""
    names = []
    for name, fill in (("weight", np.ones), ("bias", np.zeros)):
        value = call.fixed(name)
        plain = call.weight(name, fill(shape, dtype=np.float32)) if value is None else ""
        names.append(plain or call.constant(value))
    return names


def _batch_normalized(call: Call) -> str:
    x = call.images("input")
    rows = len(x.sizes) == 2 and x.layout.axis == 0 and x.layout.several  # (N·k, C)
    if not rows:
        x = call.batch("input")
    mean, variance = call.fixed("running_mean"), call.fixed("running_var")
    if mean is None or variance is None or call["training"]:
        raise Unsupported(
            "it normalizes by the means of the batch: each image is computed by itself here",
            "Build the norm with track_running_stats=True.",
        )
    shape = x.sizes[1:] if rows else x.sizes[:1]
    names = [*_affine(call, shape), call.constant(mean), call.constant(variance)]
    momentum = 1 - float(call["momentum"])
    read = call.emit("Transpose", x.name, perm=[0, 2, 1]) if rows else x.name
    made = call.emit(
        "BatchNormalization", read, *names, epsilon=float(call["eps"]), momentum=momentum
    )
    return call.emit("Transpose", made, perm=[0, 2, 1]) if rows else made


@translates("aten.batch_norm")
def _batch_norm(call: Call) -> Images:
    return call.made(_batch_normalized(call))


@translates("aten._native_batch_norm_legit_no_training")
def _native_batch_norm(call: Call) -> list[Images]:
    return [call.made(_batch_normalized(call), 0)]


@translates("aten.layer_norm")
def _layer_norm(call: Call) -> Images:
    x, shape = call.images("input"), tuple(int(size) for size in call["normalized_shape"])
    axis = min(x.at(dim) for dim in range(-len(shape), 0))
    name = call.emit(
        "LayerNormalization", x.name, *_affine(call, shape), axis=axis - len(x.sizes) - 1,
        epsilon=float(call["eps"]),
    )  # fmt: skip
    return call.made(name)


@translates("aten.group_norm")
def _group_norm(call: Call) -> Images:
    x = call.batch("input")
    name = call.emit(
        "GroupNormalization", x.name, *_affine(call, x.sizes[:1]),
        num_groups=int(call["num_groups"]), epsilon=float(call["eps"]),
    )  # fmt: skip
    return call.made(name)


@translates("aten.instance_norm")
def _instance_norm(call: Call) -> Images:
    x = call.batch("input")
    if not call["use_input_stats"]:
        raise Unsupported(
            "it normalizes by running averages", "Build it with track_running_stats=False."
        )
    name = call.emit(
        "InstanceNormalization", x.name, *_affine(call, x.sizes[:1]), epsilon=float(call["eps"])
    )
    return call.made(name)
