"""Names that users of PyTorch or Keras type, and what they are called here.

One table for attributes of packages and classes, one for arguments of classes. A name in neither
gets Python's usual error.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from .errors import ArgumentError, UnknownNameError

__all__ = ["ARGUMENTS", "NAMES", "advice", "lookup", "require_arguments", "unknown"]

_TRAINER = "`pellucid.Trainer(model, train, validation).fit()` trains"
_SCHEDULE = 'schedules belong to the Trainer: `pellucid.Trainer(..., schedule="cosine")`'
_CPU = "everything runs on the CPU, on as many threads as `pellucid.set_num_threads` says"
_ENDED = "the layers of a model are fixed when it is built: `pellucid.nn.Sequential(*model, layer)`"
_NO_TAPE = "is not needed: there is no tape; `pellucid.predict` leaves the model as it is"

NAMES: dict[str, dict[str, str]] = {
    "pellucid": {
        "DataLoader": "is called `pellucid.data.Loader` here; the Trainer makes its own.",
        "Model": "is called `pellucid.nn.Layer` here; a chain is `pellucid.nn.Sequential`.",
        "Module": "is called `pellucid.nn.Layer` here.",
        "Sequential": "lives in `pellucid.nn`: `pellucid.nn.Sequential`.",
        "Tensor": "is a NumPy array here.",
        "compile": "lives in `pellucid.engine`; the Trainer calls it itself.",
        "cuda": f"{_CPU}.",
        "device": f"{_CPU}.",
        "from_numpy": "is not needed: layers take NumPy arrays.",
        "layers": "are in `pellucid.nn`.",
        "manual_seed": "is not needed: layers take `rng=`, the Trainer takes `seed=`.",
        "no_grad": f"{_NO_TAPE}.",
        "optimizers": "are in `pellucid.optim`.",
        "tensor": "is `numpy.array` here.",
        "utils": "its DataLoader is `pellucid.data.Loader` here.",
    },
    "pellucid.nn": {
        "AveragePooling2D": "is called `pellucid.nn.AvgPool2d` here.",
        "BatchNormalization": "is called `pellucid.nn.BatchNorm2d` here.",
        "Conv2D": "is called `pellucid.nn.Conv2d` here.",
        "Conv2DTranspose": "is called `pellucid.nn.ConvTranspose2d` here.",
        "CrossEntropyLoss": "is called `pellucid.nn.SoftmaxCrossEntropy` here.",
        "Dense": "is called `pellucid.nn.Linear` here: `Linear(inputs, outputs)`.",
        "GlobalAveragePooling2D": "is called `pellucid.nn.GlobalAvgPool2d` here.",
        "GlobalMaxPooling2D": "is called `pellucid.nn.GlobalMaxPool2d` here.",
        "GroupNormalization": "is called `pellucid.nn.GroupNorm` here.",
        "Hardtanh": "is `pellucid.nn.Clip(-1, 1)` here.",
        "Input": "is not needed: a model is given its image shape, or finds it in the data.",
        "LayerNormalization": "is `pellucid.nn.LayerNorm(sizes)` here, or for the channels of each "
        "pixel `pellucid.nn.LayerNorm2d`.",
        "LogSoftmax": "is in the loss, `pellucid.nn.SoftmaxCrossEntropy`: end with the scores.",
        "MSELoss": "is called `pellucid.nn.MeanSquaredError` here.",
        "ConstantPad2d": "is `pellucid.nn.Pad2d(padding, value=...)` here.",
        "MaxPooling2D": "is called `pellucid.nn.MaxPool2d` here.",
        "Module": "is called `pellucid.nn.Layer` here: derive your own from it.",
        "ModuleDict": "containers name their layers: `pellucid.nn.Sequential(conv=..., relu=...)`.",
        "ModuleList": "is `pellucid.nn.Sequential` here, or `pellucid.nn.Branches` side by side.",
        "MultiMarginLoss": "is called `pellucid.nn.MulticlassHinge` here.",
        "NLLLoss": "with the softmax before it, it is `pellucid.nn.SoftmaxCrossEntropy`.",
        "ReflectionPad2d": "is `pellucid.nn.Pad2d(padding, 'reflect')` here.",
        "ReplicationPad2d": "is `pellucid.nn.Pad2d(padding, 'edge')` here.",
        "Unflatten": "is called `pellucid.nn.Reshape` here.",
        "UpSampling2D": "is called `pellucid.nn.Upsample` here.",
        "UpsamplingBilinear2d": "is `pellucid.nn.Upsample(scale_factor=2, mode='bilinear', "
        "align_corners=True)` here.",
        "UpsamplingNearest2d": "is called `pellucid.nn.Upsample` here.",
        "ZeroPad2d": "is called `pellucid.nn.Pad2d` here; four sides are top, bottom, left, right.",
        "ZeroPadding2D": "is called `pellucid.nn.Pad2d` here.",
        "Swish": "is called `pellucid.nn.SiLU` here.",
        "Threshold": "with the value 0 it is `pellucid.nn.ThresholdedReLU(theta)`.",
        "functional": "the functions are in `pellucid.ops`.",
        "utils": "gradients are in the parameters after backward: `model.parameters()[name].grad`.",
    },
    "pellucid.nn.init": {
        "constant_": "biases start at 0; for weights, `weight_init` may be your own function.",
        "he_normal": "is called `pellucid.nn.init.he` here.",
        "glorot_normal": "is called `pellucid.nn.init.xavier` here.",
        "kaiming_normal_": 'is called `pellucid.nn.init.he` here: `weight_init="he"`.',
        "normal_": "is called `pellucid.nn.init.normal` here: `weight_init=0.01`, the deviation.",
        "xavier_normal_": 'is called `pellucid.nn.init.xavier` here: `weight_init="xavier"`.',
    },
    "pellucid.optim": {
        "Adagrad": "is called `pellucid.optim.AdaGrad` here.",
        "Lamb": "is called `pellucid.optim.LAMB` here.",
        "Lars": "is called `pellucid.optim.LARS` here.",
        "Momentum": "is `pellucid.optim.SGD(lr, momentum=0.9)`; the book's is in `pellucid.book`.",
        "Nesterov": "is `pellucid.optim.SGD(lr, momentum=0.9, nesterov=True)`; the book's is in "
        "`pellucid.book`.",
        "RMSProp": "is called `pellucid.optim.RMSprop` here.",
        "lr_scheduler": f"{_SCHEDULE}.",
        "schedulers": f"{_SCHEDULE}.",
    },
    "pellucid.data": {
        "CIFAR10": "is called `pellucid.data.cifar10` here.",
        "CIFAR100": "is called `pellucid.data.cifar100` here.",
        "DataLoader": "is called `pellucid.data.Loader` here; the Trainer makes its own.",
        "FashionMNIST": "is called `pellucid.data.fashion_mnist` here.",
        "ImageFolder": "is called `pellucid.data.image_folder` here.",
        "MNIST": "is called `pellucid.data.mnist` here.",
        "TensorDataset": "is `pellucid.data.Dataset.from_arrays(images, labels)` here.",
        "random_split": "a Dataset has `take` and `subset`; `pellucid.data.held_out_images` draws.",
        "transforms": "are in `pellucid.data`: `pellucid.data.Augmentation(Flip(), Crop(4))`.",
    },
    "Layer": {
        "add": f"{_ENDED}.",
        "append": f"{_ENDED}.",
        "compile": f"{_TRAINER}; it takes optimizer and loss.",
        "cpu": f"{_CPU}.",
        "cuda": f"{_CPU}.",
        "evaluate": "is a function: `pellucid.evaluate(model, dataset)`.",
        "extend": f"{_ENDED}.",
        "fit": f"{_TRAINER}.",
        "insert": f"{_ENDED}.",
        "load_weights": "is called `load_state_dict` here; `pellucid.load(path)` reads a model.",
        "modules": "is called `layers` here, and yields each with its path.",
        "named_children": "is called `children` here, and yields the names.",
        "named_modules": "is called `layers` here.",
        "named_parameters": "is `model.parameters().items()` here.",
        "predict": "is a function: `pellucid.predict(model, images)`.",
        "register_buffer": "is an assignment: `self.mean = pellucid.nn.Buffer(array)`.",
        "register_parameter": "is an assignment: `self.weight = pellucid.nn.Parameter(array)`.",
        "requires_grad_": "is called `pellucid.nn.freeze(model, layers)` here.",
        "save": "is a function: `pellucid.save(model, path)`.",
        "save_weights": "is a function: `pellucid.save(model, path)`.",
        "summary": "is a function: `pellucid.summary(model)`.",
        "to": f"{_CPU}.",
        "trainable": "is `pellucid.nn.freeze(model, layers)` here.",
        "zero_grad": "is not needed: backward replaces the gradients, and does not add to them.",
    },
    "Optimizer": {
        "add_param_group": "for the rates of layers there is `pellucid.nn.set_rates`.",
        "param_groups": "the rate is `lr`; for layers there is `pellucid.nn.set_rates`.",
        "zero_grad": "is not needed: backward replaces the gradients, and does not add to them.",
    },
    "Trainer": {
        "evaluate": "is a function: `pellucid.evaluate(trainer.model, dataset)`.",
        "predict": "is a function: `pellucid.predict(trainer.model, images)`.",
        "save": "a model is saved by `pellucid.save(trainer.model, path)`, a training by "
        "`trainer.state().save(path)`.",
        "test": "is called `validation` here.",
    },
}  # fmt: skip

ARGUMENTS: dict[str, dict[str, str]] = {
    "Optimizer": {
        "beta1": "is called betas=(beta1, beta2) here.",
        "beta2": "is called betas=(beta1, beta2) here.",
        "beta_1": "is called betas=(beta1, beta2) here.",
        "beta_2": "is called betas=(beta1, beta2) here.",
        "decay_rate": "is called alpha here.",
        "epsilon": "is called eps here.",
        "eta": "is called trust_coefficient for LARS, and lr where it is the learning rate.",
        "learning_rate": "is called lr here.",
        "rho": "is called alpha here.",
        "trust_coeff": "is called trust_coefficient here.",
    },
    "Trainer": {
        "criterion": "is called loss here.",
        "device": f"{_CPU}.",
        "learning_rate": "is called lr here.",
        "scheduler": "is called schedule here.",
        "test": "is called validation here.",
        "val": "is called validation here.",
        "validation_data": "is called validation here.",
        "verbose": "is called progress here, and is True, False or None.",
    },
}


def advice(place: str, name: str) -> str | None:
    """Return what ``name`` is called here, or None.

    Examples
    --------
    >>> advice("pellucid.nn", "Module")
    'is called `pellucid.nn.Layer` here: derive your own from it.'
    """
    return NAMES[place].get(name)


def unknown(place: str, name: str, shown: str = "") -> UnknownNameError | None:
    """Return the error that says what ``name`` is called here, if that is known."""
    sentence = advice(place, name)
    return UnknownNameError(sentence, where=f"{shown or place}.{name}") if sentence else None


def lookup(module: str, known: Iterable[str], last: str = "") -> Callable[[str], NoReturn]:
    """Return a module's ``__getattr__``, which suggests the name used here, or the nearest one.

    ``last`` is the advice for names that are not in the table.

    Examples
    --------
    >>> lookup("pellucid.optim", ["AdaGrad", "Adam"])("Adamm")
    Traceback (most recent call last):
    pellucid.errors.UnknownNameError: module 'pellucid.optim' has no attribute 'Adamm'. Did you mean 'Adam'?
    """  # noqa: E501

    def __getattr__(name: str) -> NoReturn:  # noqa: N807
        plain = f"module {module!r} has no attribute {name!r}"
        if name.startswith("_"):
            raise AttributeError(plain)
        if error := unknown(module, name):
            raise error
        near = difflib.get_close_matches(name, known, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownNameError(f"{plain}.{guess}{last}")

    return __getattr__


def require_arguments(kind: str, given: Mapping[str, object]) -> None:
    """Refuse arguments of a class that have another name here.

    Raises
    ------
    ArgumentError
    """
    for name in given:
        if sentence := ARGUMENTS[kind].get(name):
            raise ArgumentError(sentence, where=name)
