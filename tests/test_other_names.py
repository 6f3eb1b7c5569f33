"""What those who come from elsewhere type first gets a sentence, and disturbs nothing else."""

from __future__ import annotations

import copy
import functools
import importlib
import pickle
import re

import pytest

import pellucid
from pellucid import data, models, nn, optim
from pellucid.errors import PellucidError, UnknownNameError
from pellucid.other_names import NAMES
from pellucid.training import Trainer

MODULES = [place for place in NAMES if place.startswith("pellucid")]
CLASSES = {"Layer": nn.Layer, "Optimizer": optim.Optimizer, "Trainer": Trainer}
ENTRIES = [(place, name) for place, names in NAMES.items() for name in names]


@functools.cache
def _objects():
    model = models.SimpleConvNet((1, 8, 8))
    return {
        "Layer": model, "Optimizer": optim.Adam(), "Trainer": Trainer(model, data.digits()[0]),
        **{name: importlib.import_module(name) for name in MODULES},
    }  # fmt: skip


def test_every_place_of_the_table_is_a_module_or_a_class_that_asks_it():
    assert set(NAMES) == {*MODULES, *CLASSES}


@pytest.mark.parametrize(("place", "name"), ENTRIES)
def test_a_name_from_elsewhere_gets_its_sentence_and_is_not_there(place, name):
    thing = _objects()[place]
    assert not hasattr(thing, name)
    assert getattr(thing, name, None) is None
    with pytest.raises(UnknownNameError) as caught:
        getattr(thing, name)
    assert isinstance(caught.value, AttributeError)
    assert isinstance(caught.value, PellucidError)
    shown = type(thing).__name__ if place in CLASSES else place
    assert str(caught.value) == f"{shown}.{name}: {NAMES[place][name]}"


@pytest.mark.parametrize(("place", "name"), ENTRIES)
def test_what_a_sentence_names_is_there(place, name):
    sentence = NAMES[place][name]
    assert re.search(r"[.!]$", sentence)
    for path in re.findall(r"pellucid(?:\.\w+)+", sentence):
        thing = pellucid
        for part in path.split(".")[1:]:
            thing = (
                importlib.import_module("pellucid.book") if part == "book" else getattr(thing, part)
            )


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        (nn, "Conv2", "module 'pellucid.nn' has no attribute 'Conv2'. Did you mean 'Conv2d'? You"),
        (nn, "Zzz", "module 'pellucid.nn' has no attribute 'Zzz'. Your own layer takes twent"),
        (optim, "Adamm", "module 'pellucid.optim' has no attribute 'Adamm'. Did you mean 'Adam'?"),
        (data, "dataset2", "module 'pellucid.data' has no attribute 'dataset2'"),
    ],
)
def test_another_unknown_name_is_an_attribute_error_with_the_nearest(module, name, words):
    assert not hasattr(module, name)
    with pytest.raises(AttributeError, match=f"^{re.escape(words)}"):
        getattr(module, name)


@pytest.mark.parametrize("place", NAMES)
@pytest.mark.parametrize("name", ["__wrapped__", "_private", "__array__", "__setstate__"])
def test_private_names_are_left_to_python(place, name):
    thing = _objects()[place]
    if name in dir(thing):
        return
    with pytest.raises(AttributeError) as caught:
        getattr(thing, name)
    assert type(caught.value) is AttributeError


def test_other_missing_attributes_of_objects_raise_what_python_raises():
    for thing in (
        nn.ReLU(),
        optim.SGD(),
        Trainer(models.SimpleConvNet((1, 8, 8)), data.digits()[0]),
    ):
        with pytest.raises(AttributeError, match=f"'{type(thing).__name__}' object has no attr"):
            thing.nothing  # noqa: B018


def test_an_error_within_a_property_is_not_hidden():
    class Odd(nn.ReLU):
        @property
        def half(self):
            return self.whole / 2

    with pytest.raises(AttributeError, match="'Odd' object has no attribute 'whole'"):
        Odd().half  # noqa: B018


def test_copies_and_pickles_are_unaffected():
    for thing in (models.SimpleConvNet((1, 8, 8)), optim.Adam(0.5)):
        for again in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
            assert repr(again) == repr(thing)
