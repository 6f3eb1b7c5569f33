"""Runs whose learning rate is given for another batch size: --scale-lr."""

from __future__ import annotations

import tomllib

import pytest

from pellucid import report, runs
from pellucid.errors import ArgumentError
from pellucid.runs import Settings
from pellucid.runs.large_batches import rate_line
from pellucid.training import Callback

LARGE = {
    "limit": 200, "batch_size": 40, "lr": 0.02, "scale_lr": 10, "optimizer": "momentum",
    "weight_decay": 1e-3, "epochs": 3, "engine": "numpy",
}  # fmt: skip


class Rates(Callback):
    def __init__(self, stop_after=None):
        self.rates, self.stop_after = [], stop_after

    def on_batch_end(self, trainer, loss, images):
        self.rates.append(trainer.last_lr)
        if len(self.rates) == self.stop_after:
            raise KeyboardInterrupt


def test_the_rate_rises_from_that_of_the_small_batch_and_goes_on_after_an_interruption(tmp_path):
    settings = Settings(**LARGE, warmup=2)
    whole, seen = runs.begin(settings, tmp_path / "whole"), Rates()
    whole.trainer.callbacks.append(seen)
    whole.fit()
    warm = 10  # batches of 2 epochs
    expected = [0.02 + 0.06 * k / warm for k in range(warm)] + [0.08] * 5
    assert seen.rates == pytest.approx(expected)
    assert whole.trainer.optimizer.weight_decay == 1e-3  # not scaled
    said = "learning rate 0.08 = 0.02 x 40/10, warmed up over 2 epochs from 0.02"
    assert said in str(whole).splitlines()[1]
    text = whole.folder.config.read_text()
    assert f"# {said}\n" in text
    config = tomllib.loads(text)
    assert (config["lr"], config["scale_lr"], config["batch_size"]) == (0.02, 10, 40)
    assert Settings.read(whole.folder) == whole.settings

    cut, first = runs.begin(settings, tmp_path / "cut"), Rates(stop_after=7)
    cut.trainer.callbacks.append(first)
    with pytest.raises(KeyboardInterrupt):
        cut.fit()
    again, rest = runs.resume(tmp_path / "cut"), Rates()
    assert said in str(again)
    again.trainer.callbacks.append(rest)
    again.fit()
    assert seen.rates[-len(rest.rates) :] == rest.rates
    assert again.folder.model.read_bytes() == whole.folder.model.read_bytes()
    with pytest.raises(ArgumentError, match=r"^scale_lr: is 20, but the training began with 10\."):
        runs.resume(tmp_path / "whole", scale_lr=20)
    repeated = runs.begin(Settings.read(whole.folder), tmp_path / "repeated")
    assert repeated.trainer.lr == whole.trainer.lr == pytest.approx(0.08)

    page = report.page(report.gather(tmp_path / "whole"), "en")
    assert "0.08 = 0.02 x 40/10" in page
    assert "이 배치 크기에서의 학습률" in report.page(report.gather(tmp_path / "whole"), "ko")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, None),
        ({"scale_lr": 25}, "learning rate 0.001414 = 0.001 x sqrt(50/25), without warm-up"),
        (
            {"scale_lr": 25, "lr_scaling": "linear"},
            "learning rate 0.002 = 0.001 x 50/25, without warm-up",
        ),
        (
            {"scale_lr": 256, "optimizer": "lars", "batch_size": 1024, "warmup": 0.5},
            "learning rate 4 = 1 x 1024/256, warmed up over 0.5 epochs from 1",
        ),
        (
            {"scale_lr": 100, "optimizer": "sgd", "lr": 0.1, "warmup": 1},  # to a lower rate
            "learning rate 0.05 = 0.1 x 50/100, warmed up over 1 epoch",
        ),
    ],
)
def test_a_line_says_what_was_done(settings, line):
    said = rate_line(Settings(**settings))
    assert said == line


def test_the_way_of_scaling_alone_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=r"^lr_scaling: belongs to scale_lr=256"):
        runs.begin(Settings(lr_scaling="sqrt"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
