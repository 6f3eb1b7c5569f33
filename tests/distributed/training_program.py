"""Trainings that `test_training` runs on any number of ranks; all must end with the same bits."""

import hashlib
import itertools
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid import data, models, nn, optim
from pellucid.distributed import MPI
from pellucid.errors import ArgumentError, PellucidError, RanksError
from pellucid.training import Callback, Trainer, TrainingState, evaluate, predict

world = MPI()
train, test = data.digits()
images, held_out = train.take(153), test.take(70)  # the last batch of 3 images, for up to 8 ranks


def convolutions():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, rng=rng), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.2), nn.Conv2d(8, 8, 3, padding=1, bias=False, rng=rng), nn.BatchNorm2d(8),
        nn.ReLU(), nn.Flatten(), nn.Linear(128, 10, rng=rng),
    )  # fmt: skip


def book():
    return models.SimpleConvNet((1, 8, 8), rng=np.random.default_rng(1))


def linear():
    rng = np.random.default_rng(2)
    layers = nn.Flatten(), nn.Linear(64, 70, rng=rng), nn.ReLU(), nn.Dropout(0.3)
    return nn.Sequential(*layers, nn.Linear(70, 10, rng=rng))


class Noise(Callback):
    """Change the gradients, on all ranks alike."""

    def on_gradients(self, trainer):
        for k, p in enumerate(trainer.model.parameters().values()):
            rng = np.random.default_rng([k, trainer.optimizer.t])
            p.grad += 1e-3 * rng.normal(size=p.grad.shape).astype(np.float32)


class Halving(Callback):
    """Change a rate, and freeze a parameter, on rank 0."""

    def on_batch_end(self, trainer, loss, images):
        assert world.rank == 0
        if len(trainer.history.losses) == 3:
            trainer.lr /= 2
            next(iter(trainer.model.parameters().values())).rate = 0.0


def counting():
    """Return a schedule that counts how often it is asked: once a step."""
    asked = itertools.count(1)
    return lambda done: 1 / next(asked)


def trainers(**more):
    """Yield each training by name."""
    common = {"epochs": 2, "batch_size": 50, "communicator": world, "progress": False} | more
    weights = data.balanced_weights(images)
    yield "norm, mixup, clip, ema", lambda **own: Trainer(
        convolutions(), images, held_out, augment="flip,crop1,mixup0.4", clip_norm=0.5, ema=0.9,
        warmup=0.5, seed=3, optimizer=optim.SGD(0.1, momentum=0.9, nesterov=True), **common | own,
    )  # fmt: skip
    yield "class weights, smoothing, adamw", lambda **own: Trainer(
        book(), images, held_out, optimizer=optim.AdamW(0.003, weight_decay=0.1),
        loss=nn.SoftmaxCrossEntropy(class_weights=weights, label_smoothing=0.1),
        schedule="cosine", **common | own,
    )  # fmt: skip
    yield "adam, drop, noise", lambda **own: Trainer(
        linear(), images, optimizer="adam", last_batch="drop", augment="cutmix1,mixup1",
        callbacks=[Noise(), Halving()], **common | own,
    )  # fmt: skip


def digest(trainer):
    """Return a hash of all that was learned and measured."""
    found = hashlib.sha256()
    for key, array in sorted(trainer.state().weights.items()):
        found.update(key.encode() + array.tobytes())
    with trainer.averaged() as model:
        for array in model.state_dict().values():
            found.update(array.tobytes())
    found.update(repr(trainer.history.losses).encode())
    for record in trainer.history.epochs:
        found.update(repr((record.loss, record.train_accuracy, record.test_loss)).encode())
    return found.hexdigest()[:16]


class Saving(Callback):
    """Save the state within an epoch, on rank 0."""

    def __init__(self, path):
        self.path = path

    def on_batch_end(self, trainer, loss, images):
        if len(trainer.history.losses) == 6:
            trainer.state().save(self.path)


def hashes(folder):
    """Train; save a state on the way, and go on from that of another number of ranks."""
    found = {}
    for name, trainer in trainers():
        one = trainer()
        one.callbacks.append(Saving(folder / f"{name} {world.size}"))
        one.fit()
        found[name] = digest(one)
    for name, trainer in trainers():
        others = [path for path in folder.glob(f"{name} *") if path.name != f"{name} {world.size}"]
        if others:
            path = max(others, key=lambda each: int(each.name.split()[-1]))
            one = trainer()
            one.load_state(TrainingState.load(path))
            one.fit()
            found[f"{path.name} to {world.size}"] = digest(one)
    return found


def interrupted():
    """Send signals to one rank; let callbacks fail; go on each time."""
    _, trainer = next(trainers())
    whole = trainer()
    whole.fit()

    class Sending(Callback):
        def on_gradients(self, trainer):
            if world.rank == 1 and len(trainer.history.losses) == self.at:
                for number in self.numbers:
                    os.kill(os.getpid(), number)

    def stopped(_number, _frame):
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stopped)
    sending = Sending()
    one = trainer(callbacks=[sending])
    for at, numbers, error in (
        (2, [signal.SIGINT], KeyboardInterrupt), (5, [signal.SIGTERM], SystemExit),
        (6, [signal.SIGINT, signal.SIGTERM], SystemExit),  # the second is not lost with the first
    ):  # fmt: skip
        sending.at, sending.numbers = at, numbers
        with pytest.raises(error):
            one.fit()
        assert len(one.history.losses) == at + 1
    one.callbacks = [Failing()]
    with pytest.raises((ValueError, RanksError), match="too loud") as raised:
        one.fit()
    assert raised.errisinstance(RanksError) == (world.rank > 0)
    one.callbacks = []
    told, measured, scores = [], [], one._strategy.scores
    signal.signal(signal.SIGUSR1, lambda *_: told.append(1))  # lets the training go on

    def sending_scores(x):
        measured.append(1)
        if world.rank == 1 and len(measured) in (1, 4):
            os.kill(os.getpid(), signal.SIGUSR1 if len(measured) == 1 else signal.SIGINT)
        return scores(x)

    one._strategy.scores = sending_scores
    with pytest.raises(KeyboardInterrupt):
        one.fit()
    assert len(told) == 1  # also on ranks that did not receive it
    one._strategy.scores = scores
    one.fit()
    assert digest(one) == digest(whole)


class Failing(Callback):
    def on_batch_end(self, trainer, loss, images):
        assert world.rank == 0
        raise ValueError("too loud")


def refused(work):
    """Return the error with which all ranks refuse."""
    with pytest.raises(PellucidError) as raised:
        work()
    every = world.gather(str(raised.value))
    assert every == every[:1] * world.size, every
    return every[0]


def different():
    """Give the ranks what does not go together."""
    _, trainer = next(trainers())

    def other_weights():
        one = trainer()
        next(iter(one.model.parameters().values())).data[:] += world.rank == 1
        one.fit()

    one = trainer()
    state = one.state()
    found = {
        "weights": refused(other_weights),
        "epochs": refused(lambda: trainer(epochs=2 + world.rank).fit()),
        "count": refused(lambda: trainer().fit(epochs=-world.rank)),
        "engine": refused(lambda: trainer(engine="numpy")),
        "chunks": refused(lambda: trainer(chunks=16).load_state(state)),
        "few": refused(lambda: trainer(chunks=1)),
    }
    assert one.epoch == 0

    class Spoiling(Callback):
        def on_batch_end(self, trainer, loss, images):
            next(iter(trainer.model.parameters().values())).data[:] = 0

    found["changed"] = refused(lambda: trainer(callbacks=[Spoiling()]).fit())

    def schedule(done):
        raise ArgumentError("has no rate.", where="schedule")

    found["schedule"] = refused(lambda: trainer(schedule=schedule).fit())

    def frozen_on_one():
        one = trainer()
        next(iter(one.model.parameters().values())).rate = float(world.rank != 1)
        one.fit()

    found["frozen"] = refused(frozen_on_one)
    return found | changed_by_rank_0(trainer)


def changed_by_rank_0(trainer):
    """Let callbacks, which are called on rank 0, change what is not sent to the others."""

    class Falling(Callback):
        factor = 1.0

        def __call__(self, done):
            return self.factor

        def on_batch_end(self, trainer, loss, images):
            self.factor /= 2

    class Adding(Callback):
        def on_batch_end(self, trainer, loss, images):
            trainer.callbacks.append(Noise())

    class Loading(Callback):
        def on_batch_end(self, trainer, loss, images):
            trainer.load_state(trainer.state())

    class Stopping(Noise):
        def on_gradients(self, trainer):
            if world.rank == 1:
                trainer.stop("enough")

    falling = Falling()
    one = trainer(schedule=falling, callbacks=[falling])
    found = {"rate": refused(one.fit), "adding": refused(trainer(callbacks=[Adding()]).fit)}
    assert len(one.history.losses) == 3  # the first at the schedule's rate
    found["stopping"] = refused(trainer(callbacks=[Stopping()]).fit)
    found["after"] = refused(one.state)  # of weights that are one step's only in part
    with pytest.raises(PellucidError, match="load_state: cannot be called while several ranks"):
        trainer(callbacks=[Loading()]).fit()
    return found


def measured():
    """Evaluate and predict: every rank gets what one alone gets; so does a schedule."""
    learned = []
    for ranks in (None, world):
        how = {"epochs": 1, "batch_size": 50, "communicator": ranks, "progress": False}
        one = Trainer(book(), images, schedule=counting(), **how)
        one.fit()
        learned.append((one.last_lr, digest(one)))
    assert learned[0] == learned[1]
    model = book()
    x = test.batch(np.arange(50))[0]
    for size in (37, 400):  # of the latter, ranks after the first have nothing to do
        one = evaluate(model, test, batch_size=size, mirrored=True)
        found = evaluate(model, test, batch_size=size, mirrored=True, communicator=world)
        assert found.loss == one.loss
        for name in ("predictions", "labels", "confusion"):
            assert np.array_equal(getattr(found, name), getattr(one, name))
        for name, value in vars(one.calibration).items():
            assert np.array_equal(getattr(found.calibration, name), value, equal_nan=True)
        for given in (test, x, x[:0]):
            own = predict(model, given, batch_size=size)
            assert np.array_equal(predict(model, given, batch_size=size, communicator=world), own)
    damaged = x.copy()
    damaged[40] = np.nan if world.rank == 1 else 0
    return {"damaged": refused(lambda: predict(model, damaged, communicator=world))}


def failing():
    """Fail on one rank in the middle of a batch."""
    _, trainer = next(trainers())
    one = trainer()
    if world.rank == 1:

        def gather(dataset, chosen):
            raise ArgumentError("a picture is damaged.", where="this disk")

        one.loader.gather = gather
    one.fit()


if __name__ == "__main__":
    found = globals()[sys.argv[1]](*map(Path, sys.argv[2:]))
    if world.rank == 0:
        print(json.dumps(found))
