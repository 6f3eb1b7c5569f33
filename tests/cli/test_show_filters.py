"""pellucid show filters, applied, features: what is drawn, where it goes, and what is refused."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as library
from cli.conftest import SHORT, Result
from pellucid import data
from pellucid.cli import main
from pellucid.models import ResNet20, SimpleConvNet
from pellucid.nn import Card, Conv2d, Flatten, Linear, Sequential
from pellucid.runs import RunFolder
from pellucid.runs.initial_weights import filters_before, initial_weights


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A picture in colour, wider than high."""
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    y, x = np.mgrid[:90, :160]
    pixels = np.stack([x > 80, y > 40, (x + y) % 60 > 30], axis=2).astype(np.uint8) * 200
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def colour(tmp_path_factory) -> Path:
    """A network for RGB images with residual blocks, saved without a run."""
    model = ResNet20((3, 16, 16), 2, rng=np.random.default_rng(0))
    model.card = Card("pets", ("cat", "dog"))
    path = tmp_path_factory.mktemp("colour") / "res.safetensors"
    library.save(model, path)
    return path


@pytest.fixture
def show(tmp_path, monkeypatch, capsys):
    """Run ``pellucid show`` in this process, in ``tmp_path``: it is far faster than a new one."""
    monkeypatch.chdir(tmp_path)

    def show(*arguments: str | Path) -> Result:
        with pytest.raises(SystemExit) as end:
            main(["show", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Warning" not in err
        return Result(arguments, int(end.value.code or 0), out, err)

    return show


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_the_weights_before_training_follow_from_the_run(short, trained):
    for run in map(RunFolder, (short, trained[0])):
        model = library.load(run.model)
        before = initial_weights(run, run.settings(), model)
        kept = library.training.FilterHistory.load(run.filters)
        np.testing.assert_array_equal(before["conv1.weight"], kept.epochs[0])
        assert before.keys() == model.state_dict().keys()
        assert not np.array_equal(before["affine1.weight"], model["affine1"].weight.data)


def test_weights_that_do_not_belong_to_the_run_are_not_called_its_beginning(short, tmp_path):
    run = RunFolder(tmp_path / "run")
    shutil.copytree(short, run)
    model, settings = library.load(run.model), run.settings()
    assert initial_weights(run, settings | {"seed": 1}, model) is None
    assert initial_weights(run, settings | {"model": "lenet"}, model) is None
    assert initial_weights(run, settings | {"model": "later"}, model) is None
    assert initial_weights(run, {}, model) is None
    assert initial_weights(run, settings | {"source": "elsewhere"}, model) is None
    kept = library.training.FilterHistory.load(run.filters).epochs[0]
    first = filters_before(run, settings | {"source": "elsewhere"}, model, "conv1.weight")
    np.testing.assert_array_equal(first, kept)
    assert filters_before(run, settings | {"source": "elsewhere"}, model, "affine1.weight") is None
    run.filters.unlink()
    assert filters_before(run, {}, model, "conv1.weight") is None


def test_filters_of_a_run_are_drawn_before_and_after(pellucid, short, tmp_path):
    result = pellucid("show", "filters", short)
    assert (result.returncode, result.stdout) == (0, "filters.png\n")
    wide, _ = size(tmp_path / "filters.png")
    assert pellucid("show", "filters", short, "--no-before", "--out", "b.png").returncode == 0
    assert size(tmp_path / "b.png")[0] < 0.7 * wide
    assert pellucid("show", "filters", short, "--sort", "similar", "--out", "c.svg").returncode == 0
    assert b"<svg" in (tmp_path / "c.svg").read_bytes()


def test_filters_of_any_convolution_and_all_its_channels(show, colour, tmp_path):
    assert show("filters", colour, "--out", "rgb.png").returncode == 0
    with Image.open(tmp_path / "rgb.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=2).max() > 60, "RGB filters are in colour"
    for channels in ("all", "5"):
        options = ("--layer", "layer2.0.conv1", "--channels", channels, "--out", f"{channels}.png")
        assert show("filters", colour, *options).returncode == 0
        assert min(size(tmp_path / f"{channels}.png")) > 400


def test_filters_are_applied_to_photographs_of_any_size(show, trained, photo, tmp_path):
    result = show("applied", trained[0], photo, "--most", "4", "--longest", "0")
    assert (result.returncode, result.stdout) == (0, "applied.png\n"), result.stderr
    options = ("--filters", "3,0", "--longest", "50", "--out", "two.png")
    assert show("applied", trained[0], photo, photo, *options).returncode == 0
    assert min(size(tmp_path / "two.png")) > 400
    assert show("applied", trained[0], "--index", "7", "--out", "i.png").returncode == 0


def test_features_of_a_test_image_and_of_a_picture(show, trained, colour, photo, tmp_path):
    result = show("features", trained[0])
    assert (result.returncode, result.stdout) == (0, "features.png\n"), result.stderr
    assert show("features", trained[0], "--index", "7", "--out", "7.png").returncode == 0
    assert (tmp_path / "features.png").read_bytes() != (tmp_path / "7.png").read_bytes()
    result = show("features", colour, photo, "--inside", "--most", "3", "--out", "a.png")
    assert result.returncode == 0, result.stderr
    assert size(tmp_path / "a.png")[1] > 3000


def test_korean_class_names_reach_the_picture_or_a_note_says_what_to_install(
    pellucid, photo, tmp_path
):
    model = SimpleConvNet((3, 16, 16), kernel_size=3, filters=4, classes=2)
    model.card = Card("애완동물", ("고양이", "강아지"))
    library.save(model, tmp_path / "m.safetensors")
    result = pellucid("show", "features", "m.safetensors", photo)
    assert result.returncode == 0
    from pellucid.viz.drawing.fonts import fallbacks

    if fallbacks("고양이"):
        assert result.stderr == ""
    else:
        assert result.stderr.startswith("note: no font on this machine has '강")
        assert "fonts-nanum" in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("filters R --layer cnv1", "--layer: there is no convolution 'cnv1'. There are: conv1."),
        ("filters R --layer affine1", "there is no convolution 'affine1'. There are: conv1."),
        ("filters R --channels 1", "there is no channel 1: these filters have 1, counted from 0"),
        ("filters R --channels rgb", "--channels: only filters of three channels can be drawn"),
        ("filters R --channels red", "--channels: must be a channel's number, all or rgb; rec"),
        ("filters F --before", "--before: the weights before training are not known"),
        ("filters simple --before", "--before: the weights before training are not known"),
        ("filters L", "has no convolution, so there are no filters to show"),
        ("filters R --out a.bmp", "--out: must end in .png, .svg or .pdf, received 'a.bmp'"),
        ("filters R --out no/a.png", "--out: there is no folder 'no'. Create it first."),
        ("filters gone", "there is no file or folder 'gone', and no network of that name"),
        ("applied R gone.png", "there is no file 'gone.png'"),
        ("applied R --filters 3,x", "--filters: must be numbers of filters, as 3,17; received"),
        ("applied R --filters 99", "--filters: there is no filter 99: this layer has 30"),
        ("applied R --index 999", "--index: there is no image 999: 'digits' has 359 test images"),
        ("applied R P --index 1", "--index: belongs to a data set; leave the IMAGE out"),
        ("applied R P --data digits", "--data: belongs to a data set; leave the IMAGE out"),
        (
            "applied simple",
            "IMAGE: a new network has no data set of its own: give an IMAGE, or --data",
        ),
        ("applied T P", "IMAGE: the network takes images of 2 channels; a picture file has 1 or 3"),
        ("applied ONE P", "--layer: filters of 1x1 see one pixel, which has no edge"),
        ("features R P --index 1", "--index: belongs to a data set; leave the IMAGE out"),
        ("features R --layers conv1,x", "--layers: there is no 'x'. The layers are: conv1, relu1"),
        ("features N P", "does not say which images it was built for"),
        ("features T P", "IMAGE: the network takes images of 2 channels"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(show, short, photo, tmp_path, arguments, words):
    made = {
        "L": Sequential(flat=Flatten(), fc=Linear(64, 2)),
        "T": Sequential(conv=Conv2d(2, 3, 3)),
        "ONE": Sequential(conv=Conv2d(3, 4, 1)),
        "N": Sequential(conv=Conv2d(1, 3, 3)),
    }
    shapes = {"L": (1, 8, 8), "T": (2, 8, 8), "ONE": (3, 8, 8), "N": None}
    names = {"R": short, "P": photo, "F": short / "model.safetensors"}
    for name, model in made.items():
        if name in arguments.split():
            model.input_shape = shapes[name]
            names[name] = tmp_path / f"{name}.safetensors"
            library.save(model, names[name])
    result = show(*(names.get(a, a) for a in arguments.split()))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a screen")
def test_a_window_needs_a_screen(pellucid, short, tmp_path):
    result = pellucid("show", "filters", short, "--window", DISPLAY="", WAYLAND_DISPLAY="")
    assert result.returncode == 1
    assert "--window: there is no screen here (DISPLAY is not set). Use --out" in result.stderr
    result = pellucid("show", "filters", short, "--window", DISPLAY=":1", MPLBACKEND="agg")
    assert result.returncode == 1
    assert "--window: Matplotlib draws with 'agg' here, which opens no windows" in result.stderr


def test_a_photo_keeps_its_proportions_and_is_made_smaller_on_request(photo):
    assert data.read_photo(photo, 3).shape == (3, 90, 160)
    assert data.read_photo(photo, 1, longest=80).shape == (1, 45, 80)
    assert data.read_photo(photo, 1, longest=999).shape == (1, 90, 160)
    x = data.read_photo(photo, 3)
    assert x.dtype == np.float32
    assert 0 <= x.min() < 0.05 < 0.7 < x.max() <= 1
    with pytest.raises(library.errors.ArgumentError, match=r"channels: must be 1 .* received 2"):
        data.read_photo(photo, 2)
    with pytest.raises(library.errors.ArgumentError, match="longest: must be 1 pixel or more"):
        data.read_photo(photo, 3, longest=0)
    with pytest.raises(library.errors.DataNotFoundError, match=r"there is no file 'gone\.png'"):
        data.read_photo("gone.png", 3)


NO_BACKEND = ("module://matplotlib_inline_of_a_notebook.backend_inline", "junk")


@pytest.mark.parametrize("backend", NO_BACKEND)
def test_figures_for_files_need_no_backend_that_a_notebook_has(pellucid, short, tmp_path, backend):
    result = pellucid("show", "filters", short, MPLBACKEND=backend)
    assert (result.returncode, result.stdout) == (0, "filters.png\n"), result.stderr
    result = pellucid("train", *SHORT, "--out", "run", MPLBACKEND=backend)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "confusion.png").exists()


@pytest.mark.parametrize("backend", NO_BACKEND)
def test_a_window_needs_a_backend_and_says_so(pellucid, short, backend):
    result = pellucid("show", "filters", short, "--window", DISPLAY=":1", MPLBACKEND=backend)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.match(
        r"error: --window: no window can be opened: .*\. Use --out FILE\.", result.stderr
    )
