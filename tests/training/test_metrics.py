"""Evaluation and prediction: every image once, and a model that is afterwards as before."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data, evaluate, nn, predict
from pellucid.data import Dataset
from pellucid.errors import DataError
from pellucid.training import Trainer
from training.setup import network, same_weights


class Knows(nn.Layer):
    """Answer with the class that is written in the first pixel."""

    def forward(self, x):
        return 5 * np.eye(3, dtype=x.dtype)[np.rint(x[:, 0, 0, 0] * 2).astype(int)]

    def output_shape(self, input_shape):
        return (3,)


LABELS = np.array([0, 1, 2, 2, 1, 0, 2])
ANSWERS = np.array([0, 1, 2, 1, 1, 2, 2])
SET = Dataset.from_arrays((ANSWERS / 2).reshape(-1, 1, 1, 1).astype(np.float32), LABELS)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_every_image_counts_once_whatever_the_batch(batch_size):
    counted = []
    result = evaluate(Knows(), SET, batch_size=batch_size, on_batch=counted.append)
    assert sum(counted) == 7
    assert result.predictions.tolist() == ANSWERS.tolist()
    assert result.labels.tolist() == LABELS.tolist()
    assert result.accuracy == 5 / 7
    right, wrong = -np.log(np.exp(5) / (np.exp(5) + 2)), -np.log(1 / (np.exp(5) + 2))
    assert result.loss == pytest.approx((5 * right + 2 * wrong) / 7, rel=1e-6)


def test_the_confusion_has_a_row_for_each_true_class():
    confusion = evaluate(Knows(), SET).confusion
    assert confusion.tolist() == [[1, 0, 1], [0, 2, 0], [0, 1, 2]]
    assert confusion.sum() == 7
    assert confusion.sum(axis=1).tolist() == np.bincount(LABELS).tolist()
    assert np.trace(confusion) == 5


@pytest.mark.parametrize("engine", ["compiled", "numpy"])
def test_mirrored_takes_the_mean_score_of_each_image_and_its_mirror_image(engine):
    _, test = data.digits()
    test = test.take(120)
    model = network(seed=3)
    x, labels = test.batch(np.arange(len(test)))
    scores = (model.eval()(x) + model(x[:, :, :, ::-1])) / 2
    result = evaluate(model, test, batch_size=50, mirrored=True, engine=engine)
    assert result.predictions.tolist() == scores.argmax(axis=1).tolist()
    assert result.loss == pytest.approx(nn.SoftmaxCrossEntropy()(scores, labels), rel=1e-5)
    assert result.loss != pytest.approx(evaluate(model, test).loss, rel=1e-3)


def test_arrays_are_evaluated_as_the_data_set_of_them_and_a_data_set_is_predicted():
    by_arrays, by_set = evaluate(Knows(), (SET.images, LABELS)), evaluate(Knows(), SET)
    assert by_arrays.loss == by_set.loss
    assert by_arrays.confusion.tolist() == by_set.confusion.tolist()
    np.testing.assert_array_equal(predict(Knows(), SET), predict(Knows(), SET.images))


def test_the_loss_may_be_another():
    result = evaluate(Knows(), SET, loss=nn.MulticlassHinge())
    # A wrong answer lies 5 above the right class, and the third class violates the margin by 1.
    assert result.loss == pytest.approx(2 * 7 / 7)


def test_bytes_are_not_predicted_on_a_scale_that_the_model_never_saw():
    _, test = data.digits()
    with pytest.raises(
        DataError, match=r"^predict: expects images as numbers in \[0, 1\], received"
    ):
        predict(network(), test.images[:2])


def test_the_mode_of_every_layer_is_as_before():
    model = network()
    model.train()
    model["norm"].eval()
    modes = [layer.training for _, layer in model.layers()]
    assert len(set(modes)) == 2
    _, test = data.digits()
    before = model.state_dict()
    evaluate(model, test.take(20))
    predict(model, test.batch(slice(4))[0])
    assert [layer.training for _, layer in model.layers()] == modes
    assert all(np.array_equal(before[key], v) for key, v in model.state_dict().items())


def test_the_mode_is_as_before_also_when_the_model_fails():
    model = nn.Sequential(relu=nn.ReLU(), fc=nn.Linear(3, 3))
    model.train()
    model["relu"].eval()
    with pytest.raises(ValueError, match="Linear 'fc'"):
        evaluate(model, SET)
    assert [layer.training for _, layer in model.layers()] == [True, False, True]


def test_evaluation_draws_no_masks():
    model, (_, test) = network(), data.digits()
    first, second = (evaluate(model, test.take(30), batch_size=b) for b in (30, 7))
    assert first.predictions.tolist() == second.predictions.tolist()
    assert first.loss == pytest.approx(second.loss, rel=1e-6)


def test_predictions_are_probabilities():
    model, (_, test) = network(), data.digits()
    x, _ = test.batch(slice(9))
    probabilities = predict(model, x)
    assert probabilities.shape == (9, 10)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(9), rel=1e-5)
    assert (probabilities > 0).all()
    scores = model.eval()(x)
    assert (probabilities.argmax(axis=1) == scores.argmax(axis=1)).all()
    ratio = np.log(probabilities[:, 0] / probabilities[:, 1])
    assert ratio == pytest.approx(scores[:, 0] - scores[:, 1], abs=1e-5)


def test_evaluating_keeps_no_activations_behind():
    model = network()
    _, test = data.digits()
    evaluate(model, test.take(20))
    assert all(layer._memory is None for _, layer in model.layers())


def test_a_batch_takes_no_more_room_than_there_are_images():
    train, test = (part.take(n) for part, n in zip(data.digits(), (20, 30), strict=True))
    trained = [Trainer(network(), train, test, epochs=2, batch_size=size) for size in (20, 10**12)]
    first, second = (one.fit() for one in trained)
    assert first.losses == second.losses
    assert same_weights(*(one.model for one in trained))
    results = [evaluate(trained[0].model, test, batch_size=size) for size in (30, 10**12)]
    assert results[0].loss == results[1].loss
    assert np.array_equal(results[0].predictions, results[1].predictions)


def test_another_test_set_may_have_more_images_than_a_batch_has_room_for():
    train, test = (part.take(20) for part in data.digits())
    one = Trainer(network(), train, test, epochs=1, batch_size=100)
    one.validation = data.digits()[1]
    assert one.fit().epochs[-1].test_accuracy == evaluate(one.model, one.validation).accuracy
