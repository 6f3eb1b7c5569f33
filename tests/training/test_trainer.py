"""The training loop: every image once, the same bits for the same seed, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pellucid import data, nn, optim
from pellucid.data import Dataset
from pellucid.errors import ArgumentError, DataError, NumericsError, ShapeError
from pellucid.training import Callback, Trainer
from training.setup import (
    BATCH,
    BATCHES,
    EPOCHS,
    IMAGES,
    At,
    measured,
    network,
    same_weights,
    trainer,
)


def _numbered(n: int = 23, classes: int = 3) -> Dataset:
    """Return images that carry their number."""
    images = np.repeat(np.arange(n, dtype=np.float32), 4).reshape(n, 1, 2, 2) / n
    return Dataset.from_arrays(images, np.arange(n) % classes)


def _linear(seed: int = 0, outputs: int = 3) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Flatten(), fc=nn.Linear(4, outputs, rng=rng))


# Bits and images.


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    first, again, other = trainer(), trainer(), trainer(seed=1)
    for each in (first, again, other):
        each.fit()
    assert measured(first.history) == measured(again.history)
    assert same_weights(first.model, again.model)
    assert first.history.losses != other.history.losses
    assert not same_weights(first.model, other.model)


def test_the_seed_decides_the_masks_whatever_generator_a_layer_was_built_with():
    def run(rng_seed):
        model = network()
        model["drop1"].rng = np.random.default_rng(rng_seed)
        one = trainer(model=model, epochs=1)
        one.fit()
        return one.history.losses

    assert run(1) == run(2)


def test_layers_that_draw_do_not_draw_the_same():
    one = trainer()
    first, second = one.model["drop1"].rng, one.model["drop2"].rng
    assert first.random(4).tolist() != second.random(4).tolist()


class Watches(nn.Flatten):
    """Note which images pass, by their number."""

    def __init__(self, n):
        self.n = n
        self.seen = []

    def forward(self, x):
        if self.training:
            self.seen.append(np.rint(x[:, 0, 0, 0] * self.n).astype(int).tolist())
        return super().forward(x)


def test_every_image_is_seen_exactly_once_an_epoch_in_another_order():
    watch = Watches(23)
    model = nn.Sequential(watch=watch, fc=nn.Linear(4, 3))
    Trainer(model, _numbered(), epochs=3, batch_size=5).fit()
    assert [len(batch) for batch in watch.seen] == [5, 5, 5, 5, 3] * 3
    epochs = [[image for batch in watch.seen[i : i + 5] for image in batch] for i in (0, 5, 10)]
    assert all(sorted(epoch) == list(range(23)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_mean_loss_weighs_the_last_partial_batch_by_its_images():
    one = trainer()
    history = one.fit()
    sizes = [BATCH] * (BATCHES - 1) + [IMAGES - BATCH * (BATCHES - 1)]
    for epoch, record in enumerate(history.epochs):
        losses = history.losses[epoch * BATCHES : (epoch + 1) * BATCHES]
        assert record.loss == pytest.approx(np.dot(sizes, losses) / IMAGES, rel=1e-12)
        assert record.loss != pytest.approx(np.mean(losses), rel=1e-6)


def test_a_batch_larger_than_the_data_set_is_one_batch():
    one = Trainer(_linear(), _numbered(7), epochs=2, batch_size=100)
    history = one.fit()
    assert len(history.losses) == 2
    assert [record.loss for record in history.epochs] == pytest.approx(history.losses)


def test_a_step_is_the_optimizers_on_the_gradient_of_the_mean_loss():
    train = _numbered(6)
    model, expected = _linear(), _linear()
    one = Trainer(model, train, optimizer="sgd", lr=0.5, epochs=1, batch_size=6, engine="numpy")
    x, labels = train.batch(slice(None))
    loss = nn.SoftmaxCrossEntropy()
    value = loss(expected(x), labels)
    expected.backward(loss.backward())
    for p in expected.parameters().values():
        p.data -= np.float32(0.5) * p.grad
    assert one._train_batch(x, labels) == value
    assert same_weights(model, expected)


def test_training_learns():
    train, test = data.digits()
    model = network()
    history = Trainer(model, train, test, lr=0.01, epochs=6, batch_size=50).fit()
    assert history.epochs[-1].test_accuracy > 0.85
    assert history.epochs[-1].loss < history.epochs[0].loss


def test_accuracies_are_those_of_the_finished_epochs_weights():
    from pellucid import evaluate

    one = trainer(epochs=2)
    record = one.fit().epochs[-1]
    on_train, on_test = evaluate(one.model, one.train), evaluate(one.model, one.validation)
    assert record.train_accuracy == on_train.accuracy
    assert record.test_accuracy == on_test.accuracy
    assert record.test_loss == pytest.approx(on_test.loss, rel=1e-6)


def test_without_a_test_set_only_the_training_set_is_measured():
    one = Trainer(_linear(), _numbered(), epochs=2)
    record = one.fit().epochs[-1]
    assert (record.test_loss, record.test_accuracy) == (None, None)
    assert one.best.accuracy == max(r.train_accuracy for r in one.history.epochs)


def test_the_best_epoch_is_the_first_with_the_highest_test_accuracy():
    one = trainer(epochs=6)
    accuracies = [record.test_accuracy for record in one.fit().epochs]
    assert one.best.accuracy == max(accuracies)
    assert one.best.epoch == 1 + accuracies.index(max(accuracies))


def test_of_equal_epochs_the_first_is_the_best():
    one = trainer(optim.SGD(lr=1e-12))
    accuracies = {record.test_accuracy for record in one.fit().epochs}
    assert len(accuracies) == 1
    assert one.best.epoch == 1


def test_accuracy_is_measured_on_as_many_images_as_asked_of_each_class_its_share(monkeypatch):
    from pellucid.training import trainer as module

    measured_on = []
    real = module.evaluate

    def noting(model, dataset, **options):
        measured_on.append(np.rint(dataset.images[:, 0, 0, 0] * 23).astype(int).tolist())
        return real(model, dataset, **options)

    monkeypatch.setattr(module, "evaluate", noting)
    for samples, expected in ((3, [0, 10, 20]), (None, list(range(23))), (99, list(range(23)))):
        measured_on.clear()
        Trainer(_linear(), _numbered(), epochs=1, evaluate_samples=samples).fit()
        assert measured_on == [expected]


def test_the_model_learns_what_it_was_trained_on():
    train, test = data.digits()
    model = network()
    Trainer(model, train, test)
    assert model.input_shape == (1, 8, 8)
    card = nn.Card(train.name, train.classes, train.preparation, value_range=(0.0, 1.0))
    assert model.card == card


def test_arrays_are_data_sets_and_the_validation_set_has_the_classes_of_the_training_set():
    train = _numbered()
    images, labels = train.images, train.labels
    by_arrays = Trainer(_linear(), (images, labels), (images[:1], labels[:1]), epochs=1)
    by_sets = Trainer(_linear(), train, train.subset([0]), epochs=1)
    assert (by_arrays.train.name, by_arrays.validation.name) == ("train", "validation")
    assert by_arrays.validation.classes == train.classes
    assert measured(by_arrays.fit()) == measured(by_sets.fit())
    by_arrays.validation = [images, labels]
    assert len(by_arrays.validation) == len(train)
    with pytest.raises(DataError, match="labels"):
        Trainer(_linear(), (images, labels + 0.5))


def test_more_epochs_are_trained_on_demand_and_a_training_that_is_done_says_so():
    one, whole = trainer(epochs=1), trainer(epochs=3)
    one.fit()
    with pytest.warns(UserWarning, match=r"^Trainer: all 1 epochs are done. fit\(epochs=5\) trai"):
        one.fit()
    one.fit(epochs=2)
    assert (one.epoch, one.epochs) == (3, 3)
    whole.fit(epochs=3)
    assert measured(one.history) == measured(whole.history)
    assert same_weights(one.model, whole.model)
    with pytest.raises(ArgumentError, match=r"^epochs: must be 1 or more, received 0"):
        one.fit(epochs=0)


@pytest.mark.parametrize("name", ["test", "validation_data", "learning_rate", "scheduler"])
def test_an_argument_by_the_name_it_has_elsewhere_is_told_its_name_here(name):
    here = {"learning_rate": "lr", "scheduler": "schedule"}.get(name, "validation")
    with pytest.raises(ArgumentError, match=f"^{name}: is called {here} here"):
        Trainer(_linear(), _numbered(), **{name: _numbered()})
    one = Trainer(_linear(), _numbered())
    with pytest.raises(ArgumentError, match=f"^{name}: is called {here} here"):
        setattr(one, name, _numbered())
    with pytest.raises(AttributeError, match=r"^Trainer\.test: is called `validation` here"):
        one.test  # noqa: B018
    assert not hasattr(one, "tests")


def test_an_optimizer_object_is_used_as_it_is():
    rule = optim.SGD(lr=0.03, momentum=0.9)
    one = trainer(rule, epochs=1)
    one.fit()
    assert one.optimizer is rule
    assert rule.t == BATCHES


# Callbacks.


def test_the_hooks_are_told_in_order():
    told = []

    class Notes(Callback):
        pass

    for hook in [name for name in vars(Callback) if name.startswith("on_")]:
        setattr(Notes, hook, lambda self, trainer, *news, hook=hook: told.append((hook, news)))
    one = Trainer(_linear(), _numbered(7), epochs=2, batch_size=4, callbacks=[Notes()])
    history = one.fit()
    epoch = [
        "on_epoch_begin",
        *["on_gradients", "on_batch_end"] * 2,
        "on_evaluate_begin",
        "on_epoch_end",
    ]
    assert [hook for hook, _ in told] == ["on_fit_begin", *epoch, *epoch, "on_fit_end"]
    batches = [news for hook, news in told if hook == "on_batch_end"]
    assert batches == list(zip(history.losses, [4, 3, 4, 3], strict=True))
    assert [news[0] for hook, news in told if hook == "on_epoch_end"] == history.epochs


def test_callbacks_are_told_one_after_the_other():
    told = []
    one = trainer(
        epochs=1, callbacks=[At("on_fit_begin", 1, lambda t, i=i: told.append(i)) for i in (1, 2)]
    )
    one.fit()
    assert told == [1, 2]


# Losses that are no numbers.


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_with_the_weights_of_before(value):
    class Breaks(nn.SoftmaxCrossEntropy):
        count = 0

        def forward(self, scores, labels):
            Breaks.count += 1
            return value if Breaks.count == 4 else super().forward(scores, labels)

    ended = []
    snapshots = []
    one = Trainer(
        _linear(), _numbered(), optimizer="sgd", lr=0.1, batch_size=5, loss=Breaks(),
        callbacks=[
            At("on_batch_end", 3, lambda t: snapshots.append(t.model.state_dict())),
            At("on_fit_end", 1, ended.append),
        ],
    )  # fmt: skip
    with pytest.raises(
        NumericsError,
        match=rf"^Trainer: the loss became {value} in epoch 1, after 3 steps, with SGD\(lr=0\.1, "
        r".*\)\. Use a lower learning rate",
    ):
        one.fit()
    (before,) = snapshots
    assert all(np.array_equal(before[k], v) for k, v in one.model.state_dict().items())
    assert ended == [one]
    assert len(one.history.losses) == one.optimizer.t == 3
    assert one.loader.position == 15  # a lower rate may go on from here
    Breaks.count = 100
    one.fit()
    assert len(one.history.losses) == 5 * one.epochs


def test_a_diverging_training_is_stopped():
    one = trainer(optim.SGD(lr=1e25), epochs=5)
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            NumericsError, match=r"the loss became (nan|inf) in epoch \d, after \d+ steps"
        ),
    ):
        one.fit()


@pytest.mark.parametrize("test", [None, _numbered()])
def test_a_last_step_that_spoils_the_weights_finishes_no_epoch(test):
    one = Trainer(
        _linear(), _numbered(), test, optimizer=optim.SGD(lr=1e39), epochs=1, batch_size=100
    )
    with np.errstate(all="ignore"), pytest.raises(NumericsError, match="in epoch 1, after 1 steps"):
        one.fit()
    assert (one.epoch, one.history.epochs, one.best) == (0, [], None)


# What is refused, before anything is trained.


def test_another_number_of_outputs_is_refused():
    with pytest.raises(
        DataError,
        match=r"^Trainer: 'arrays' has 3 classes, but the model's output for one image has shape "
        r"\(4,\)\. Its last layer must have 3 outputs\.$",
    ):
        Trainer(_linear(outputs=4), _numbered())
    with pytest.raises(
        DataError, match=r"has shape \(1, 2, 2\)\. Its last layer must have 3 outputs"
    ):
        Trainer(nn.ReLU(), _numbered())


def test_images_that_the_model_cannot_take_are_refused_by_the_layer():
    with pytest.raises(ShapeError, match=r"^Linear 'fc': expects 4 input features, received 64"):
        Trainer(_linear(outputs=10), data.digits()[0])


def test_a_test_set_of_another_kind_is_refused():
    small = Dataset.from_arrays(np.zeros((5, 1, 2, 3)), [0, 1, 2, 0, 1])
    more = _numbered(9, classes=4)
    for test, classes, shape in ((small, 3, (1, 2, 3)), (more, 4, (1, 2, 2))):
        with pytest.raises(
            DataError,
            match=rf"^Trainer: the validation set has images {re.escape(str(shape))} of {classes} "
            r"classes, the training set \(1, 2, 2\) of 3",
        ):
            Trainer(_linear(), _numbered(), test)


@pytest.mark.parametrize("epochs", [0, -1])
def test_no_epochs_are_refused(epochs):
    with pytest.raises(ArgumentError, match=rf"^epochs: must be 1 or more, received {epochs}\.$"):
        Trainer(_linear(), _numbered(), epochs=epochs)


@pytest.mark.parametrize("samples", [0, -5])
def test_no_samples_to_measure_are_refused_before_the_first_epoch(samples):
    with pytest.raises(
        ArgumentError, match=rf"^evaluate_samples: must be 1 or more, received {samples}"
    ):
        Trainer(_linear(), _numbered(), evaluate_samples=samples)


def test_a_batch_of_none_is_refused():
    with pytest.raises(ArgumentError, match=r"^batch_size: must be an integer, 1 or more"):
        Trainer(_linear(), _numbered(), batch_size=0)


def test_a_learning_rate_beside_an_optimizer_object_is_refused():
    with pytest.raises(
        ArgumentError, match=r"^lr: belongs to an optimizer given by name; an object has its own\.$"
    ):
        Trainer(_linear(), _numbered(), optimizer=optim.Adam(), lr=0.1)


def test_an_unknown_optimizer_suggests_the_nearest():
    with pytest.raises(
        ArgumentError, match=r"^optimizer: 'adamm' is unknown\. Did you mean 'adam'"
    ):
        Trainer(_linear(), _numbered(), optimizer="adamm")


def test_epochs_are_counted():
    one = trainer()
    one.fit()
    assert one.epoch == EPOCHS
    assert [record.epoch for record in one.history.epochs] == [1, 2, 3]
    assert all(record.seconds > 0 for record in one.history.epochs)


@pytest.mark.parametrize("wrong", [2, "yes", 0.5])
def test_progress_is_yes_no_or_by_default(wrong):
    with pytest.raises(ArgumentError, match=r"^progress: must be True, False or None, received"):
        trainer(progress=wrong)
    with pytest.raises(ArgumentError, match=r"^verbose: is called progress here"):
        trainer(verbose=1)
