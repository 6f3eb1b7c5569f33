"""Parts of networks, and networks with another part."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import models, nn
from pellucid.errors import ArgumentError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def resnet():
    return models.ResNet20(rng=np.random.default_rng(0)).eval()


def _inception() -> nn.Sequential:
    rng = np.random.default_rng(1)
    return nn.Sequential(
        stem=nn.Conv2d(3, 4, 3, padding=1, rng=rng),
        both=nn.Branches(
            ones=nn.Conv2d(4, 2, 1, rng=rng),
            deep=nn.Sequential(
                conv=nn.Conv2d(4, 3, 1, rng=rng),
                relu=nn.ReLU(),
                last=nn.Conv2d(3, 5, 3, padding=1, rng=rng),
            ),
        ),
        pool=nn.GlobalAvgPool2d(),
        flatten=nn.Flatten(),
        fc=nn.Linear(7, 10, rng=rng),
    )


def test_every_layer_is_found_by_the_name_it_has_in_state_dicts(resnet):
    for key in resnet.parameters():
        path, _, attribute = key.rpartition(".")
        assert getattr(nn.layer_at(resnet, path), attribute) is resnet.parameters()[key]


def test_a_name_that_does_not_exist_is_answered_with_the_nearest(resnet):
    with pytest.raises(ArgumentError, match=r"ResNet20: has no layer 'layer1\.0\.conf1'.*conv1"):
        nn.trunk(resnet, "layer1.0.conf1")


@pytest.mark.parametrize(
    "name", ["conv1", "relu", "layer1", "layer1.0", "layer2.0.conv1", "layer2.0.downsample", "fc"]
)
def test_a_trunk_makes_what_that_layer_makes_inside_the_whole_network(resnet, name):
    x = RNG.random((2, 3, 32, 32), dtype=np.float32)
    made = []
    layer = nn.layer_at(resnet, name)
    forward = layer.forward
    layer.forward = lambda x: made.append(forward(x)) or made[-1]
    try:
        resnet(x)
        if not made:  # a residual block's layers run as a chain of their own
            pytest.fail(f"{name} was not called")
    finally:
        del layer.forward
    np.testing.assert_array_equal(nn.trunk(resnet, name)(x), made[0])


def test_a_trunk_into_a_branch_leaves_the_other_branches_out():
    model = _inception().eval()
    part = nn.trunk(model, "both.deep.relu")
    assert [name for name, _ in part.layers()] == [
        "", "stem", "both", "both.deep", "both.deep.conv", "both.deep.relu",
    ]  # fmt: skip
    x = RNG.random((1, 3, 6, 6), dtype=np.float32)
    deep = model["both"]["deep"]
    expected = deep["relu"](deep["conv"](model["stem"](x)))
    np.testing.assert_array_equal(part(x), expected)


def test_a_trunk_shares_the_layers_and_their_names_stay(resnet):
    names = {id(layer): (name, layer.name) for name, layer in resnet.layers()}
    part = nn.trunk(resnet, "layer3.1.bn2")
    assert part.parameters().items() <= resnet.parameters().items()
    assert names == {id(layer): (name, layer.name) for name, layer in resnet.layers()}


def test_what_runs_its_layers_in_its_own_way_is_refused():
    class Twice(nn.Sequential):
        def forward(self, x):
            return super().forward(super().forward(x))

    model = Twice(conv=nn.Conv2d(1, 1, 1), relu=nn.ReLU())
    with pytest.raises(ArgumentError, match="Twice: overrides forward"):
        nn.trunk(model, "conv")
    with pytest.raises(ArgumentError, match="overrides forward"):
        nn.replaced(model, "relu", nn.Tanh())


@pytest.mark.parametrize("name", ["both.deep.last", "stem", "fc"])
def test_a_replaced_layer_stands_in_its_place_and_all_others_are_the_same_objects(name):
    model = _inception()
    new = nn.Conv2d(3, 5, 3, padding=1) if "last" in name else nn.Conv2d(3, 4, 3, padding=1)
    new = nn.Linear(7, 3) if name == "fc" else new
    changed = nn.replaced(model, name, new)
    before, after = dict(model.layers()), dict(changed.layers())
    assert list(before) == list(after)
    assert after[name] is new
    assert all(
        after[k] is before[k] for k in before if k != name and not list(before[k].children())
    )
    assert changed.output_shape((3, 8, 8)) == ((3,) if name == "fc" else (10,))


def test_a_block_inside_a_residual_can_be_replaced_and_so_can_its_shortcut(resnet):
    changed = nn.replaced(resnet, "layer2.0.downsample", nn.Conv2d(16, 32, 1, stride=2))
    assert changed.output_shape((3, 32, 32)) == (10,)
    assert "layer2.0.downsample.weight" in changed.parameters()
    assert "layer2.0.downsample.weight" not in resnet.parameters()


@pytest.mark.parametrize(
    ("model", "head"),
    [
        (models.SimpleConvNet(), "affine2"),
        (models.DeepConvNet(), "affine2"),
        (models.ResNet20(), "fc"),
        (models.AllConvolutionalNet(), None),
    ],
    ids=lambda m: type(m).__name__,
)
def test_a_new_head_has_as_many_outputs_as_there_are_classes(model, head):
    shape = model.input_shape
    changed = nn.with_head(model, 7, rng=np.random.default_rng(3))
    assert changed.output_shape(shape) == (7,)
    assert model.output_shape(shape) == (10,)
    differing = [k for k, p in changed.parameters().items() if p is not model.parameters()[k]]
    assert {k.rpartition(".")[0] for k in differing} == ({head} if head else {differing[0][:-7]})
    assert changed.input_shape == model.input_shape


def test_a_last_layer_without_a_number_of_classes_is_refused():
    model = nn.Sequential(norm=nn.BatchNorm2d(3))
    with pytest.raises(
        ArgumentError, match=r"ends in BatchNorm2d\(3\), whose number of outputs cannot be changed"
    ):
        nn.with_head(model, 4)


def test_the_names_of_classes_do_not_stay_with_a_new_head():
    model = models.SimpleConvNet((1, 12, 12), classes=3, rng=np.random.default_rng(0))
    model.card = nn.Card("pets", ("cat", "dog", "fish"), value_range=(0.0, 1.0))
    for outputs in (2, 3, 5):
        card = nn.with_head(model, outputs).card
        assert card.classes == tuple(map(str, range(outputs)))
        assert (card.dataset, card.value_range) == ("pets", (0.0, 1.0))
    head = nn.Sequential(drop=nn.Dropout(), fc=nn.Linear(100, 4))
    assert nn.replaced(model, "affine2", head).card.classes == ("0", "1", "2", "3")
    assert nn.replaced(model, "relu1", nn.LeakyReLU()).card is model.card
    assert model.card.classes == ("cat", "dog", "fish")
    assert nn.with_head(models.SimpleConvNet((1, 12, 12)), 4).card is None
    assert nn.replaced(model, "affine2", nn.Linear(7, 4)).card.classes == ()  # it does not fit
