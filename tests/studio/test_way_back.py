"""The way back, fields and patches as a page gets them."""

import gc
import weakref

import numpy as np
import pytest

from pellucid import Trainer, data, models, nn, viz
from pellucid.errors import PellucidError
from pellucid.nn import layer_at
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.envelope import pack, unpack
from pellucid.studio.opening import Studio
from pellucid.studio.registry import Cancelled, ForgottenError, answer
from pellucid.studio.remembered import Remembered

TRAIN, TEST = data.digits()
DIGITS = data.Parts(TRAIN, None, TEST)


@pytest.fixture(scope="module")
def trained():
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    Trainer(model, TRAIN, epochs=2, optimizer="adam").fit()
    return model


@pytest.fixture
def opened(trained):
    return Studio().add(trained, "digits", lambda: DIGITS)


def asked(question, network, **given):
    return unpack(pack(answer(question, network, given)))


def value_of(opened, path):
    return [node.name for node in opened.nodes].index(path) + 1


def image_of(opened, index=0):
    return answer("see", opened, {"part": "test", "index": index})


@pytest.mark.parametrize("name", ["resnet20", "lenet-1998"])
def test_what_arrives_at_a_unit_adds_up(name):
    network = Studio().open(name)
    x = np.random.default_rng(0).random(network.shapes[0], dtype=np.float32)
    image = network.keep(x)
    for value in range(0, len(network.shapes), 4):
        unit = [size // 3 for size in network.shapes[value]]  # no channel of zeros
        told = asked("way_back", network, image=image, value=value, unit=unit, class_=2)
        terms = [
            np.array([part["result"]]) if part["form"] == "formula"
            else part["numbers"].astype(float) * part["factors"]
            for part in told["parts"]
        ]  # fmt: skip
        largest = max(np.abs(told["map"]).max(), *(np.abs(t).max(initial=0) for t in terms), 1e-20)
        total = sum(t.sum() for t in terms)
        assert total == pytest.approx(told["arrives"], abs=1e-5 * float(largest))
        assert told["map"][tuple(unit)] == np.float32(told["arrives"])
        assert told["class"] == 2
        reads = network.nodes[value - 1].reads if value else ()
        assert [hand["input"] for hand in told["hands"]] == [*reads]


def test_the_gradient_is_that_of_the_loss_that_the_scores_say(opened, trained):
    """A small change of a pixel changes the loss as the gradient says."""
    seen = image_of(opened)
    told = asked("way_back", opened, image=seen["image"], value=0, unit=[0, 3, 4], class_=5)

    def loss(step):
        x = opened.numbers(seen["image"]).astype(np.float64)
        x[0, 3, 4] += step
        with trained.evaluating():
            scores = trained(x[None].astype(np.float32))[0].astype(np.float64)
        return np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[5]

    assert told["loss"] == pytest.approx(loss(0), rel=1e-5)
    assert told["arrives"] == pytest.approx((loss(0.02) - loss(-0.02)) / 0.04, rel=0.02)


def test_without_a_class_it_is_the_one_that_the_network_names(opened):
    seen = image_of(opened)
    told = asked("way_back", opened, image=seen["image"], value=1, unit=[0, 0, 0])
    assert told["class"] == int(seen["scores"].argmax())


def test_each_class_has_a_gradient_of_its_own(opened):
    seen = image_of(opened)["image"]
    one, two = (
        asked("way_back", opened, image=seen, value=opened.output, unit=[3], class_=c)
        for c in (3, 4)
    )
    assert (one["class"], two["class"]) == (3, 4)
    assert one["arrives"] < 0 < two["arrives"]


def test_what_old_weights_gave_is_not_kept(opened):
    class Answer:
        pass

    kept, made = Remembered(3), [Answer()]
    gone = weakref.ref(made[0])
    kept.of(opened, "a", made.pop)
    assert kept.of(opened, "a", Answer) is gone()
    opened.changed()
    kept.of(opened, "b", Answer)
    gc.collect()
    assert gone() is None


def test_an_answer_of_weights_that_changed_meanwhile_is_not_kept(opened):
    kept = Remembered(3)

    def made():
        opened.changed()
        return "mixed"

    assert kept.of(opened, "a", made) == "mixed"
    assert kept.of(opened, "a", lambda: "new") == "new"


def test_training_goes_on_beside_it(opened, trained):
    """Neither modes, caches nor gradients of the model are touched."""
    trained.train()
    for parameter in trained.parameters().values():
        parameter.grad, parameter.rate = None, 0.5
    seen = image_of(opened)["image"]
    asked("way_back", opened, image=seen, value=1, unit=[0, 0, 0])
    asked("weight", opened, image=seen, key="conv1.weight", index=[0, 0, 0, 0])
    assert {(p.grad, p.rate) for p in trained.parameters().values()} == {(None, 0.5)}
    assert all(layer.training for _, layer in trained.layers())
    for parameter in trained.parameters().values():
        parameter.rate = 1.0


def test_changed_weights_give_another_gradient(opened, trained):
    seen = image_of(opened)["image"]
    before = asked("way_back", opened, image=seen, value=1, unit=[3, 2, 2])
    last = layer_at(trained, "affine2")
    with opened.lock:
        last.weight.data[...] *= -1
        opened.changed()
    after = asked("way_back", opened, image=seen, value=1, unit=[3, 2, 2])
    with opened.lock:
        last.weight.data[...] *= -1
        opened.changed()
    assert not np.allclose(before["map"], after["map"])
    again = asked("way_back", opened, image=seen, value=1, unit=[3, 2, 2])
    np.testing.assert_allclose(again["map"], before["map"], atol=1e-7)


def test_weights_that_change_while_it_is_computed_are_used_from_the_beginning(opened, trained):
    """A layer changes the weights once, in its first backward."""
    last = layer_at(trained, "affine2")
    seen = image_of(opened)["image"]
    given = {"image": seen, "value": 1, "unit": [3, 2, 2], "class_": 1}

    class Interfering(type(last)):
        def backward(self, dy):
            if not told:
                told.append(opened.version)
                with opened.lock:
                    last.weight.data[...] *= -1
                    opened.changed()
            return super().backward(dy)

    told, kind = [], type(last)
    last.__class__ = Interfering
    try:
        found = asked("way_back", opened, **given)
    finally:
        last.__class__ = kind
    assert told == [opened.version - 1]
    expected = asked("way_back", opened, **given)
    with opened.lock:
        last.weight.data[...] *= -1
        opened.changed()
    np.testing.assert_array_equal(found["map"], expected["map"])
    assert found["scores"].tolist() == expected["scores"].tolist()


def test_a_step_changes_the_weight_as_was_said(opened, trained):
    seen = image_of(opened, 3)["image"]
    told = asked(
        "weight", opened, image=seen, key="conv1.weight", index=[4, 0, 1, 2], class_=7,
        optimizer="momentum", lr=0.5, value=1,
    )  # fmt: skip
    listed = told["windows"]["listed"]
    assert listed["at"].shape == (told["windows"]["total"], 3)
    assert (listed["at"][:, 0] == 4).all()
    total = (listed["dy"].astype(float) * listed["x"]).sum()
    assert total == pytest.approx(told["gradient"], rel=1e-4, abs=1e-7)
    numbers = {number["symbol"]: number["value"] for number in told["update"]["numbers"]}
    assert told["update"]["lines"] == ["v′ = μ · v + g", "w ← w − η · v′"]
    assert numbers["v"] == 0
    expected = trained.parameters()["conv1.weight"].data[4, 0, 1, 2] - 0.5 * told["gradient"]
    assert told["update"]["next"] == pytest.approx(expected, rel=1e-6)


def test_the_optimizer_of_a_training_goes_on_with_its_memory():
    model = models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(0))
    trainer = Trainer(model, TRAIN, epochs=1, optimizer="adam")
    trainer.fit()
    opened = Studio().add(model, "digits", lambda: DIGITS)
    given = {"image": image_of(opened)["image"], "key": "conv1.bias", "index": [5]}
    assert asked("weight", opened, **given)["update"]["text"] == "w ← w − η · g"
    opened.optimizer = trainer.optimizer
    told = asked("weight", opened, **given)
    numbers = {number["symbol"]: number["value"] for number in told["update"]["numbers"]}
    assert told["training"]
    assert numbers["t"] == trainer.optimizer.t + 1
    assert numbers["m"] == trainer.optimizer.memory["conv1.bias"]["m"][5] != 0
    fresh = asked("weight", opened, **given, optimizer="adam", lr=0.5)
    assert not fresh["training"]
    assert {n["symbol"]: n["value"] for n in fresh["update"]["numbers"]}["t"] == 1
    assert fresh["update"]["lr"] == 0.5
    faster = asked("weight", opened, **given, lr=2 * trainer.optimizer.lr)["update"]
    start = told["number"]
    assert faster["next"] - start == pytest.approx(2 * (told["update"]["next"] - start), rel=1e-3)


@pytest.mark.parametrize(
    ("question", "given"),
    [
        ("way_back", {"value": 2, "unit": [0, 0, 0]}),
        ("weight", {"key": "conv1.weight", "index": [0, 0, 0, 0]}),
    ],
)
def test_it_says_how_far_it_is_and_ends_when_the_page_has_left(opened, question, given):
    image, steps = image_of(opened)["image"], []

    def leaving(done, of):
        steps.append((done, of))
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        answer(question, opened, {"image": image, "class_": 8, **given}, leaving)
    assert steps == [(done, len(opened.nodes)) for done in range(4)]
    seen = []
    answer(question, opened, {"image": image, "class_": 8, **given}, lambda *of: seen.append(of))
    assert len(seen) == len(opened.nodes)  # nothing half computed was kept


def test_a_layer_without_a_backward_is_named():
    class Doubled(nn.Layer):
        def forward(self, x):
            return 2 * x

        def output_shape(self, input_shape):
            return input_shape

    model = nn.Sequential(nn.Flatten(), Doubled(), nn.Linear(4, 3)).eval()
    model.input_shape = (1, 2, 2)
    network = Studio().add(model, "one's own")
    image = network.keep(np.ones((1, 2, 2), np.float32))
    told = asked("unit", network, image=image, value=2, unit=[1])
    assert told["engine"] == 2
    with pytest.raises(PellucidError, match="Doubled has no backward yet, which 'way_back' needs"):
        answer("way_back", network, {"image": image, "value": 1, "unit": [0]})


@pytest.mark.parametrize(
    ("question", "given", "match"),
    [
        ("way_back", {"value": 99, "unit": [0]}, "values of this network are 0 to"),
        ("way_back", {"value": 1, "unit": [0, 0]}, "must be 3 indices below"),
        ("way_back", {"value": 1, "unit": [0, 0, 0], "class_": 10}, "class from 0 to 9"),
        ("weight", {"key": "conv1.wieght", "index": [0]}, "Did you mean 'conv1.weight'"),
        ("weight", {"key": "conv1.weight", "index": [0]}, "must be 4 integers from 0"),
        ("weight", {"key": "affine1.bias", "index": [0], "value": 1}, "the layer that makes value"),
        ("weight", {"key": "affine1.bias", "index": [0], "optimizer": "adma"}, "mean 'adam'"),
        ("weight", {"key": "affine1.bias", "index": [0], "lr": -1.0}, "lr"),
    ],
)
def test_what_does_not_exist_is_refused(opened, question, given, match):
    with pytest.raises(PellucidError, match=match):
        answer(question, opened, {"image": image_of(opened)["image"], **given})


def test_an_image_that_is_forgotten_is_asked_for(opened):
    with pytest.raises(ForgottenError):
        answer("way_back", opened, {"image": "0" * 16, "value": 1, "unit": [0, 0, 0]})


# Fields -----------------------------------------------------------------------------------------


def test_a_field_goes_back_to_the_image_and_ahead_to_the_scores():
    network = Studio().open("resnet20")
    value = value_of(network, "layer1.0.conv2")
    told = asked("field", network, value=value, unit=[3, 0, 31])
    assert [window["value"] for window in told["windows"]] == list(range(value - 1, -1, -1))
    assert told["windows"][0] == {
        "value": value - 1, "channels": [0, 16], "rows": [-1, 2], "columns": [30, 33]
    }  # fmt: skip
    assert told["windows"][-1]["value"] == 0
    last = told["reaches"][-1]
    assert last == {
        "value": network.output, "channels": [0, 10], "rows": None, "columns": None, "units": 10
    }  # fmt: skip
    assert asked("field", network, value=0, unit=[0, 0, 0])["windows"] == []
    assert asked("field", network, value=network.output, unit=[9])["reaches"] == []


# Patches ----------------------------------------------------------------------------------------


def test_patches_are_those_that_viz_finds(opened, trained):
    value, channel = value_of(opened, "relu1"), 7
    told = asked("patches", opened, value=value, channel=channel, count=5)
    top = viz.top_cells(trained, TEST, "conv1", count=5)  # whose activation is compared
    (found,) = viz.patches(trained, TEST, top, [channel])
    np.testing.assert_array_equal(told["indices"], found.images)
    np.testing.assert_allclose(told["values"], found.values, rtol=1e-5)
    assert told["units"] == [[channel, *map(int, cell)] for cell in top.cells[channel]]
    np.testing.assert_array_equal(told["inside"], ~np.isnan(found.pictures).any(axis=1))
    low, high = opened.value_range
    shown = np.rint(255 * np.nan_to_num((found.pictures - low) / (high - low)).clip(0, 1))
    np.testing.assert_array_equal(told["pictures"], shown)
    np.testing.assert_array_equal(told["labels"], TEST.labels[found.images])


def test_of_a_value_before_its_activation_the_value_itself_is_compared(opened):
    value = value_of(opened, "affine1")
    told = asked("patches", opened, value=value, channel=2, count=25)
    image = image_of(opened, int(told["indices"][24]))["image"]
    assert opened.values(image)[value][2] == pytest.approx(told["values"][24], abs=1e-4)
    assert (np.diff(told["values"]) <= 0).all()
    assert told["units"] == [[2]] * 25
    assert told["pictures"].shape == (25, 1, 8, 8)
    assert told["inside"].all()


def test_the_strongest_cells_are_searched_for_once(opened):
    calls = []
    given = {"value": 1, "channel": 0}
    answer("patches", opened, given, lambda done, of: calls.append((done, of)))
    assert calls[0] == (0, 359)
    assert calls[-1] == (359, 359)
    heard = len(calls)
    answer("patches", opened, {**given, "channel": 3}, lambda done, of: calls.append((done, of)))
    assert len(calls) == heard
    opened.changed()
    answer("patches", opened, given, lambda done, of: calls.append((done, of)))
    assert len(calls) == 2 * heard


def test_a_search_ends_when_the_page_has_left(opened):
    def left(done, of):
        if done >= 100:
            raise Cancelled

    with pytest.raises(Cancelled):
        answer("patches", opened, {"value": 1, "channel": 0}, left)
    assert len(asked("patches", opened, value=1, channel=0)["indices"]) == 9


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"value": 0, "channel": 0}, "is the image itself"),
        ({"value": 1, "channel": 30}, "must be from 0 to 29"),
        ({"value": 1, "channel": 0, "count": 26}, "must be from 1 to 25"),
        ({"value": 1, "channel": 0, "part": "validation"}, "has no validation images"),
    ],
)
def test_patches_that_do_not_exist_are_refused(opened, given, match):
    with pytest.raises(PellucidError, match=match):
        answer("patches", opened, given)


def test_the_optimizer_of_the_training_is_the_one_to_begin_with():
    from pellucid import optim

    opened = Studio().open("simple")
    image = opened.keep(np.full((1, 28, 28), 0.5, np.float32))
    asked = {"image": image, "key": "conv1.bias", "index": [0]}
    fresh = answer("weight", opened, asked)
    assert (fresh["optimizer"], fresh["optimizers"][0]) == ("sgd", "sgd")
    opened.optimizer = optim.by_name("adam", 0.25)
    live = answer("weight", opened, asked)
    assert (live["optimizer"], live["optimizers"][:2]) == ("live", ["live", "sgd"])
    assert live["update"]["lr"] == 0.25
    assert answer("weight", opened, {**asked, "lr": 0.5})["update"]["lr"] == 0.5
