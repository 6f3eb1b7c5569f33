"""Both engines stand behind the same doors: Trainer, evaluate, predict."""

from __future__ import annotations

import io

import numba
import numpy as np
import pytest
from rich.console import Console

from ops.witness import assert_agrees
from pellucid import data, engine, evaluate, nn, predict
from pellucid.data import Dataset
from pellucid.errors import ArgumentError
from pellucid.training import Callback, CompiledEngine, ProgressBar
from training.setup import network, same_weights, trainer

TEST = data.digits()[1]


class Double(nn.Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


def own() -> nn.Sequential:
    return nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, rng=np.random.default_rng(0)), double=Double(),
        flatten=nn.Flatten(), fc=nn.Linear(144, 10, rng=np.random.default_rng(1)),
    )  # fmt: skip


MODELS = {
    "known layers": network,
    "a layer of one's own": own,
    "float64": lambda: network().astype(np.float64),
}


@pytest.fixture
def plans(monkeypatch):
    """The plans that are made."""
    made, compile = [], engine.compile

    def noticed(*arguments, **options):
        made.append(compile(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(engine, "compile", noticed)
    return made


def test_the_compiled_engine_is_used_unless_another_is_asked_for(plans):
    one = trainer()
    assert (one.engine.name, len(plans)) == ("compiled", 1)
    evaluate(network(), TEST.take(5))
    predict(network(), TEST.batch(np.arange(2))[0])
    assert len(plans) == 3
    trainer(engine="numpy").fit()
    evaluate(network(), TEST.take(5), engine="numpy")
    predict(network(), TEST.batch(np.arange(2))[0], engine="numpy")
    assert len(plans) == 3


def test_a_training_makes_one_plan(plans):
    trainer().fit()
    assert len(plans) == 1


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("batch_size", [7, 100])
def test_both_evaluate_alike(kind, batch_size):
    model = MODELS[kind]()
    fast, plain = (
        evaluate(model, TEST.take(45), batch_size=batch_size, engine=e)
        for e in ("compiled", "numpy")
    )
    assert fast.loss == pytest.approx(plain.loss, rel=1e-5)
    assert (fast.predictions == plain.predictions).all()
    assert (fast.confusion == plain.confusion).all()


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("n", [0, 1, 99, 100, 101, 250])
def test_both_predict_alike_however_many(kind, n):
    model, x = MODELS[kind](), TEST.batch(np.arange(n))[0]
    fast, plain = (predict(model, x, engine=e) for e in ("compiled", "numpy"))
    assert fast.shape == plain.shape == (n, 10)
    assert_agrees(fast, plain)


def test_what_was_predicted_stays_when_more_is():
    model, x = network(), TEST.batch(np.arange(30))[0]
    first = predict(model, x[:10])
    kept = first.copy()
    predict(model, x[10:])
    np.testing.assert_array_equal(first, kept)


def test_a_plan_of_one_s_own_is_used(plans):
    model, x = network(), TEST.batch(np.arange(30))[0]
    plan = engine.compile(model.eval(), (1, 8, 8), 10)
    assert_agrees(predict(model, x, batch_size=10, run=plan), predict(model, x, engine="numpy"))
    plan.freeze()  # as evaluate's own: the filters then do the batch norm's work
    result = evaluate(model, TEST.take(30), batch_size=10, run=plan)
    assert result.loss == evaluate(model, TEST.take(30), batch_size=10).loss
    assert len(plans) == 2


@pytest.mark.parametrize("loss", [nn.SoftmaxCrossEntropy(), nn.MulticlassHinge()])
def test_both_train_alike(loss):
    fast, plain = (trainer(engine=e, loss=loss, epochs=2) for e in ("compiled", "numpy"))
    fast.fit()
    plain.fit()
    np.testing.assert_allclose(fast.history.losses, plain.history.losses, rtol=1e-3)


def normed():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        *(
            layer
            for c in (1, 8, 8)
            for layer in (nn.Conv2d(c, 8, 3, padding=1, rng=rng), nn.BatchNorm2d(8), nn.ReLU())
        ),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(512, 10, rng=rng),
    )


@pytest.mark.filterwarnings("ignore::pellucid.precision.PrecisionWarning")
def test_a_training_that_recomputes_learns_the_same_bits_in_less_memory(plans):
    both = [trainer(model=normed(), epochs=2, recompute=again) for again in (False, True)]
    for one in both:
        one.fit()
    assert same_weights(*(one.model for one in both))
    assert both[0].history.losses == both[1].history.losses
    assert [one.recompute for one in both] == [plan.recompute for plan in plans] == [False, True]
    assert plans[1].memory.recomputed
    assert plans[1].memory.arena < plans[0].memory.arena
    assert repr(both[1].engine) == "CompiledEngine(recompute=True)"
    one = trainer(engine=CompiledEngine(recompute=True, precision="bf16"), recompute=True)
    assert (one.recompute, one.precision) == (True, "bf16")


def test_other_engines_refuse_to_recompute_and_a_trainer_keeps_it():
    with pytest.raises(
        ArgumentError, match=r"^recompute: outputs .* engine is 'numpy'. Use engine='compiled'"
    ):
        trainer(engine="numpy", recompute=True)
    with pytest.raises(ArgumentError, match=r"^recompute: .* the engine is CompiledEngine\(\)"):
        trainer(engine=CompiledEngine(), recompute=True)
    with pytest.raises(ArgumentError, match=r"^recompute: cannot be replaced after a Trainer"):
        trainer().recompute = True


def test_images_of_any_type_are_trained_on_alike():
    images = np.random.default_rng(0).normal(size=(40, 1, 8, 8)).astype(np.float32)
    train = Dataset.from_arrays(images, np.arange(40) % 10)
    losses = [evaluate(network(), train, engine=e).loss for e in ("compiled", "numpy")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda e: trainer(engine=e),
        lambda e: evaluate(network(), TEST, engine=e),
        lambda e: predict(network(), TEST.batch(np.arange(2))[0], engine=e),
    ],
    ids=["Trainer", "evaluate", "predict"],
)
def test_an_unknown_engine_is_refused(call):
    with pytest.raises(
        ArgumentError, match=r"engine: must be 'compiled', 'numpy' or .*received 'x'"
    ):
        call("x")


class Compiles(Callback):
    """Use a kernel in the middle of an epoch that was never used before."""

    def on_batch_end(self, trainer, loss, images):
        numba.njit(lambda x: x + 1)(len(trainer.history.losses))


class Hears(Callback):
    def __init__(self):
        self.heard = []

    def on_compile(self, trainer, news):
        self.heard.append(news)


def test_callbacks_hear_of_compilations():
    hears = Hears()
    trainer(epochs=1, callbacks=[Compiles(), hears]).fit()
    assert sum(news.name == "<lambda>" for news in hears.heard) == 5
    assert str(hears.heard[-1]).startswith("compiling kernels (first run on this machine)")
    plain = Hears()
    trainer(epochs=1, engine="numpy", callbacks=[Compiles(), plain]).fit()
    assert plain.heard == []


def test_without_a_terminal_the_progress_says_it_once_on_standard_error(capsys):
    trainer(epochs=2, callbacks=[ProgressBar(), Compiles()]).fit()
    out, err = capsys.readouterr()
    assert err == "compiling kernels (first run on this machine)\n"
    assert len(out.splitlines()) == 2


def test_without_compilation_the_progress_says_nothing_of_it(capsys):
    trainer(epochs=1, callbacks=[]).fit()
    trainer(epochs=1, callbacks=[ProgressBar()]).fit()
    assert capsys.readouterr().err == ""


def test_on_a_terminal_the_notice_takes_the_place_of_the_bar_until_it_goes_on():
    screen = io.StringIO()
    bar = ProgressBar(Console(file=screen, force_terminal=True, width=100, legacy_windows=False))
    seen = []

    def look(*_):
        screen.seek(0)
        screen.truncate()
        bar._bar.refresh()
        seen.append(screen.getvalue())

    class Looks(Compiles):
        on_compile = look

        def on_batch_end(self, trainer, loss, images):
            look()
            if len(trainer.history.losses) == 1:
                super().on_batch_end(trainer, loss, images)

    trainer(epochs=1, callbacks=[bar, Looks()]).fit()
    compiling = ["compiling kernels (first run on this machine) " in shown for shown in seen]
    assert compiling[-6:] == [False, True, False, False, False, False]
    assert all("images/s" in shown for shown in seen[-4:])


def test_what_computes_instead_of_the_model_does_so_with_either_engine():
    model, asked = network().eval(), []

    def run(x):
        asked.append(len(x))
        return model(x)

    for name in ("compiled", "numpy"):
        evaluate(model, TEST.take(30), batch_size=20, engine=name, run=run)
        predict(model, TEST.batch(np.arange(3))[0], engine=name, run=run)
    assert asked == 2 * [20, 10, 3]
