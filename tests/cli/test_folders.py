"""pellucid train and evaluate on folders of images."""

from __future__ import annotations

import re
import signal
import tomllib
from pathlib import Path

import numpy as np
import pytest

import pellucid as library
from cli.terminal import on_terminal
from data.pictures import packed, paint, pets, spoil

QUICK = ("--epochs", "2", "--batch-size", "10")
PROGRAM = (str(Path(__file__).with_name("interrupted.py")),)


@pytest.fixture
def pellucid(here):
    """What a command writes and says is tested here, not that it is a process."""
    return here


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> Path:
    """Keep every test from this machine's cache; return the folder of decoded images."""
    home = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    return home / "pellucid" / "images"


@pytest.fixture
def folder(tmp_path) -> Path:
    return pets(tmp_path / "my pets", n=12, size=(12, 14))


def weights(run: Path) -> dict[str, np.ndarray]:
    return library.load(run / "model.safetensors").state_dict()


def test_a_folder_is_trained_on_evaluated_and_repeated(pellucid, tmp_path, folder):
    result = pellucid("train", "--data", "my pets", *QUICK)
    assert result.returncode == 0, result.stderr
    assert "on 24 images of my pets (3x12x14); 24 held out" in result.stdout
    run = tmp_path / "runs" / "my-pets-1"
    model = library.load(run / "model.safetensors")
    assert model.card.classes == ("cat", "dog")
    config = tomllib.loads((run / "config.toml").read_text())
    assert config["data"] == str(folder)
    (tmp_path / "elsewhere").mkdir()
    again = pellucid("train", "--config", run, "--out", "again")
    assert again.returncode == 0, again.stderr
    first, second = weights(run), weights(tmp_path / "again")
    assert all(np.array_equal(first[key], second[key]) for key in first)
    told = pellucid("evaluate", run).stdout
    assert re.search(r"^all +24 ", told, re.MULTILINE)
    assert pellucid("predict", run, folder / "test" / "cat" / "0.png").returncode == 0


def test_another_folder_is_made_to_fit_the_model(pellucid, tmp_path, folder):
    archive = packed(folder, tmp_path / "pets.zip")
    pellucid("train", "--data", archive, *QUICK, "--size", "8", "--channels", "1", "--out", "run")
    assert library.load(tmp_path / "run" / "model.safetensors").input_shape == (1, 8, 8)
    assert pellucid("evaluate", "run").returncode == 0
    result = pellucid("evaluate", "run/model.safetensors", "--data", "my pets")
    assert result.returncode == 0, result.stderr
    paint(folder / "train" / "cow" / "1.png", 0)
    result = pellucid("evaluate", "run", "--data", "my pets")
    assert "--data: the model returns 2 numbers for an image; 'my pets' has 3" in result.stderr


def test_the_settings_of_a_folder_and_of_chance_are_kept(pellucid, tmp_path):
    pets(tmp_path / "x" / "train", split=False, n=12)
    spoil(tmp_path / "x")
    options = ("--held-out", "0.4", "--size", "10x12", "--skip-corrupt", "--normalize")
    result = pellucid(
        "train", "--data", "x", *QUICK, *options, "--augment", "flip, crop1", "--out", "run"
    )
    assert result.returncode == 0, result.stderr
    assert "note: 1 image cannot be decoded and was left out: train/cat/1.png" in result.stderr
    assert "on 14 images of x (3x10x12); 9 held out" in result.stdout
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert {key: config[key] for key in ("held_out", "size", "skip_corrupt", "normalize")} == {
        "held_out": 0.4, "size": "10x12", "skip_corrupt": True, "normalize": True
    }  # fmt: skip
    assert config["augment"] == "flip,crop1"
    assert "channels" not in config
    again = pellucid("train", "--config", "run", "--out", "again")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "config.toml").read_bytes() == (
        tmp_path / "run" / "config.toml"
    ).read_bytes()
    first, second = weights(tmp_path / "run"), weights(tmp_path / "again")
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert re.search(r"^all +9 ", pellucid("evaluate", "run").stdout, re.MULTILINE)


def test_a_normalised_model_knows_its_training_set(pellucid, tmp_path):
    pellucid("train", "--limit", "100", *QUICK, "--normalize", "--out", "run")
    model = library.load(tmp_path / "run" / "model.safetensors")
    train, _ = library.data.digits()
    mean, deviation = train.take(100).statistics()
    assert (model["normalize"].mean, model["normalize"].std) == (mean, deviation)
    assert "conv1.weight" in model.state_dict()
    assert pellucid("evaluate", "run").returncode == 0


def test_a_folder_that_has_moved_is_named_anew(pellucid, folder):
    pellucid("train", "--data", "my pets", *QUICK, "--out", "run")
    folder.rename(folder.with_name("moved"))
    lost = pellucid("evaluate", "run")
    assert "if it lies elsewhere by now, name it with --data" in " ".join(lost.stderr.split())
    assert pellucid("evaluate", "run", "--data", folder.with_name("moved")).returncode == 0


def test_a_limit_takes_of_every_class_of_a_sorted_folder(pellucid, folder):
    result = pellucid("train", "--data", "my pets", *QUICK, "--limit", "6", "--out", "run")
    assert "on 6 images of my pets" in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--data gone.zip", r"there is no folder or zip archive 'gone\.zip'"),
        (
            "--data mnits",
            r"--data: there is no data set 'mnits'\..*Or give a folder or zip archive",
        ),
        ("--data pets --augment flap", r"--augment: there is no 'flap'\. Did you mean 'flip'\?"),
        ("--data pets --augment crop", r"--augment: crop needs a number after it"),
        ("--data pets --size big", r"--size: must be one number, such as 32, or rows x col"),
        ("--data pets --channels 2", r"--channels: must be 1 \(grey\), 3 \(RGB\)"),
        ("--data pets --held-out 1", r"--held-out: must be a share between 0 and 1"),
        ("--data pets --data-dir .", r"--data-dir: needs a data set's name"),
        ("--data gone.tar.gz", r"there is no folder or zip archive 'gone\.tar\.gz'"),
        ("--data digits --skip-empty", r"--skip-empty: needs a folder or zip archive"),
        ("--data digits --size 8", r"--size: needs a folder or zip archive"),
        ("--data pets", r"(?s)3 of 16 images cannot be read:.*or leave .* out with --skip-corrupt"),
    ],
)
def test_a_refusal_names_the_option_and_writes_nothing(pellucid, tmp_path, options, words):
    spoil(pets(tmp_path / "pets"))
    result = pellucid("train", *options.split())
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.search(words, result.stderr)
    assert {path.name for path in tmp_path.iterdir()} == {"pets"}


def test_an_empty_class_is_refused_or_left_out_and_the_run_repeats_that(pellucid, tmp_path, folder):
    (folder / "train" / "cow").mkdir()
    result = pellucid("train", "--data", "my pets", *QUICK)
    assert result.returncode == 1
    assert "holds no images: train/cow/." in result.stderr
    assert "leave it out with --skip-empty" in result.stderr
    result = pellucid("train", "--data", "my pets", *QUICK, "--skip-empty", "--out", "run")
    assert result.returncode == 0, result.stderr
    assert "note: 1 class folder holds no images and was left out: train/cow/" in result.stderr
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["skip_empty"] is True
    assert pellucid("train", "--config", "run", "--out", "again").returncode == 0
    assert pellucid("evaluate", "run").returncode == 0


@pytest.mark.parametrize(
    ("target", "nth"),
    [
        ("pellucid.data.folder_reader:decode", 1),  # in the first thread of all
        ("pellucid.data.folder_reader:wait", 3),  # amid decoding
        ("pellucid.data.folder_decoding:write_cache", 1),
        ("pellucid.formats.files:_flush_to_disk", 1),  # amid writing the cache
    ],
)
@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM"])
def test_ctrl_c_while_images_are_read_leaves_nothing(
    finish, tmp_path, own_cache, target, nth, sent
):
    pets(tmp_path / "pets", n=100)
    result = finish(target, nth, sent, "train", "--data", "pets", cwd=tmp_path, program=PROGRAM)
    assert result.returncode == 128 + getattr(signal, sent)
    assert result.stderr == "stopped while the images were read; nothing was written\n"
    assert result.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == {"pets"}
    assert not own_cache.exists() or list(own_cache.iterdir()) == []


def test_a_terminal_shows_how_many_images_are_read(tmp_path, own_cache):
    pets(tmp_path / "pets", n=800)
    sent = on_terminal(80, tmp_path, "train", "--data", "pets", "--epochs", "1", "--out", "run")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    assert re.search(r"reading images .* \d+%", plain)
    assert len(list(own_cache.iterdir())) == 1


def test_the_home_folder_is_found_again_wherever_the_run_is_evaluated(pellucid, tmp_path, folder):
    home = {"HOME": str(folder.parent), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    trained = pellucid("train", "--data=~/my pets", *QUICK, "--out", "run", **home)
    assert trained.returncode == 0, trained.stderr
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["data"] == str(folder)
    assert pellucid("evaluate", "run").returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "~nobody-of-that-name/x"), "there is no folder or zip archive"),
        (("--data", "mnist", "--data-dir", "~nobody-of-that-name"), "~nobody-of-that-name"),
        (("--data", ""), "--data: is empty; perhaps a variable is not set"),
        (("--data", " "), "--data: is empty; perhaps a variable is not set"),
    ],
)
def test_a_path_that_means_nothing_is_refused_in_words(pellucid, folder, options, words):
    refused = pellucid("train", *options)
    assert refused.returncode != 0
    assert words in " ".join(refused.stderr.split())
