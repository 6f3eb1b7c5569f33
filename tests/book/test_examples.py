"""The scripts in examples/book run as they stand: on our modules, and on the oracle's the same."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from book.process import Result, run, write, write_mnist

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e[-+]?\d+)?|nan|inf")


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The examples, with MNIST and the oracle where the book has its modules."""
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "examples" / "book", folder, dirs_exist_ok=True)
    shutil.copytree(ROOT / "tests" / "book" / "oracle", folder / "common")
    extended = "from .multi_layer_net import MultiLayerNetExtend"
    write(folder / "common" / "multi_layer_net_extend.py", extended)
    write(folder / "dataset" / "__init__.py", "")
    write(folder / "dataset" / "mnist.py", "from pellucid.book.dataset.mnist import load_mnist")
    write_mnist(folder / "dataset")
    return folder


@pytest.fixture(scope="session")
def ours(folder):
    def ours(script: str, *arguments: str, options: tuple[str, ...] = ()) -> Result:
        path = folder / script
        figures = folder / "figures" / path.stem
        result = run(*options, "--figures", figures, path, *arguments, cwd=folder)
        assert result.returncode == 0, result.stderr
        assert "Warning" not in result.stderr, result.stderr
        for figure in figures.glob("*.png"):
            with Image.open(figure) as image:
                assert len(set(image.convert("L").resize((50, 50)).tobytes())) > 10
        return result

    return ours


@pytest.fixture(scope="session")
def theirs(folder):
    """Run a script by Python alone, on the oracle."""

    def theirs(script: str, *arguments: str) -> Result:
        path = folder / script
        result = run(
            *(path.name, *arguments),
            cwd=path.parent,
            program=(),
            MPLBACKEND="agg",
            PELLUCID_DATA=str(folder / "dataset"),
            PYTHONWARNINGS="ignore",
        )
        assert result.returncode == 0, result.stderr
        return result

    return theirs


@pytest.fixture(scope="session")
def small_steps(folder) -> str:
    """train_convnet.py, with fifty steps an epoch of 1,000 images."""
    text = (folder / "ch07" / "train_convnet.py").read_text(encoding="utf-8")
    assert "mini_batch_size=100" in text
    write(
        folder / "ch07" / "small_steps.py",
        text.replace("mini_batch_size=100", "mini_batch_size=20"),
    )
    return "ch07/small_steps.py"


@pytest.fixture(scope="session")
def trained(ours, small_steps) -> Result:
    return ours(small_steps, "2", "1000")


def numbers(result: Result) -> np.ndarray:
    return np.array([float(number) for number in NUMBER.findall(result.stdout)])


def figures(folder: Path, script: str) -> int:
    return len(list((folder / "figures" / script).glob("*.png")))


def test_the_convolutional_network_learns(trained, folder):
    (accuracy,) = re.findall(r"test acc:(\d\.\d+)\n", trained.stdout.split("Final")[1])
    assert float(accuracy) > 0.75
    assert trained.stdout.count("train loss:") == 100
    assert figures(folder, "small_steps") == 1


def test_a_hundred_steps_agree_with_the_oracle(trained, theirs, small_steps):
    theirs = theirs(small_steps, "2", "1000")
    expected, seen = (
        np.array([float(loss) for loss in re.findall(r"train loss:(\S+)", result.stdout)])
        for result in (theirs, trained)
    )
    assert len(expected) == 100
    np.testing.assert_allclose(seen[:20], expected[:20], rtol=1e-4)
    np.testing.assert_allclose(seen, expected, rtol=2e-2, atol=1e-3)
    assert numbers(trained)[-1] == pytest.approx(numbers(theirs)[-1], abs=0.01)


def test_saved_parameters_are_float64_arrays_in_a_plain_pickle(trained, folder):
    with (folder / "ch07" / "params.pkl").open("rb") as file:
        params = pickle.load(file)
    assert list(params) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert {(type(value), value.dtype) for value in params.values()} == {
        (np.ndarray, np.dtype("float64"))
    }
    assert params["W1"].shape == (30, 1, 5, 5)


def test_filters_are_shown_and_applied(trained, ours, folder):
    ours("ch07/visualize_filter.py")
    assert figures(folder, "visualize_filter") == 2
    Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(folder / "grey.png")
    named = ours("ch07/apply_filter.py", "../grey.png")
    assert named.stdout == "11 filters, each map 26x36\n"
    assert figures(folder, "apply_filter") == 1


def test_the_gradient_check_passes(ours):
    differences = numbers(ours("ch07/gradient_check.py"))
    assert len(differences) == 6
    assert differences.max() < 1e-6


def test_the_deep_network_is_trained_read_again_and_halved(ours, folder):
    result = ours("ch08/train_deepnet.py", "1", "200", options=("--strict",))
    assert result.stdout.count("train loss:") == 2
    exact, half = numbers(ours("ch08/half_float_network.py", "150"))
    assert abs(exact - half) < 0.05
    ours("ch08/misclassified_mnist.py", "150")
    assert figures(folder, "misclassified_mnist") == 1


def test_the_spread_of_activations_is_kept_by_the_right_initial_weights_alone(ours, folder):
    lines = ours("ch06/weight_init_activation_histogram.py").stdout.splitlines()
    last = {line.split(":")[0]: float(line.split()[-1]) for line in lines}
    assert last["sigmoid, deviation 0.01"] < 0.02 < 0.1 < last["sigmoid, Xavier"]
    assert last["ReLU, Xavier"] < 0.3 < 0.7 < last["ReLU, He"]
    assert figures(folder, "weight_init_activation_histogram") == 1


# AdaGrad's first step has one size whatever the gradient: of a tiny one, float32 decides the sign.
@pytest.mark.parametrize(
    ("script", "argument", "options", "rtol"),
    [
        ("optimizer_compare_mnist", "8", (), 0.03),
        ("batch_norm_test", "1", ("--float64",), 1e-6),
        ("overfit_dropout", "2", (), 0.02),
        ("overfit_weight_decay", "1", ("--float64",), 1e-6),
    ],
)
def test_the_experiments_of_chapter_six_agree_with_the_oracle(
    ours, theirs, folder, script, argument, options, rtol
):
    seen = numbers(ours(f"ch06/{script}.py", *argument.split(), options=options))
    expected = numbers(theirs(f"ch06/{script}.py", *argument.split()))
    assert len(expected) >= 4
    np.testing.assert_allclose(seen, expected, rtol=rtol, atol=rtol / 10)
    assert figures(folder, script) == 1
