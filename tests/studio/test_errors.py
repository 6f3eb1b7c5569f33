"""Where a network errs, and why."""

import numpy as np
import pytest

from pellucid import Trainer, data, evaluate, models, viz
from pellucid.errors import PellucidError
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opening import Studio
from pellucid.studio.registry import Cancelled, answer

TRAIN, TEST = data.digits()
DIGITS = data.Parts(TRAIN, None, TEST)


@pytest.fixture(scope="module")
def opened():
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    Trainer(model, DIGITS.train, epochs=3, optimizer="adam").fit()
    return Studio().add(model, "digits", lambda: DIGITS)


def test_the_matrix_is_that_of_an_evaluation(opened):
    said, found = answer("errors", opened, {}), evaluate(opened.model, DIGITS.test)
    np.testing.assert_array_equal(said["matrix"], found.confusion)
    np.testing.assert_array_equal(said["recall"], found.by_class.recall)
    np.testing.assert_array_equal(said["precision"], found.by_class.precision)
    assert said["accuracy"] == found.accuracy
    assert said["parts"] == {"test": 359, "train": 1438}


def test_the_cells_hold_all_images_each_once_the_most_confident_first(opened):
    matrix, found = answer("errors", opened, {})["matrix"], []
    for row, column in np.argwhere(matrix):
        asked = {"row": int(row), "column": int(column), "count": 200}
        cell = answer("errors/cell", opened, asked)
        assert cell["total"] == matrix[row, column] == len(cell["indices"])
        assert set(cell["labels"]) == {row}
        assert set(cell["guesses"]) == {column}
        assert (np.diff(cell["confidences"]) <= 0).all()
        found += cell["indices"].tolist()
    assert sorted(found) == list(range(359))


def test_a_cell_is_paged(opened):
    cell = {"row": 0, "column": 0}
    whole = answer("errors/cell", opened, cell)
    rest = answer("errors/cell", opened, {**cell, "start": 4, "count": 3})
    assert rest["total"] == whole["total"]
    np.testing.assert_array_equal(rest["indices"], whole["indices"][4:7])
    assert rest["pictures"].shape == (3, 1, 8, 8)


def test_the_maps_are_those_of_the_library_and_leave_the_network_as_it_was(opened):
    x = DIGITS.test.batch([0])[0][0]
    image, heard = opened.keep(x), []
    before = opened.scores(image)
    asked = {"image": image, "class_": 3}
    for method in ("saliency", "grad_cam", "occlusion"):
        expected = getattr(viz, method)(opened.model, x, 3)
        found = answer("why", opened, {**asked, "method": method}, lambda *n: heard.append(n))
        np.testing.assert_allclose(found["map"], expected, rtol=1e-5, atol=1e-6)
        assert (found["low"], found["high"]) == (found["map"].min(), found["map"].max())
    assert heard == [(32, 64), (64, 64)]
    np.testing.assert_array_equal(opened.scores(image), before)


def test_occlusion_ends_when_nobody_waits_for_it(opened):
    def left(done, of):
        raise Cancelled

    asked = {"image": opened.keep(DIGITS.test.batch([1])[0][0]), "class_": 0}
    with pytest.raises(Cancelled):
        answer("why", opened, {**asked, "method": "occlusion"}, left)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("errors", {"part": "validation"}, "no validation images"),
        ("errors/cell", {"row": 10, "column": 0}, "from 0 to 9"),
        ("errors/cell", {"row": 0}, "missing"),
        ("why", {"class_": 0, "method": "occluson"}, "Did you mean 'occlusion'"),
        ("why", {"class_": -1, "method": "saliency"}, "from 0 to 9"),
    ],
)
def test_what_does_not_exist_is_refused(opened, name, given, message):
    if name == "why":
        given = {**given, "image": opened.keep(DIGITS.test.batch([0])[0][0])}
    with pytest.raises(PellucidError, match=message):
        answer(name, opened, given)


def test_images_of_more_classes_than_the_network_has_are_refused():
    opened = Studio().add(models.SimpleConvNet((1, 8, 8), classes=3), "three", lambda: DIGITS)
    with pytest.raises(PellucidError, match="have 10 classes, and the network gives 3"):
        answer("errors", opened, {})
