"""What the studio opens: files of every format, networks with several outputs, and refusals."""

from pathlib import Path

import numpy as np
import pytest

import pellucid.studio.questions  # noqa: F401 - registers what may be asked
from pellucid import load, nn, save, to_onnx
from pellucid.errors import ArgumentError, DataNotFoundError, FileFormatError, PellucidError
from pellucid.runs.listener import Listener
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer

BOOK = Path(__file__).parents[1] / "formats" / "files_0_1" / "book.pkl"


class Notes(Listener):
    def __init__(self):
        self.notes: list[str] = []

    def note(self, text):
        self.notes.append(text)


def _see(opened):
    numbers = np.random.default_rng(0).random(opened.image_shape).astype(np.float32)
    return answer("see", opened, {"numbers": numbers})


def _two_outputs(*, map_first):
    """Return a network that gives maps and scores."""
    outputs = ("head/maps", "head/scores")
    return nn.Graph(
        {
            "stem/conv": (nn.Conv2d(1, 4, 3, padding=1), "x"),
            "stem/relu": nn.ReLU(),
            "head/maps": nn.Conv2d(4, 3, 1),
            "flat": (nn.Flatten(), "stem/relu"),
            "head/scores": nn.Linear(4 * 6 * 6, 5),
        },
        output=outputs if map_first else outputs[::-1],
    )


def test_an_onnx_file_opens_as_its_graph_and_gives_the_same_scores(digits_file, tmp_path):
    pytest.importorskip("onnx")
    model = load(digits_file)
    to_onnx(model, tmp_path / "digits.onnx")
    opened = Studio().open(str(tmp_path / "digits.onnx"))
    seen = _see(opened)
    np.testing.assert_allclose(
        seen["scores"], model(seen["numbers"][None])[0], rtol=1e-4, atol=1e-5
    )
    values = answer("network", opened, {})["values"]
    assert [each["kind"] for each in values[1:]] == [type(n).__name__ for _, n in model.layers()][
        1:
    ]


def test_what_is_changed_of_an_onnx_file_is_said(tmp_path):
    pytest.importorskip("onnx")
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3), nn.Softmax()).eval()
    model.input_shape = (1, 8, 8)
    to_onnx(model, tmp_path / "softmax.onnx")
    studio = Studio(Notes())
    seen = _see(studio.open(str(tmp_path / "softmax.onnx")))
    assert studio.listener.notes == []  # the studio shows a softmax as it is
    np.testing.assert_allclose(seen["probabilities"], seen["scores"])
    assert seen["scores"].sum() == pytest.approx(1)


def test_the_books_params_pkl_opens():
    studio = Studio(Notes())
    opened = studio.open(str(BOOK))
    kinds = [each["kind"] for each in answer("network", opened, {})["values"]]
    assert kinds[:4] == ["input", "Conv2d", "ReLU", "MaxPool2d"]
    assert len(_see(opened)["scores"]) == 10


@pytest.mark.parametrize("map_first", [False, True])
def test_of_several_outputs_the_scores_are_those_of_the_classes(map_first, tmp_path):
    model = _two_outputs(map_first=map_first)
    model.input_shape = (1, 6, 6)
    save(model, tmp_path / "two.safetensors")
    opened = Studio().open(str(tmp_path / "two.safetensors"))
    seen = _see(opened)
    network = answer("network", opened, {})
    assert network["classes"] == list("01234")
    scores = model.eval()(seen["numbers"][None])[map_first][0]
    np.testing.assert_allclose(seen["scores"], scores, rtol=1e-4, atol=1e-5)
    assert [network["values"][k]["path"] for k in network["outputs"]] == [
        "head/scores",
        "head/maps",
    ]
    for method in ("saliency", "grad_cam", "occlusion"):
        answer("why", opened, {"image": seen["image"], "class_": 1, "method": method})
    asked = {"image": seen["image"], "value": 1, "unit": [1, 2, 3]}
    assert answer("way_back", opened, asked)["probabilities"].shape == (5,)


def test_a_network_that_ends_in_maps_has_no_loss_to_go_back_from():
    model = nn.Sequential(nn.Conv2d(1, 2, 3)).eval()
    model.input_shape = (1, 6, 6)
    opened = Studio().add(model, "maps")
    image = _see(opened)["image"]
    says = "ends in 2x4x4, not in one score for each class"
    with pytest.raises(ArgumentError, match=says):
        answer("way_back", opened, {"image": image, "value": 1, "unit": [0, 0, 0]})
    with pytest.raises(ArgumentError, match=says):
        answer("why", opened, {"image": image, "class_": 0, "method": "saliency"})


def test_a_page_about_it_is_not_offered_what_needs_classes():
    model = nn.Sequential(nn.Conv2d(1, 2, 3)).eval()
    model.input_shape = (1, 6, 6)
    can = answer("network", Studio().add(model, "maps"), {})["can"]
    assert {"see", "maps", "unit", "field"} <= {*can}
    assert not {"way_back", "weight", "errors", "why", "gallery"} & {*can}
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()).eval()
    model.input_shape = (1, 6, 6)
    can = answer("network", Studio().add(model, "row"), {})["can"]
    assert {"way_back", "weight", "errors", "why", "gallery"} <= {*can}


def test_each_channel_of_an_unusual_image_is_the_picture_in_grey():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 4)).eval()
    model.input_shape = (2, 6, 6)
    opened = Studio().add(model, "two channels")
    picture = np.full((6, 6, 4), 255, np.uint8)
    picture[:, :3, :3] = 51
    seen = answer("see", opened, {"picture": picture})
    grey = np.repeat(np.float32([0.2, 1]), 3)
    np.testing.assert_allclose(seen["numbers"], np.broadcast_to(grey, (2, 6, 6)), atol=0.01)
    assert "Each of the 2 channels is the picture in grey." in seen["how"]


def test_what_cannot_be_opened_is_refused_with_what_to_do(digits_file, tmp_path):
    def refused(name, kind=PellucidError):
        with pytest.raises(kind) as caught:
            Studio().open(str(tmp_path / name))
        return str(caught.value)

    (tmp_path / "cut.safetensors").write_bytes(digits_file.read_bytes()[:3000])
    assert "Copy or download it again" in refused("cut.safetensors", FileFormatError)
    (tmp_path / "words.txt").write_text("hello\n")
    assert "Give a model file, a run folder" in refused("words.txt", FileFormatError)
    (tmp_path / "folder").mkdir()
    assert "holds no model.safetensors" in refused("folder", DataNotFoundError)
    assert "there is no file or folder" in refused("nothing", ArgumentError)
    np.savez(tmp_path / "arrays.npz", first=np.zeros(3))
    assert "not those of the book's networks" in refused("arrays.npz", ArgumentError)
    (tmp_path / "cut.pkl").write_bytes(BOOK.read_bytes()[:200])
    assert "cut.pkl" in refused("cut.pkl", FileFormatError)
    model = nn.Sequential(nn.Conv2d(1, 2, 3))
    save(model, tmp_path / "open.safetensors")
    says = "does not say what it takes. Say the images with image=(3, 32, 32)"
    assert says in refused("open.safetensors", ArgumentError)
    opened = Studio().open(str(tmp_path / "open.safetensors"), image=(1, 9, 9))
    assert opened.shapes[1] == (2, 7, 7)
