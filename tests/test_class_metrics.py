"""Precision, recall, F1 and their means, against scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from pellucid.class_metrics import ClassMetrics
from pellucid.errors import ShapeError


def confusion(true, predicted, k):
    matrix = np.zeros((k, k), np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


@pytest.mark.parametrize("seed", range(6))
def test_results_by_class_are_those_of_scikit_learn(seed):
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    # Rare classes, one that does not occur (5) and one that is never predicted (4).
    true = rng.choice(6, size=300, p=(0.7, 0.2, 0.06, 0.03, 0.01, 0))
    true[:5] = range(5)
    predicted = np.where(rng.random(300) < 0.7, true, rng.choice([0, 1, 2, 3, 5], 300))
    predicted[predicted == 4] = 0
    found = ClassMetrics.of(confusion(true, predicted, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without images or predictions
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            true, predicted, labels=range(6), zero_division=np.nan
        )
        balanced = metrics.balanced_accuracy_score(true, predicted)
    np.testing.assert_allclose(found.precision, precision)
    np.testing.assert_allclose(found.recall, recall)
    np.testing.assert_allclose(found.f1, np.nan_to_num(f1))
    assert found.support.tolist() == support.tolist()
    assert found.balanced_accuracy == pytest.approx(balanced)
    for average in ("macro", "weighted"):
        theirs = metrics.f1_score(true, predicted, average=average, zero_division=0)
        assert getattr(found, f"{average}_f1") == pytest.approx(theirs)


def test_classes_that_neither_occur_nor_are_predicted_are_left_out_of_the_means():
    found = ClassMetrics.of(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert np.isnan([found.precision[2], found.recall[2], found.f1[2]]).all()
    assert found.balanced_accuracy == pytest.approx((0.75 + 1) / 2)
    assert found.macro_f1 == pytest.approx((6 / 7 + 8 / 9) / 2)
    nothing = ClassMetrics.of(np.zeros((2, 2), int))
    assert np.isnan([nothing.balanced_accuracy, nothing.macro_f1, nothing.weighted_f1]).all()


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(ShapeError, match=r"expects a confusion matrix \(K, K\), received \(2, 3\)"):
        ClassMetrics.of(np.zeros((2, 3)))
