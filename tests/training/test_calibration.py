"""Calibration and temperatures, against loops, scikit-learn and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import data, models, nn, training
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.nn.temperature import temperature_of, uncalibrated
from pellucid.ops import softmax
from pellucid.training import Calibration, calibrated, fit_temperature


def drawn(n=3000, k=4, seed=0, sharpness=1.0):
    """Return scores (N, K), and labels drawn from the softmax of scores / sharpness."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, k))
    return sharpness * z, (z + rng.gumbel(size=z.shape)).argmax(axis=1)


def nll(scores, labels, t):
    return -np.log(softmax(scores / t))[np.arange(len(labels)), labels].mean()


def by_loops(p, labels, bins):
    """Return counts, ECE and MCE, image by image, as Guo et al. define them."""
    inside = [[] for _ in range(bins)]
    for row, label in zip(p.tolist(), labels.tolist(), strict=True):
        confidence = max(row)
        m = next(m for m in range(bins) if confidence <= (m + 1) / bins + 1e-15)
        inside[m].append((confidence, row.index(confidence) == label))
    gaps = [
        abs(sum(c for c, _ in b) / len(b) - sum(r for _, r in b) / len(b)) if b else 0
        for b in inside
    ]
    n = len(labels)
    ece = sum(len(b) / n * gap for b, gap in zip(inside, gaps, strict=True))
    return [len(b) for b in inside], ece, max(gaps)


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_bins_and_errors_are_those_of_the_definition(bins):
    scores, labels = drawn(400, sharpness=3)
    found = Calibration.of(softmax(scores), labels, bins=bins)
    counts, ece, mce = by_loops(softmax(scores), labels, bins)
    assert found.counts.tolist() == counts
    assert (found.ece, found.mce) == pytest.approx((ece, mce))
    assert found.accuracy == pytest.approx((scores.argmax(axis=1) == labels).mean())
    assert found.confidence == pytest.approx(softmax(scores).max(axis=1).mean())


def test_a_confidence_on_an_edge_belongs_to_the_bin_that_ends_there():
    p = np.array([[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]])
    assert Calibration.of(p, np.array([0, 0, 0]), bins=4).counts.tolist() == [0, 1, 1, 1]


def test_likelihood_and_brier_score_are_those_of_scikit_learn():
    from sklearn.metrics import log_loss

    scores, labels = drawn(500)
    p = softmax(scores)
    found = Calibration.of(p, labels)
    assert found.nll == pytest.approx(log_loss(labels, p))
    assert found.brier == pytest.approx(((p - np.eye(4)[labels]) ** 2).sum(axis=1).mean())


def test_what_is_not_probabilities_is_refused():
    with pytest.raises(DataError, match=r"^Calibration\.of: expects probabilities.*ops\.softmax"):
        Calibration.of(np.array([[2.0, 3.0]]), np.array([0]))
    with pytest.raises(ShapeError, match="labels of shape"):
        Calibration.of(np.array([[0.5, 0.5]]), np.array([0, 1]))
    with pytest.raises(ArgumentError, match="bins"):
        Calibration.of(np.array([[0.5, 0.5]]), np.array([0]), bins=0)


def test_a_diverged_model_is_measured_without_a_failure():
    p = np.array([[np.nan, np.nan], [0.5, 0.5]])
    found = Calibration.of(p, np.array([0, 1]))
    assert found.counts.sum() == 2
    assert np.isnan(found.ece)


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 4.0])
def test_the_temperature_is_that_of_torch_lbfgs(sharpness):
    torch = pytest.importorskip("torch")
    scores, labels = drawn(sharpness=sharpness)
    log_t = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [log_t], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-12,
        tolerance_change=1e-14,
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            torch.tensor(scores) / log_t.exp(), torch.tensor(labels)
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fit_temperature(scores, labels) == pytest.approx(log_t.exp().item(), rel=1e-5)


def test_no_temperature_near_by_fits_better():
    scores, labels = drawn(sharpness=3)
    t, step = fit_temperature(scores, labels), 1e-4
    low, best, high = (nll(scores, labels, t * factor) for factor in (1 - step, 1, 1 + step))
    assert low > best < high
    assert abs(high - low) / (2 * step) < 1e-6  # the numerical gradient


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e4, 1e12])
def test_a_scale_of_the_scores_is_one_of_the_temperature(scale):
    scores, labels = drawn(300)
    t = fit_temperature(scores, labels)
    assert fit_temperature(scale * scores, labels) == pytest.approx(scale * t, rel=1e-7)
    assert fit_temperature(scores + 1e3, labels) == pytest.approx(t, rel=1e-7)


def test_where_no_temperature_is_best_that_is_said():
    scores, labels = drawn(100)
    with pytest.raises(DataError, match=r"all 100 images are classified correctly.*Give more"):
        fit_temperature(scores, scores.argmax(axis=1))
    with pytest.raises(DataError, match=r"no higher scores than others.*belong to it"):
        fit_temperature(-scores, scores.argmax(axis=1))
    with pytest.raises(DataError, match="no higher scores"):
        fit_temperature(np.zeros_like(scores), labels % 3 + 1)
    with pytest.raises(DataError, match=r"finite scores.*diverged"):
        fit_temperature(np.where(scores == scores[3, 2], np.nan, scores), labels)
    with pytest.raises(DataError, match=r"labels must be 0 to 3, received \d to 9"):
        fit_temperature(scores, np.append(labels[1:], 9))
    with pytest.raises(ShapeError, match="one label for each of 100 rows of scores, received 99"):
        fit_temperature(scores, labels[1:])
    with pytest.raises(ShapeError, match=r"expects labels \(N,\)"):
        fit_temperature(scores, np.eye(4)[labels])


@pytest.fixture(scope="module")
def trained():
    """A small network that is too sure, its validation set and its test set."""
    images, _ = data.digits()  # the test set of other writers is another distribution
    order = np.random.default_rng(0).permutation(len(images))
    train, validation, test = (images.subset(part) for part in np.split(order, (200, 800)))
    model = models.SimpleConvNet((1, 8, 8), weight_init=0.1, rng=np.random.default_rng(0))
    training.Trainer(model, train, test, epochs=6, batch_size=50, lr=0.01).fit()
    for parameter in model["affine2"].parameters().values():
        parameter.data *= 4
    return model, validation, test


def test_a_temperature_lowers_the_error_and_changes_no_prediction(trained):
    model, validation, test = trained
    better = calibrated(model, validation)
    before, after = training.evaluate(model, test), training.evaluate(better, test)
    np.testing.assert_array_equal(after.predictions, before.predictions)
    assert temperature_of(better) > 2
    assert after.calibration.ece < before.calibration.ece
    assert after.calibration.nll == pytest.approx(after.loss, rel=1e-5)
    assert after.loss < before.loss
    # Again, it is the same temperature, and not a second one on top of it.
    again = calibrated(better, validation)
    assert temperature_of(again) == pytest.approx(temperature_of(better), rel=1e-5)
    assert uncalibrated(again).state_dict().keys() == model.state_dict().keys()


def test_a_temperature_is_kept_in_the_file_and_used_wherever_the_model_is(trained, tmp_path):
    model, validation, test = trained
    pellucid.save(calibrated(model, validation), tmp_path / "m.safetensors")
    loaded = pellucid.load(tmp_path / "m.safetensors")
    t = temperature_of(loaded)
    assert t != 1
    assert loaded.card == model.card
    scaled = softmax(training.scores(model, test) / np.float32(t))
    for engine in ("compiled", "numpy"):
        found = pellucid.predict(loaded, test, engine=engine)
        np.testing.assert_allclose(found, scaled, atol=1e-6)


def test_an_evaluation_has_the_calibration_of_its_predictions(trained):
    model, _, test = trained
    result = training.evaluate(model, test, batch_size=37)
    whole = Calibration.of(pellucid.predict(model, test), test.labels)
    np.testing.assert_array_equal(result.calibration.counts, whole.counts)
    for name in ("ece", "mce", "nll", "brier"):
        assert getattr(result.calibration, name) == pytest.approx(getattr(whole, name), rel=1e-4)


def test_a_model_is_not_calibrated_on_other_classes_or_no_images(trained):
    model, validation, _ = trained
    named = data.Dataset(validation.images, validation.labels, tuple("abcdefghij"), "letters")
    learned = calibrated(model, validation)
    learned.card = nn.Card("digits", tuple("klmnopqrst"))
    with pytest.raises(DataError, match="calibrated: "):
        calibrated(learned, named)
    with pytest.raises(ArgumentError, match=r"calibrated: expects a Dataset or .images, labels."):
        calibrated(model, validation.images)


@pytest.mark.parametrize("wrong", [0, -1.0, np.inf, np.nan, "2", None, True])
def test_a_temperature_is_a_number_above_0(wrong):
    with pytest.raises(ArgumentError, match="Temperature: expects a finite number above 0"):
        nn.Temperature(wrong)


def test_a_temperature_takes_the_place_of_another_but_not_of_a_layer_of_its_name():
    named = nn.Sequential(flatten=nn.Flatten(), cooled=nn.Temperature(2.0))
    assert [name for name, _ in nn.Temperature(3.0).after(named).children()] == [
        "flatten", "temperature",
    ]  # fmt: skip
    taken = nn.Sequential(temperature=nn.Flatten(), relu=nn.ReLU())
    whole = nn.Temperature(3.0).after(taken)
    assert [name for name, _ in whole.children()] == ["network", "temperature"]
    np.testing.assert_allclose(whole(np.array([[6.0, -3.0]])), [[2.0, 0.0]])
    assert temperature_of(uncalibrated(whole)) == 1


def test_a_network_that_is_no_chain_is_wrapped():
    class Own(nn.Layer):
        def forward(self, x):
            return x.reshape(len(x), -1)

    whole = nn.Temperature(2.0).after(Own())
    assert [name for name, _ in whole.children()] == ["network", "temperature"]
    assert [name for name, _ in nn.Temperature(3.0).after(whole).children()] == [
        "network", "temperature",
    ]  # fmt: skip
    np.testing.assert_array_equal(whole(np.ones((1, 2, 1, 1))), [[0.5, 0.5]])
