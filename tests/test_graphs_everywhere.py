"""Whatever can be done with a model can be done with a graph, named as files name its nodes.

A graph of several outputs is refused where one is needed, with the call that chooses it.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import data, engine, nn, training, viz
from pellucid.errors import PellucidError
from pellucid.models import to_pattern
from pellucid.training import Trainer, calibrated

SHAPE = (1, 8, 8)
STEM, FIRST, GATE = "/stem/conv/Conv_output_0", "layer1.0.conv1", "/layer1/se/Sigmoid_output_0"


def nodes(rng) -> dict[str, Any]:
    """Return a residual block with a gate, a dense connection, and a head; image size fixed."""

    def conv(channels, filters, size=3):
        return nn.Conv2d(channels, filters, size, padding=size // 2, rng=rng)

    return {
        STEM: (conv(1, 6), "input.1"),
        "/stem/relu": nn.ReLU(),
        FIRST: conv(6, 6),
        "layer1.0.bn1": nn.BatchNorm2d(6),
        "layer1.0.mean": nn.GlobalAvgPool2d(),
        "layer1.0.fc": conv(6, 6, 1),
        GATE: nn.Sigmoid(),
        "layer1.0.gated": (nn.Multiply(), "layer1.0.bn1", GATE),
        "layer1.0.add": (nn.Add(), "layer1.0.gated", "/stem/relu"),
        "layer1.0.relu": nn.ReLU(),
        "dense": nn.Sequential(conv=conv(6, 4), relu=nn.ReLU()),
        "dense.cat": (nn.Concat(), "dense", "layer1.0.relu"),
        "pool": nn.MaxPool2d(2),
        "flat": nn.Flatten(),
        "classifier.0": nn.Linear(160, 10, rng=rng),
    }


def graph(**how: Any) -> nn.Graph:
    model = nn.Graph(nodes(np.random.default_rng(0)), input="input.1", **how)
    model.input_shape = SHAPE
    return model


@pytest.fixture(scope="module")
def digits():
    train, test = data.digits()
    return train.take(500), test.take(60)


@pytest.fixture(scope="module")
def trained(digits):
    """Return a trained graph."""
    train, test = digits
    trainer = Trainer(graph(), train, test, epochs=6, batch_size=20, optimizer="adam", lr=0.01)
    trainer.fit()
    assert trainer.history.epochs[-1].test_accuracy > 0.8
    return trainer.model


@pytest.fixture(scope="module")
def image(digits):
    return digits[1].batch([0])[0][0]


# Training.


def test_a_graph_is_trained_by_both_engines_to_the_same_weights(digits):
    train, test = digits
    states = []
    for name in ("compiled", "numpy"):
        trainer = Trainer(
            graph(), train, test, epochs=1, batch_size=20, optimizer="sgd", seed=0, engine=name,
            ema=0.9, clip_norm=1.0,
        )  # fmt: skip
        trainer.fit()
        states.append(trainer.model.state_dict())
    for key, value in states[0].items():
        np.testing.assert_allclose(value, states[1][key], rtol=1e-2, atol=1e-4, err_msg=key)


def test_an_interrupted_training_of_a_graph_goes_on_to_the_same_bits(digits, tmp_path):
    train, test = digits

    def trainer(*callbacks):
        return Trainer(
            graph(), train, test, epochs=2, batch_size=50, optimizer="adam", ema=0.9, seed=3,
            callbacks=callbacks,
        )  # fmt: skip

    class Stop(training.Callback):
        def on_epoch_end(self, trainer, record):
            trainer.stop("asked")

    whole = trainer()
    whole.fit()
    first = trainer(training.Checkpoint(tmp_path / "state.safetensors"), Stop())
    first.fit()
    assert first.epoch == 1
    again = trainer()
    again.load_state(training.TrainingState.load(tmp_path / "state.safetensors"))
    again.fit()
    for key, value in whole.model.state_dict().items():
        np.testing.assert_array_equal(again.model.state_dict()[key], value, err_msg=key)


def test_parts_of_a_graph_are_frozen_and_slowed_by_patterns(digits):
    train, test = digits
    model = graph()
    nn.freeze(model, ["/stem/*", "layer1.*"])
    nn.set_rates(model, {"dense": 0.5})
    before = model.state_dict()
    Trainer(model, train, test, epochs=1, batch_size=50).fit()
    changed = {k for k, v in model.state_dict().items() if not np.array_equal(v, before[k])}
    assert changed == {
        "dense.conv.weight", "dense.conv.bias", "classifier.0.weight", "classifier.0.bias",
    }  # fmt: skip


def test_the_learning_rate_of_a_graph_is_found(digits):
    trainer = Trainer(graph(), *digits, batch_size=20)
    found = training.find_lr(trainer, steps=10, progress=False)
    assert found.rates


# Asking, keeping, changing.


def test_a_graph_is_summed_up_saved_and_loaded(trained, digits, tmp_path):
    names = [row.name for row in nn.summary(trained).rows]
    assert {STEM, FIRST, GATE, "dense.conv", "dense.relu"} <= {*names}
    fields = {row.name: str(row.field) for row in nn.receptive_field(trained).rows}
    assert (fields["layer1.0.bn1"], fields["layer1.0.gated"]) == ("5x5", "all")
    pellucid.save(trained, tmp_path / "graph.safetensors")
    again = pellucid.load(tmp_path / "graph.safetensors")
    expected = pellucid.predict(trained, digits[1])
    np.testing.assert_array_equal(pellucid.predict(again, digits[1]), expected)
    assert pellucid.evaluate(again, digits[1]).accuracy > 0.8
    assert again.card.classes == digits[0].classes
    twin = copy.deepcopy(trained)
    np.testing.assert_array_equal(pellucid.predict(twin, digits[1]), expected)


def test_a_graph_gets_another_head_and_other_layers(trained):
    assert nn.head_name(trained) == "classifier.0"
    assert nn.with_head(trained, 3).output_shape(SHAPE) == (3,)
    assert nn.layer_at(trained, "dense.conv") is trained["dense"]["conv"]
    other = nn.replaced(trained, "dense.conv", nn.Conv2d(6, 4, 1))
    assert repr(other["dense"]["conv"]) == "Conv2d(6, 4, 1)"
    assert other["dense.cat"] is trained["dense.cat"]
    part = nn.trunk(trained, GATE)
    assert part.output_shape(SHAPE) == (6, 1, 1)
    assert len(trained) == 15
    assert trained[0] is trained[STEM]
    with pytest.raises(PellucidError, match="is not a chain of layers and cannot be sliced"):
        trained[:3]


def test_a_graph_is_calibrated(trained, digits):
    model = calibrated(trained, digits[1])
    assert pellucid.evaluate(model, digits[1]).accuracy > 0.8
    assert model["temperature"].temperature != 1


def test_a_graph_runs_over_larger_images(trained):
    x = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
    model = trained.eval()
    twin = nn.to_convolutional(model, SHAPE)
    assert twin.output_shape((1, 12, 10)) == (10, 3, 2)
    assert repr(twin["layer1.0.mean"]) == "GlobalAvgPool2d()"
    np.testing.assert_allclose(twin(x)[:, :, 0, 0], model(x), rtol=1e-4, atol=1e-5)
    run = lambda net, x: engine.compile(net, x.shape[1:], len(x))(x)  # noqa: E731
    scores = nn.sliding_scores(model, x, input_shape=SHAPE, run=run)
    wide = np.random.default_rng(0).random((2, 1, 12, 10), dtype=np.float32)
    np.testing.assert_allclose(nn.sliding_scores(model, wide), twin(wide), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores[:, :, 0, 0], model(x), rtol=1e-4, atol=1e-5)


def test_a_graph_is_no_pattern(trained):
    with pytest.raises(PellucidError, match=r"Graph"):
        to_pattern(trained)


def test_a_graph_is_a_classifier_of_scikit_learn(digits):
    sklearn = pytest.importorskip("pellucid.sklearn")
    train, test = digits
    x = np.asarray(train.images[:100])
    classifier = sklearn.ConvNetClassifier(
        model=lambda shape, classes, rng: nn.with_head(graph(), classes, rng=rng),
        epochs=1,
        random_state=0,
        image_shape=SHAPE,
    )
    classifier.fit(x, np.asarray(train.labels[:100]))
    assert classifier.predict(np.asarray(test.images[:5])).shape == (5,)


# Pictures.

PICTURES = {
    "filters": lambda m, x, d: viz.filters(m.state_dict()[f"{FIRST}.weight"]),
    "features": lambda m, x, d: viz.features(m, x),
    "features of layers": lambda m, x, d: viz.features(m, x, layers=[FIRST, GATE]),
    "activations": lambda m, x, d: viz.activations({"all": viz.layer_outputs(m, x[np.newaxis])}),
    "why": lambda m, x, d: viz.why(m, x),
    "saliency": lambda m, x, d: viz.saliency(m, x, 3),
    "guided": lambda m, x, d: viz.guided_backpropagation(m, x, 3),
    "occlusion": lambda m, x, d: viz.occlusion(m, x, 3),
    "grad_cam": lambda m, x, d: viz.grad_cam(m, x, 3),
    "grad_cam of a layer": lambda m, x, d: viz.grad_cam(m, x, 3, "layer1.0.gated"),
    "field": lambda m, x, d: viz.field(m, "layer1.0.bn1"),
    "field of a join": lambda m, x, d: viz.field(m, "layer1.0.add"),
    "field of all": lambda m, x, d: viz.field(m),
    "volumes": lambda m, x, d: viz.volumes(m),
    "depth": lambda m, x, d: viz.depth(viz.units_by_depth(m, d)),
    "patches": lambda m, x, d: viz.patches(m, d, viz.top_cells(m, d, FIRST), [0, 1]),
    "optimal inputs": lambda m, x, d: viz.optimal_inputs(m, FIRST),
    "responses": lambda m, x, d: viz.responses(m, x, STEM),
    "mistakes": lambda m, x, d: viz.mistakes(d, pellucid.predict(m, d)),
    "reliability": lambda m, x, d: viz.reliability(pellucid.evaluate(m, d)),
    "confusion": lambda m, x, d: viz.confusion(pellucid.evaluate(m, d)),
    "convolutions": lambda m, x, d: viz.convolutions(m),
    "unit layers": lambda m, x, d: viz.unit_layers(m),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_a_graph_has_every_picture(picture, trained, image, digits, tmp_path):
    drawn = PICTURES[picture](trained, image, digits[1])
    assert drawn is not None
    if hasattr(drawn, "savefig"):
        viz.save_figure(drawn, tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 1000


# Several outputs.

NEEDING_ONE = {
    "Trainer": lambda m, x, d: Trainer(m, d, d),
    "evaluate": lambda m, x, d: pellucid.evaluate(m, d),
    "evaluate by layers": lambda m, x, d: pellucid.evaluate(m, d, engine="numpy"),
    "predict": lambda m, x, d: pellucid.predict(m, x[np.newaxis]),
    "profile": lambda m, x, d: engine.profile(m, *d.batch(range(4))),
    "calibrated": lambda m, x, d: calibrated(m, d),
    "to_convolutional": lambda m, x, d: nn.to_convolutional(m, SHAPE),
    "sliding_scores": lambda m, x, d: nn.sliding_scores(m, x, input_shape=SHAPE),
    "with_head": lambda m, x, d: nn.with_head(m, 3),
    "Sequential": lambda m, x, d: nn.Sequential(m),
    "gradcheck": lambda m, x, d: nn.gradcheck(m, x[np.newaxis]),
    **{
        name: PICTURES[name]
        for name in (
            "why", "saliency", "guided", "occlusion", "grad_cam", "volumes",
            "mistakes", "reliability", "confusion",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDING_ONE)
def test_where_one_output_is_needed_the_call_that_chooses_it_is_named(name, image, digits):
    model = graph(output=("classifier.0", GATE))
    with pytest.raises(PellucidError, match=r"ending_at\('classifier\.0'\)"):
        NEEDING_ONE[name](model, image, digits[1])
    part = model.ending_at("classifier.0")
    assert part["classifier.0"] is model["classifier.0"]


@pytest.mark.parametrize("picture", ["features", "activations", "field", "patches", "unit layers"])
def test_pictures_of_layers_need_no_choice(picture, image, digits):
    model = graph(output=("classifier.0", GATE))
    assert PICTURES[picture](model, image, digits[1]) is not None
