"""Warm-up, averaged weights, the last batch, and mixed images: in a training, and resumed."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import data, nn, optim
from pellucid.errors import ArgumentError, StateDictError
from pellucid.kernels.pool.threads import get_num_threads, set_num_threads
from pellucid.training import (
    Callback,
    LastModel,
    NumpyEngine,
    Trainer,
    TrainingState,
    WeightAverage,
    evaluate,
)
from pellucid.training.averaging import average
from training.setup import BATCH, BATCHES, IMAGES, At, measured, network, same_weights, trainer

EVERYTHING = {
    "loss": nn.SoftmaxCrossEntropy([1.0, 2.0] * 5, 0.1),
    "optimizer": optim.AdamW(2e-3, weight_decay=0.1),
    "schedule": "cosine",
    "warmup": 0.7,
    "ema": 0.95,
    "clip_norm": 1.0,
    "last_batch": "drop",
    "augment": "flip,rotate10,scale0.1,erase,mixup0.4,cutmix1",
}


def everything(**other):
    options = EVERYTHING | {"optimizer": optim.AdamW(2e-3, weight_decay=0.1)} | other
    return trainer(**options)


class Rates(Callback):
    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_batch_end(self, trainer, loss, images):
        self.rates.append(trainer.last_lr)


# Warm-up --------------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", [None, 0.25, 1.0])
@pytest.mark.parametrize("schedule", ["cosine", None])
def test_a_warm_up_and_its_schedule_are_those_of_torch(schedule, begin, torch):
    recipe = {"schedule": schedule, "warmup": 1.4, "warmup_from": begin}
    one, rates = trainer(**recipe, lr=0.01, epochs=3), Rates()
    one.callbacks.append(rates)
    one.fit()
    warm, steps = 7, 3 * BATCHES  # 1.4 epochs of 5 batches
    rule = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    kinds = torch.optim.lr_scheduler
    rise = kinds.LinearLR(rule, start_factor=begin or 1 / (warm + 1), total_iters=warm)
    then = (
        kinds.CosineAnnealingLR(rule, steps - warm)
        if schedule
        else kinds.ConstantLR(rule, factor=1.0)
    )
    both, expected = kinds.SequentialLR(rule, [rise, then], [warm]), []
    for _ in range(steps):
        expected.append(rule.param_groups[0]["lr"])
        rule.step()
        both.step()
    np.testing.assert_allclose(rates.rates, expected, rtol=1e-6)


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, "1", True, None])
def test_a_warm_up_is_a_number_of_epochs(value):
    with pytest.raises(ArgumentError, match=r"^warmup: must be a number of epochs, 0 or more"):
        trainer(warmup=value)


@pytest.mark.parametrize("value", [0, -0.1, 1.01, np.nan, "1", True])
def test_a_warm_up_begins_at_a_fraction_of_the_rate(value):
    with pytest.raises(ArgumentError, match=r"^warmup_from: must be a fraction of the learning ra"):
        trainer(warmup=1, warmup_from=value)


# The average of the weights -------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.1, 0.9])
def test_the_average_is_that_of_torch(decay, torch):
    rng = np.random.default_rng(0)
    p = nn.Parameter(rng.normal(size=(3, 4)).astype(np.float32))
    layer = torch.nn.Linear(4, 3, bias=False)
    one = WeightAverage(decay, average)
    swa, done = torch.optim.swa_utils, []
    by_decay = swa.get_ema_multi_avg_fn(decay)

    def early(averages, weights, count):
        # The first updates use a smaller decay; for 0.1 it is PyTorch's function itself.
        d = min(decay, (1 + len(done)) / (10 + len(done)))
        return swa.get_ema_multi_avg_fn(d)(averages, weights, count)

    other = swa.AveragedModel(layer, multi_avg_fn=by_decay if decay == 0.1 else early)
    for _ in range(30):
        p.data[...] = rng.normal(size=(3, 4))
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(p.data))
        one.step({"w": p})
        other.update_parameters(layer)
        done.append(1)
    np.testing.assert_allclose(one.arrays["w"], other.module.weight.detach().numpy(), rtol=1e-5)


class Followed(Callback):
    """Average the weights after each step, as the formula says."""

    def __init__(self, decay) -> None:
        self.decay, self.t, self.average = decay, 0, {}

    def on_batch_end(self, trainer, loss, images):
        d = min(self.decay, (1 + self.t) / (10 + self.t)) if self.t else 0.0
        for key, p in trainer.model.parameters().items():
            before = self.average.get(key, p.data)
            self.average[key] = d * before + (1 - d) * p.data
        self.t += 1


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
def test_the_average_is_measured_and_saved_and_the_training_goes_on_with_its_own(engine, tmp_path):
    plain, one, followed = trainer(engine=engine), trainer(ema=0.9, engine=engine), Followed(0.9)
    one.callbacks += [followed, LastModel(tmp_path / "model.safetensors")]
    plain.fit()
    one.fit()
    assert same_weights(one.model, plain.model)  # statistics included
    own = one.model.state_dict()
    with one.averaged() as model, one.averaged():
        for key, expected in followed.average.items():
            np.testing.assert_allclose(model.state_dict()[key], expected, rtol=2e-5, atol=1e-6)
        assert evaluate(model, one.validation, engine=engine).accuracy == (
            one.history.epochs[-1].test_accuracy
        )
        assert same_weights(pellucid.load(tmp_path / "model.safetensors"), model)
        # Within the block a state is still that of the training.
        for key, value in one.state().weights.items():
            np.testing.assert_array_equal(value, own[key])
    assert same_weights(one.model, plain.model)
    assert measured(one.history) != measured(plain.history)
    assert one.history.losses == plain.history.losses


def test_without_an_average_the_block_changes_nothing():
    one = trainer(epochs=1)
    one.fit()
    before = one.model.state_dict()
    with one.averaged() as model:
        assert model is one.model
        assert all(np.array_equal(v, before[k]) for k, v in model.state_dict().items())


def test_an_error_in_the_block_brings_the_own_weights_back():
    one = trainer(epochs=1, ema=0.99)
    one.fit()
    before = one.model.state_dict()

    def fail():
        with one.averaged() as model:
            assert not np.array_equal(model.state_dict()["fc1.weight"], before["fc1.weight"])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(np.array_equal(v, before[k]) for k, v in one.model.state_dict().items())


def test_an_engine_of_ones_own_needs_no_average():
    class Mine(NumpyEngine):
        name = "mine"

    one = trainer(epochs=1, ema=0.9, engine=Mine())
    one.fit()
    assert one._average.updates == BATCHES


@pytest.mark.parametrize("value", [1.0, -0.1, np.nan, "much"])
def test_a_decay_of_the_average_is_below_1(value):
    with pytest.raises(ArgumentError, match=r"^ema: must be at least 0 and below 1"):
        trainer(ema=value)


# The last batch -------------------------------------------------------------------------------


def test_a_dropped_last_batch_is_not_learned_from():
    one, seen = trainer(last_batch="drop", epochs=2), []

    class Seen(Callback):
        def on_batch_end(self, trainer, loss, images):
            seen.append((images, *trainer.loader.chosen))

    one.callbacks.append(Seen())
    one.fit()
    assert [n for n, *_ in seen] == [BATCH] * 2 * (IMAGES // BATCH)
    assert len(one.history.losses) == 8
    expected = np.mean(one.history.losses[:4])
    assert one.history.epochs[0].loss == pytest.approx(expected)
    first, second = ({k for _, *batch in half for k in batch} for half in (seen[:4], seen[4:]))
    assert len(first) == len(second) == 128
    assert first != second  # other images are left out in the next epoch


class RowNorm(nn.Layer):
    """A norm of one's own, which says that it looks at the whole batch."""

    batch_statistics = True

    def __init__(self):
        self.norm = nn.BatchNorm2d(5)
        self.norm.batch_statistics = False

    def forward(self, x):
        return self.norm(x)

    def backward(self, dy):
        return self.norm.backward(dy)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, lambda n: RowNorm()])
def test_a_last_batch_of_one_image_may_be_dropped(norm):
    def build(**options):
        rng = np.random.default_rng(0)
        x = rng.random((9, 1, 4, 4), dtype=np.float32)
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 5, rng=rng), norm(5), nn.Linear(5, 3))
        return Trainer(model, (x, np.arange(9) % 3), batch_size=4, epochs=1, **options)

    with pytest.raises(ArgumentError, match=r"Use batch_size=5, .* use last_batch='drop'\."):
        build()
    assert len(build(last_batch="drop").fit().losses) == 2


def test_a_loader_drops_the_rest_of_each_pass():
    ten = data.Dataset.from_arrays(np.zeros((10, 1, 2, 2), np.uint8), np.arange(10))
    loader = data.Loader(ten, 4, seed=0, last_batch="drop")
    passes = [[labels for _, labels in loader] for _ in range(2)]
    assert [[len(labels) for labels in each] for each in passes] == [[4, 4], [4, 4]]
    assert (len(loader), loader.images, loader.epoch) == (2, 8, 1)
    again = data.Loader(ten, 4, seed=0, last_batch="drop")
    again.load_state(loader.state())
    np.testing.assert_array_equal(next(iter(again))[1], next(iter(loader))[1])
    with pytest.raises(ArgumentError, match=r"^last_batch: must be 'keep' or 'drop', received 'm"):
        data.Loader(ten, 4, last_batch="merge")
    with pytest.raises(ArgumentError, match=r"^last_batch: 'drop' would leave nothing of 10"):
        data.Loader(ten, 11, last_batch="drop")


# All of it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [2, 4, 6])
def test_a_training_with_everything_is_resumed_bit_for_bit(batch, tmp_path):
    whole = everything()
    whole.callbacks.append(At("on_batch_end", batch, lambda t: t.state().save(tmp_path / "s")))
    whole.fit()
    resumed = everything(model=network(9))
    resumed.load_state(TrainingState.load(tmp_path / "s"))
    resumed.fit()
    assert same_weights(resumed.model, whole.model)
    assert measured(resumed.history) == measured(whole.history)
    with resumed.averaged() as one, whole.averaged() as other:
        assert same_weights(one, other)
        assert not np.array_equal(one["fc1"].weight.data, resumed._average.own["fc1.weight"])


@pytest.mark.skipif(get_num_threads() < 2, reason="needs two threads")
def test_a_training_with_everything_has_the_same_bits_on_one_thread():
    bits, threads = [], get_num_threads()
    try:
        for count in (1, 2):
            set_num_threads(count)
            one = everything(epochs=2)
            one.fit()
            with one.averaged() as model:
                bits.append(model.state_dict())
    finally:
        set_num_threads(threads)
    for key, value in bits[0].items():
        np.testing.assert_array_equal(bits[1][key], value)


def test_both_engines_train_alike_with_everything():
    losses = []
    for engine in ("compiled", "numpy"):
        one = everything(epochs=1, engine=engine)
        losses.append(one.fit().losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("loss", nn.SoftmaxCrossEntropy([1.0, 2.0] * 5, 0.2), "label_smoothing 0.1, and this"),
        ("loss", nn.SoftmaxCrossEntropy([1.0, 2.0] * 5), "label_smoothing 0.1, and this .* 0.0"),
        ("loss", nn.SoftmaxCrossEntropy(label_smoothing=0.1), r"class_weights \[1.0, 2.0.* None"),
        ("warmup", 1.0, "warmup 0.7, and this Trainer has 1.0"),
        ("warmup_from", 0.5, "warmup_from None, and this Trainer has 0.5"),
        ("ema", 0.9, "ema 0.95, and this Trainer has 0.9"),
        ("ema", None, "ema 0.95, and this Trainer has None"),
        ("clip_norm", None, "clip_norm 1.0, and this Trainer has None"),
    ],
)
def test_a_state_of_another_recipe_is_refused_both_ways(name, value, message):
    one, other = everything(), everything(**{name: value})
    with pytest.raises(StateDictError, match=f"was saved with {message}"):
        other.load_state(one.state())
    with pytest.raises(StateDictError, match="was saved with "):
        one.load_state(other.state())


def test_a_state_with_another_last_batch_is_refused():
    with pytest.raises(StateDictError, match="last_batch keep, and this Trainer has drop"):
        trainer(last_batch="drop").load_state(trainer().state())


def test_a_hinge_of_another_margin_is_refused():
    with pytest.raises(StateDictError, match=r"margin 1\.0, and this Trainer has 0\.5"):
        trainer(loss=nn.MulticlassHinge(0.5)).load_state(trainer(loss=nn.MulticlassHinge()).state())


def test_a_state_of_0_2_goes_on_with_weight_decay_on_everything():
    def built(**options):
        return trainer(optim.AdamW(2e-3, weight_decay=0.5), **options)

    def decayed():
        model = network()
        nn.set_decay(model, {"*": 1})
        return model

    whole, states = built(model=decayed()), []
    whole.callbacks.append(At("on_batch_end", 3, lambda t: states.append(t.state())))
    whole.fit()
    state = states[0]
    state.recipe = state.decays = None  # as 0.2 wrote it
    resumed = built(model=network(9))
    resumed.load_state(state)
    resumed.fit()
    assert same_weights(resumed.model, whole.model)
    for options in (
        {"ema": 0.9}, {"warmup": 1.0}, {"warmup_from": 0.5}, {"last_batch": "drop"},
    ):  # fmt: skip
        with pytest.raises(StateDictError, match="was saved with "):
            built(**options).load_state(state)
    with pytest.raises(StateDictError, match=r"label_smoothing 0\.0, and this Trainer has 0\.1"):
        built(loss=nn.SoftmaxCrossEntropy(label_smoothing=0.1)).load_state(state)


def test_the_factors_of_weight_decay_come_with_a_state(tmp_path):
    model = network()
    nn.set_decay(model, {"conv": 0.25, "fc1.bias": 1})
    one = trainer(optim.SGD(0.01, weight_decay=0.1), model=model)
    one.state().save(tmp_path / "s")
    other = trainer(optim.SGD(0.01, weight_decay=0.1), model=network(9))
    other.load_state(TrainingState.load(tmp_path / "s"))
    parameters = other.model.parameters()
    assert {k: p.decay for k, p in parameters.items() if k[:3] in ("con", "fc1")} == {
        "conv.weight": 0.25, "conv.bias": 0.25, "fc1.weight": 1.0, "fc1.bias": 1.0,
    }  # fmt: skip
    assert parameters["norm.weight"].decay == parameters["fc2.bias"].decay == 0.0


# Mixed images ---------------------------------------------------------------------------------


def test_a_loss_that_takes_no_mixed_labels_is_refused_before_the_first_batch():
    with pytest.raises(
        ArgumentError, match=r"^augment: mixup0.2 mixes .* MulticlassHinge does not"
    ):
        trainer(loss=nn.MulticlassHinge(), augment="mixup0.2")
    trainer(loss=nn.MeanSquaredError(), augment="mixup0.2", epochs=1).fit()


def test_weights_for_another_number_of_classes_are_refused_before_the_first_batch():
    with pytest.raises(
        ArgumentError, match=r"^class_weights: must be one .* 10 classes, received 2"
    ):
        trainer(loss=nn.SoftmaxCrossEntropy([1.0, 2.0]))


def test_what_is_measured_has_neither_weights_nor_smoothing():
    one = trainer(loss=nn.SoftmaxCrossEntropy([1.0, 9.0] * 5, 0.3), epochs=1)
    one.fit()
    expected = evaluate(one.model, one.validation).loss
    assert one.history.epochs[-1].test_loss == pytest.approx(expected, rel=1e-6)
