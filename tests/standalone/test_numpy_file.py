"""A network as a file of NumPy computes what the network does, where there is no Pellucid."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from nn.cases import CASES, QUANTIZED
from pellucid import nn
from pellucid.models import SimpleConvNet, by_name
from pellucid.networks import NETWORKS
from pellucid.preparation import Drawing, Preparation
from pellucid.standalone import Call, becomes, to_numpy

# Runs each file k.py on the x of k.in.npy, where no library but NumPy can be imported.
ALONE = """
import importlib.util, sys
from pathlib import Path
import numpy as np
for name in ("pellucid", "numba", "torch", "safetensors", "PIL"):
    sys.modules[name] = None
for path in sorted(Path(sys.argv[1]).glob("*.py")):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    outputs = module.scores(np.load(path.with_suffix(".in.npy")))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    np.savez(path.with_suffix(".out.npz"), *outputs)
"""
SMALL = {(3, 224, 224): (3, 64, 64), (3, 227, 227): (3, 99, 99)}  # for speed
CLOSE, ONE_CODE = 1e-5, 0.02
ALL = (*CASES, *QUANTIZED)


def run_alone(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-I", "-W", "error", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def cases_alone(tmp_path_factory) -> Path:
    """Every layer's case as a file, and what it returns."""
    folder = tmp_path_factory.mktemp("cases")
    for k, case in enumerate(ALL):
        to_numpy(case.build().eval(), folder / f"{k}.py", input_shape=case.shape)
        np.save(folder / f"{k}.in.npy", case.arrays(np.float32)[0])
    run_alone(folder, "-c", ALONE, str(folder))
    return folder


@pytest.mark.parametrize("k", range(len(ALL)), ids=[case.id for case in ALL])
def test_every_layer_gives_the_same_numbers(cases_alone, k):
    with np.load(cases_alone / f"{k}.out.npz") as found:
        y = found["arr_0"]
    right = ALL[k].build().eval()(ALL[k].arrays(np.float32)[0])
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, right, rtol=CLOSE, atol=CLOSE * max(1, abs(right).max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_by_name_gives_the_same_scores(name, tmp_path):
    network = NETWORKS[name]
    shape = SMALL.get(network.images, network.images)
    model = by_name(name, shape, 10).eval()
    rng = np.random.default_rng(1)
    for key, buffer in model.buffers().items():  # those of the start hide mistakes
        if "running" in key or key.endswith("bias"):
            buffer.data[...] = rng.uniform(0.5, 1.5, size=buffer.data.shape)
    x = rng.random((2, *shape), dtype=np.float32)
    to_numpy(model, tmp_path / "net.py")
    np.save(tmp_path / "net.in.npy", x)
    run_alone(tmp_path, "-c", ALONE, str(tmp_path))
    with np.load(tmp_path / "net.out.npz") as found:
        y = found["arr_0"]
    right = model(x)
    np.testing.assert_allclose(y, right, rtol=CLOSE, atol=CLOSE * max(1, abs(right).max()))


def test_a_quantized_network_gives_the_same_scores_from_weights_of_bytes(tmp_path):
    rng = np.random.default_rng(2)
    x = rng.random((20, 3, 32, 32), dtype=np.float32)
    model = by_name("resnet20", (3, 32, 32), 10, rng=rng).eval()
    small = pellucid.quantize(model, x, engine="numpy")
    to_numpy(small, tmp_path / "small.py")
    np.save(tmp_path / "small.in.npy", x)
    run_alone(tmp_path, "-c", ALONE, str(tmp_path))
    with np.load(tmp_path / "small.out.npz") as found:
        y = found["arr_0"]
    right = small(x)
    # A last bit of a number between two codes may decide which one it gets.
    np.testing.assert_allclose(y, right, atol=ONE_CODE * abs(right).max())
    with np.load(tmp_path / "small.npz") as weights:
        kinds = {key: array.dtype for key, array in weights.items()}
    assert kinds["conv1.weight"] == np.float32  # of few terms
    assert kinds["layer1.0.conv1.weight"] == np.int8
    to_numpy(model, tmp_path / "whole.py")
    assert (tmp_path / "small.npz").stat().st_size < 0.3 * (tmp_path / "whole.npz").stat().st_size


def test_several_outputs_are_a_tuple(tmp_path):
    model = nn.Graph({"a": (nn.Conv2d(1, 2, 3), "x"), "b": nn.ReLU()}, output=("b", "a"))
    to_numpy(model, tmp_path / "two.py", input_shape=(1, 5, 5))
    x = np.random.default_rng(0).random((20, 1, 5, 5), dtype=np.float32)
    np.save(tmp_path / "two.in.npy", x)
    run_alone(tmp_path, "-c", ALONE, str(tmp_path))
    with np.load(tmp_path / "two.out.npz") as found:
        for k, right in enumerate(model(x)):
            np.testing.assert_allclose(found[f"arr_{k}"], right, atol=CLOSE)


def test_the_file_has_a_line_for_each_layer_and_only_the_functions_it_calls(tmp_path):
    to_numpy(SimpleConvNet((1, 28, 28)), tmp_path / "net.py")
    text = (tmp_path / "net.py").read_text("utf-8")
    lines = text[text.index("def forward") : text.index("    return x")].splitlines()[2:]
    assert [line.split("= ")[1].split("(")[0] for line in lines] == [
        *("conv2d", "relu", "max_pool2d", "reshape", "linear", "relu", "linear")
    ]
    assert lines[0].endswith("# conv1: (30, 24, 24)")
    assert "def conv2d(" in text
    assert "def batch_norm(" not in text


def test_a_value_that_a_later_line_reads_has_a_name_of_its_own(tmp_path):
    nodes = {
        "x": (nn.ReLU(), "in"),
        "a b": (nn.Tanh(), "x"),
        "np": (nn.Sigmoid(), "x"),
        "for": (nn.Add(), "a b", "np", "in"),
        "last": (nn.Add(), "for", "np", "a b"),
    }
    model = nn.Graph(nodes, input="in")
    to_numpy(model, tmp_path / "names.py", input_shape=(3,))
    x = np.array([[-1, 0.5, 2]], np.float32)
    np.save(tmp_path / "names.in.npy", x)
    run_alone(tmp_path, "-c", ALONE, str(tmp_path))
    with np.load(tmp_path / "names.out.npz") as found:
        np.testing.assert_allclose(found["arr_0"], model(x), atol=CLOSE)


HOSTILE = ('quote "', "'", "back\\slash", "new\nline", '"""', "\udcff", "고양이", "{x}")


def test_names_with_any_letters_stay_text(tmp_path):
    model = SimpleConvNet((1, 28, 28), classes=len(HOSTILE))
    model.card = nn.Card("x", HOSTILE)
    to_numpy(nn.Normalize([0.5], [0.5]).before(model), tmp_path / "net.py")
    code = "import sys; sys.path.insert(0, '.'); import net; print(ascii(net.CLASSES))"
    assert run_alone(tmp_path, "-c", code).strip() == ascii(HOSTILE)


# Pictures and people ------------------------------------------------------------------------------


def _picture(path: Path, mode: str, size: tuple[int, int]) -> None:
    """Write a dark stroke on uneven light paper."""
    w, h = size
    i, j = np.mgrid[:h, :w]
    paper = 200 + 40 * i / h + 10 * np.sin(j / 3)
    stroke = (abs(i - h / 2) < h / 4) & (abs(j - w / 3 - i / 8) < w / 20)
    grey = np.where(stroke, 40, paper).astype(np.uint8)
    colours = np.stack([grey, grey // 2, 255 - grey, 255 - (i * 255 // h).astype(np.uint8)], axis=2)
    whole = Image.fromarray(colours, "RGBA") if mode == "RGBA" else Image.fromarray(grey)
    whole.convert(mode).save(path)


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("drawing", [None, Drawing()])
@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 1), ("RGBA", 3)])
def test_a_picture_is_prepared_as_the_library_does(tmp_path, mode, channels, drawing):
    prepared = Preparation((28, 28), channels, drawing)
    model = SimpleConvNet((channels, 28, 28))
    model.card = nn.Card("drawn", tuple("abcdefghij"), prepared)
    _picture(tmp_path / "photo.png", mode, (90, 130))
    to_numpy(model, tmp_path / "net.py")
    code = (
        "import sys; sys.path.insert(0, '.'); sys.modules['pellucid'] = None\n"
        "import net, numpy; numpy.save('seen.npy', net.read_image('photo.png'))"
    )
    run_alone(tmp_path, "-c", code)
    right = pellucid.data.read_image(tmp_path / "photo.png", prepared)
    seen = np.load(tmp_path / "seen.npy")
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen / np.float32(255), right)


def test_running_it_prints_the_classes_of_pictures_and_arrays(tmp_path):
    model = SimpleConvNet((1, 28, 28))
    model.card = nn.Card("x", tuple("abcdefghij"), Preparation((28, 28), 1))
    to_numpy(model, tmp_path / "net.py")
    x = np.random.default_rng(0).integers(0, 256, size=(1, 28, 28), dtype=np.uint8)
    Image.fromarray(x[0]).save(tmp_path / "x.png")
    np.save(tmp_path / "x.npy", x)
    said = run_alone(tmp_path, "net.py", "x.png", "x.npy").splitlines()
    p = pellucid.predict(model, x[np.newaxis] / np.float32(255), engine="numpy")[0]
    best = "  ".join(f"{'abcdefghij'[k]} {p[k]:.1%}" for k in p.argsort()[::-1][:3])
    assert said == [f"x.png  {best}", f"x.npy  {best}"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("weights", r"net\.npz is missing: it holds the weights\. Copy it next to "),
        ("shape", r"x\.npy: expects images of shape \(N, 1, 28, 28\), received \(2, 3\)"),
        ("picture", r"x\.png: cannot identify image file"),
        ("nothing", r"x\.png: \[Errno 2\] No such file"),
        ("arguments", r"usage: python net\.py PICTURE\|ARRAY\.npy"),
    ],
)
def test_what_it_cannot_run_on_is_said_in_a_line(tmp_path, broken, said):
    to_numpy(SimpleConvNet((1, 28, 28)), tmp_path / "net.py")
    if broken == "weights":
        (tmp_path / "net.npz").unlink()
    shape = (2, 3) if broken == "shape" else (1, 28, 28)
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    if broken == "picture":
        (tmp_path / "x.png").write_text("no picture")
    file = {"arguments": [], "picture": ["x.png"], "nothing": ["x.png"]}.get(broken, ["x.npy"])
    command = [sys.executable, "net.py", *file]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_a_network_of_no_pictures_predicts_from_python(tmp_path):
    to_numpy(nn.Sequential(nn.Linear(3, 2)), tmp_path / "rows.py", input_shape=(3,))
    text = (tmp_path / "rows.py").read_text("utf-8")
    assert "def predict(" in text
    assert "Image" not in text
    assert "__main__" not in text


# What is refused ----------------------------------------------------------------------------------


class Own(nn.Layer):
    """A layer that nothing is registered for."""

    def forward(self, x):
        return x * x


class Leaky(nn.ReLU):
    """A subclass that computes something else."""

    def forward(self, x):
        return np.where(x > 0, x, 0.1 * x)


def test_layers_without_a_function_are_refused_all_at_once(tmp_path):
    model = nn.Sequential(first=Own(), relu=nn.ReLU(), leaky=Leaky())
    with pytest.raises(pellucid.PellucidError, match=r"Own 'first', Leaky 'leaky'\. Register one"):
        to_numpy(model, tmp_path / "net.py", input_shape=(3,))
    assert list(tmp_path.iterdir()) == []


def test_a_layer_of_ones_own_can_be_registered(tmp_path):
    class Squared(Own):
        pass

    @becomes(Squared)
    def squared(layer, shape):
        return Call("power", options={"exponent": 2})

    class Kept(Squared):
        pass

    to_numpy(nn.Sequential(Squared(), Kept()), tmp_path / "net.py", input_shape=(3,))
    assert (tmp_path / "net.py").read_text("utf-8").count("power(x, exponent=2)") == 2


def test_another_ending_and_no_model_are_refused(tmp_path):
    with pytest.raises(pellucid.PellucidError, match=r"must end in \.py, received"):
        to_numpy(SimpleConvNet((1, 28, 28)), tmp_path / "net.txt")
    with pytest.raises(pellucid.PellucidError, match="expects a model, received 3"):
        to_numpy(3, tmp_path / "net.py")  # type: ignore[arg-type]
    with pytest.raises(pellucid.PellucidError, match="does not say which images it takes"):
        to_numpy(nn.ReLU(), tmp_path / "net.py")
