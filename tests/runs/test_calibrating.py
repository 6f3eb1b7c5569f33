"""Runs whose model is calibrated: by which images, when, and what becomes of it."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import report, runs
from pellucid.errors import ArgumentError
from pellucid.nn.temperature import temperature_of
from pellucid.runs import Settings
from pellucid.runs.calibrating import compared
from pellucid.runs.predictions import scores
from pellucid.training import fit_temperature


class Heard(runs.Listener):
    """Writes down what a run tells."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


def settings(**more) -> Settings:
    plain = {"epochs": 2, "limit": 200, "engine": "numpy", "model": "INPUT -> FC", "lr": 0.01}
    return Settings(**{**plain, "validation": 0.2, "calibrate": True, **more})


def finished(folder, how, **options):
    heard = Heard()
    run = runs.begin(how, folder, listener=heard, **options)
    run.fit()
    return run, runs.finish(run, listener=heard), heard


def test_a_run_keeps_the_temperature_that_fits_its_validation_set(tmp_path):
    plain, before, _ = finished(tmp_path / "plain", settings(calibrate=False))
    run, after, heard = finished(tmp_path / "run", settings())
    model = pellucid.load(run.folder.used)
    found = scores(pellucid.load(plain.folder.used), plain.validation, "numpy")
    expected = fit_temperature(found, plain.validation.labels)
    assert temperature_of(model) == pytest.approx(expected)
    assert abs(expected - 1) > 0.01
    said = f"calibrated: the scores are divided by {expected:.3f}, fitted to 287 validation images"
    assert heard.told == [said]
    np.testing.assert_array_equal(after.evaluation.predictions, before.evaluation.predictions)
    assert after.evaluation.loss == pytest.approx(
        pellucid.evaluate(model, run.test, engine="numpy").loss
    )
    # The other model and the training's own weights have none.
    assert temperature_of(pellucid.load(run.folder.model)) == 1


def test_a_run_that_goes_on_is_calibrated_anew(tmp_path):
    run, _, _ = finished(tmp_path / "run", settings(keep="last"))
    first = temperature_of(pellucid.load(run.folder.used))
    more = runs.resume(tmp_path / "run", epochs=4)
    more.fit()
    runs.finish(more)
    straight, _, _ = finished(tmp_path / "straight", settings(keep="last", epochs=4))
    again, expected = (temperature_of(pellucid.load(r.folder.used)) for r in (more, straight))
    assert again == expected
    assert again != first


def test_without_a_validation_set_there_is_nothing_to_fit(tmp_path):
    with pytest.raises(ArgumentError, match=r"^calibrate: fits .*there is none.*validation=0\.1"):
        runs.begin(settings(validation=None), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    runs.begin(settings(validation=None, calibrate=False), tmp_path / "run").fit()
    with pytest.raises(ArgumentError, match=r"^calibrate: fits .*there is none"):
        runs.resume(tmp_path / "run", calibrate=True)


def test_where_every_validation_image_is_right_the_model_stays_as_it_is(tmp_path):
    few = settings(
        validation=0.01, epochs=25, limit=None, lr=0.02, model="INPUT -> FC50 -> RELU -> FC"
    )
    run, _, heard = finished(tmp_path / "run", few)
    (note,) = heard.told
    assert note.startswith("note: the model is not calibrated: all 14 images are classified")
    assert temperature_of(pellucid.load(run.folder.used)) == 1
    page = report.page(report.gather(tmp_path / "run"), "en")
    assert "No temperature could be fitted" in page


def test_a_training_from_a_calibrated_network_starts_without_its_temperature(tmp_path):
    run, _, _ = finished(tmp_path / "run", settings())
    assert temperature_of(pellucid.load(run.folder.used)) != 1
    how = settings(model=None, source=tmp_path / "run", calibrate=False, validation=None)
    second = runs.begin(how, tmp_path / "second")
    assert temperature_of(second.trainer.model) == 1
    assert second.before.keys() == pellucid.load(run.folder.used).state_dict().keys()


def test_a_comparison_takes_the_temperature_out_again(tmp_path):
    plain, _, _ = finished(tmp_path / "plain", settings(calibrate=False))
    run, _, _ = finished(tmp_path / "run", settings())
    seen = []
    for each in (plain, run):
        model = pellucid.load(each.folder.used)
        found = scores(model, each.test, "numpy")
        seen.append(compared(model, each.test, found, each.validation, "numpy"))
    fitted, kept = seen
    assert (fitted.kept, fitted.images, kept.kept, kept.images) == (False, 287, True, 0)
    assert kept.temperature == pytest.approx(fitted.temperature)
    for name in ("ece", "nll", "brier"):
        assert getattr(kept.without, name) == pytest.approx(getattr(fitted.without, name), rel=1e-4)
        ours, theirs = (getattr(each.calibrated, name) for each in seen)
        assert ours == pytest.approx(theirs, rel=1e-4)
    model = pellucid.load(plain.folder.used)
    found = scores(model, plain.validation, "numpy")
    own = compared(model, plain.validation, found, plain.validation, "numpy")
    assert own.calibrated.nll < own.without.nll


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_report_shows_how_well_a_model_is_calibrated(tmp_path, language):
    run, _, _ = finished(tmp_path / "run", settings(calibrate=False))
    texts = report.texts.TEXTS[language]
    offered = report.page(report.gather(tmp_path / "run"), language)
    assert "pellucid calibrate" in offered
    assert texts["temperature_fitted"].format(images="287") in offered
    assert offered.count('class="ideal"') == 2 * 2  # two diagrams, each with its legend
    kept = pellucid.nn.Temperature(0.5).after(pellucid.load(run.folder.used))
    pellucid.save(kept, run.folder.used)
    page = report.page(report.gather(tmp_path / "run"), language)
    assert texts["temperature_kept"] in page
    assert texts["with_temperature"].format(temperature="0.500") in page
    for key in ("balanced_accuracy", "macro_f1", "f1", "ece"):
        assert texts[key] in page, key
