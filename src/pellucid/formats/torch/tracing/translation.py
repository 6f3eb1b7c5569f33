"""Say a traced module in ONNX's operators: call after call."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from ....typing import Array
from ...onnx.importing.refusal import Refused
from ...onnx.importing.registry import Unsupported
from ...onnx.operations import Operation, Operations
from . import functions
from .call import Call
from .computing import array_of, computed
from .nodes import arguments_of, flat, function_of, is_tensor, path_of
from .registry import TRANSLATORS, Translator
from .values import Fixed, Images, layout_of

__all__ = ["Translation"]

functions.load()

OPSET = 21


class _Skipped:
    """What is made from a value that could not be translated."""


class _Missing:
    """A further value of a function, of which the first ones are computed."""


class Translation:
    """The operations while they grow, and the value of each node.

    Parameters
    ----------
    module : torch.nn.Module
    program : torch.export.ExportedProgram
        Of the module, with any number of images.
    others : sequence of torch.Tensor
        The module's arguments after the images.

    Attributes
    ----------
    refused : list of Refused
        The calls that could not be translated.
    unknown : set
        Their functions, if these have no translator.
    """

    def __init__(self, module: Any, program: Any, others: Sequence[Any]) -> None:
        self.refused: list[Refused] = []
        self.unknown: set[Any] = set()
        self._module, self._program = module, program
        self._values: dict[Any, Any] = {}
        self._operations: list[Operation] = []
        self._constants: dict[str, Array] = {}
        self._inputs: dict[str, tuple[int | str, ...]] = {}
        inputs = program.graph_signature.user_inputs
        self._others = dict(zip(inputs[1:], others, strict=True))
        self._count = 0

    def run(self) -> Operations:
        """Return the operations; `refused` says what they lack."""
        outputs: list[Any] = []
        for node in self._program.graph.nodes:
            if node.op == "output":
                specs = self._program.graph_signature.output_specs  # also of changed buffers
                kinds = [spec.kind.name for spec in specs]
                outputs = [
                    each
                    for each, kind in zip(node.args[0], kinds, strict=True)
                    if kind == "USER_OUTPUT"
                ]
            elif node.op == "placeholder":
                self._values[node] = self._placeholder(node)
            else:
                self._place(node)
        names = [self._output(each) for each in outputs if each is not None]
        return Operations(self._operations, dict(self._inputs), names, self._constants, opset=OPSET)

    # Adding ---------------------------------------------------------------------------------

    def emit(
        self, call: Call, op: str, inputs: Sequence[str], count: int, domain: str,
        attributes: dict[str, Any],
    ) -> list[str]:  # fmt: skip
        """Add an operation, called after the submodule; return the names of what it makes."""
        outputs = tuple(self._unused(call.node.name) for _ in range(count))
        own = self._is_function(call.path)
        words = function_of(call.node).rpartition(".")[2].strip("_")
        name = call.path if own else f"{call.path}.{words}".strip(".")
        self._operations.append(Operation(op, tuple(inputs), outputs, attributes, name, domain))
        return list(outputs)

    def constant(self, array: Array) -> str:
        """Add a constant that is not trained; return its name."""
        name = self._unused("constant")
        self._operations.append(Operation("Constant", (), (name,), {"value": array}))
        return name

    def weight(self, name: str, array: Array) -> str:
        """Add a weight; return its name, which differs from that of another shape."""
        unused, k = name, 1
        while unused in self._constants and self._constants[unused].shape != array.shape:
            k += 1
            unused = f"{name}_{k}"
        self._constants[unused] = array
        return unused

    def fixed(self, value: Fixed) -> str:
        """Add a tensor of the module; return its name."""
        if value.layout is not None:
            raise Unsupported("a tensor that it reads depends on the number of images")
        array = array_of(value.tensor)
        return self.weight(value.name, array) if value.trainable else self.constant(array)

    def _unused(self, near: str) -> str:
        self._count += 1
        return f"{near}:{self._count}"

    def _is_function(self, path: str) -> bool:
        """Return whether a submodule is one function of torch.nn without weights, as ReLU."""
        module = self._module.get_submodule(path)
        home = type(module).__module__.startswith("torch.nn.")
        leaf = next(module.children(), None) is None
        return bool(path) and home and leaf and next(module.parameters(), None) is None

    # Nodes ----------------------------------------------------------------------------------

    def _placeholder(self, node: Any) -> Any:
        signature = self._program.graph_signature
        for keys, trainable in (
            (signature.inputs_to_parameters, True),
            (signature.inputs_to_buffers, False),
            (signature.inputs_to_lifted_tensor_constants, False),
        ):
            if node.name in keys:
                key = keys[node.name]
                tensors = self._program.state_dict
                tensor = tensors[key] if key in tensors else self._program.constants[key]
                layers = tensor.requires_grad or key.rpartition(".")[2] in ("weight", "bias")
                return Fixed(tensor.detach(), key, trainable and layers)
        if node.name in self._others:
            return Fixed(self._others[node.name])
        layout = layout_of(node.meta["val"].shape)
        assert layout is not None
        self._inputs[node.name] = ("N", *layout.sizes)
        return Images(node.name, layout)

    def _place(self, node: Any) -> None:
        made = node.meta.get("val")
        arguments = arguments_of(node, self._value)
        given = list(flat(arguments.values()))
        if any(isinstance(each, _Skipped) for each in given):
            self._values[node] = _Skipped()
            if is_tensor(made) and node.target is not operator.getitem:
                self._require_known(node)
        elif node.target is operator.getitem:
            several, k = arguments["0"], arguments["1"]
            self._values[node] = several[k] if k < len(several) else _Missing()
        elif not is_tensor(made):
            self._values[node] = made  # a length, or a check of one
        else:
            try:
                if any(isinstance(each, Images | _Missing) for each in given):
                    self._values[node] = self._translated(node, arguments)
                else:
                    self._values[node] = computed(node, self._values, arguments)
            except Unsupported as error:
                self._refuse(node, error)

    def _value(self, node: Any) -> Any:
        return self._values[node]

    def _translated(self, node: Any, arguments: dict[str, Any]) -> Any:
        name = function_of(node)
        if any(isinstance(value, _Missing) for value in flat(arguments.values())):
            raise Unsupported("it reads the places of a pool or an extreme, which are not computed")
        translator = _translator(node)
        if translator is None:
            self.unknown.add(node.target)
            raise Unsupported("the function is unknown", functions.ADVICE.get(name, ""))
        told = any(hasattr(value, "node") for value in flat(arguments.values()))
        if told and name not in functions.SHAPES:
            raise Unsupported("it computes with the number of images")
        return translator(Call(node, arguments, path_of(node), self))

    def _require_known(self, node: Any) -> None:
        """Refuse an unknown function, also of values that could not be translated."""
        if _translator(node) is None:
            self.unknown.add(node.target)
            advice = functions.ADVICE.get(function_of(node), "")
            self._refuse(node, Unsupported("the function is unknown", advice))

    def _refuse(self, node: Any, error: Unsupported) -> None:
        self._values[node] = _Skipped()
        at = path_of(node)
        operation = Operation(function_of(node), (), (node.name,), name=at or "the module itself")
        self.refused.append(Refused(operation, error.message, error.advice))

    def _output(self, node: Any) -> str:
        value = self._values.get(node)
        if isinstance(value, Images):
            if value.layout.axis or not value.layout.plain:
                operation = Operation("output", (), (node.name,))
                reason = f"it has the images along axis {value.layout.axis}; they must be the first"
                self.refused.append(Refused(operation, reason, ""))
            return value.name
        if not isinstance(value, _Skipped):
            reason = "it does not depend on the images"
            self.refused.append(Refused(Operation("output", (), (str(node),)), reason, ""))
        return ""


def _translator(node: Any) -> Translator | None:
    """Return the translator of a function, which is also that of its variant in place."""
    name = function_of(node)
    return TRANSLATORS.get(name) or TRANSLATORS.get(name.removesuffix("_"))
