"""Several threads with one model: right answers, and modes that stay as they are."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pellucid import data, nn, predict, viz
from pellucid.training import evaluate
from training.setup import network, same_weights, trainer

ENGINES = ["compiled", "numpy"]


def together(*works) -> None:
    """Run all of them at once; raise what one of them raises."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def run(work):
        try:
            barrier.wait()
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", [True, False])
def test_predictions_of_several_threads_are_right_and_leave_the_mode(engine, mode):
    model = network().train(mode)
    model["drop1"].training = not mode
    modes = [layer.training for _, layer in model.layers()]
    _, test = data.digits()
    parts = [test.batch(slice(30 * k, 30 * k + 30))[0] for k in range(4)]
    expected = [predict(model, x, engine=engine) for x in parts]
    state = model.state_dict()

    def work(k: int):
        def predicting():
            for _ in range(15):
                y = predict(model, parts[k], batch_size=7, engine=engine)
                np.testing.assert_allclose(y, expected[k], rtol=1e-4)

        return predicting

    together(*map(work, range(4)))
    assert [layer.training for _, layer in model.layers()] == modes
    assert all(np.array_equal(state[k], v) for k, v in model.state_dict().items())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training_is_not_disturbed_by_what_predicts_meanwhile(engine):
    calm, watched = (trainer(engine=engine, epochs=8) for _ in range(2))
    calm.fit()
    x, _ = watched.validation.batch(slice(None))
    done = threading.Event()

    def fitting():
        try:
            watched.fit()
        finally:
            done.set()

    def predicting():
        while not done.is_set():
            predict(watched.model, x, engine=engine)
            evaluate(watched.model, watched.validation, engine=engine)

    together(fitting, predicting, predicting)
    assert same_weights(calm.model, watched.model)
    assert calm.history.losses == watched.history.losses


def test_a_prediction_between_forward_and_backward_changes_no_gradient():
    model, (_, test) = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.ReLU()), data.digits()
    x, _ = test.batch(slice(5))
    dy = model(x)
    model.backward(dy)
    expected = model[1].weight.grad.copy()
    model(x)
    predict(model, 1 - x, engine="numpy")
    model.backward(dy)
    np.testing.assert_array_equal(model[1].weight.grad, expected)


def test_a_block_within_a_block_ends_in_the_mode_of_the_outer_one():
    model, part = network(), nn.trunk(network(), "norm")
    with model.evaluating():
        with model.evaluating(), part.evaluating():
            assert not model["norm"].training
            assert not part["norm"].training
        assert not model["drop1"].training
        assert part["norm"].training
        model["drop1"].train()  # as a layer of one's own may, to draw masks all the same
        assert model["drop1"].training
    assert model["drop1"].training
    assert model["norm"].training


def test_a_layer_that_always_trains_does_so_within_the_block():
    class Always(nn.Dropout):
        def trains_in(self, mode):
            return True

    always = Always(0.5, rng=np.random.default_rng(0))
    with always.evaluating():
        assert always.training
        assert 0 in always(np.ones(99))


def test_backward_within_the_block_needs_a_forward_within_it():
    layer = nn.ReLU()
    layer(np.ones(3))
    with layer.evaluating():
        with pytest.raises(ValueError, match="backward needs a forward first"):
            layer.backward(np.ones(3))
        layer(-np.ones(3))
        assert layer.backward(np.ones(3)).tolist() == [0, 0, 0]
        layer.forget()
        with pytest.raises(ValueError, match="backward needs a forward first"):
            layer.backward(np.ones(3))
    assert layer.backward(np.ones(3)).tolist() == [1, 1, 1]


def test_looking_into_a_model_leaves_its_mode_while_others_predict():
    model = network()
    model["norm"].eval()
    modes = [layer.training for _, layer in model.layers()]
    x, _ = data.digits()[1].batch(slice(4))
    expected = predict(model, x)

    def looking():
        for _ in range(5):
            viz.saliency(model, x[0], 3)

    def predicting():
        for _ in range(20):
            np.testing.assert_allclose(predict(model, x), expected, rtol=1e-4)

    together(looking, predicting, predicting)
    assert [layer.training for _, layer in model.layers()] == modes
