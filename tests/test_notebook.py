"""What a notebook's reader sees: the example, and cells that a test adds, run by a real kernel."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from report.html_page import Page

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

INLINE = "%matplotlib inline\nviz.curves(history)"
HOSTILE = """
names = [f"<script>alert({k})</script><img src=x onerror=alert(1)>" for k in range(10)]
hostile = data.Dataset.from_arrays(test.images, test.labels, names, "<b>", peak=16)
copied = pellucid.load(pellucid.save(model, "digits.safetensors") or "digits.safetensors")
pellucid.Trainer(copied, hostile)
from IPython.display import display
display(hostile, copied, pellucid.evaluate(copied, hostile))
"""
COMPILES = """
import numba
from pellucid import nn

class Compiled(nn.ReLU):
    def forward(self, x):
        numba.njit(lambda number: number + 1)(len(x))
        return super().forward(x)

own = nn.Sequential(Compiled(), nn.Flatten(), nn.Linear(64, 10))
"""
PREDICTS = "pellucid.predict(own, test.take(3)).shape"
TRAINS = "pellucid.Trainer(own, train.take(200), epochs=2).fit(); None"
SILENT = "pellucid.Trainer(own, train.take(200), epochs=2, progress=False).fit(); None"
LINES = """
from pellucid.training import ProgressBar
pellucid.Trainer(own, train.take(200), epochs=2, callbacks=[ProgressBar()]).fit(); None
"""
ADDED = [INLINE, HOSTILE, COMPILES, PREDICTS, TRAINS, SILENT, LINES]


class Reader(nbclient.NotebookClient):
    """Run a notebook and keep every message of its kernel, with the cell that it belongs to."""

    heard: dict[int, list[dict]]

    def process_message(self, msg, cell, cell_index):
        self.heard.setdefault(cell_index, []).append(msg)
        return super().process_message(msg, cell, cell_index)


class Executed:
    """The outputs of the example's cells and of the added ones, by their source."""

    def __init__(self, folder: Path) -> None:
        notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
        notebook = copy.deepcopy(notebook)
        notebook.cells += [nbformat.v4.new_code_cell(source) for source in ADDED]
        reader = Reader(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
        reader.heard = {}
        reader.execute()
        self.cells = notebook.cells
        self.heard = reader.heard

    def __getitem__(self, part: str) -> list:
        """Return the outputs of the only cell whose source contains ``part``."""
        (cell,) = [cell for cell in self.cells if part in cell.source]
        return cell.outputs

    def updates(self, part: str) -> list[str]:
        """Return the texts that replaced an output of that cell."""
        (place,) = [k for k, cell in enumerate(self.cells) if part in cell.source]
        return [
            message["content"]["data"]["text/plain"]
            for message in self.heard[place]
            if message["msg_type"] == "update_display_data"
        ]


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Executed:
    return Executed(tmp_path_factory.mktemp("notebook"))


def html_of(output) -> str:
    text = output["data"]["text/html"]
    page = Page(text)
    outside = [a for _, given in page.elements for a in given.values() if a and "//" in a]
    assert not [a for a in outside if not a.startswith("data:")]
    assert "url(" not in text
    assert "@import" not in text
    return text


def test_nothing_is_written_to_standard_error_and_nothing_is_printed(executed):
    streams = [o for cell in executed.cells for o in cell.get("outputs", ())]
    assert [o for o in streams if o.output_type in ("stream", "error")] == []


@pytest.mark.parametrize(
    ("part", "seen"),
    [
        ("train, test = data.digits()", ["digits", "train: 1,438 images 1x8x8", "151 images"]),
        ("model = models", ["SimpleConvNet", "49,410", "conv1", "Conv2d(1, 30, 3, padding=1"]),
        ("history = trainer.fit()", ["10 epochs", "train accuracy", "test loss", "epoch"]),
        ("result = pellucid.evaluate", ["accuracy 0.9", "true class", "recall", "predicted cla"]),
    ],
)
def test_the_last_line_of_a_cell_shows_itself(executed, part, seen):
    (output,) = [o for o in executed[part] if o.output_type == "execute_result"]
    page = Page(html_of(output))
    assert [text for text in seen if text not in page.text] == []
    assert len(page.all("img")) == (10 if "digits()" in part else 0)
    assert len(page.all("svg")) == (2 if "trainer" in part else "result" in part)


def test_progress_is_one_output_that_is_updated_and_ends_with_the_last_epoch(executed):
    shown = [o for o in executed["history = trainer"] if o.output_type == "display_data"]
    (bar,) = shown
    html_of(bar)
    line = r"epoch 10/10  loss 0\.\d+  train 0\.9\d+  test 0\.9\d+  "
    assert re.match(line, bar["data"]["text/plain"])
    assert Page(bar["data"]["text/html"]).all("progress") == [{"max": "14380", "value": "14380"}]
    assert executed.updates("history = trainer")[-1] == bar["data"]["text/plain"]


@pytest.mark.parametrize("part", ["viz.curves(history)", "viz.filters", "viz.mistakes", "inline"])
def test_a_figure_appears_once(executed, part):
    cells = [cell for cell in executed.cells if part in cell.source and cell.cell_type == "code"]
    (output,) = cells[0].outputs
    assert output.output_type == "execute_result"
    assert "image/png" in output["data"]
    assert "text/html" not in output["data"]


def test_names_of_data_and_classes_are_text(executed):
    outputs = executed["hostile ="]
    assert len(outputs) == 3
    for output in outputs:
        text = html_of(output)
        assert "<script" not in text
        assert "<img src=x" not in text
        assert "<b>" not in text
    assert "&lt;b&gt;" in outputs[0]["data"]["text/html"]
    assert "&lt;b&gt;" in outputs[1]["data"]["text/html"]


def test_a_cell_that_predicts_says_that_kernels_are_compiled(executed):
    news, result = executed[PREDICTS]
    assert result["data"]["text/plain"] == "(3, 10)"
    assert news["data"]["text/plain"].startswith("kernels were compiled for this machine")
    assert executed.updates(PREDICTS)


def test_a_training_says_so_in_its_bar(executed):
    (bar,) = executed[TRAINS]
    assert bar["data"]["text/plain"].startswith("epoch 2/2  loss ")
    told = [text for text in executed.updates(TRAINS) if text.startswith("compiling kernels")]
    assert told


def test_a_progress_bar_among_the_callbacks_is_the_only_one_and_false_shows_none(executed):
    (bar,) = executed["callbacks=[ProgressBar()]"]
    assert bar["data"]["text/plain"].startswith("epoch 2/2")
    assert executed[SILENT] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_example_is_kept_without_outputs(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    assert [c for c in cells if c.get("outputs") or c.get("execution_count")] == []
