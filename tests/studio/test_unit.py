"""The arithmetic of a unit as a page gets it."""

import numpy as np
import pytest

from pellucid.errors import ArgumentError
from pellucid.studio import questions  # noqa: F401 - registers them
from pellucid.studio.envelope import pack, unpack
from pellucid.studio.opening import Studio
from pellucid.studio.registry import ForgottenError, answer
from viz.added_up import Seen, require_told


def opened(name):
    found = Studio().open(name)
    rng = np.random.default_rng(0)
    return found, found.keep(rng.random(found.shapes[0], dtype=np.float32))


def asked(network, **given):
    return unpack(pack(answer("unit", network, given)))


@pytest.mark.parametrize("name", ["simple", "resnet20", "lenet-1998"])
def test_what_arrives_adds_up_to_the_number_in_the_map(name):
    network, image = opened(name)
    seen = Seen(network.model.buffers(), network.values(image), network.model)
    for value in range(1, len(network.shapes)):
        unit = [size // 2 for size in network.shapes[value]]
        told = asked(network, image=image, value=value, unit=unit)
        assert told["exact"]
        require_told(seen._replace(layer=network.nodes[value - 1].layer), told)


def test_keys_are_those_of_the_description_of_the_network():
    network, image = opened("resnet20")
    for value in answer("network", network, {})["values"][1:]:
        keys = [weight["key"] for weight in value["weights"]]
        unit = [0] * len(value["shape"])
        for part in asked(network, image=image, value=value["id"], unit=unit)["parts"]:
            if part["form"] == "products":
                assert part["weight"] == keys[0]
            named = {"terms": "terms", "formula": "numbers"}.get(part["form"])
            for number in part[named] if named else ():
                if number.get("label", number.get("symbol"))[0] in "bγβ":
                    assert number["key"] in keys


def test_changed_weights_give_another_sum():
    network, image = opened("simple")
    before = asked(network, image=image, value=1, unit=[3, 4, 5])
    with network.lock:
        network.model["conv1"].weight.data[...] *= 2
        network.changed()
    after = asked(network, image=image, value=1, unit=[3, 4, 5])
    assert after["parts"][0]["result"] == pytest.approx(2 * before["parts"][0]["result"], rel=1e-5)
    assert after["result"] == pytest.approx(after["engine"], rel=1e-5)


def test_a_pixel_has_no_parts():
    network, image = opened("simple")
    told = asked(network, image=image, value=0, unit=[0, 2, 3])
    assert told["parts"] == []
    assert told["engine"] == told["result"] == float(network.numbers(image)[0, 2, 3])


def test_a_unit_or_an_image_that_does_not_exist_is_refused():
    network, image = opened("simple")
    with pytest.raises(ArgumentError, match="unit: must be 3 indices"):
        asked(network, image=image, value=1, unit=[0, 0, 24])
    with pytest.raises(ArgumentError, match="value"):
        asked(network, image=image, value=99, unit=[0])
    with pytest.raises(ForgottenError):
        asked(network, image="x", value=1, unit=[0, 0, 0])
