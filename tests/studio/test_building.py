"""Networks that are built on the page, from a line."""

import pytest

from pellucid import models
from pellucid.errors import PellucidError
from pellucid.nn import walk
from pellucid.receptive import ReceptiveField
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.opening import Studio
from pellucid.studio.registry import answer

LECTURE = "INPUT -> [CONV -> RELU -> POOL]*2 -> FC -> RELU -> FC"


def built(pattern, image=(3, 32, 32), classes=10):
    asked = {"pattern": pattern, "input": list(image), "classes": classes}
    return answer("build", Studio(), asked)


def opened(studio, pattern, image=(1, 8, 8), classes=10, data="digits"):
    asked = {"pattern": pattern, "input": list(image), "classes": classes, "data": data}
    return answer("build/open", studio, asked)


def test_the_rows_are_the_layers_of_the_network():
    said, model = built(LECTURE), models.from_pattern(LECTURE, (3, 32, 32), 10)
    nodes = walk.flattened(model)
    assert [row["repr"] for row in said["rows"]] == [repr(node.layer) for node in nodes]
    assert [row["path"] for row in said["rows"]] == [node.name for node in nodes]
    shapes = [list(made) for _, _, made in walk.shapes(nodes, (3, 32, 32))]
    assert [row["shape"] for row in said["rows"]] == shapes
    assert said["parameters"] == model.parameter_count()
    assert said["products"] == model.multiply_adds((3, 32, 32))
    last = model.receptive_field(ReceptiveField(), (3, 32, 32))
    assert said["rows"][-1]["field"]["size"] == [float(n) for n in last.size]


def test_each_row_names_its_word_and_a_flatten_is_implied():
    rows = built(LECTURE)["rows"]
    assert [LECTURE[row["start"] : row["end"]] for row in rows] == [row["word"] for row in rows]
    assert [row["kind"] for row in rows if row["implied"]] == ["Flatten"]


def test_weights_of_gigabytes_are_counted_without_memory_for_them():
    said = built("FC100000 -> FC", (3, 32, 32), 5_000)
    assert said["parameters"] == 3_073 * 100_000 + 100_001 * 5_000


@pytest.mark.parametrize(
    ("pattern", "at", "message"),
    [
        ("CONV -> CNOV -> FC", "CNOV", "Did you mean 'CONV'"),
        ("CONV -> FC\n -> POOL", "POOL", "needs images"),
        ("CONV3-8/0 -> FC", "0", "must be from 1"),
        ("[POOL]*9 -> FC", "POOL", "window"),
        ("CONV -> [RELU -> FC", "", "']' is missing"),
        ("CONV", "CONV", "End with FC"),
    ],
)
def test_an_error_has_its_place_and_one_line(pattern, at, message):
    said = built(pattern)
    assert message in said["error"]
    assert "\n" not in said["error"]
    assert pattern[said["start"] : said["end"]] == at


def test_weights_that_no_array_can_have_are_refused_at_their_word():
    said = built("CONV3-4 -> FC", (1, 2**40, 2**40))
    assert "more than an array can have" in said["error"]
    assert (said["start"], said["end"]) == (11, 13)


@pytest.mark.parametrize(
    ("image", "classes", "message"),
    [
        ((0, 8, 8), 10, "image: must be"),
        ((8, 8), 10, "image: must be"),
        ((1, 8, 8), 0, "classes: must be"),
    ],
)
def test_an_image_that_cannot_be_has_no_place_in_the_line(image, classes, message):
    said = built("FC", image, classes)
    assert message in said["error"]
    assert said["start"] is None


def test_the_examples_are_patterns_that_can_be_built():
    said = answer("build/words", Studio(), {})
    assert [each["name"] for each in said["examples"]][:3] == ["CS231n", "simple", "lenet"]
    for each in said["examples"]:
        assert "rows" in built(each["pattern"], each["input"], each["classes"])
    assert "CONV" in {each["word"] for each in said["words"]}
    assert said["data"][0]["name"] == "digits"


def test_a_network_is_opened_with_its_images_and_every_page_hears_of_it():
    studio, heard = Studio(), []
    studio.events.listen(lambda name, data: heard.append((name, data)))
    said = opened(studio, "INPUT -> CONV3-4 -> RELU -> FC")
    network = studio.of(said["network"])
    assert network.shapes[-1] == (10,)
    assert len(network.part("test")) == 359
    assert network.classes == tuple("0123456789")
    new = {"id": said["network"], "name": "CONV3-4 -> RELU -> FC"}
    assert heard == [("networks", {"networks": [new], "closed": None})]


def test_the_oldest_one_built_is_closed_and_named_but_not_those_that_were_opened():
    studio = Studio()
    first = studio.open("simple")
    ids = [opened(studio, f"FC{k} -> FC", data=None)["network"] for k in range(5, 11)]
    assert opened(studio, "FC", data=None)["closed"] == "FC5 -> FC"
    assert first.id in studio.networks
    assert ids[0] not in studio.networks
    assert len(studio.networks) == 7
    with pytest.raises(PellucidError, match="Reload"):
        studio.of(ids[0])


@pytest.mark.parametrize(
    ("pattern", "image", "data", "message"),
    [
        ("FC -> CONV", (1, 8, 8), None, "needs images"),
        ("FC", (3, 8, 8), "digits", "images 1x8x8 of 10 classes"),
        ("FC", (1, 8, 8), "../digits", "is not on|there is no"),
        ("FC90000 -> FC", (1, 64, 64), None, "parameters"),
        ("CONV3-64 -> FC", (1, 4096, 4096), None, "at most"),
    ],
)
def test_what_cannot_be_opened_is_refused_and_nothing_is_added(pattern, image, data, message):
    studio = Studio()
    with pytest.raises(PellucidError, match=message):
        opened(studio, pattern, image, data=data)
    assert not studio.networks
