"""A fused loss stands for its layer: the same numbers, the same gradients, the same refusals."""

from __future__ import annotations

import numpy as np
import pytest

from ops.witness import assert_agrees
from pellucid.engine.cpu.losses import KERNELS, FusedLoss
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.kernels.tree import tree_sum
from pellucid.nn import Loss, MeanSquaredError, MulticlassHinge, SoftmaxCrossEntropy

LOSSES = [SoftmaxCrossEntropy(), MulticlassHinge(), MulticlassHinge(0.3), MeanSquaredError()]


def _drawn(n, k, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(scale=3, size=(n, k)).astype(np.float32), rng.integers(0, k, n)


def _agree(fused, scores, labels):
    loss, dy = fused(scores, labels), fused.backward()
    assert_agrees(loss, fused.loss(scores.astype(np.float64), labels), within=1e-6)
    assert_agrees(dy, fused.loss.backward(), within=1e-6)
    return dy


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_loss_of_the_library_has_a_kernel(loss):
    assert type(loss) in KERNELS
    fused = FusedLoss(loss)
    assert repr(fused) == repr(loss)
    for n, k in [(100, 10), (100, 10), (7, 10), (1, 1), (130, 1000), (100, 10)]:
        scores, labels = _drawn(n, k)
        dy = _agree(fused, scores, labels)
        assert dy.dtype == np.float32
        assert fused._memory is not None  # the kernel was there


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64])
def test_labels_may_be_any_integers_and_need_not_be_writable(loss, dtype):
    scores, labels = _drawn(20, 5)
    labels = labels.astype(dtype)
    labels.setflags(write=False)
    _agree(FusedLoss(loss), scores, labels)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_what_no_kernel_is_for_the_loss_itself_computes(loss):
    scores, labels = _drawn(20, 5)
    fused = FusedLoss(loss)
    one_hot = np.eye(5, dtype=np.float32)[labels]
    for x, t in (
        (scores.astype(np.float64), labels),
        (scores, one_hot),
        (np.asfortranarray(scores), labels),
    ):
        fused(scores, labels)
        dy = _agree(fused, x, t)
        by_targets = t is one_hot and type(loss) is SoftmaxCrossEntropy
        assert (fused._memory is None) != by_targets
        assert dy.dtype == x.dtype


def test_a_loss_of_ones_own_is_not_taken_for_its_base_class():
    class Doubled(SoftmaxCrossEntropy):
        def forward(self, scores, labels):
            return 2 * super().forward(scores, labels)

        def backward(self):
            return 2 * super().backward()

    scores, labels = _drawn(9, 4)
    dy = _agree(FusedLoss(Doubled()), scores, labels)
    assert_agrees(dy, 2 * _agree(FusedLoss(SoftmaxCrossEntropy()), scores, labels))


def test_the_margin_may_change():
    scores, labels = _drawn(9, 4)
    loss = MulticlassHinge()
    fused = FusedLoss(loss)
    _agree(fused, scores, labels)
    loss.margin = 5.0
    _agree(fused, scores, labels)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize(
    ("labels", "error", "match"),
    [
        ([0, 5, 1], DataError, r"loss: labels must be 0 to 4 for 5 classes, received 0 to 5"),
        ([0, -1, 1], DataError, r"received -1 to 1"),
        ([0, 1], ShapeError, r"expects labels of shape \(3,\)"),
        ([0.0, 1.0, 2.0], (DataError, ShapeError), r"integers|expects targets"),
    ],
)
def test_labels_that_do_not_belong_to_the_scores_are_refused(loss, labels, error, match):
    if isinstance(loss, MeanSquaredError) and labels == [0.0, 1.0, 2.0]:
        match = "expects targets"
    scores, _ = _drawn(3, 5)
    fused = FusedLoss(loss)
    fused(scores, np.array([0, 1, 2]))
    labels = np.array(labels)
    with pytest.raises(error, match=match) as own:
        fused(scores, labels)
    with pytest.raises(error, match=match) as layers:
        loss(scores, labels)
    assert str(own.value) == str(layers.value)


def test_scores_of_another_kind_are_refused():
    fused = FusedLoss(SoftmaxCrossEntropy())
    with pytest.raises(ShapeError, match=r"expects scores \(N, K\), received shape \(3,\)"):
        fused(np.zeros(3, np.float32), np.zeros(3, int))
    with pytest.raises(DataError, match="an empty batch has no mean loss"):
        fused(np.zeros((0, 3), np.float32), np.zeros(0, int))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_loss_is_a_tree_over_chunks_of_the_batch(loss):
    scores, labels = _drawn(20, 5)
    scores *= np.float32(10) ** np.arange(20, dtype=np.float32)[:, np.newaxis] % 7
    parts = [FusedLoss(loss)(scores[5 * c :][:5], labels[5 * c :][:5]) for c in range(4)]
    assert FusedLoss(loss)(scores, labels) == pytest.approx(float(tree_sum(np.array(parts))) / 4)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_nan_is_shown_and_no_label_blamed(loss):
    scores, labels = _drawn(6, 5)
    scores[3, 2] = np.nan
    fused = FusedLoss(loss)
    assert np.isnan(fused(scores, labels))
    assert np.isnan(fused.backward()).any() or isinstance(loss, MulticlassHinge)
    with np.errstate(invalid="ignore"):
        assert np.isnan(loss(scores, labels))


def test_backward_needs_a_forward():
    with pytest.raises(ArgumentError, match="SoftmaxCrossEntropy: backward needs a forward"):
        FusedLoss(SoftmaxCrossEntropy()).backward()


def test_scores_and_labels_are_never_written_to():
    scores, labels = _drawn(6, 5)
    kept = scores.copy(), labels.copy()
    for loss in LOSSES:
        fused = FusedLoss(loss)
        assert isinstance(fused, Loss)
        fused(scores, labels)
        fused.backward()
    np.testing.assert_array_equal(scores, kept[0])
    np.testing.assert_array_equal(labels, kept[1])
