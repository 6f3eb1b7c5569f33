"""Errors: the tree that the docstring draws, what they are caught as, and what they say."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import re

import pytest

from pellucid import errors
from pellucid.errors import PellucidError, did_you_mean, renamed

CLASSES = {
    name: cls
    for name, cls in vars(errors).items()
    if inspect.isclass(cls) and cls.__module__ == errors.__name__
}
every_error = pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)


def _drawn() -> dict[str, set[str]]:
    """Read the tree in the module docstring: each name with its bases."""
    bases: dict[str, set[str]] = {}
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│├└─\s]*)([A-Z]\w+Error)(?: \((\w+)\))?", line)
        if not match:
            continue
        branch, name, builtin = match.groups()
        depth = len(branch) // 4
        del above[depth:]
        bases[name] = {*above[-1:], *({builtin} if builtin else ())}
        above.append(name)
    return bases


def test_the_tree_in_the_docstring_is_the_true_one():
    drawn = _drawn()
    assert drawn.keys() == CLASSES.keys()
    for name, cls in CLASSES.items():
        true = {base.__name__ for base in cls.__bases__} - {"Exception"}
        assert drawn[name] == true, name


def test_every_error_is_public_and_the_names_are_sorted():
    assert errors.__all__ == sorted(errors.__all__)
    assert set(errors.__all__) == {*CLASSES, "did_you_mean", "renamed"}


@every_error
def test_every_error_is_caught_as_its_root_and_as_the_builtin_it_is_drawn_with(cls):
    drawn, name, builtin_bases = _drawn(), cls.__name__, []
    for ancestor in cls.__mro__:
        for base in drawn.get(ancestor.__name__, ()):
            if hasattr(builtins, base):
                builtin_bases.append(getattr(builtins, base))
    for caught_as in (PellucidError, *builtin_bases):
        with pytest.raises(caught_as, match=f"^here: about {name}$"):
            raise cls(f"about {name}", where="here")
    assert cls is PellucidError or builtin_bases


@every_error
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
@pytest.mark.parametrize("where", ["", "conv2d"])
def test_an_error_says_the_same_in_another_process(cls, again, where):
    error = cls("expects 30, received 1.", where=where)
    for layer, name in (("Conv2d", "conv2"), ("Sequential", "features")):
        twin = again(error)
        assert type(twin) is cls
        assert str(twin) == str(error)
        assert (twin.message, twin.where) == (error.message, error.where)
        error.inside(layer, name)
    assert str(again(error)) == "Conv2d 'features.conv2': expects 30, received 1."


@every_error
def test_an_error_with_no_place_says_only_what_is_wrong(cls):
    assert str(cls("is wrong.")) == "is wrong."


def test_the_innermost_layer_and_the_path_to_it_are_named():
    error = PellucidError("is wrong.", where="conv2d")
    error.inside("Conv2d", "0")
    assert str(error) == "Conv2d '0': is wrong."
    error.inside("Residual", "")
    assert str(error) == "Conv2d '0': is wrong."
    error.inside("Sequential", "body")
    assert str(error) == "Conv2d 'body.0': is wrong."


def test_a_layer_without_a_name_replaces_the_op_alone():
    error = PellucidError("is wrong.", where="conv2d")
    error.inside("Conv2d", "")
    assert str(error) == "Conv2d: is wrong."


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("admw", "Did you mean 'adamw'? Known: adam, adamw, sgd."),
        ("SGD", "Did you mean 'sgd'? Known: adam, adamw, sgd."),
        ("lbfgs-with-restarts", "Known: adam, adamw, sgd."),
        ("", "Known: adam, adamw, sgd."),
    ],
)
def test_the_nearest_known_name_is_offered_and_all_are_listed(name, said):
    assert did_you_mean(name, ["sgd", "adam", "adamw"]) == said
    assert did_you_mean(name, iter(["sgd", "adam", "adamw"])) == said


@every_error
@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({}, "lr: needs size=... or channels=3 of {'a': 1}, or corrupt='skip'."),
        ({"lr": "rate"}, "rate: needs size=... or channels=3 of {'a': 1}, or corrupt='skip'."),
        (
            {"lr": "--lr", "size": "--size", "channels": "--channels"},
            "--lr: needs --size or --channels 3 of {'a': 1}, or corrupt='skip'.",
        ),
        (
            {"size": "shape", "corrupt": ("--skip-corrupt", True)},
            "lr: needs shape=... or channels=3 of {'a': 1}, or --skip-corrupt.",
        ),
    ],
)
def test_arguments_are_called_as_the_caller_calls_them(cls, names, said):
    arguments = {"size": ..., "channels": 3, "corrupt": "skip"}
    text = "needs {size} or {channels} of {'a': 1}, or {corrupt}."
    with pytest.raises(cls) as caught, renamed(**names):
        raise cls(text, where="lr", arguments=arguments)
    assert str(caught.value) == said
    assert str(pickle.loads(pickle.dumps(caught.value))) == said


def test_values_to_choose_from_are_listed():
    error = PellucidError("Set {misfit}.", arguments={"misfit": ("floor", "pad")})
    assert str(error) == "Set misfit='floor' or 'pad'."
    error.rename({"misfit": "--misfit"})
    assert str(error) == "Set --misfit floor or pad."


def test_a_shape_is_written_as_it_is_typed():
    error = PellucidError("Set {shape}.", arguments={"shape": ((1, 28, 28),)})
    assert str(error) == "Set shape=(1, 28, 28)."
    error.rename({"shape": "--input"})
    assert str(error) == "Set --input 1x28x28."


def test_names_are_changed_once_for_each_block_around():
    with (
        pytest.raises(PellucidError, match=r"^--init: use --init he\.$"),
        renamed(init="--init"),
        renamed(weight_init="init"),
    ):
        raise PellucidError(
            "use {weight_init}.", where="weight_init", arguments={"weight_init": "he"}
        )


def test_what_only_looks_like_an_argument_stays_as_it_is():
    with (
        pytest.raises(PellucidError, match=r"^'/tmp/\{root\}' lacks \{size=1\}\.$"),
        renamed(size="--size"),
    ):
        raise PellucidError("'/tmp/{root}' lacks {size=1}.", arguments={"size": 1})
