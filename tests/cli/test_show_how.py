"""pellucid show window, im2col, pooling, volumes and field."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import pellucid as library
from pellucid.cli import main
from pellucid.models import SimpleConvNet


@pytest.fixture
def show(capsys, monkeypatch, tmp_path):
    """Return what `pellucid show ...` prints; it must succeed. In this process: it is quicker."""
    monkeypatch.chdir(tmp_path)

    def show(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["show", *arguments])
        printed = capsys.readouterr()
        assert (ended.value.code, printed.err) == (0, "")
        return printed.out.strip()

    return show


def text_of(path) -> str:
    """Return an SVG; Matplotlib writes each text into a comment beside its outlines."""
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["window", "im2col", "pooling"])
def test_without_options_the_textbooks_numbers_are_drawn_into_a_file_of_that_name(
    show, tmp_path, kind
):
    assert show(kind) == f"{kind}.png"
    with Image.open(tmp_path / f"{kind}.png") as picture:
        grey = np.asarray(picture.convert("L"))
    assert 300 < min(grey.shape) <= max(grey.shape) < 2600
    assert grey.std() > 10
    for side in (grey[0], grey[-1], grey[:, 0], grey[:, -1]):
        assert (side == 255).all()


def test_the_command_itself_draws(pellucid, tmp_path):
    result = pellucid("show", "window", "--out", "w.pdf")
    assert (result.returncode, result.stdout, result.stderr) == (0, "w.pdf\n", "")
    assert (tmp_path / "w.pdf").read_bytes().startswith(b"%PDF")
    listed = pellucid("show", "--help").stdout
    for kind in ("window", "im2col", "pooling", "volumes", "field"):
        assert f" {kind} " in listed


def test_ones_own_numbers_step_and_padding_are_drawn(show, tmp_path):
    numbers = ("--input", "1,2;3,4|5,6;7,8", "--filter", "1;-1|2;0.5", "--bias", "-1")
    show("window", *numbers, "--padding", "0,0,1,0", "--step", "2", "--out", "w.svg")
    drawn = text_of(tmp_path / "w.svg")
    assert "<!-- channel 0: 1·1 + 3·(−1) = −2 -->" in drawn
    assert "<!-- channel 1: 5·2 + 7·0.5 = 13.5 -->" in drawn
    assert "<!-- output[0, 1] = −2 + 13.5 + bias −1 = 10.5 -->" in drawn


def test_the_bias_is_the_textbooks_only_with_its_numbers(show, tmp_path):
    show("window", "--out", "a.svg")
    assert "= 15 + bias 3 = 18" in text_of(tmp_path / "a.svg")
    show("window", "--input", "4x4", "--out", "b.svg")
    assert "+ bias 0 =" in text_of(tmp_path / "b.svg")


def test_the_seed_draws_the_random_numbers(show, tmp_path):
    def drawn(name, seed):
        show("pooling", "--input", "2x2x4", "--seed", seed, "--out", f"{name}.svg")
        comments = text_of(tmp_path / f"{name}.svg").split("<!-- ")[1:]
        return [comment.partition(" -->")[0] for comment in comments]

    first = drawn("a", "0")
    assert first == drawn("b", "0")
    assert first != drawn("c", "1")
    assert "maximum, channel 1" in first


@pytest.mark.parametrize(
    ("arguments", "frames"),
    [
        (("window",), 4),
        (("im2col", "--filter", "random", "--filter", "random"), 4),
        (("field", "simple", "--layer", "pool1", "--at", "0,3"), 2),
    ],
)
def test_a_gif_has_a_frame_for_every_step(show, tmp_path, arguments, frames):
    assert show(*arguments, "--out", "a.gif") == "a.gif"
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["loop"]) == (frames, 0)
    assert (tmp_path / "a.gif").stat().st_size < 1_000_000


def test_a_run_a_name_and_a_pattern_have_their_volumes_drawn(show, tmp_path):
    model = SimpleConvNet((1, 8, 8), kernel_size=3)
    library.save(model, tmp_path / "m.safetensors")
    show("volumes", "m.safetensors", "--out", "m.svg")
    assert "<!-- 30x6x6 -->" in text_of(tmp_path / "m.svg")
    show("volumes", "INPUT -> CONV5-7 -> POOL -> FC", "--input", "3x16x12", "--out", "p.svg")
    drawn = text_of(tmp_path / "p.svg")
    assert "<!-- 3x16x12 -->" in drawn
    assert "<!-- 7x8x6 -->" in drawn
    show("volumes", "resnet20", "--classes", "7", "--out", "r.svg")
    drawn = text_of(tmp_path / "r.svg")
    assert "<!-- 64x8x8 -->" in drawn
    assert "<!-- 7 -->" in drawn


def test_a_field_is_drawn_on_a_picture(show, tmp_path):
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    assert (
        show("field", "resnet20", "photo.png", "--layer", "layer1.0", "--at", "0,31") == "field.png"
    )
    with Image.open(tmp_path / "field.png") as picture:
        dark = (np.asarray(picture.convert("L")) < 20).mean()
    assert dark > 0.1  # the picture is black, the empty grid is not


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("window --input 1,2;3", "--input: all rows must have as many numbers as the others"),
        ("window --input 1,a", "--input: 'a' is not a number."),
        ("window --input nan", "--input: must be finite numbers, received nan."),
        ("window --input 0x4", "--input: must be of 1 to 10,000 numbers"),
        ("window --filter 5x5", "--filter: a window of 5 is larger than the input's height of 4"),
        ("window --input 3x4x4 --filter 1,2", "--filter: must be as deep as its input"),
        ("window --step 9", "--step: must be from 1 to 4"),
        ("window --stride 0", "--stride: must be an integer of at least 1"),
        ("window --padding 1,2,3", "--padding: must be same or valid, or 1 or 2 or 4 whole"),
        ("window --input 6x6 --stride 2 --misfit error", "choose --misfit floor or pad."),
        ("window --input 20x20", "--input: can draw 16x16 cells with legible numbers"),
        ("window --input 14x14 --out a.gif", "--out: would have 144 frames"),
        ("window --out a.bmp", "--out: must end in .png, .svg, .pdf or .gif"),
        ("window --out a.gif --window", "--window: a window shows one step"),
        ("im2col --filter 1,2 --filter 1;2", "--filter: all filters must be of one size"),
        ("im2col --input 9x9", "--input: can draw a matrix of 36x36"),
        ("pooling --size 5", "--size: a window of 5 is larger"),
        ("pooling --gradient 1,2", "--gradient: must have the output's shape (1, 2, 2)"),
        ("pooling --out a.gif", "--out: must end in .png, .svg or .pdf"),
        ("volumes nothing", "MODEL: there is no file or folder 'nothing'"),
        ("volumes lenet --input 1x2x2", "--input: 'lenet' needs images of at least"),
        ("field simple --layer pol1", "--layer: there is no layer 'pol1'. Did you mean 'pool1'?"),
        ("field simple --layer pool1 --at 12,0", "--at: must be a row from 0 to 11"),
        ("field simple --at 3", "--at: must be row and column, as 3,5; received '3'."),
        ("field simple --layer affine1 --at 0,0", "--at: 'affine1' has no rows and columns"),
        ("field simple photo.png", "there is no file 'photo.png'"),
    ],
)
def test_what_makes_no_sense_is_told_by_the_option(
    capsys, monkeypatch, tmp_path, arguments, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:  # in this process: refusals are many
        main(["show", *arguments.split()])
    assert ended.value.code == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
