"""How a network pattern spells a layer: its word, and the numbers that may follow.

``CONV5-32/2p1`` is the word CONV of `Conv2d` with four of its arguments. A layer class defines its
word in ``pattern_word``, which `pellucid.models.from_pattern` and `to_pattern` use:

>>> from pellucid.nn import Conv2d
>>> Conv2d.pattern_word.form
'CONV5-32/2p1: window, filters, stride, padding'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..shapes import Padding

if TYPE_CHECKING:
    from .layer import Layer

__all__ = ["Argument", "PatternWord", "keeping", "own_word"]

Implied: TypeAlias = float | Padding | Callable[[Mapping[str, Any]], Any] | None


@dataclass(frozen=True)
class Argument:
    """One argument of a layer's constructor, as a pattern writes it: ``/2`` is ``stride=2``.

    Attributes
    ----------
    name : str
        The constructor's argument; the layer keeps it in an attribute of the same name.
    mark : str
        The text before the number.
    implied : number, callable or None
        The default value; a callable gets the arguments read so far. None for the number of
        outputs, which depends on the position in the network.
    meaning : str
        Its name in error messages; by default ``name``.
    least : int
        The smallest number allowed.
    whole : bool
        Whether it is an integer.
    always : bool
        Whether `to_pattern` writes it even if it has the default value.
    """

    name: str
    mark: str = ""
    implied: Implied = None
    meaning: str = ""
    least: int = 1
    whole: bool = True
    always: bool = False

    def value(self, arguments: Mapping[str, Any]) -> Any:
        """Return the implied value, given the ``arguments`` before this one."""
        return self.implied(arguments) if callable(self.implied) else self.implied


@dataclass(frozen=True)
class PatternWord:
    """The word of a layer class.

    Attributes
    ----------
    text : str
        The word, in capital letters.
    arguments : tuple of Argument
        In the order in which they follow the word.
    channels : str
        The constructor's argument for input channels or features, if it has one.
    constants : mapping
        Arguments implied by the word, which cannot be written.
    takes : {"images", "rows", ""}
        The input that the layer needs; images are flattened to rows if needed.
    layer_name : str
        The layers' name in a model, before their number; by default the word.
    example : str
        Shown if the numbers after the word cannot be parsed.
    also : tuple of str
        Alternative spellings.
    """

    text: str
    arguments: tuple[Argument, ...] = ()
    channels: str = ""
    constants: Mapping[str, Any] = field(default_factory=dict)
    takes: Literal["images", "rows", ""] = ""
    layer_name: str = ""
    example: str = ""
    also: tuple[str, ...] = ()

    @cached_property
    def outputs(self) -> str:
        """The argument for the number of outputs of a layer with weights; else ""."""
        return next((a.name for a in self.arguments if a.implied is None), "")

    @property
    def pools(self) -> bool:
        """Whether it slides a window without weights over images."""
        return not self.outputs and any(a.name == "kernel_size" for a in self.arguments)

    @property
    def form(self) -> str:
        """The syntax, for error messages."""
        if not self.arguments:
            return ""
        return f"{self.example}: {', '.join(a.meaning or a.name for a in self.arguments)}"


def own_word(kind: type[Layer]) -> PatternWord | None:
    """Return the word of this exact class; a subclass may differ, and has none."""
    word: PatternWord | None = vars(kind).get("pattern_word")
    return word


def keeping(window: int) -> Padding:
    """Return the padding that preserves the image size at stride 1."""
    return window // 2 if window % 2 else "same"
