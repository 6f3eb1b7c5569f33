import numpy as np
import pytest
from PIL import Image

from pellucid import runs
from pellucid.training import Callback


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for k in range(60):
        file = path / "abc"[k % 3] / f"{k:02}.png"
        file.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 100, (8, 8)) + 50 * (k % 3)
        Image.fromarray(pixels.astype(np.uint8)).save(file)
    return path


EVERYTHING = {
    "epochs": 3,
    "batch_size": 5,
    "validation": 0.2,
    "checkpoint_minutes": 0.0,
    "schedule": "cosine",
    "warmup": 0.5,
    "optimizer": "momentum",
    "weight_decay": 1e-3,
    "augment": "flip,rotate10,mixup0.4",
    "label_smoothing": 0.1,
    "class_weights": "balanced",
    "clip_norm": 1.0,
    "ema": 0.9,
    "patience": 2,
    "engine": "numpy",
}


class Killed(Callback):
    def __init__(self, batches):
        self.batches = batches

    def on_batch_end(self, trainer, loss, images):
        if len(trainer.history.losses) == self.batches:
            raise KeyboardInterrupt


@pytest.mark.parametrize("limit", [None, 17])
def test_a_run_with_every_setting_goes_on_with_the_same_bits(tmp_path, folder, limit):
    settings = runs.Settings(data=str(folder), limit=limit, **EVERYTHING)
    whole = runs.begin(settings, tmp_path / "whole")
    whole.fit()
    cut = runs.begin(settings, tmp_path / "cut")
    cut.trainer.callbacks.append(Killed(len(cut.trainer.loader) + 1))
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    again = runs.resume(tmp_path / "cut")
    again.fit()
    for name in ("model.safetensors", "best.safetensors", "filters.safetensors", "split.csv"):
        assert (again.folder.path / name).read_bytes() == (whole.folder.path / name).read_bytes()
    assert again.trainer.history.losses == whole.trainer.history.losses
    assert runs.finish(again).evaluation.loss == runs.finish(whole).evaluation.loss


def test_a_training_from_a_copied_model_tests_on_what_that_one_never_learned_from(tmp_path, folder):
    plain = {"data": str(folder), "epochs": 1, "engine": "numpy"}
    first = runs.begin(runs.Settings(seed=1, validation=0.2, **plain), tmp_path / "first")
    first.fit()
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(first.folder.model.read_bytes())
    for chosen in ({}, {"validation": 0.2}):
        second = runs.begin(
            runs.Settings(source=copy, **chosen, **plain), tmp_path / f"{len(chosen)}"
        )
        assert second.test.files == first.test.files
    assert second.validation.files == first.validation.files


def test_a_run_killed_while_it_replaces_another_keeps_none_of_its_models(tmp_path, monkeypatch):
    plain = {"limit": 50, "engine": "numpy"}
    old = runs.begin(runs.Settings(epochs=1, validation=0.2, **plain), tmp_path / "run")
    old.fit()
    runs.finish(old)
    new = runs.begin(runs.Settings(epochs=1, seed=1, **plain), tmp_path / "run", overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr("pellucid.runs.run_files.write_config", lambda *_: 1 / 0)  # killed here
        with pytest.raises(ZeroDivisionError):
            new.fit()
    again = runs.resume(tmp_path / "run")
    assert not again.finished
    runs.finish(again)
    assert not again.folder.best.exists()
    whole = runs.begin(runs.Settings(epochs=1, seed=1, **plain), tmp_path / "whole")
    whole.fit()
    assert again.folder.model.read_bytes() == whole.folder.model.read_bytes()
    assert runs.resume(tmp_path / "run").finished


def test_an_interruption_before_the_files_of_an_epoch_leaves_no_older_model_in_their_place(
    tmp_path,
):
    settings = runs.Settings(epochs=3, limit=200, validation=0.2, engine="numpy", lr=0.003)
    whole = runs.begin(settings, tmp_path / "whole")
    whole.fit()
    cut = runs.begin(settings, tmp_path / "cut")

    class Interrupted(Callback):
        def on_epoch_end(self, trainer, record):
            if record.epoch == 3:
                trainer.callbacks.remove(self)
                raise KeyboardInterrupt

    cut.trainer.callbacks.insert(0, Interrupted())
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    with pytest.warns(UserWarning, match="all 3 epochs are done"):
        cut.fit()
    for name in ("model.safetensors", "best.safetensors"):
        assert (cut.folder.path / name).read_bytes() == (whole.folder.path / name).read_bytes()
