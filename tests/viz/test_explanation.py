"""Why this answer: four methods against independent witnesses."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import nn, viz
from pellucid.errors import ArgumentError, ShapeError
from pellucid.models import VGG11, AllConvolutionalNet, GoogLeNet, LeNet5, ResNet20, SimpleConvNet
from pellucid.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, Sigmoid

SHAPE = (3, 10, 12)


def net(activation=ReLU) -> Sequential:
    rng = np.random.default_rng(2)
    model = Sequential(
        conv1=Conv2d(3, 4, 3, padding=1, rng=rng),
        act1=activation(),
        conv2=Conv2d(4, 5, 3, 2, 1, rng=rng),
        act2=activation(),
        pool=MaxPool2d(2),
        flatten=Flatten(),
        fc=Linear(5 * 2 * 3, 4, rng=rng),
    )
    model.input_shape = SHAPE
    return model


def image(shape=SHAPE, dtype=np.float32):
    return np.random.default_rng(5).random(shape).astype(dtype)


def peer_of(torch, model: Sequential):
    """The same network in PyTorch; its maps behind act2 can be asked for."""
    front = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(4, 5, 3, 2, 1), torch.nn.ReLU(),
    )  # fmt: skip
    back = torch.nn.Sequential(torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(30, 4))
    state = {k: torch.from_numpy(v) for k, v in model.state_dict().items()}
    with torch.no_grad():
        for theirs, ours in ((front[0], "conv1"), (front[2], "conv2"), (back[2], "fc")):
            theirs.weight.copy_(state[f"{ours}.weight"])
            theirs.bias.copy_(state[f"{ours}.bias"])
    return front, back


def test_the_input_gradient_is_the_numerical_one():
    model, x = net().astype(np.float64), image(dtype=np.float64)
    gradient = viz.input_gradient(model, x, 2)
    rng, eps = np.random.default_rng(0), 1e-6
    for _ in range(20):
        c, i, j = (int(rng.integers(n)) for n in SHAPE)
        up, down = x.copy(), x.copy()
        up[c, i, j] += eps
        down[c, i, j] -= eps
        both = [model(v[None])[0, 2] for v in (up, down)]
        assert gradient[c, i, j] == pytest.approx((both[0] - both[1]) / (2 * eps), abs=1e-6)


def test_saliency_is_the_largest_gradient_of_autograd_over_the_channels(torch):
    model, x = net(), image()
    front, back = peer_of(torch, model)
    leaf = torch.from_numpy(x[None]).requires_grad_()
    back(front(leaf))[0, 1].backward()
    expected = leaf.grad[0].abs().amax(dim=0).numpy()
    np.testing.assert_allclose(viz.saliency(model, x, 1), expected, rtol=1e-4, atol=1e-6)


def test_grad_cam_is_that_of_autograd(torch):
    model, x = net(), image()
    front, back = peer_of(torch, model)
    assert viz.cam_layer(model, SHAPE) == "act2"
    seen = 0
    for target in range(4):
        maps = front(torch.from_numpy(x[None]))
        maps.retain_grad()
        back(maps)[0, target].backward()
        weights = maps.grad.mean(dim=(2, 3), keepdim=True)
        expected = torch.relu((weights * maps).sum(dim=1))[0].detach().numpy()
        ours = viz.grad_cam(model, x, target)
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)
        seen += int(ours.any())
    assert seen


def test_guided_backpropagation_is_autograd_with_gradients_clamped_at_every_relu(torch):
    model, x = net(), image()
    front, back = peer_of(torch, model)
    for k in (1, 3):
        front[k].register_full_backward_hook(lambda _, given, __: (given[0].clamp(min=0),))
    leaf = torch.from_numpy(x[None]).requires_grad_()
    back(front(leaf))[0, 3].backward()
    ours = viz.guided_backpropagation(model, x, 3)
    np.testing.assert_allclose(ours, leaf.grad[0].numpy(), rtol=1e-4, atol=1e-6)
    assert type(model["act1"]) is ReLU
    assert (ours != viz.input_gradient(model, x, 3)).any()


def test_occlusion_is_what_each_covered_image_scores():
    model, x = net(), image()
    falls = viz.occlusion(model, x, 0, size=3, stride=4, fill=0.25, batch_size=4)
    assert falls.shape == (3, 3)
    whole = model(x[None])[0, 0]
    for a, i in enumerate(range(0, 10, 4)):
        for b, j in enumerate(range(0, 12, 4)):
            covered = x.copy()
            for u in range(i - 1, i + 2):
                for v in range(j - 1, j + 2):
                    if 0 <= u < 10 and 0 <= v < 12:
                        covered[:, u, v] = 0.25
            expected = whole - model(covered[None])[0, 0]
            assert falls[a, b] == pytest.approx(expected, abs=1e-5)


METHODS = [viz.saliency, viz.guided_backpropagation, viz.occlusion, viz.grad_cam]


@pytest.mark.parametrize("method", METHODS)
def test_whole_numbers_and_lists_are_the_same_image(method):
    whole = np.random.default_rng(3).integers(0, 3, SHAPE, dtype=np.uint8)
    expected = method(net(), whole.astype(np.float64), 1)
    for same in (whole, whole.astype(np.int16), whole.tolist()):
        np.testing.assert_allclose(method(net(), same, 1), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", [*METHODS, viz.why])
@pytest.mark.parametrize("target", [-1, 4, 1.0, True, "1", np.float32(1)])
def test_what_is_no_class_is_refused(method, target):
    with pytest.raises(ArgumentError, match="target: must be a class from 0 to 3, received"):
        method(net(), image(), target)
    method(net(), image(), np.int64(1))


@pytest.mark.parametrize(
    ("make", "shape", "layer"),
    [
        (SimpleConvNet, (1, 12, 16), "relu1"),
        (LeNet5, (1, 28, 28), None),
        (ResNet20, (3, 16, 24), "layer3.relu2"),
        (AllConvolutionalNet, (3, 32, 32), None),
    ],
)
def test_every_kind_of_network_can_be_asked(make, shape, layer):
    model = make(shape, rng=np.random.default_rng(0))
    if layer is not None:
        assert viz.cam_layer(model, shape) == layer
    figure = viz.why(model, image(shape))
    titles = [axes.get_title(loc="left") for axes in figure.axes[1:5]]
    assert titles[0] == "saliency"
    assert titles[3].startswith("Grad-CAM")


def test_grad_cam_takes_a_whole_module_of_branches_and_the_maps_before_pooling():
    assert viz.cam_layer(GoogLeNet(), (3, 224, 224)).startswith("inception5b")
    assert viz.cam_layer(VGG11((3, 32, 32)), (3, 32, 32))


def test_the_answer_and_the_question_are_written_beside_the_image():
    model, x = net(), image()
    scores = model(x[None])[0]
    best, other = int(scores.argmax()), int(scores.argmin())
    title = viz.why(model, x, other, methods=["saliency"], classes="abcd", label=0).axes[0]
    lines = title.get_title(loc="left").split("\n")
    assert lines[0].startswith(f"explained: {'abcd'[other]}, score {scores[other]:.2f}, ")
    assert lines[1].startswith(f"predicted: {'abcd'[best]}, ")
    assert lines[2] == "true: a"


def test_questions_that_make_no_sense_are_refused():
    model, x = net(Sigmoid), image()
    with pytest.raises(ArgumentError, match=r"has no ReLU layer.*Use the saliency map"):
        viz.guided_backpropagation(model, x, 0)
    with pytest.raises(ArgumentError, match="class from 0 to 3, received 4"):
        viz.saliency(model, x, 4)
    with pytest.raises(ArgumentError, match="there is no 'cam'"):
        viz.why(model, x, methods=["cam"])
    with pytest.raises(ArgumentError, match="'fc' makes 4 numbers, not maps"):
        viz.grad_cam(model, x, 0, "fc")
    with pytest.raises(ArgumentError, match="no convolutional maps"):
        viz.grad_cam(Sequential(Flatten(), Linear(360, 3)), x, 0)
    with pytest.raises(ArgumentError, match="size: must be 1 or more, received 0"):
        viz.occlusion(model, x, 0, size=0)
    with pytest.raises(ShapeError, match=r"expects one image \(C, H, W\), received \(1, 3"):
        viz.saliency(model, x[None], 0)
    with pytest.raises(ShapeError, match="one score a class"):
        viz.saliency(Sequential(Conv2d(3, 2, 3)), x, 0)


def test_guided_backpropagation_changes_relus_with_a_limit_too():
    x = image() / 100  # so that no output reaches the limit
    plain = viz.saliency(net(), x, 1)
    guided = viz.guided_backpropagation(net(), x, 1)
    assert not np.array_equal(np.abs(guided).max(axis=0), plain)
    for limited in (nn.ReLU6, lambda: nn.Clip(0, 6)):
        np.testing.assert_array_equal(viz.guided_backpropagation(net(limited), x, 1), guided)
    with pytest.raises(ArgumentError, match="has no ReLU layer"):
        viz.guided_backpropagation(net(lambda: nn.Clip(-1, 1)), x, 1)


def test_without_a_relu_the_other_methods_are_still_drawn():
    figure = viz.why(net(Sigmoid), image())
    assert any("has no ReLU" in t.get_text() for axes in figure.axes for t in axes.texts)


def test_asking_leaves_the_model_as_it_was():
    model = net()
    names = [(name, layer.name) for name, layer in model.layers()]
    for p in model.parameters().values():
        p.grad = np.full_like(p.data, 7)
    viz.why(model, image())
    assert [(name, layer.name) for name, layer in model.layers()] == names
    assert all((p.grad == 7).all() and p.rate == 1 for p in model.parameters().values())
    assert all(layer.training for _, layer in model.layers())
