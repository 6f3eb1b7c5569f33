"""The space of a sweep: read from a file, checked, and written."""

from __future__ import annotations

import pytest

from pellucid import runs
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError
from pellucid.sweeps import Range, Space

TEXT = """
epochs = 3
validation = 0.2
optimizer = ["adam", "sgd"]
lr = {low = 1e-4, high = 0.1, log = true}
batch_size = {low = 20, high = 100, step = 10}
augment = ["", "crop1"]
"""


def read(tmp_path, text):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return Space.read(path)


def test_values_are_fixed_and_lists_and_tables_are_drawn(tmp_path):
    space = read(tmp_path, TEXT)
    assert space.fixed == runs.Settings(epochs=3, validation=0.2)
    assert space.ranges == {
        "optimizer": Range(choices=("adam", "sgd")),
        "lr": Range(1e-4, 0.1, log=True),
        "batch_size": Range(20, 100, step=10),
        "augment": Range(choices=(None, "crop1")),
    }
    drawn = {"optimizer": "sgd", "lr": 0.01, "batch_size": 30, "augment": None}
    assert space.settings(drawn) == runs.Settings(epochs=3, validation=0.2, optimizer="sgd",
                                                  lr=0.01, batch_size=30)  # fmt: skip


def test_what_is_written_is_read_again(tmp_path):
    space = read(tmp_path, TEXT + 'from = "a \\"b\\".safetensors"\nnormalize = [true, false]\n')
    assert read(tmp_path, space.written()) == space


def test_optuna_draws_within_the_bounds(tmp_path):
    drawn = read(tmp_path, TEXT).distributions()
    assert (drawn["batch_size"].low, drawn["batch_size"].high, drawn["batch_size"].step) == (
        20, 100, 10,
    )  # fmt: skip
    assert drawn["lr"].log
    assert drawn["augment"].choices == (None, "crop1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lrr = [1]", r"lrr: is not a setting. Did you mean 'lr'\?"),
        ("epochs = 3", r"space: nothing varies. Give at least one setting a list"),
        ("lr = {low = 1}", r"lr: must have both bounds"),
        ("lr = {low = 1, high = 2, lgo = true}", r"lr: has 'lgo'. Did you mean"),
        ("lr = {low = 0.1, high = 0.1}", r"lr: low must be below high, received 0.1 and 0.1"),
        ("lr = {low = 0, high = 1, log = true}", r"lr: low must be above 0 with log"),
        ("lr = {low = 1, high = 2, log = 1}", r"lr: log must be true or false, received 1"),
        ("lr = {low = 1, high = 2, step = 0}", r"lr: step must be a number above 0, received 0"),
        ("lr = {low = 1, high = 2, step = 1, log = true}", r"lr: takes log or step, not both"),
        ("batch_size = {low = 1, high = 2.5}", r"batch_size: must be a whole number, received 2.5"),
        ("batch_size = {low = 0, high = 2}", r"batch_size: must be 1 or more, received 0"),
        ("optimizer = {low = 1, high = 2}", r"optimizer: is text in quotes, which has no bounds"),
        ('batch_size = [10, "a"]', r"batch_size: must be a whole number, received 'a'"),
        ("lr = []", r"lr: must be different choices, received \[\]"),
        ("lr = [0.1, 0.1]", r"lr: must be different choices, received \[0.1, 0.1\]"),
        ('optimizer = ["", "adam"]', r'optimizer: .*"" leaves out only settings'),
        ('data = ["digits", "mnist"]', r"data: must be the same in all trials"),
        ("validation = [0.1, 0.2]", r"validation: must be the same in all trials"),
        ("epochs = 0\nlr = [1, 2]", r"epochs: must be 1 or more, received 0"),
    ],
)
def test_what_is_not_a_space_is_refused(tmp_path, text, message):
    with pytest.raises(ArgumentError, match=message):
        read(tmp_path, text)


def test_what_is_not_a_file_of_settings_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read as TOML"):
        read(tmp_path, "lr = [")
    with pytest.raises(DataNotFoundError, match="there is no file"):
        Space.read(tmp_path / "absent.toml")
