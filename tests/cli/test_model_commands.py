"""pellucid evaluate, predict and summary."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as library
from pellucid import data
from pellucid.models import SimpleConvNet
from pellucid.models.registry import NAMES
from pellucid.nn import Card, Conv2d, Sequential


@pytest.fixture
def pellucid(here):
    """What a command writes and says is tested here, not that it is a process."""
    return here


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A hundred test images: as they are; large, black on white; large, in colour, as JPEG."""
    folder = tmp_path_factory.mktemp("pictures")
    _, test = data.digits()
    for i in range(100):
        pixels = (test.images[i, 0] * (255 / 16)).round().astype(np.uint8)
        name = f"{i:03}-{test.labels[i]}"
        Image.fromarray(pixels).save(folder / f"small-{name}.png")
        large = Image.fromarray(255 - pixels).resize((80, 80), Image.Resampling.BICUBIC)
        large.save(folder / f"paper-{name}.png")
        large.convert("RGB").save(folder / f"photo-{name}.jpg", quality=85)
    return folder


@pytest.mark.parametrize("kind", ["small", "paper", "photo"])
def test_pictures_of_any_size_and_colour_are_recognised(pellucid, trained, pictures, kind):
    paths = sorted(pictures.glob(f"{kind}-*"))
    result = pellucid("predict", trained[0], *paths, "--top", "1")
    assert result.returncode == 0
    rows = result.stdout.splitlines()[2:]
    lines = [re.search(r"-(\d)\.\w+ +(\d) [\d.]+ %$", row) for row in rows]
    right = sum(line[1] == line[2] for line in lines)
    assert len(lines) == 100
    assert right >= 88
    assert result.stderr.count("note: ") == (0 if kind == "small" else 100)


def test_the_three_best_guesses_come_in_order_with_their_probabilities(pellucid, trained, pictures):
    path = next(pictures.glob("small-000-*"))
    header, _, row = pellucid("predict", trained[0], path).stdout.splitlines()
    assert re.split(r" {2,}", header) == ["image", "guess 1", "guess 2", "guess 3"]
    printed = re.findall(r"(\d) ([\d.]+) %", row)
    model = library.load(trained[0] / "model.safetensors")
    (expected,) = library.predict(model, data.read_image(path, model.card.preparation))
    best = np.argsort(expected)[::-1][:3]
    assert printed == [(str(k), f"{100 * expected[k]:.1f}") for k in best]


def test_a_model_file_predicts_as_its_run_folder_does(pellucid, trained, pictures):
    path = next(pictures.glob("small-000-*"))
    file = trained[0] / "model.safetensors"
    of_file, of_folder = (pellucid("predict", model, path).stdout for model in (file, trained[0]))
    assert of_file == of_folder != ""


def test_more_guesses_than_classes_are_all_classes(pellucid, trained, pictures):
    path = next(pictures.glob("small-000-*"))
    assert "guess 10\n" in pellucid("predict", trained[0], path, "--top", "99").stdout


def test_good_pictures_are_named_and_each_bad_one_is_an_error_line(
    pellucid, trained, pictures, tmp_path
):
    good, other = sorted(pictures.glob("small-*"))[:2]
    (tmp_path / "half.png").write_bytes(good.read_bytes()[:60])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "nothing").mkdir()
    bad = ("half.png", "text.png", "empty.jpg", "nothing", "gone.png")
    result = pellucid("predict", trained[0], good, *bad, other)
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.splitlines()[1:] == [
        "error: 'text.png' is not PNG, JPEG, BMP, PPM, WEBP, TIFF or GIF: it begins with "
        "b'hello'. Save the picture as one of them.",
        "error: 'empty.jpg' is empty. Copy it again.",
        "error: the folder 'nothing' holds no picture.",
        "error: there is no file 'gone.png'.",
    ]
    assert re.match(r"error: 'half\.png' .*damaged", result.stderr)


def test_a_model_that_knows_no_image_size_cannot_predict(pellucid, pictures, tmp_path):
    model = Sequential(Conv2d(1, 2, 3))
    library.save(model, tmp_path / "m.safetensors")
    result = pellucid("predict", "m.safetensors", next(pictures.iterdir()))
    assert result.returncode == 1
    assert "m.safetensors: does not say which images it was built for" in result.stderr


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (
            SimpleConvNet((1, 8, 8), kernel_size=3),
            "returns 10 numbers for an image",
        ),
        (Sequential(Conv2d(1, 2, 3)), "returns 2x6x6 numbers for an image"),
    ],
    ids=["names", "images"],
)
def test_outputs_that_are_not_one_a_class_are_no_prediction(
    pellucid, pictures, tmp_path, network, words
):
    network.input_shape, network.card = (1, 8, 8), Card("two", ("a", "b"))
    library.save(network, tmp_path / "m.safetensors")
    result = pellucid("predict", "m.safetensors", next(pictures.iterdir()))
    assert (result.returncode, f"m.safetensors: {words}" in result.stderr) == (1, True)
    assert "Traceback" not in result.stderr


def test_evaluate_counts_every_test_image_class_by_class(pellucid, trained):
    run, said = trained
    result = pellucid("evaluate", run)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:12]] == list("0123456789")
    assert sum(int(line.split()[1]) for line in lines[2:12]) == 359
    accuracy = re.search(r"final test accuracy ([\d.]+)", said.stdout)[1]
    assert lines[-1].startswith(f"test accuracy {accuracy}, loss ")
    assert "train accuracy" in pellucid("evaluate", run, "--split", "train").stdout


def test_evaluate_names_the_class_that_is_most_often_taken_for_another(pellucid, trained):
    model = library.load(trained[0] / "model.safetensors")
    _, test = data.digits()
    confusion = library.evaluate(model, test).confusion
    np.fill_diagonal(confusion, 0)
    lines = pellucid("evaluate", trained[0]).stdout.splitlines()[2:12]
    for row, line in zip(confusion, lines, strict=True):
        expected = f"{row.argmax()} ({row.max()})" if row.any() else "-"
        assert line.endswith(f"  {expected}")


def test_evaluate_takes_mirror_images_into_account_where_it_is_told(pellucid, trained):
    result = pellucid("evaluate", trained[0], "--mirrored")
    assert result.returncode == 0, result.stderr
    assert result.stdout.rstrip().endswith("mean of each image and its mirror image")
    # Digits are others in the mirror.
    plain = pellucid("evaluate", trained[0]).stdout
    accuracies = [re.search(r"test accuracy (\S+),", text)[1] for text in (result.stdout, plain)]
    assert float(accuracies[0]) < float(accuracies[1])


def test_evaluate_draws_the_confusion_where_it_is_told(pellucid, trained, tmp_path):
    assert pellucid("evaluate", trained[0], "--confusion", "c.svg").returncode == 0
    assert b"<svg" in (tmp_path / "c.svg").read_bytes()
    result = pellucid("evaluate", trained[0], "--confusion", "c.bmp")
    assert result.returncode == 1
    assert "--confusion: must end in .png, .svg or .pdf, received 'c.bmp'" in result.stderr


def saved(folder: Path, shape: tuple[int, int, int], classes: tuple[str, ...]) -> Path:
    model = SimpleConvNet(shape, kernel_size=3, classes=len(classes))
    model.input_shape, model.card = shape, Card("mine", classes)
    library.save(model, folder / "m.safetensors")
    return folder / "m.safetensors"


@pytest.mark.parametrize(
    ("shape", "classes", "words"),
    [
        ((1, 28, 28), tuple("0123456789"), "built for images 1x28x28; those of 'digits' are 1x8x8"),
        ((1, 8, 8), ("cat", "dog"), "returns 2 numbers for an image; 'digits' has 10 classes"),
        (
            (1, 8, 8),
            tuple("abcdefghij"),
            "distinguishes a, b, c, .*'digits' has other classes: 0, 1",
        ),
    ],
)
def test_evaluate_refuses_data_of_another_kind(pellucid, tmp_path, shape, classes, words):
    result = pellucid("evaluate", saved(tmp_path, shape, classes), "--data", "digits")
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.search(f"--data: the model .*{words}", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("evaluate gone", "there is no 'gone'. Give a run folder or a model file"),
        ("evaluate .", "the folder '.' holds no model.safetensors"),
        ("evaluate text", "'text' is a text file (it begins with 'hello'), not a safetensors file"),
        ("evaluate M --data minst", "--data: there is no data set 'minst'. Did you mean 'mnist'?"),
        ("summary simpel", "no network of that name. Did you mean 'simple'?"),
        ("summary simple --input 3x9", "--input: must be channels x height x width, as 3x32x32"),
        ("summary simple --input 0x2x2", "--input: must be (channels, height, width)"),
        ("summary simple --input 1x1x1", "--input: 'simple' needs images of at least 2x2, rec"),
        ("summary alexnet --input 3x32x32", "--input: 'alexnet' needs images of at least 67x67"),
        ("summary M --input 1x28x28", "Linear 'affine1': expects 480 input features"),
    ],
)
def test_a_refusal_tells_what_to_change(pellucid, trained, tmp_path, arguments, words):
    (tmp_path / "text").write_text("hello")
    result = pellucid(*(trained[0] if a == "M" else a for a in arguments.split()))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert words in result.stderr


def test_summary_shows_a_run_and_a_network_that_was_never_built(pellucid, trained):
    text = pellucid("summary", trained[0]).stdout
    assert text.startswith("trained on digits: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9\n")
    assert re.search(r"total +49,410 +66,280", text)
    text = pellucid("summary", "simple", "--input", "3x32x32", "--classes", "7").stdout
    assert re.search(r"input +3x32x32", text)
    assert re.search(r"affine2 +Linear\(100, 7\) +7 ", text)
    text = pellucid("summary", "resnet20").stdout
    assert re.search(r"input +3x32x32", text)
    assert re.search(r"layer2\.0\.downsample +ZeroPadShortcut\(16, 32, stride=2\) +32x16x16 ", text)
    assert re.search(r"layer2\.0 +chain \+ shortcut +32x16x16 ", text)
    assert re.search(r"total +269,722 +40,551,040", text)
    huge = pellucid("summary", "simple", "--input", "1x9999x9999")
    assert huge.returncode == 0, "weights were made only to be counted"


def test_summary_counts_what_a_network_would_have_without_sharing(pellucid):
    text = pellucid("summary", "alexnet", "--sharing").stdout
    assert re.search(r"conv1 .* 96x55x55 +290,400 +105,705,600 +34,944 ", text)
    assert re.search(r"total +659,272 +725,066,088 +60,965,224", text)


@pytest.mark.parametrize("command", ["train", "summary", "profile", "warmup"])
def test_the_help_lists_every_network(pellucid, command):
    shown = pellucid(command, "--help", COLUMNS="200").stdout
    assert all(re.search(rf"\b{name}\b", shown) for name in NAMES)
