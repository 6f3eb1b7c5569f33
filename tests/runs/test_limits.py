"""A run on some of the images of a folder: the others are not read, then or later."""

from __future__ import annotations

import platformdirs
import pytest

from data.pictures import paint, pets
from pellucid import runs
from pellucid.data.folder_reader import Reader
from pellucid.runs.trained_model import images_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / "cache" / name))


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that each reading decodes."""
    seen = []
    original = Reader.read

    def read(self, workers, place):
        seen.append({entry.path for entry, _ in self.files})
        return original(self, workers, place)

    monkeypatch.setattr(Reader, "read", read)
    return seen


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_a_limited_run_reads_its_own_images_goes_on_and_is_evaluated(tmp_path, decoded, cache):
    folder = pets(tmp_path / "pets", split=False, n=20)
    settings = runs.Settings(
        data=str(folder), model="simple", size="16", limit=10, batch_size=5, epochs=1, cache=cache
    )
    run = runs.begin(settings, tmp_path / "run")
    run.fit()
    assert len(decoded[0]) == 10 + 8
    paint(folder / "cat" / "of no concern.png", 99)
    on = runs.resume(tmp_path / "run", epochs=2)
    on.fit()
    assert on.trainer.train.files == run.trainer.train.files
    parts = images_of(on.trainer.model, tmp_path / "run")
    assert parts.train.files == run.trainer.train.files
    assert parts.test.files == run.test.files
    assert all(files == decoded[0] for files in decoded)
