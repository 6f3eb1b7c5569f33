"""The images of a trained model: classes that it numbers in another order than a folder does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nasty import image_folder
from pellucid.errors import DataError
from pellucid.models import SimpleConvNet
from pellucid.nn import Card
from pellucid.runs.listener import Listener
from pellucid.runs.trained_model import images_of


class Heard(Listener):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        if "are copies of" not in text:
            self.told.append(text)


def _model(*classes: str) -> SimpleConvNet:
    model = SimpleConvNet((1, 8, 8), kernel_size=3, classes=len(classes))
    model.input_shape, model.card = (1, 8, 8), Card("", classes)
    return model


def _folder(root: Path, *classes: str) -> str:
    for part in ("train", "test"):
        image_folder(root / part, classes, 3)
    return str(root)


def test_a_folders_classes_get_the_numbers_that_the_model_gives_them(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "0", "180", "270", "90")
    heard = Heard()
    parts = images_of(_model("0", "90", "180", "270"), None, folder, listener=heard)
    for part in (parts.train, parts.test):
        assert part.classes == ("0", "90", "180", "270")
        assert part.files is not None
        named = [Path(file.path).parts[-2] for file in part.files]
        assert [part.classes[label] for label in part.labels] == named
    assert not heard.told


def test_a_folder_may_have_some_of_the_classes(tmp_path: Path) -> None:
    heard = Heard()
    model = _model("tench", "shark", "hen", "crane", "crane")
    parts = images_of(model, None, _folder(tmp_path, "hen", "tench"), listener=heard)
    np.testing.assert_array_equal(np.unique(parts.test.labels), [0, 2])
    (told,) = heard.told
    assert told.endswith("has 2 of the 5 classes that the model distinguishes")


@pytest.mark.parametrize("classes", [("hen", "owl"), ("hen", "crane")])
def test_a_class_that_the_model_does_not_know_or_has_twice_is_refused(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    model = _model("tench", "shark", "hen", "crane", "crane")
    with pytest.raises(DataError, match=r"the model returns 5 numbers .* has 2 classes"):
        images_of(model, None, _folder(tmp_path, *classes))
