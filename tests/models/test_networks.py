"""What all networks promise: by name, written down, saved, trained, their scores and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from models import mobile_peers, peers
from ops.witness import assert_agrees, tensor
from pellucid import engine, load, nn, optim, save, summary
from pellucid.errors import ArgumentError, ShapeError
from pellucid.formats import build, describe
from pellucid.models import (
    VGG11,
    VGG16,
    AlexNet,
    AllConvolutionalNet,
    ConvNeXt,
    DeepConvNet,
    EfficientNet,
    GoogLeNet,
    LeNet5,
    MobileNetV2,
    MobileNetV3Small,
    ResNet18,
    ResNet20,
    SqueezeNet,
    by_name,
    published_for,
)
from pellucid.models.registry import NAMES
from pellucid.nn import Dropout, SoftmaxCrossEntropy
from pellucid.nn.init import without_values

# As small as they go, and the images that they take.
SMALL = {
    "deep": (lambda **o: DeepConvNet((1, 8, 8), 3, 9, **o), (1, 8, 8)),
    "lenet": (lambda **o: LeNet5((1, 12, 12), 3, **o), (1, 12, 12)),
    "lenet published": (lambda **o: LeNet5((1, 28, 28), 3, "published", **o), (1, 28, 28)),
    "alexnet": (lambda **o: AlexNet((3, 67, 67), 3, 9, **o), (3, 67, 67)),
    "alexnet one tower": (lambda **o: AlexNet((3, 67, 67), 3, 9, "one-tower", **o), (3, 67, 67)),
    "alexnet torchvision": (
        lambda **o: AlexNet((3, 63, 63), 3, 9, "torchvision", **o),
        (3, 63, 63),
    ),
    "vgg11": (lambda **o: VGG11((3, 32, 32), 3, 9, **o), (3, 32, 32)),
    "allconv": (lambda **o: AllConvolutionalNet((3, 9, 9), 3, **o), (3, 9, 9)),
    "googlenet": (lambda **o: GoogLeNet((3, 47, 47), 3, **o), (3, 47, 47)),
    "resnet18": (lambda **o: ResNet18((3, 17, 17), 3, **o), (3, 17, 17)),
    "resnet20": (lambda **o: ResNet20((3, 8, 8), 3, **o), (3, 8, 8)),
    "mobilenet-v2": (lambda **o: MobileNetV2((3, 20, 23), 3, 0.1, **o), (3, 20, 23)),
    "mobilenet-v3-small": (lambda **o: MobileNetV3Small((3, 20, 23), 3, 0.3, **o), (3, 20, 23)),
    "efficientnet": (lambda **o: EfficientNet((3, 20, 23), 3, 0.3, 0.3, **o), (3, 20, 23)),
    "convnext": (
        lambda **o: ConvNeXt((3, 32, 33), 3, (1, 1, 2, 1), (8, 16, 24, 32), **o),
        (3, 32, 33),
    ),
    "squeezenet": (lambda **o: SqueezeNet((3, 32, 33), 3, **o), (3, 32, 33)),
    "resnet20 option B": (lambda **o: ResNet20((3, 7, 8), 3, "B", **o), (3, 7, 8)),
}
# Where the first scores are nearly 0, so that the loss falls more slowly.
RATES = dict.fromkeys(
    ("squeezenet", "mobilenet-v2", "mobilenet-v3-small", "efficientnet", "convnext"), 1e-3
)
every_network = pytest.mark.parametrize("name", SMALL)


def _images(shape, n=4):
    return np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)


@every_network
def test_it_knows_its_images_and_gives_scores_in_float32(name):
    make, shape = SMALL[name]
    model = make(rng=np.random.default_rng(0)).eval()
    y = model(_images(shape, 2))
    assert (y.shape, y.dtype) == ((2, 3), np.float32)
    assert np.isfinite(y).all()
    assert model.input_shape == shape
    assert model.output_shape(shape) == (3,)
    table = summary(model)
    assert table.parameters == model.parameter_count()
    assert table.multiply_adds == model.multiply_adds(shape)


@every_network
def test_the_same_generator_gives_the_same_network(name):
    make, _ = SMALL[name]
    first, again = (make(rng=np.random.default_rng(5)).state_dict() for _ in range(2))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    weights = [v.ravel()[:50] for k, v in first.items() if k.endswith("weight") and v.ndim > 1]
    assert len({tuple(w) for w in weights}) == len(weights), "two layers have the same weights"


@every_network
def test_the_initial_weights_are_those_that_were_asked_for(name):
    make, _ = SMALL[name]
    for layer in make(weight_init=0.5).layers():
        if hasattr(layer[1], "weight_init"):
            assert layer[1].weight_init == 0.5, layer


@every_network
def test_it_is_loaded_as_it_was_saved(name, tmp_path):
    make, shape = SMALL[name]
    model = make(weight_init=0.2, rng=np.random.default_rng(0))
    model(_images(shape, 2))  # so that running statistics move
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert type(again) is type(model)
    assert again.config() == model.config()
    assert repr(again) == repr(model)
    x = _images(shape, 2)
    assert np.array_equal(again(x), model.eval()(x))


@every_network
def test_a_few_steps_lower_its_loss(name):
    make, shape = SMALL[name]
    model = make(rng=np.random.default_rng(0))
    for _, layer in model.layers():
        if isinstance(layer, Dropout):
            layer.p = 0.0
    x, labels = _images(shape), np.array([0, 1, 2, 1])
    loss, rule = SoftmaxCrossEntropy(), optim.by_name("adam", RATES.get(name, 1e-4))
    losses = []
    for _ in range(6):
        losses.append(loss(model(x), labels))
        model.backward(loss.backward())
        rule.step(model.parameters())
    assert losses[-1] < 0.9 * losses[0], losses


@pytest.mark.parametrize("name", sorted(RATES))
def test_the_engine_runs_it_as_its_layers_do(name):
    make, shape = SMALL[name]
    model, plain = (make(rng=np.random.default_rng(0)) for _ in range(2))
    plan, x = engine.compile(model, shape, 4), _images(shape)
    assert_agrees(plan(x), plain(x), within=1e-3, what=f"{name} training")
    # Gradients with fixed statistics: those of four cells amplify every rounding.
    dy = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
    model.eval(), plain.eval()
    assert_agrees(plan(x), plain(x), within=1e-4, what=f"{name} y")
    assert_agrees(plan.backward(dy, need_dx=True), plain.backward(dy), within=1e-4)
    # Both round, and rounding grows from layer to layer: MobileNetV2's gradients are 4e-5 (layers)
    # and 9e-5 (plan) from those in float64, on one machine; on another 4e-5 both.
    for key, p in plain.parameters().items():
        assert_agrees(model.parameters()[key].grad, p.grad, within=2e-4, what=f"{name} {key}")


@pytest.mark.parametrize("name", sorted(RATES))
def test_with_another_head_it_is_saved_loaded_and_run_over_larger_images(name, tmp_path):
    make, shape = SMALL[name]
    model = nn.with_head(make(rng=np.random.default_rng(0)), 5).eval()
    model.input_shape = shape
    nn.freeze(model, "features*")
    head = nn.head_name(model)
    learn = {key for key, p in model.parameters().items() if p.rate}
    assert {f"{head}.weight", f"{head}.bias"} <= learn
    assert not any(key.startswith("features") for key in learn)
    save(model, tmp_path / "m.safetensors")
    again, x = load(tmp_path / "m.safetensors"), _images(shape, 2)
    assert again.state_dict().keys() == model.state_dict().keys()
    assert np.array_equal(again(x), model(x))
    part = nn.trunk(again, "features.4")
    assert part.output_shape(shape) == part.eval()(x).shape[1:]
    net = nn.to_convolutional(again)
    assert_agrees(net(x)[:, :, 0, 0], model(x), within=1e-5)
    larger = (3, shape[1] + 32, shape[2] + 32)
    scores = net.output_shape(larger)
    assert net(_images(larger, 2)).shape == (2, *scores)
    assert (scores[0], min(scores[1:]) > 1) == (5, True)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_builds_what_was_published(name):
    images, classes = published_for(name)
    with without_values():
        model = by_name(name, images, classes)
        again = build(describe(model))
    assert model.output_shape(images) == (classes,)
    assert repr(again) == repr(model)
    assert {k: p.data.shape for k, p in again.buffers().items()} == {
        k: p.data.shape for k, p in model.buffers().items()
    }


@pytest.mark.parametrize(
    ("name", "least"),
    [("alexnet", 67), ("vgg11", 32), ("vgg16", 32), ("allconv", 9), ("googlenet", 31),
     ("squeezenet", 17), ("convnext-tiny", 32), ("lenet", 12), ("deep", 4), ("simple", 2)],
)  # fmt: skip
def test_images_that_are_too_small_are_told_the_least_size_and_what_takes_them(name, least):
    with without_values():
        assert by_name(name, (3, least, least + 1), 7).output_shape((3, least, least + 1)) == (7,)
        said = (
            rf"^model: '{name}' needs images of at least {least}x{least}, received "
            rf"{least - 1}x{least}\. For these there are: .*resnet18, resnet20"
        )
        with pytest.raises(ShapeError, match=said):
            by_name(name, (3, least - 1, least), 7)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ArgumentError, match=r"^model: 'resnet2' is unknown\. Did you mean 'resnet"):
        by_name("resnet2", (3, 32, 32), 10)
    with pytest.raises(ArgumentError, match=r"^model: 'alex' is unknown\. Did you mean 'alexnet'"):
        published_for("alex")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "simple"])
def test_images_that_are_none_are_refused(name):
    with pytest.raises(
        ArgumentError, match=r"^input_shape: must be \(channels, height, width\), t"
    ):
        by_name(name, (3, 32, 0), 10)


# Against PyTorch.

TWINS = {
    "alexnet torchvision": lambda torch: peers.alexnet(torch, 3, 9, 1),
    "vgg11": lambda torch: peers.vgg(torch, VGG11.filters, 3, 9, 1),
    "resnet18": lambda torch: peers.resnet18(torch, 3),
    "squeezenet": lambda torch: peers.squeezenet(torch, 3),
    "mobilenet-v2": lambda torch: mobile_peers.mobilenet_v2(torch, 3, 0.1),
    "mobilenet-v3-small": lambda torch: mobile_peers.mobilenet_v3_small(torch, 3, 0.3),
    "efficientnet": lambda torch: mobile_peers.efficientnet(torch, 3, 0.3, 0.3),
    "convnext": lambda torch: mobile_peers.convnext(torch, 3, (1, 1, 2, 1), (8, 16, 24, 32)),
}


@pytest.mark.parametrize(
    ("name", "training"), [*((name, False) for name in TWINS), ("resnet18", True)]
)
def test_scores_and_gradients_equal_torch(name, training, torch):  # dropout draws other masks
    make, shape = SMALL[name]
    model = make(rng=np.random.default_rng(0)).astype(np.float64).train(training)
    twin = TWINS[name](torch).double().train(training)
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in model.state_dict().items()})
    x = _images(shape).astype(np.float64)
    tx = tensor(torch, x)
    ty = twin(tx)
    y = model(x)
    assert_agrees(y, ty.detach().numpy(), what=f"{name} y")
    dy = np.random.default_rng(2).normal(size=y.shape)
    ty.backward(torch.from_numpy(dy))
    assert_agrees(model.backward(dy), tx.grad.numpy(), what=f"{name} dx")
    for key, p in twin.named_parameters():
        assert_agrees(model.parameters()[key].grad, p.grad.numpy(), what=f"{name} {key}")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: AlexNet(variant="torchvision"), peers.alexnet),
        (
            VGG11,
            lambda torch: peers.vgg(torch, ((64,), (128,), (256,) * 2, (512,) * 2, (512,) * 2)),
        ),
        (
            VGG16,
            lambda t: peers.vgg(t, ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)),
        ),
        (ResNet18, peers.resnet18),
        (SqueezeNet, peers.squeezenet),
        (MobileNetV2, mobile_peers.mobilenet_v2),
        (MobileNetV3Small, mobile_peers.mobilenet_v3_small),
        (EfficientNet, mobile_peers.efficientnet),
        (ConvNeXt, mobile_peers.convnext),
    ],
    ids=[
        "alexnet",
        "vgg11",
        "vgg16",
        "resnet18",
        "squeezenet",
        "mobilenet-v2",
        "mobilenet-v3-small",
        "efficientnet-b0",
        "convnext-tiny",
    ],
)
def test_keys_and_shapes_are_torchvisions_in_their_order(ours, theirs, torch):
    with without_values():
        state = {key: buffer.data.shape for key, buffer in ours().buffers().items()}
    expected = peers.shapes(torch, lambda: theirs(torch))
    assert list(state.items()) == list(expected.items())
