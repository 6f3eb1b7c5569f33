"""Pellucid: convolutional networks that read like the textbook.

>>> import pellucid
>>> train, test = pellucid.data.digits()
>>> model = pellucid.models.SimpleConvNet(train.image_shape)
>>> pellucid.summary(model).parameters
13890

Submodules and names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        data,
        engine,
        errors,
        models,
        nn,
        ops,
        optim,
        report,
        runs,
        shapes,
        training,
        viz,
    )
    from .errors import PellucidError
    from .formats import (
        from_book,
        from_onnx,
        from_torch,
        load,
        read_pickle,
        read_tensors,
        save,
        to_book,
        to_onnx,
        to_torch,
        write_pickle,
        write_tensors,
    )
    from .kernels.pool.thread_count import get_num_threads, set_num_threads
    from .nn import gradcheck, numerical_gradient, receptive_field, summary
    from .quantization import quantize
    from .standalone import to_html, to_numpy
    from .training import Trainer, evaluate, predict

__version__ = "0.2.0"

__all__ = [
    "PellucidError",
    "Trainer",
    "__version__",
    "data",
    "engine",
    "errors",
    "evaluate",
    "from_book",
    "from_onnx",
    "from_torch",
    "get_num_threads",
    "gradcheck",
    "load",
    "models",
    "nn",
    "numerical_gradient",
    "ops",
    "optim",
    "predict",
    "quantize",
    "read_pickle",
    "read_tensors",
    "receptive_field",
    "report",
    "runs",
    "save",
    "set_num_threads",
    "shapes",
    "summary",
    "to_book",
    "to_html",
    "to_numpy",
    "to_onnx",
    "to_torch",
    "training",
    "viz",
    "write_pickle",
    "write_tensors",
]

_HOMES = {
    "PellucidError": "errors",
    "Trainer": "training",
    "evaluate": "training",
    "from_book": "formats",
    "from_onnx": "formats",
    "from_torch": "formats",
    "get_num_threads": "kernels.pool.thread_count",
    "gradcheck": "nn",
    "load": "formats",
    "numerical_gradient": "nn",
    "predict": "training",
    "quantize": "quantization",
    "read_pickle": "formats",
    "read_tensors": "formats",
    "receptive_field": "nn",
    "save": "formats",
    "set_num_threads": "kernels.pool.thread_count",
    "summary": "nn",
    "to_book": "formats",
    "to_html": "standalone",
    "to_numpy": "standalone",
    "to_onnx": "formats",
    "to_torch": "formats",
    "write_pickle": "formats",
    "write_tensors": "formats",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        from .other_names import unknown

        raise unknown("pellucid", name) or AttributeError(
            f"module 'pellucid' has no attribute {name!r}"
        )
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    return importlib.import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return __all__
