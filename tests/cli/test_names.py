"""Data sets, classes, runs and images of any name, from the folder to the report."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from cli.terminal import on_terminal
from cli.test_report import CHROMIUM, opened, require_self_contained
from nasty import BYTES, ON_DISK, SHORT, image_folder, written
from pellucid import nn
from pellucid.cli import main
from pellucid.cli.messages import complain
from pellucid.data import Dataset
from pellucid.errors import FileFormatError
from pellucid.formats import load, save
from pellucid.report import gather, page
from pellucid.report.parts import usage
from pellucid.runs import Settings, read_config, write_config
from pellucid.runs.folder import CONFIG, MODEL
from pellucid.runs.new_folder import new_folder
from pellucid.training import EpochRecord, History

pytestmark = pytest.mark.filterwarnings("ignore::pellucid.viz.drawing.fonts.FontWarning")
QUICK = ("--size", "8", "--epochs", "1", "--engine", "numpy")
NAMED = "da[red] $$ <i>קטן\x1b[31m"
ISOLATES = str.maketrans("", "", "\u2068\u2069")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder to work in, with a folder of images for each name, and a run trained on them."""
    folder = tmp_path_factory.mktemp("names")
    image_folder(folder / NAMED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.chdir(folder)
        with pytest.raises(SystemExit) as end:
            main(["train", "--data", f"./{NAMED}", *QUICK])
        assert not end.value.code
        yield folder


@pytest.fixture(scope="module")
def run(home) -> Path:
    return home / "runs" / "da-red-i-קטן-31m-1"


@pytest.fixture
def said(home, capsys):
    """Run a command; return what it printed on both."""

    def said(*arguments: str | Path, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        told = "".join(capsys.readouterr())
        assert (end.value.code or 0) == code, told
        assert not set(told) & {"\x1b", "\x07", "\r", "\u202e", "\x9b"}
        told.encode()
        return told

    return said


def on_disk(home: Path) -> list[str]:
    return [name for name in SHORT if name in ON_DISK and (home / NAMED / name).is_dir()]


def class_of(name: str) -> str:
    """Return the class that a folder is: its name in composed letters, without spaces around."""
    if name == BYTES:
        return "byteÿþ"  # Western European, as bytes that are no UTF-8 are likeliest
    return unicodedata.normalize("NFC", name).strip() or name


def test_the_run_is_named_after_the_data_set_and_knows_its_classes(home, run):
    card = load(run / MODEL).card
    assert {class_of(name) for name in on_disk(home)} <= set(card.classes)
    assert card.dataset == NAMED


def test_evaluate_names_every_class_on_a_line_of_its_own(home, run, said):
    told = said("evaluate", run)
    lines = {line.translate(ISOLATES)[:30] for line in told.splitlines()}
    for name in on_disk(home):
        assert any(line.startswith(f"{written(class_of(name))} ") for line in lines), ascii(name)


def test_predict_names_classes_and_images(home, run, said):
    images = []
    for k, name in enumerate(("a\x1b[31m.png", "[x].png", "=1+1.png", ":cat:.png", f"{BYTES}.png")):
        images.append(home / name)
        shutil.copy(home / NAMED / "Ba$$in" / f"{k % 2}.png", images[-1])
    told = said("predict", run, *images, home / "none\x1b[/].png", code=1)
    for name in (r"a\x1b[31m.png", "[x].png", "=1+1.png", ":cat:.png", r"byte\xff\xfe.png"):
        assert f"/{name} " in told
    assert r"none\x1b[/].png'." in told
    said("show", "applied", run, *images[:2])


@pytest.mark.parametrize(
    "command",
    [
        "summary",
        *("show confusion", "show mistakes", "show why", "show features", "show activations"),
        *("show filters", "show applied", "show field", "show volumes", "show curves"),
        "show depth --steps 2 --units 1",
        "show learning",
    ],
)
def test_every_command_takes_it(run, said, command):
    told = said(*command.split()[: 2 if command.startswith("show") else 1], run,
                *command.split()[2:])  # fmt: skip
    assert told


def test_a_class_is_found_however_its_letters_are_composed(home, run, said):
    """macOS writes 고양 as five letters, a keyboard as two."""
    if (home / NAMED / "\u1100\u1169\u110b\u1163\u11bc").is_dir():
        said("show", "why", run, "--class", "고양", "--method", "saliency")
    assert "Did you mean" in said("show", "why", run, "--class", "고양고", code=1)


def test_the_train_command_says_the_names(home, said):
    told = said("train", "--data", NAMED, *QUICK, "--out", "out[/]\x1b$&", "--limit", "20")
    assert r"da[red] $$ <i>קטן\x1b[31m" in told.translate(ISOLATES)
    assert "out[/]\\x1b$&/" in told
    assert said("train", "--config", "out[/]\x1b$&", "--out", "again")
    assert said("show", "curves", "out[/]\x1b$&", "again", run_of(home))


def run_of(home: Path) -> Path:
    return home / "runs" / "da-red-i-קטן-31m-1"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_report_shows_every_name_as_text(home, run, language):
    text = page(gather(run, None, None), language)
    text.encode()
    found = require_self_contained(text)
    for name in on_disk(home):
        assert written(class_of(name)) in found.text.translate(ISOLATES), ascii(name)
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e", "\x7f"}
    assert not found.all("i")
    assert not found.all("b")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_reads_the_names_from_the_report(home, run, tmp_path):
    report = tmp_path / "report.html"
    report.write_text(page(gather(run, None, None), "en"), encoding="utf-8")
    dom, said, asked = opened(report, tmp_path / "profile", "--dump-dom")
    assert (said, asked) == ("", [])
    for name in ("Ba$$in", r"\x1b[31mred\x1b[0m", "고양이", r"evil\u202etxt.exe"):
        assert name in dom
    assert "\u2068עברית\u2069" in dom


@pytest.mark.parametrize("name", ["-run", "a b", "a\x1b'$\\", "new\nline", f"x{BYTES}"])
def test_commands_in_the_report_can_be_pasted_into_a_shell(run, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run, name) if not name.startswith("-") else shutil.copytree(run, f"./{name}")
    block = re.search(
        "pellucid evaluate ([^<]*)</code>", usage(gather(Path(name), None, None), "en")
    )
    line = html.unescape(block[1])
    code = "import sys, os; print(os.fsencode(sys.argv[1]))"
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} {line}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() in (str(os.fsencode(name)), str(os.fsencode(f"./{name}")))


@pytest.mark.parametrize("name", [*ON_DISK, "a/b", "\\U0001F600", '"""', "\u0085\u2028"], ids=ascii)
def test_a_config_is_read_back_as_it_was_written(tmp_path, name):
    settings = Settings(data=f"/x/{name}", model=name, source=name, lr=1e-7, seed=3)
    write_config(tmp_path / CONFIG, settings)
    assert Settings(**read_config(tmp_path / CONFIG)) == settings


def test_a_config_in_another_encoding_is_refused_where_it_matters(tmp_path):
    (tmp_path / CONFIG).write_bytes(b"\xff\xfed\x00")
    with pytest.raises(FileFormatError, match="cannot be read as TOML"):
        read_config(tmp_path / CONFIG)


def test_a_history_holds_numbers_only_and_is_read_back_as_it_was(tmp_path):
    """So that no cell of it can be a formula to a spreadsheet."""
    epochs = [
        EpochRecord(1, 0.1 + 0.2, 1 / 3, None, None, 1e-9),
        EpochRecord(2, float("inf"), 0.0, 1e300, 0.5, 12.5),
    ]
    with (tmp_path / "history.csv").open("w", newline="", encoding="utf-8") as file:
        History([], epochs).write_csv(file)
    assert History.read_csv(tmp_path / "history.csv").epochs == epochs
    rows = (tmp_path / "history.csv").read_text().splitlines()[1:]
    assert all(float(cell) >= 0 for row in rows for cell in row.split(",") if cell)


@pytest.mark.parametrize(
    ("dataset", "folder"),
    [
        ("a/b\\c:d*?<>|", "a-b-c-d-1"),
        ("con.x", "con-.x-1"),
        ("가" * 200, "가" * 26 + "-1"),
        ("...", "run-1"),
        ("--", "run-1"),
        ("กิน", "กิน-1"),
        (BYTES, "byte-1"),
        ("$(rm -rf x);`y`", "rm-rf-x-y-1"),
    ],
    ids=ascii,
)
def test_a_run_folder_has_a_name_on_every_system(tmp_path, monkeypatch, dataset, folder):
    monkeypatch.chdir(tmp_path)
    assert new_folder(None, dataset).path == Path("runs", folder)
    assert Path("runs", folder).is_dir()


def test_errors_are_shown_letter_by_letter(capsys):
    complain("[/] [red]x[/red] :cat: [link=x] \x1b[31m\u202e \ud800 \x9b")
    told = capsys.readouterr().err
    assert r"[/] [red]x[/red] :cat: [link=x] \x1b[31m\u202e \ud800 \x9b" in told


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "cp1252"])
def test_any_encoding_of_the_terminal_will_do(finish, home, run, encoding):
    program = (
        "-c",
        "import sys\nfrom pellucid.cli import main\nfor s in sys.stdout, sys.stderr:\n"
        "    s.reconfigure(encoding=sys.argv.pop(1), errors='strict')\nmain()",
        encoding, encoding,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, *program, "summary", str(run)], capture_output=True, check=False, cwd=home
    )
    assert done.returncode == 0, done.stderr
    # Where it can only be a mistake, in ASCII, Click writes UTF-8 in spite of it.
    told = done.stdout.decode("utf-8" if encoding == "ascii" else encoding)
    assert "Ba$$in" in told
    assert ("고양이" in told) == (encoding != "cp1252")
    assert (r"\uace0\uc591\uc774" in told) == (encoding == "cp1252")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_bar_on_a_terminal_shows_the_name_of_the_data_set(home, run):
    sent = on_terminal(100, home, "evaluate", str(run), XDG_CACHE_HOME=str(home / "cache"))
    assert r"da[red] $$ <i>" in sent
    assert r"\x1b[31m" in sent


def test_layers_of_ones_own_may_be_called_anything(home, said, tmp_path):
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        **{"[/]": nn.Conv2d(1, 2, 3, padding=1, rng=rng), "$x$\n": nn.ReLU(),
           "קטן\x1b": nn.Flatten(), "f" * 300: nn.Linear(128, 2, rng=rng)}
    )  # fmt: skip
    model.input_shape = (1, 8, 8)
    save(model, tmp_path / "own.safetensors")
    told = said("summary", tmp_path / "own.safetensors")
    assert "[/] " in told
    assert r"$x$\n " in told
    for command in ("filters", "volumes", "field"):
        said("show", command, tmp_path / "own.safetensors")
    image = home / NAMED / "Ba$$in" / "0.png"
    for command in ("features", "why", "applied"):
        said("show", command, tmp_path / "own.safetensors", image)


def test_a_data_set_of_ones_own_has_names_that_can_be_written():
    images, labels = np.zeros((2, 1, 8, 8), np.float32), [0, 1]
    dataset = Dataset.from_arrays(images, labels, (BYTES, "고양이"), name=BYTES)
    assert dataset.classes == (r"byte\xff\xfe", "고양이")
    assert dataset.name == r"byte\xff\xfe"
