"""What is shared by trainings, what of a Trainer may be changed, and what its callbacks may do."""

from __future__ import annotations

import copy
import json
import pickle
import signal
import threading

import numpy as np
import pytest

from pellucid import data, nn, optim
from pellucid.data import Dataset, augmentation
from pellucid.errors import ArgumentError, DataError, PellucidError
from pellucid.formats import load
from pellucid.training import BestModel, Callback, Trainer, TrainingState, evaluate, predict
from pellucid.training.metrics import sample
from training.setup import BATCHES, At, measured, network, same_weights, trainer

ENGINES = ["compiled", "numpy"]


def _plain(seed: int = 0, outputs: int = 10) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        flatten=nn.Flatten(), fc1=nn.Linear(64, 12, rng=rng), relu=nn.ReLU(),
        drop=nn.Dropout(0.4), fc2=nn.Linear(12, outputs, rng=rng),
    )  # fmt: skip


# Optimizers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_layers_that_learn_later_learn_as_in_pytorch(engine, torch):
    model = nn.Sequential(flatten=nn.Flatten(), fc1=nn.Linear(64, 5), fc2=nn.Linear(5, 10))
    twin = torch.nn.Sequential(torch.nn.Linear(64, 5), torch.nn.Linear(5, 10))
    for ours, theirs in zip(model.parameters().values(), twin.parameters(), strict=True):
        theirs.data = torch.as_tensor(ours.data.copy())
    nn.freeze(model, "fc1")
    thaw = At("on_epoch_end", 1, lambda t: nn.set_rates(t.model, {"fc1": 1}))
    one = trainer(optim.Adam(0.01), model=model, epochs=2, engine=engine, callbacks=[thaw])
    rule = torch.optim.Adam(twin.parameters(), lr=0.01)
    twin[0].requires_grad_(False)
    step, given = one.loader.next, []
    one.loader.next = lambda: given.append([a.copy() for a in step()]) or tuple(given[-1])
    one.fit()
    for k, (images, labels) in enumerate(given):
        twin[0].requires_grad_(k >= BATCHES)
        rule.zero_grad()
        scores = twin(torch.as_tensor(images).flatten(1))
        torch.nn.functional.cross_entropy(scores, torch.as_tensor(labels)).backward()
        rule.step()
    assert len(given) == 2 * BATCHES
    for ours, theirs in zip(model.parameters().values(), twin.parameters(), strict=True):
        np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-3, atol=1e-4)


def test_a_state_amid_layers_that_learn_later_is_resumed_bit_for_bit(tmp_path):
    def build():
        model = network()
        nn.freeze(model, "conv")
        return trainer(model=model, callbacks=[
            At("on_batch_end", 3, lambda t: nn.set_rates(t.model, {"conv": 1}))
        ])  # fmt: skip

    whole = build()
    whole.callbacks.append(At("on_batch_end", 7, lambda t: t.state().save(tmp_path / "s")))
    whole.fit()
    resumed = trainer(model=network(5))
    resumed.load_state(TrainingState.load(tmp_path / "s"))
    resumed.fit()
    assert same_weights(resumed.model, whole.model)
    assert measured(resumed.history) == measured(whole.history)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_optimizer_of_another_network_is_refused_at_construction_and_in_fit(engine):
    rule = optim.Adam()
    first, waiting = (trainer(rule, model=network(k), engine=engine) for k in range(2))
    first.fit()
    before = waiting.model.state_dict()
    with pytest.raises(ArgumentError, match=r"^optimizer: has the memory of another net"):
        waiting.fit()
    assert np.array_equal(before["fc1.weight"], waiting.model.state_dict()["fc1.weight"])
    with pytest.raises(ArgumentError, match=r"another network \('fc2.weight', after 15 steps\)"):
        trainer(rule, model=nn.with_head(first.model, 10))
    again = trainer(rule, model=first.model, epochs=1)  # of its own network it goes on
    again.fit()
    assert rule.t == 20


@pytest.mark.parametrize("end", ["done", "failed"])
def test_after_a_schedule_the_optimizer_has_its_own_rate_again(end):
    def fail(_):
        raise ValueError("enough")

    rule = optim.SGD(0.25)
    callbacks = [At("on_batch_end", 9, fail)] if end == "failed" else []
    one = trainer(rule, schedule="cosine", callbacks=callbacks)
    if callbacks:
        with pytest.raises(ValueError, match="enough"):
            one.fit()
    else:
        one.fit()
    assert rule.lr == 0.25
    assert trainer(rule, schedule="cosine").lr == 0.25


def test_another_optimizer_brings_its_own_rate():
    one = trainer("sgd", lr=0.5, schedule=lambda done: 0.5, epochs=1)
    one.optimizer = optim.SGD(0.125)
    rates = []
    one.callbacks.append(At("on_batch_end", 1, lambda t: rates.append(t.last_lr)))
    one.fit()
    assert (one.lr, rates) == (0.125, [0.0625])


@pytest.mark.parametrize("epochs", [0, 1])
@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "steps"])
def test_fewer_epochs_in_the_middle_are_the_end_of_the_schedule(schedule, epochs):
    class Stop(Callback):
        rates: list[float]

        def on_batch_end(self, trainer, loss, images):
            self.rates.append(trainer.last_lr)
            if len(trainer.history.losses) == BATCHES + 2:
                trainer.epochs = epochs

    stop = Stop()
    stop.rates = []
    one = trainer("sgd", lr=1e-3, epochs=9, schedule=schedule, callbacks=[stop])
    one.fit()
    assert one.epoch == 2
    last = {"cosine": 0, "one-cycle": 0, "steps": 1e-5}[schedule]
    assert stop.rates[BATCHES + 2 :] == pytest.approx([last] * 3)


@pytest.mark.parametrize("number", [np.float32, np.float64, np.int64, np.array])
def test_numbers_of_numpy_are_saved_and_resumed(number, tmp_path):
    one = trainer("momentum", epochs=np.int64(2), seed=np.uint8(3))
    one.lr = one.optimizer.lr = number(1)
    one.optimizer.momentum = np.float32(0.5)
    one.model.parameters()["fc1.weight"].rate = np.float32(0.5)
    one._fit_epoch()
    one.state().save(tmp_path / "s")
    for state in (one.state(), TrainingState.load(tmp_path / "s")):
        again = trainer("momentum", epochs=2, seed=3)
        again.load_state(state)
        assert (again.lr, again.optimizer.lr, again.optimizer.momentum) == (1, 1, 0.5)
        assert json.dumps(state.optimizer_config) == (
            '{"lr": 1.0, "momentum": 0.5, "nesterov": false, "weight_decay": 0.0}'
        ) or number in (
            np.int64, np.array,
        )  # fmt: skip


# Generators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shared", ["model", "augmentation"])
def test_trainings_that_share_something_draw_as_each_would_alone(shared, engine, tmp_path):
    def build(seed, model=None, augment="flip,crop1"):
        return trainer(
            model=_plain() if model is None else model, augment=augment, seed=seed, engine=engine,
            epochs=2,
        )  # fmt: skip

    alone = build(1)
    alone.fit()
    model = _plain() if shared == "model" else None
    augment = augmentation("flip,crop1") if shared == "augmentation" else "flip,crop1"
    one = build(1, model, augment)
    build(2, model, augment)  # takes over the generators
    one._fit_epoch()
    build(3, model, augment)
    state = one.state()
    one.fit()
    assert measured(one.history) == measured(alone.history)
    resumed = build(1)
    resumed.load_state(state)
    resumed.fit()
    assert measured(resumed.history) == measured(alone.history)


# Copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_the_copy_of_a_trainer_goes_on_as_the_trainer_does(copied, engine):
    one = trainer(augment="flip,crop1", schedule="cosine", engine=engine)
    one._fit_epoch()
    twin = copied(one)
    one.fit()
    twin.fit()
    assert measured(twin.history) == measured(one.history)
    assert same_weights(twin.model, one.model)
    assert twin.model is not one.model


def test_a_copy_that_a_callback_makes_can_be_trained():
    copies = []
    one = trainer()
    one.callbacks.append(At("on_batch_end", 3, lambda t: copies.append(copy.deepcopy(t))))
    one.fit()
    copies[0].callbacks = []
    copies[0].fit()
    assert measured(copies[0].history) == measured(one.history)


# What is settled ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", network()), ("train", data.digits()[1]), ("loss", nn.MulticlassHinge()),
        ("augment", None), ("engine", "numpy"), ("seed", 1), ("loader", None),
    ],
)  # fmt: skip
def test_what_would_not_be_used_cannot_be_replaced(name, value):
    one = trainer()
    before = getattr(one, name)
    with pytest.raises(
        ArgumentError, match=rf"^{name}: cannot be replaced after a Trainer is built.*Build "
    ):
        setattr(one, name, value)
    assert getattr(one, name) is before


def test_another_test_set_however_large_is_measured():
    train, test = data.digits()
    one = Trainer(_plain(), train.take(20), epochs=1, batch_size=500)
    one.validation = test
    assert one.fit().epochs[0].test_accuracy == evaluate(one.model, test).accuracy


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_size_beyond_all_memory_takes_that_of_the_images(engine):
    train, test = data.digits()
    one = Trainer(_plain(), train.take(50), test, epochs=1, batch_size=10**12, engine=engine)
    one.fit()
    assert len(one.history.losses) == 1
    result = evaluate(one.model, test, batch_size=10**12, engine=engine)
    assert result.accuracy == one.history.epochs[0].test_accuracy


@pytest.mark.parametrize("size", [0, -1, 2.5, None])
def test_no_batch_size_to_evaluate_by_is_refused(size):
    with pytest.raises(ArgumentError, match=r"^batch_size: must be"):
        evaluate(_plain(), data.digits()[1], batch_size=size)


def test_brightness_and_standardised_images_are_refused_at_construction():
    train, _ = data.digits()
    x = train.batch(slice(None))[0]
    standardised = Dataset.from_arrays((x - x.mean()) / x.std(), train.labels)
    with pytest.raises(
        DataError, match=r"^brightness: expects images in \[0, 1\], received .* -0."
    ):
        Trainer(_plain(), standardised, augment="flip,brightness0.2")
    Trainer(_plain(), standardised, augment="flip,crop1,cutout2")


@pytest.mark.parametrize("order", ["in turn", "by class", "by class, backwards", "at random"])
@pytest.mark.parametrize("wanted", [10, 55, 100])
def test_of_each_class_its_share_is_measured_whatever_the_order(order, wanted):
    labels = np.arange(991) % 10
    if order.startswith("by class"):
        labels = np.sort(labels)[:: -1 if order.endswith("backwards") else 1]
    elif order == "at random":
        labels = np.random.default_rng(0).permutation(labels)
    chosen = sample(Dataset.from_arrays(np.zeros((991, 1, 2, 2), np.uint8), labels), wanted)
    counts = np.bincount(chosen.labels, minlength=10)
    assert counts.sum() == wanted
    assert np.abs(counts - wanted / 10).max() <= 1


# Callbacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Callback(), r"a list, received <.*Callback object"),
        (3, r"a list, received 3\. Write `callbacks=\[\.\.\.\]`"),
        ([Callback], r"derived from Callback, received <class .*Give `Callback\(\.\.\.\)`"),
        ([lambda trainer: None], r"derived from Callback, received <function"),
        ([Callback(), None], r"derived from Callback, received None"),
    ],
)
def test_what_is_no_callback_is_refused_at_construction(given, words):
    with pytest.raises(ArgumentError, match=rf"^callbacks: must be .*{words}"):
        trainer(callbacks=given)


def test_an_object_that_has_all_hooks_is_a_callback():
    hooks = {name: lambda self, *_: None for name in vars(Callback) if name.startswith("on_")}
    trainer(epochs=1, callbacks=[type("Duck", (), hooks)()]).fit()


class _Fails(Callback):
    def __init__(self, error: BaseException, hook: str = "on_fit_end") -> None:
        setattr(self, hook, self._fail)
        self.error = error

    def _fail(self, *_):
        raise self.error


class _Told(Callback):
    told = 0

    def on_fit_end(self, trainer):
        self.told += 1


@pytest.mark.filterwarnings("ignore:Trainer. all 1 epochs are done")
@pytest.mark.parametrize("hook", ["on_fit_begin", "on_batch_end", "on_epoch_end", "on_fit_end"])
def test_every_callback_is_told_of_the_end_whatever_the_others_do(hook):
    told = [_Told(), _Told()]
    fails = [_Fails(ValueError("first"), hook), _Fails(RuntimeError("second"))]
    one = trainer(epochs=1, callbacks=[told[0], fails[0], fails[1], told[1]])
    with pytest.raises(ValueError, match="first") as caught:
        one.fit()
    assert [each.told for each in told] == [1, 1]
    assert "RuntimeError('second')" in "".join(caught.value.__notes__)
    one.callbacks = told
    one.fit()
    assert one.epoch == 1


def test_an_interruption_at_the_end_goes_before_errors():
    told = _Told()
    fails = [_Fails(ValueError("first"), "on_batch_end"), _Fails(KeyboardInterrupt()), told]
    with pytest.raises(KeyboardInterrupt) as caught:
        trainer(callbacks=fails).fit()
    assert told.told == 1
    assert "ValueError('first')" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("hook", ["on_fit_begin", "on_batch_end", "on_epoch_end"])
def test_a_training_within_itself_is_refused(hook):
    one = trainer(callbacks=[At(hook, 1, lambda t: t.fit())])
    with pytest.raises(PellucidError, match=r"^Trainer: is training; a callback or thread called"):
        one.fit()
    one.callbacks = []
    whole = trainer()
    whole.fit()
    one.fit()
    assert measured(one.history) == measured(whole.history)


def test_two_threads_do_not_train_with_one_trainer_at_once():
    amid, go_on = threading.Event(), threading.Event()
    one = trainer(callbacks=[At("on_batch_end", 2, lambda _: (amid.set(), go_on.wait(300)))])
    thread = threading.Thread(target=one.fit)
    thread.start()
    assert amid.wait(300)
    try:
        with pytest.raises(PellucidError, match="is training; a callback or thread called"):
            one.fit()
    finally:
        go_on.set()
        thread.join()
    whole = trainer()
    whole.fit()
    assert measured(one.history) == measured(whole.history)


def test_an_interrupted_training_can_be_gone_on_with():
    one = trainer(callbacks=[At("on_batch_end", 2, lambda _: signal.raise_signal(signal.SIGINT))])
    with pytest.raises(KeyboardInterrupt):
        one.fit()
    one.fit()
    assert one.epoch == one.epochs


# What is given ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("model", nn.Sequential, r"an object of Layer, received <class .*Build one"),
        (
            "train",
            (np.zeros(3), [0], 1),
            r"an object of Dataset, received an object of tuple\. Give",
        ),
        ("validation", [1], r"an object of Dataset, received an object of list\. Give \(images, l"),
        ("loss", nn.SoftmaxCrossEntropy, r"an object of Loss, received <class"),
        ("loss", "hinge", r"an object of Loss, received 'hinge'\. Build one: `nn.SoftmaxCrossEnt"),
        ("optimizer", optim.Adam, r"an object of Optimizer, received <class"),
        ("optimizer", None, r"an object of Optimizer, received None\. Build one, as `optim.Adam"),
        (
            "augment",
            data.Flip(),
            r"an object of Augmentation, received an object of Flip\. Combine",
        ),
        ("augment", [data.Flip()], r"an object of Augmentation, received an object of list\."),
    ],
)
def test_what_a_trainer_cannot_work_with_is_refused_with_what_to_give(name, value, words):
    train, test = data.digits()
    given = {"model": network(), "train": train, "validation": test, name: value}
    with pytest.raises(ArgumentError, match=rf"^{name}: must be {words}"):
        Trainer(given.pop("model"), given.pop("train"), given.pop("validation"), **given)


@pytest.mark.parametrize("lr", ["0.1", [0.1], True + 1j, np.ones(2)])
def test_a_learning_rate_that_is_no_number_is_refused(lr):
    with pytest.raises(ArgumentError, match=r"^lr: must be a finite number above 0, received"):
        trainer("adam", lr=lr)
    with pytest.raises(ArgumentError, match=r"^rates: must be finite and 0 or more, received"):
        nn.set_rates(network(), {"conv": lr})
    with pytest.raises(ArgumentError, match=r"^momentum: must be at least 0 and below 1, received"):
        optim.SGD(momentum=lr)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), "0.1", None])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_rate_of_a_parameter_that_is_none_is_refused_before_the_step(rate, engine):
    one = trainer(engine=engine)
    before = one.model.state_dict()
    one.model.parameters()["fc1.bias"].rate = rate
    with pytest.raises(ArgumentError, match=r"^rate of fc1.bias: must be a finite number, 0 or mo"):
        one.fit()
    assert all(np.array_equal(before[key], w) for key, w in one.model.state_dict().items())


@pytest.mark.parametrize("shared", ["parameter", "array", "view"])
def test_tied_weights_are_refused_whose_gradients_would_not_be_added(shared):
    model = nn.Sequential(
        flatten=nn.Flatten(), a=nn.Linear(64, 64), b=nn.Linear(64, 64), c=nn.Linear(64, 10)
    )
    a, b = model["a"], model["b"]
    if shared == "parameter":
        b.weight = a.weight
    else:
        b.weight.data = a.weight.data if shared == "array" else a.weight.data.T
    with pytest.raises(
        ArgumentError,
        match=r"one array.* 'a.weight' and 'b.weight'|'a.weight' and 'b.weight' share one array",
    ):
        trainer(model=model)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"engine": "x"}, {"callbacks": 3}, {"optimizer": "x"}, {"seed": -1}],
)
def test_a_trainer_that_is_refused_leaves_what_the_model_knows(options):
    model, (train, _) = network(), data.digits()
    model.card = card = nn.Card("pets", tuple("abcdefghij"))
    with pytest.raises(ArgumentError):
        Trainer(model, train, **options)
    assert model.card is card
    assert model.input_shape is None


def _pets(labels, classes) -> Dataset:
    images = np.random.default_rng(0).random((len(labels), 1, 8, 8), dtype=np.float32)
    return Dataset(images, np.asarray(labels), classes, "pets")


@pytest.mark.parametrize("engine", ENGINES)
def test_classes_of_other_names_are_not_evaluated_by_their_numbers(engine):
    model = _plain(outputs=3)
    Trainer(model, _pets([0, 1, 2] * 5, ("cat", "dog", "fish")), epochs=1, engine=engine).fit()
    lacking = _pets([0, 1] * 5, ("cat", "fish"))
    with pytest.raises(
        DataError, match=r"3 classes \(cat, dog, fish\), but 'pets' has 2 \(cat, fi"
    ):
        evaluate(model, lacking, engine=engine)
    turned = _pets([0, 1, 2], ("cat", "fish", "dog"))
    with pytest.raises(DataError, match=r"learned 'dog' for class 1, and 'pets' has 'fish'\. Numb"):
        evaluate(model, turned, engine=engine)
    with pytest.raises(DataError, match=r"training set has 'fish' for class 1, and 'pets' has 'do"):
        Trainer(_plain(outputs=3), turned, _pets([0, 1, 2], ("cat", "dog", "fish")))
    for classes in (("cat", "dog", "fish"), ("0", "1", "2"), ("0", "1")):  # numbers say nothing
        assert evaluate(model, _pets([0, 1, 0], classes), engine=engine).predictions.size == 3
    model.card = None
    evaluate(model, lacking, engine=engine)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "momentum"])
@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_too_small_to_tell_from_zero_are_zero_also_where_underflow_is_an_error(
    engine, optimizer
):
    calm = trainer(optimizer, engine=engine, lr=0.05)
    calm.fit()
    with np.errstate(under="raise"):
        one = trainer(optimizer, engine=engine, lr=0.05)
        one.fit()
        one.model["fc2"].bias.data[:] = np.linspace(0, -300, 10)
        result = evaluate(one.model, one.validation, engine=engine)
        probabilities = predict(one.model, one.validation, engine=engine)
    assert measured(one.history) == measured(calm.history)
    assert np.isfinite(result.loss)
    assert probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", 2.5, "must be an integer, 0 or more; received 2.5"),
        ("epochs", "3", "must be an integer, 0 or more; received '3'"),
        ("epochs", -1, "must be 0 or more, received -1"),
        ("evaluate_samples", 0, "must be 1 or more, received 0"),
        ("schedule", "cosin", "'cosin' is unknown. Did you mean 'cosine'"),
        ("schedule", 0.5, "must be a name or a function"),
        ("optimizer", "sgd", "must be an object of Optimizer, received 'sgd'"),
        ("validation", (1, 2, 3), "must be an object of Dataset, received an object of tuple"),
        ("callbacks", None, "must be a list, received None"),
    ],
)
def test_what_is_changed_later_is_looked_at_as_at_construction(name, value, words):
    one = trainer(epochs=1)
    before = getattr(one, name)
    with pytest.raises(ArgumentError, match=f"^{name}: {words}"):
        setattr(one, name, value)
    assert getattr(one, name) is before
    one.schedule = "cosine"
    one.fit()
    assert one.schedule is optim.cosine


def test_a_loss_that_has_both_directions_is_one():
    class Own:
        def __call__(self, scores, labels):
            self.real = nn.SoftmaxCrossEntropy()
            return self.real(scores, labels)

        def backward(self):
            return self.real.backward()

    own, usual = (
        trainer(loss=Own(), epochs=1, engine="numpy"),
        trainer(epochs=1, engine="numpy"),
    )
    assert own.fit().losses == usual.fit().losses


def test_a_callback_may_take_itself_out_and_the_next_one_is_told():
    class Once(Callback):
        def on_batch_end(self, trainer, loss, images):
            trainer.callbacks.remove(self)

    told = []
    last = At("on_batch_end", -1, None)
    last.on_batch_end = lambda *news: told.append(news)
    one = trainer(epochs=1, callbacks=[Once(), Once(), last])
    one.fit()
    assert len(told) == BATCHES
    assert one.callbacks == [last]


def test_a_resumed_training_without_the_file_of_its_best_epoch_keeps_the_best_since(tmp_path):
    class Measures(Trainer):
        accuracies = (0.5, 0.9, 0.3, 0.8, 0.7, 0.95)

        def _measure(self, dataset):
            real = super()._measure(dataset)
            wanted = round(self.accuracies[self.epoch] * 40)
            predictions = np.where(np.arange(40) < wanted, real.labels[:40], -1)
            return type(real)(real.loss, predictions, real.labels[:40], real.confusion)

    def build(epochs, *callbacks):
        train, test = data.digits()
        return Measures(
            network(), train.take(64), test.take(40), epochs=epochs, batch_size=32,
            callbacks=callbacks,
        )  # fmt: skip

    def kept(path):
        return load(path).state_dict()["fc1.weight"].tobytes()

    weights = {}

    class Note(Callback):
        def on_epoch_end(self, trainer, record):
            weights[record.epoch] = trainer.model.state_dict()["fc1.weight"].tobytes()

    build(6, Note()).fit()
    first = build(3, BestModel(tmp_path / "a"))
    first.fit()
    assert kept(tmp_path / "a") == weights[2]
    for epochs, name, best in ((4, "b", 4), (5, "b", 4), (5, "a", 2), (6, "a", 6), (6, "c", 6)):
        one = build(epochs, BestModel(tmp_path / name))
        one.load_state(first.state())
        one.fit()
        assert kept(tmp_path / name) == weights[best], (epochs, name)
    second = build(2)
    second.fit()
    one = build(3, BestModel(tmp_path / "d"))
    one.load_state(second.state())
    one.fit()
    assert kept(tmp_path / "d") == weights[2]  # the state was that of the best epoch
