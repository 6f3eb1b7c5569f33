"""`ConvNetClassifier` follows scikit-learn's conventions and works with its tools."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import pellucid
from pellucid import nn
from pellucid.errors import ArgumentError, DataError, ShapeError
from pellucid.sklearn import ConvNetClassifier

X, Y = load_digits(return_X_y=True)
X, Y = X[:400], Y[:400]
BYTES = (X / 16 * 255).astype(np.uint8)
SMALL = "INPUT -> CONV3-4 -> RELU -> POOL? -> FC"


def small(**options):
    return ConvNetClassifier(
        **{"model": SMALL, "epochs": 2, "lr": 0.01, "random_state": 0, **options}
    )


@pytest.fixture(scope="module")
def fitted():
    return small(epochs=8).fit(X, Y)


def checks():
    return list(estimator_checks_generator(ConvNetClassifier(SMALL, lr=0.01)))


@pytest.mark.parametrize(
    ("estimator", "check"), checks(), ids=[c.func.__name__ for _, c in checks()]
)
def test_every_check_of_scikit_learn_passes(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some checks pass tables that pandas warns about
        check(estimator)


def test_rows_images_and_images_with_channels_are_the_same(fitted):
    rows = fitted.predict_proba(X[:20])
    assert fitted.image_shape_ == (1, 8, 8)
    np.testing.assert_array_equal(fitted.predict_proba(X[:20].reshape(-1, 8, 8)), rows)
    np.testing.assert_array_equal(fitted.predict_proba(X[:20].reshape(-1, 1, 8, 8)), rows)
    again = small(epochs=8).fit(X.reshape(-1, 1, 8, 8), Y)
    np.testing.assert_array_equal(again.predict_proba(X[:20]), rows)


def test_labels_may_be_of_any_kind():
    names = np.array(["zero", "one", "two"])[Y % 3]
    classifier = small(epochs=6).fit(X, names)
    assert classifier.classes_.tolist() == ["one", "two", "zero"]
    assert classifier.score(X, names) > 0.6
    assert small().fit(X, Y > 4).predict(X).dtype == bool


def test_a_random_state_decides_every_bit_and_none_does_not():
    def weights(classifier):
        return b"".join(a.tobytes() for a in classifier.fit(X, Y).model_.state_dict().values())

    assert weights(small()) == weights(small())
    assert weights(small()) != weights(small(random_state=1))
    assert weights(small(random_state=None)) != weights(small(random_state=None))


def test_a_grid_search_with_two_processes_finds_what_one_finds():
    grid = {"lr": [0.00001, 0.01], "batch_size": [20, 50]}
    one, two = (GridSearchCV(small(), grid, cv=2, n_jobs=n).fit(X, Y) for n in (1, 2))
    assert one.best_params_["lr"] == 0.01
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )


def test_cross_validation_of_a_pipeline_and_its_parameters():
    pipeline = make_pipeline(StandardScaler(), small(image_shape=(8, 8)))
    assert cross_val_score(pipeline, X, Y, cv=2).min() > 0.3
    pipeline.set_params(convnetclassifier__epochs=1)
    assert pipeline.fit(X, Y)[-1].n_iter_ == 1


def test_a_clone_has_the_parameters_and_has_learned_nothing(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)


def test_a_fitted_classifier_goes_through_pickle_joblib_and_to_another_process(fitted, tmp_path):
    expected = fitted.predict_proba(X[:5])
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict_proba(X[:5]), expected)
    joblib.dump(fitted, tmp_path / "c.joblib")
    np.save(tmp_path / "x.npy", X[:5])
    code = (
        "import sys, joblib, numpy as np\n"
        "c, x = joblib.load(sys.argv[1]), np.load(sys.argv[2])\n"
        "sys.stdout.buffer.write(c.predict_proba(x).tobytes())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "c.joblib", tmp_path / "x.npy"],
        capture_output=True,
        check=True,
    )
    assert ran.stdout == expected.tobytes()


def test_partial_fit_goes_on_with_weights_and_optimizer_also_after_pickling():
    whole, pickled = small(), small()
    for k in range(4):
        part = slice(100 * k, 100 * (k + 1))
        whole.partial_fit(X[part], Y[part], classes=range(10))
        pickled = pickle.loads(pickle.dumps(pickled.partial_fit(X[part], Y[part], range(10))))
    assert whole.n_iter_ == 4
    assert whole._optimizer.t == 8
    np.testing.assert_array_equal(whole.predict_proba(X), pickled.predict_proba(X))
    before = small().partial_fit(X[:100], Y[:100], range(10)).score(X, Y)
    assert whole.score(X, Y) > before


def test_partial_fit_learns_classes_that_come_later():
    few = np.flatnonzero(Y < 5)
    classifier = small().partial_fit(X[few], Y[few], classes=np.arange(10))
    for _ in range(6):
        classifier.partial_fit(X, Y)
    assert (classifier.predict(X) >= 5).any()


def test_early_stopping_keeps_the_best_epoch_by_images_that_were_set_aside():
    classifier = small(epochs=60, lr=0.02, early_stopping=True, n_iter_no_change=3)
    classifier.fit(X, Y)
    scores = classifier.validation_scores_
    assert classifier.n_iter_ == len(scores) < 60
    assert classifier.best_validation_score_ == max(scores)
    assert scores.index(max(scores)) <= len(scores) - 3
    # Those 40 images, measured with the weights that were kept:
    from sklearn.model_selection import train_test_split

    random = np.random.RandomState(0)
    random.randint(2**31 - 1)
    _, x, _, y = train_test_split(X, Y, test_size=0.1, stratify=Y, random_state=random)
    assert classifier.score(x, y) == pytest.approx(max(scores))


def test_bytes_and_the_same_numbers_as_floats_are_the_same_images():
    classifier = small().fit(BYTES, Y)
    expected = classifier.predict(BYTES)
    np.testing.assert_array_equal(classifier.predict(BYTES.astype(float)), expected)
    image = (BYTES[:4] / 255).reshape(-1, 1, 8, 8)
    probabilities = pellucid.predict(classifier.model_, image)  # the network without scikit-learn
    np.testing.assert_allclose(classifier.predict_proba(BYTES[:4]), probabilities, atol=1e-6)


def test_images_on_another_scale_are_refused():
    with pytest.raises(DataError, match=r"was fitted on bytes .*received floats up to 1"):
        small().fit(BYTES, Y).predict(BYTES / 255)
    with pytest.raises(DataError, match=r"was fitted on numbers in \[0, 1\], received bytes"):
        small().fit(BYTES / 255, Y).predict(BYTES)


def test_images_of_another_shape_are_refused(fitted):
    with pytest.raises(ShapeError, match=r"was fitted on images 1x8x8 .*received 8x8x1"):
        fitted.predict(X.reshape(-1, 8, 8, 1))
    with pytest.raises(ValueError, match="X has 32 features, but ConvNetClassifier is expecting"):
        fitted.predict(X[:, :32])
    with pytest.raises(ShapeError, match=r"image_shape: \(1, 7, 8\) has 56 numbers, but a row of"):
        small(image_shape=(7, 8)).fit(X, Y)
    with pytest.raises(ShapeError, match=r"must be \(channels, rows, columns\)"):
        small(image_shape=8).fit(X, Y)


def test_a_function_builds_the_network_and_a_network_is_refused():
    def build(shape, classes, rng):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, classes, rng=rng))

    assert small(model=build).fit(X, Y).score(X, Y) > 0.3
    with pytest.raises(ArgumentError, match=r"a function that builds a new network, received"):
        small(model=nn.Sequential(nn.Flatten(), nn.Linear(64, 10))).fit(X, Y)


def test_labels_that_are_not_among_the_classes_are_refused():
    classifier = small().partial_fit(X, Y, classes=range(10))
    with pytest.raises(ArgumentError, match=r"y: has the label 77, which is not among"):
        classifier.partial_fit(X, np.where(Y == 3, 77, Y))
    with pytest.raises(ArgumentError, match=r"classes: are \[0, 1\], but were \[0, 1, 2"):
        classifier.partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ArgumentError, match=r"classes: must be given in the first call"):
        small().partial_fit(X, Y)
    with pytest.raises(ArgumentError, match=r"y: has the label 'a', which is not among"):
        small().partial_fit(X, ["a"] * 400, classes=range(10))


def test_class_weights_move_the_boundary_towards_the_heavier_class():
    nines = Y == 9

    def fitted(weight):
        return small(class_weight=weight).fit(X, nines).predict_proba(X)[:, 1]

    assert fitted({True: 0.02}).mean() < fitted(None).mean() < fitted({True: 50.0}).mean()
    by_hand = {False: 400 / (2 * (~nines).sum()), True: 400 / (2 * nines.sum())}
    np.testing.assert_array_equal(fitted("balanced"), fitted(by_hand))
    with pytest.raises(ArgumentError, match='class_weight: cannot be "balanced" in partial_fit'):
        small(class_weight="balanced").partial_fit(X, Y, classes=range(10))


def test_a_last_batch_of_one_image_is_dropped_on_request():
    options = {"model": "INPUT -> CONV3-4 -> GAP -> FC -> BN -> RELU -> FC", "batch_size": 57}
    with pytest.raises(ArgumentError, match=r"To leave that batch out, use last_batch='drop'"):
        small(**options).fit(X, Y)
    assert small(**options, last_batch="drop").fit(X, Y).n_iter_ == 2


def test_importing_pellucid_does_not_import_it_and_a_missing_package_is_said():
    code = "import pellucid, sys; print('pellucid.sklearn' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
    code = "import sys; sys.modules['sklearn'] = None; import pellucid.sklearn"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'pip install "pellucid[sklearn]"' in ran.stderr
