"""Settings: one field each, from which option, line of config.toml, check and labels follow."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pellucid.cli.setting_options import takes
from pellucid.errors import ArgumentError, FileFormatError
from pellucid.runs import Settings, read_config, setting, settings_in, write_config

# config.toml as version 0.1 wrote it, with every setting that it had, in its order.
VERSION_0_1 = """\
# Repeat this run: pellucid train --config with this file or its folder
data = "/home/a/pets"
data_dir = "/home/a/data"
model = "simple"
from = "/home/a/runs/digits-1"
freeze = "conv*"
rates = "affine1=0.5"
epochs = 3
batch_size = 50
lr = 0.001
schedule = "cosine"
weight_decay = 0.01
optimizer = "adamw"
init = "0.1"
engine = "fast"
seed = 7
limit = 100
evaluate_samples = 10000
size = "48x64"
channels = 3
held_out = 0.25
skip_corrupt = true
drawings = true
skip_empty = true
augment = "flip,crop4"
normalize = true
"""


@dataclass(frozen=True, kw_only=True)
class Clipped(Settings):
    """As if somebody had added two fields to `Settings`."""

    clip_norm: float | None = setting(
        None,
        "Scale gradients down to this norm.",
        metavar="X",
        otherwise="not clipped",
        en="gradient norm at most",
        ko="기울기 노름 상한",
    )
    order: Literal["shuffled", "sorted"] = setting(
        "shuffled", "Order of the images.", en="order of images", ko="이미지 순서", on_resume=True
    )


@pytest.fixture
def train():
    """A command that takes `Clipped`, and what it was called with."""
    app, calls = typer.Typer(pretty_exceptions_enable=False), []

    @takes(Clipped)
    def command(settings: Clipped, out: Path | None = None) -> None:
        """Train."""
        calls.append((settings, out))
        if settings.clip_norm == 0:
            raise ArgumentError(
                "must be above 0; set {order}.", where="clip_norm", arguments={"order": ...}
            )

    app.command()(command)

    def train(*arguments: str):
        result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
        return result, calls[-1] if calls else None

    return train


def test_a_new_field_is_an_option(train):
    result, (settings, out) = train("--clip-norm", "2.5", "--order", "sorted", "--out", "run")
    assert result.exit_code == 0
    assert settings == Clipped(clip_norm=2.5, order="sorted")
    assert out == Path("run")
    shown = train("--help")[0].output
    assert "Scale gradients down to this norm. Default: not clipped." in shown
    assert "[default: shuffled]" in shown
    result, _ = train("--order", "backwards")
    assert result.exit_code == 2


def test_a_new_field_is_a_line_of_the_config_which_is_taken_again(train, tmp_path):
    write_config(tmp_path / "config.toml", Clipped(clip_norm=2.5, epochs=3))
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    assert (config["clip_norm"], config["order"], config["epochs"]) == (2.5, "shuffled", 3)
    assert Clipped.read(tmp_path) == Clipped(clip_norm=2.5, epochs=3)
    _, (settings, _) = train("--config", str(tmp_path), "--epochs", "4")
    assert settings == Clipped(clip_norm=2.5, epochs=4)
    (tmp_path / "config.toml").write_text('clip_norm = "much"')
    with pytest.raises(FileFormatError, match=r"clip_norm must be a number, received 'much'"):
        Clipped.read(tmp_path)


def test_a_new_field_has_labels_and_is_checked(train):
    assert settings_in(Clipped)["clip_norm"].labels["ko"] == "기울기 노름 상한"
    with pytest.raises(ArgumentError, match=r"^clip_norm: must be a number, received 'a'\.$"):
        Clipped(clip_norm="a")
    with pytest.raises(
        ArgumentError, match=r"^order: must be 'shuffled' or 'sorted', received 'a'"
    ):
        Clipped(order="a")
    Clipped(order="sorted").require_resumable(Clipped())
    with pytest.raises(ArgumentError, match=r"^clip_norm: is 1\.0, but .* began with not given"):
        Clipped(clip_norm=1).require_resumable(Clipped())
    result, _ = train("--clip-norm", "0")
    assert str(result.exception) == "--clip-norm: must be above 0; set --order."


def test_every_field_of_the_settings_is_a_setting():
    found = settings_in(Settings)
    assert list(found) == [field.name for field in fields(Settings)]
    for one in found.values():
        assert one.help.endswith("."), one.name
        assert one.labels.keys() == {"en", "ko"}
        assert not one.otherwise or one.default is None


def test_the_settings_of_version_0_1_are_read(tmp_path):
    (tmp_path / "config.toml").write_text(VERSION_0_1)
    known = settings_in(Settings)
    written = [line.split(" = ")[0] for line in VERSION_0_1.splitlines() if " = " in line]
    assert sorted(known[name].key for name in read_config(tmp_path)) == sorted(written)
    settings = Settings.read(tmp_path)
    assert settings.source == Path("/home/a/runs/digits-1")
    assert (settings.data_dir, settings.augment) == (Path("/home/a/data"), "flip,crop4")
    write_config(tmp_path / "again.toml", settings)
    again = (tmp_path / "again.toml").read_text().splitlines()
    newer = {one.key for one in known.values()} - set(written)
    again = [line for line in again if line.split(" = ")[0] not in newer]
    assert sorted(again) == sorted(VERSION_0_1.replace('"fast"', '"compiled"').splitlines())


def test_a_file_that_leaves_settings_out_gives_their_defaults(tmp_path):
    (tmp_path / "few.toml").write_text("epochs = 2\nlr = 1\n")
    assert Settings.read(tmp_path / "few.toml") == Settings(epochs=2, lr=1.0)


def test_values_become_those_of_the_fields_type(tmp_path):
    settings = Settings(epochs=np.int64(3), lr=1, data_dir="data", limit=np.int32(5))
    kinds = [type(value) for value in (settings.epochs, settings.lr, settings.limit)]
    assert kinds == [int, float, int]
    assert settings.data_dir == Path("data")
    write_config(tmp_path / "config.toml", settings)
    assert Settings.read(tmp_path / "config.toml") == settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"epochs": 0}, r"epochs: must be 1 or more, received 0\."),
        ({"channels": 4}, r"channels: must be at most 3, received 4\."),
        ({"seed": -1}, r"seed: must be 0 or more, received -1\."),
        ({"seed": 1.5}, r"seed: must be a whole number, received 1\.5\."),
        ({"seed": True}, r"seed: must be a whole number, received True\."),
        ({"seed": None}, r"seed: must be a whole number, received None\."),
        ({"lr": "high"}, r"lr: must be a number, received 'high'\."),
        ({"normalize": 1}, r"normalize: must be true or false, received 1\."),
        ({"data": 3}, r"data: must be text in quotes, received 3\."),
        ({"engine": "gpu"}, r"engine: must be 'compiled' or 'numpy', received 'gpu'\."),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_its_name(given, words):
    with pytest.raises(ArgumentError, match=f"^{words}$"):
        Settings(**given)
