"""Networks as a line of text, wherever a command takes a network."""

from __future__ import annotations

import tomllib

import pytest

import pellucid as library
from pellucid.models import to_pattern

TEXT = "INPUT -> [CONV3-4 -> RELU -> POOL?]*2 -> FC8 -> RELU -> FC"
QUICK = ("--epochs", "1", "--limit", "50", "--engine", "numpy")


def test_a_pattern_is_trained_saved_and_repeated(pellucid, tmp_path):
    result = pellucid("train", "--model", TEXT, *QUICK, "--out", "run")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{TEXT}, ")
    settings = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert (settings["model"], settings["init"]) == (TEXT, "he")
    model = library.load(tmp_path / "run" / "model.safetensors")
    assert to_pattern(model) == TEXT.replace("?", "")
    again = pellucid("train", "--config", "run", "--out", "again")
    assert again.returncode == 0, again.stderr
    accuracy = [r.stdout.split("final test accuracy")[1].split()[0] for r in (result, again)]
    assert accuracy[0] == accuracy[1]


def test_a_pattern_is_summed_up_for_any_images_and_classes(pellucid):
    result = pellucid("summary", TEXT, "--input", "3x9x9", "--classes", "7")
    assert result.returncode == 0
    assert "Linear(8, 7)" in result.stdout
    assert "3x9x9" in result.stdout


def test_a_pattern_is_warmed_up_and_profiled(pellucid):
    assert (
        "INPUT -> FC (1x8x8) is ready"
        in pellucid("warmup", "INPUT -> FC", "--input", "1x8x8").stdout
    )
    result = pellucid("profile", "INPUT -> FC", "--steps", "1", "--input", "1x8x8")
    assert (result.returncode, "fc1" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "where"), [(("summary",), "MODEL"), (("train", "--model"), "--model")]
)
def test_an_error_names_the_option_and_points_into_the_pattern(pellucid, arguments, where):
    result = pellucid(*arguments, "INPUT -> CNOV -> FC")
    assert result.returncode == 1
    first, shown, marks = result.stderr.splitlines()
    assert first.startswith(f"error: {where}: 'CNOV' is not a layer. Did you mean 'CONV'? Known: ")
    assert shown[marks.index("^") :].startswith("CNOV")


def test_a_name_that_is_longer_than_any_file_is_a_pattern(pellucid):
    result = pellucid("summary", "INPUT -> " + "RELU -> " * 100 + "FC", "--input", "1x2x2")
    assert (result.returncode, "relu100" in result.stdout) == (0, True)
