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
