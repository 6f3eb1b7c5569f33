"""The learning-rate range test: what it suggests, and that it leaves no trace."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from pellucid import data, nn, optim, viz
from pellucid.errors import ArgumentError
from pellucid.training import Callback, RateTest, Trainer, find_lr
from training.setup import At, measured, network, same_weights, trainer

RULES = sorted(optim.RULES)


def half_trained(optimizer="adam", **options) -> Trainer:
    """Return a Trainer in the middle of its second epoch, with all that a training can have."""
    found = trainer(
        optimizer, augment="crop1,mixup0.2", clip_norm=1.0, ema=0.9, warmup=0.5,
        schedule="cosine", **options,
    )  # fmt: skip
    found.callbacks.append(At("on_batch_end", 7, lambda _: _interrupt()))
    with pytest.raises(KeyboardInterrupt):
        found.fit()
    found.callbacks.clear()
    return found


def _interrupt() -> None:
    raise KeyboardInterrupt


def everything(of: Trainer) -> dict[str, object]:
    """Return all that a Trainer's future depends on, as bytes and numbers."""
    state = of.state()
    arrays = {**state.weights, **state.optimizer, **state.average, "order": state.order}
    found: dict[str, object] = {key: (a.dtype.str, a.tobytes()) for key, a in arrays.items()}
    found |= {"lr": of.lr, "epoch": of.epoch, "position": state.position, "best": of.best}
    found |= {"config": state.optimizer_config, "losses": list(of.history.losses)}
    found |= {key: (p.rate, p.decay) for key, p in of.model.parameters().items()}
    modes = [(name, layer.training) for name, layer in of.model.layers()]
    found["generators"] = id(of.augment.rng)
    return found | {"modes": modes, "last": of.last_lr, "norm": of.gradient_norm}


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
@pytest.mark.parametrize("rule", RULES)
def test_a_test_in_the_middle_of_a_training_changes_no_bit_of_it(rule, engine):
    tested, other = half_trained(rule, engine=engine), half_trained(rule, engine=engine)
    before = everything(tested)
    found = find_lr(tested, 1e-5, 1.0, 12)
    assert 1 <= len(found.losses) <= 12
    assert everything(tested) == before
    assert measured(tested.fit()) == measured(other.fit())
    assert same_weights(tested.model, other.model)


def test_a_test_that_diverges_to_nan_changes_no_bit_of_the_training():
    tested = half_trained("sgd")
    before = everything(tested)
    found = find_lr(tested, 1e-3, 1e30, 20)
    assert found.diverged
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 20
    assert np.isfinite(found.losses).all()
    assert everything(tested) == before


@pytest.mark.parametrize("how", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("hook", ["on_batch_end", "on_gradients"])
def test_a_test_that_is_interrupted_or_fails_changes_no_bit_of_the_training(how, hook):
    tested = half_trained()
    before = everything(tested)

    def end(_: object) -> None:
        if how is KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            raise how

    with pytest.raises(how):
        find_lr(tested, steps=20, callbacks=[At(hook, 5, end)])
    assert everything(tested) == before
    other = half_trained()
    assert measured(tested.fit()) == measured(other.fit())


def test_the_first_losses_are_those_of_a_training_at_the_lowest_rate():
    rate = 1e-3
    found = find_lr(trainer("sgd", lr=0.5), rate, rate * (1 + 1e-12), 10)
    trained = trainer("sgd", lr=rate, epochs=2)
    assert found.losses == tuple(trained.fit().losses)
    assert found.rates == pytest.approx([rate] * 10)


def test_the_suggestion_lies_between_the_steepest_fall_and_a_tenth_of_the_lowest():
    rates = np.geomspace(1e-6, 10, 100)
    x = np.log10(rates)
    smooth = 2.3 - 2 / (1 + np.exp(-4 * (x + 2))) + 5 * np.maximum(0, x + 0.5) ** 2
    found = RateTest(tuple(rates), tuple(smooth), tuple(smooth), diverged=False)
    assert found.steepest == pytest.approx(1e-2, rel=0.1)
    assert rates[np.argmin(smooth)] == found.lowest
    assert found.suggestion == pytest.approx((found.steepest * found.lowest / 10) ** 0.5)


def test_a_loss_that_does_not_fall_gives_no_suggestion():
    rng = np.random.default_rng(0)
    rates, noise = np.geomspace(1e-6, 10, 100), 2.3 + 0.1 * rng.normal(size=100)
    smooth = np.convolve(np.pad(noise, 3, "edge"), np.ones(7) / 7, "valid")
    for smoothed in (smooth, np.linspace(1, 9, 100)):
        found = RateTest(tuple(rates), tuple(noise), tuple(smoothed), diverged=False)
        assert (found.suggestion, found.steepest, found.lowest) == (None, None, None)
        assert "no suggestion: the loss does not clearly fall" in str(found)


def test_a_loss_that_falls_to_the_end_asks_for_a_higher_rate():
    rates, losses = tuple(np.geomspace(1e-6, 1e-3, 20)), tuple(np.linspace(2.3, 1.9, 20) ** 3)
    for diverged in (False, True):
        found = str(RateTest(rates, losses, losses, diverged=diverged))
        assert ("so raise that" in found) != diverged


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam", "rmsprop"])
def test_training_at_the_suggested_rate_learns(rule):
    train, test = data.digits()
    model = nn.Sequential(
        conv=nn.Conv2d(1, 8, 3, rng=np.random.default_rng(1)), relu=nn.ReLU(),
        flat=nn.Flatten(), fc=nn.Linear(288, 10, rng=np.random.default_rng(2)),
    )  # fmt: skip
    new = Trainer(model, train, test, optimizer=rule, epochs=3, batch_size=50)
    found = find_lr(new)
    assert found.suggestion is not None
    new.lr = found.suggestion
    assert new.fit().epochs[-1].test_accuracy > 0.85


def test_the_callbacks_of_the_trainer_hear_nothing_and_those_of_the_test_all():
    class Count(Callback):
        heard = 0

        def on_batch_end(self, trainer, loss, images):
            self.heard += 1

    own, given = Count(), Count()
    find_lr(trainer(callbacks=[own]), 1e-6, 1e-3, 10, callbacks=[given])
    assert (own.heard, given.heard) == (0, 10)


def test_frozen_layers_stay_frozen_in_the_test():
    model = network()
    for key, p in model.parameters().items():
        p.rate = float(key.startswith("fc2."))
    tested = trainer("sgd", model=model)
    kept = {key: p.data.copy() for key, p in tested.model.parameters().items()}

    class Look(Callback):
        moved = frozenset()

        def on_batch_end(self, trainer, loss, images):
            now = trainer.model.parameters()
            self.moved = {key for key, a in kept.items() if not np.array_equal(a, now[key].data)}

    look = Look()
    find_lr(tested, 0.01, 0.1, 10, callbacks=[look])
    assert {key.split(".")[0] for key in look.moved} == {"fc2"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"low": 0.0}, "low: must be a finite number above 0"),
        ({"high": float("inf")}, "high: must be a finite number above 0"),
        ({"low": 1.0, "high": 0.1}, "high: must be above low=1.0, received 0.1"),
        ({"steps": 5}, "steps: must be 10 or more, received 5"),
    ],
)
def test_rates_out_of_range_are_refused(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        find_lr(trainer(), **arguments)


def test_the_figure_shows_the_suggestion_and_ends_at_the_divergence():
    found = find_lr(trainer("sgd"), 1e-4, 1e6, 40)
    figure = viz.rate_test(found)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert ("suggested" in " ".join(labels)) == (found.suggestion is not None)
    assert max(line.get_xdata()[-1] for line in axes.lines[:2]) == found.rates[-1]
    with pytest.raises(ArgumentError, match="that of the first step was not finite"):
        viz.rate_test(RateTest((), (), (), diverged=True))
