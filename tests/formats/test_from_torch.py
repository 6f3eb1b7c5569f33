"""Modules of PyTorch become graphs: scores, gradients and keys are the same, at any N."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import data, engine, nn
from pellucid.errors import ArgumentError

torch = pytest.importorskip("torch")
T = torch.nn
F = torch.nn.functional


class Net(T.Module):  # type: ignore[misc]
    """Modules by name, and a function of them and the input."""

    def __init__(self, forward: Any, **modules: Any) -> None:
        super().__init__()
        for name, module in modules.items():
            if isinstance(module, T.Parameter):
                self.register_parameter(name, module)
            elif torch.is_tensor(module):
                self.register_buffer(name, module)
            else:
                self.add_module(name, module)
        self.run = forward

    def forward(self, *x: Any) -> Any:
        return self.run(self, *x)


def _residual(m: Any, x: Any) -> Any:
    y = m.bn2(m.conv2(m.relu(m.bn1(m.conv1(x)))))
    y += m.down(x)
    return m.fc(torch.flatten(m.pool(m.relu(y)), 1))


def _gated(m: Any, x: Any) -> Any:
    return x * m.up(F.relu(m.down(x.mean((2, 3), keepdim=True)), inplace=True)).sigmoid()


def _parts(m: Any, x: Any) -> Any:
    a, b = x.chunk(2, dim=1)
    c, d = torch.split(m.conv(a), [1, 3], dim=1)
    first, *_ = b.unbind(1)
    y = torch.cat([b, c, d, torch.stack([first, x[:, 1]], dim=1)], 1)
    return torch.roll(y[:, :, 1:, ::2].flip(3), (1, 2), (2, 3))[:, [4, 0, 1]]


def _shuffled(m: Any, x: Any) -> Any:
    n, c, h, w = x.shape
    return m.conv(x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, -1, h, w))


def _functions(m: Any, x: Any) -> Any:
    y = F.pad(F.relu(x), (1, 2, 0, 1), mode="reflect")
    y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
    y = F.interpolate(F.avg_pool2d(y, 3, ceil_mode=True), size=(5, 7))
    y = F.max_pool2d(F.adaptive_avg_pool2d(y, (4, 3)), 2, 1, padding=1)
    y = F.hardswish(y) + F.elu(y, 0.5) - F.softplus(y, 2) * F.leaky_relu(y, 0.2)
    return F.adaptive_max_pool2d(y, 1).flatten(1)


def _numbers(m: Any, x: Any) -> Any:
    y = torch.clamp(2 - x, min=-1, max=1.5) / 3 + torch.maximum(x, -x) ** 1.5
    y = torch.sub(y, x, alpha=0.5).add_(1).mul(m.buffer)
    centred = y - y.mean(1, keepdim=True)
    return centred * torch.rsqrt(y.var(1, keepdim=True) + 1e-3)


def _next(m: Any, x: Any) -> Any:
    y = m.norm(m.dw(x).permute(0, 2, 3, 1))
    return x + m.gamma * m.two(F.gelu(m.one(y))).permute(0, 3, 1, 2)


def _windows(m: Any, x: Any) -> Any:
    """Treat the four quarters of an image as four images, as Swin does."""
    n, c, h, w = x.shape
    y = x.view(n, c, 2, h // 2, 2, w // 2).permute(0, 2, 4, 3, 5, 1)
    y = m.norm(y.reshape(n * 4, h * w // 4, c))
    q, k, v = m.qkv(y).reshape(n * 4, -1, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
    a = (q @ k.transpose(-2, -1) * 0.5 + m.table[m.index]).softmax(-1)
    y = (a @ v).transpose(1, 2).reshape(n, 2, 2, h // 2, w // 2, c)
    return y.permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w)


def _tokens(m: Any, x: Any) -> Any:
    y = m.patches(x).flatten(2).transpose(1, 2)
    y = torch.cat([m.token.expand(y.shape[0], -1, -1), y], dim=1) + m.places
    z = m.norm(y)
    return (y + m.attention(z, z, z, need_weights=False)[0])[:, 0]


def _rows(m: Any, x: Any) -> Any:
    y = x.flatten(2).transpose(1, 2)
    return m.bn(m.fc(y).flatten(0, 1)).reshape_as(y)


def _twice(m: Any, x: Any) -> Any:
    return m.conv(F.relu(m.conv(x)))


def _einsum(m: Any, x: Any) -> Any:
    return torch.einsum("nchw,oc->nohw", x, m.weight)


def _conv(*arguments: Any, **more: Any) -> Any:
    return T.Conv2d(*arguments, **more)


def _parameter(*shape: int) -> Any:
    return T.Parameter(torch.rand(shape) + 0.5)


NETS = {
    "residual": lambda: Net(
        _residual, conv1=_conv(4, 6, 3, 2, 1, bias=False), bn1=T.BatchNorm2d(6),
        conv2=_conv(6, 6, 3, 1, 1, bias=False), bn2=T.BatchNorm2d(6), relu=T.ReLU(inplace=True),
        down=T.Sequential(_conv(4, 6, 1, 2, bias=False), T.BatchNorm2d(6)),
        pool=T.AdaptiveAvgPool2d(1), fc=T.Linear(6, 3)),
    "gate": lambda: Net(_gated, down=_conv(4, 2, 1), up=_conv(2, 4, 1)),
    "depthwise": lambda: T.Sequential(
        _conv(4, 8, 1), _conv(8, 8, (3, 2), groups=8, dilation=2, padding="same"),
        T.BatchNorm2d(8, momentum=0.2), T.Hardswish(), T.PReLU(8)),
    "parts": lambda: Net(_parts, conv=_conv(2, 4, 1)),
    "shuffle": lambda: Net(_shuffled, conv=_conv(4, 3, 3)),
    "functions": lambda: Net(_functions),
    "numbers": lambda: Net(_numbers, buffer=torch.rand(4, 1, 1)),
    "next": lambda: Net(
        _next, dw=_conv(4, 4, 3, padding=1, groups=4), norm=T.LayerNorm(4),
        one=T.Linear(4, 8), two=T.Linear(8, 4), gamma=_parameter(4, 1, 1)),
    "windows": lambda: Net(
        _windows, norm=T.LayerNorm(4), qkv=T.Linear(4, 12), table=_parameter(5),
        index=torch.arange(12)[:, None] % 5),
    "tokens": lambda: Net(
        _tokens, patches=_conv(4, 6, 2, 2), token=_parameter(1, 1, 6), places=_parameter(1, 13, 6),
        norm=T.LayerNorm(6), attention=T.MultiheadAttention(6, 2, batch_first=True)),
    "rows": lambda: Net(_rows, fc=T.Linear(4, 4), bn=T.BatchNorm1d(4)),
    "twice": lambda: Net(_twice, conv=_conv(4, 4, 3)),
    "transposed": lambda: T.Sequential(
        T.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), T.GroupNorm(2, 6),
        T.SiLU(), T.InstanceNorm2d(6), T.PixelUnshuffle(2), T.LocalResponseNorm(3)),
    "taken apart by PyTorch": lambda: Net(_einsum, weight=_parameter(3, 4)),
}  # fmt: skip
SHAPE = (4, 8, 6)


def module_of(name: str) -> Any:
    torch.manual_seed(0)
    module = NETS[name]()
    for each in module.modules():
        if isinstance(each, T.BatchNorm1d | T.BatchNorm2d):
            each.running_mean.normal_()
            each.running_var.uniform_(0.5, 2)
    return module.eval()


def images(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


def assert_close(received: Any, expected: Any, relative: float = 1e-5) -> None:
    expected = expected.detach().numpy()
    assert received.shape == expected.shape
    assert np.abs(received - expected).max() <= relative * np.abs(expected).max()


@pytest.mark.parametrize("name", NETS)
def test_a_module_becomes_a_graph_with_its_scores_and_gradients(name):
    module = module_of(name)
    graph = pellucid.from_torch(module, SHAPE)
    for count in (1, 5):
        with torch.no_grad():
            assert_close(graph(images(count)), module(torch.from_numpy(images(count))))
    x = torch.from_numpy(images(2)).requires_grad_()
    y = module(x)
    dy = np.random.default_rng(2).normal(size=tuple(y.shape)).astype(np.float32)
    y.backward(torch.from_numpy(dy))
    graph(images(2))
    assert_close(graph.backward(dy), x.grad, 1e-4)
    gradients = {key: p.grad for key, p in graph.parameters().items()}
    shared = [
        (gradients[key], p.grad)
        for key, p in module.named_parameters()
        if key in gradients and gradients[key].shape == tuple(p.shape) and name != "twice"
    ]
    assert shared or not list(module.parameters()) or name in ("twice", "taken apart by PyTorch")
    for received, expected in shared:
        assert_close(received, expected, 1e-4)


@pytest.mark.parametrize("name", ["residual", "gate", "depthwise", "shuffle"])
def test_keys_and_weights_are_those_of_the_module(name):
    module = module_of(name)
    graph = pellucid.from_torch(module, SHAPE)
    weights = {key: value.numpy() for key, value in module.state_dict().items()}
    state = graph.state_dict()
    assert state.keys() == weights.keys()
    assert all(np.array_equal(state[key], value) for key, value in weights.items())
    module.load_state_dict({key: torch.from_numpy(np.array(v)) for key, v in state.items()})


def test_layers_are_called_as_submodules_are():
    names = [name for name, _ in pellucid.from_torch(module_of("residual"), SHAPE).children()]
    assert names == [
        "conv1", "bn1", "relu", "conv2", "bn2", "down.0", "down.1", "add", "relu_2", "pool",
        "flatten", "fc",
    ]  # fmt: skip


def test_whole_layers_stand_for_what_a_module_writes_out():
    next_ = pellucid.from_torch(module_of("next"), SHAPE)
    layers = [layer for _, layer in next_.children()]
    assert not any(isinstance(layer, nn.Permute) for layer in layers)
    assert any(isinstance(layer, nn.LayerNorm2d) for layer in layers)


def test_the_engine_runs_the_graph():
    module = module_of("residual")
    graph = pellucid.from_torch(module, SHAPE)
    plan = engine.compile(graph, SHAPE, batch_size=3)
    with torch.no_grad():
        assert_close(plan(images(3)), module(torch.from_numpy(images(3))))


def test_a_module_in_training_keeps_its_mode_and_its_dropouts():
    module = T.Sequential(T.Dropout(0.3), _conv(4, 2, 3), T.BatchNorm2d(2), T.Dropout2d(0.5))
    module.train()
    module[2].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    graph = pellucid.from_torch(module, SHAPE)
    assert [each.training for each in module.modules()] == [True, True, True, False, True]
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert isinstance(graph["0"], nn.Dropout)
    assert graph["0"].p == pytest.approx(0.3)
    assert graph["2"].momentum == pytest.approx(0.1)
    assert not graph.training


def test_the_graph_shares_no_memory_with_the_module():
    module = module_of("gate")
    graph = pellucid.from_torch(module, SHAPE)
    graph["down"].weight.data[...] = 0
    assert module.down.weight.abs().min() > 0


def test_what_a_module_has_frozen_stays_frozen():
    module = module_of("residual")
    module.conv1.requires_grad_(False)
    module.bn1.num_batches_tracked += 7
    graph = pellucid.from_torch(module, SHAPE)
    frozen = [key for key, parameter in graph.parameters().items() if parameter.rate == 0]
    assert frozen == ["conv1.weight"]
    assert graph.state_dict()["bn1.num_batches_tracked"] == 7


def test_the_graph_trains_on():
    train, test = data.digits()
    torch.manual_seed(0)
    module = T.Sequential(
        _conv(1, 8, 3), T.BatchNorm2d(8), T.ReLU(), T.Dropout(0.1), T.MaxPool2d(2),
        T.Flatten(), T.Linear(8 * 9, 10))  # fmt: skip
    graph = pellucid.from_torch(module, train.image_shape)
    trainer = pellucid.Trainer(graph, train[:500], test[:200], lr=0.02, seed=0)
    trainer.fit(epochs=2)
    assert pellucid.evaluate(graph, test[:200]).accuracy > 0.5
    counts = graph.state_dict()["1.num_batches_tracked"]
    assert counts > 0


def test_a_saved_graph_is_loaded_without_pytorch(tmp_path):
    graph = pellucid.from_torch(module_of("windows"), SHAPE)
    pellucid.save(graph, tmp_path / "windows.safetensors")
    again = pellucid.load(tmp_path / "windows.safetensors")
    assert np.array_equal(again(images(2)), graph(images(2)))


def test_an_example_gives_the_images_and_further_arguments():
    module = Net(lambda m, x, scale, shift: m.conv(x * scale) + shift, conv=_conv(4, 2, 3))
    scale, shift = torch.rand(4, 1, 1), np.float32(2)
    graph = pellucid.from_torch(module, example=(torch.zeros(1, *SHAPE), scale, shift))
    with torch.no_grad():
        expected = module(torch.from_numpy(images(3)), scale, shift)
    assert_close(graph(images(3)), expected)


def test_a_module_of_other_precision_becomes_float32():
    module = module_of("residual").double()
    graph = pellucid.from_torch(module, example=torch.from_numpy(images(5)))
    assert {p.data.dtype for p in graph.parameters().values()} == {np.dtype(np.float32)}
    with torch.no_grad():
        assert_close(graph(images(2)), module(torch.from_numpy(images(2)).double()))


def test_several_outputs_are_a_tuple_and_a_mapping_is_its_values():
    module = Net(lambda m, x: {"maps": m.conv(x), "mean": x.mean((2, 3))}, conv=_conv(4, 2, 3))
    maps, mean = pellucid.from_torch(module, SHAPE)(images(2))
    expected = module(torch.from_numpy(images(2)))
    assert_close(maps, expected["maps"])
    assert_close(mean, expected["mean"])


def test_a_softmax_at_the_end_is_left_out_if_wished():
    module = T.Sequential(T.Flatten(), T.Linear(math.prod(SHAPE), 3), T.Softmax(1))
    kept = pellucid.from_torch(module, SHAPE)
    dropped = pellucid.from_torch(module, SHAPE, softmax="drop")
    assert kept(images(2)).sum(1) == pytest.approx(1)
    assert_close(dropped(images(2)), module[:2](torch.from_numpy(images(2))))


def test_batch_norms_become_part_of_convolutions_if_wished():
    module = module_of("residual")
    graph = pellucid.from_torch(module, SHAPE, fold=True)
    assert not any(isinstance(layer, nn.BatchNorm2d) for _, layer in graph.children())
    with torch.no_grad():
        assert_close(graph(images(2)), module(torch.from_numpy(images(2))))


def _of_its_own(m: Any, x: Any) -> Any:
    y = m.conv(x)
    same = y
    y.mul_(2)
    return same + y.relu_() + y


def _of_parts(m: Any, x: Any) -> Any:
    y = m.conv(x)
    top = y[:, :, :4]
    top.add_(1)
    return y * 2 + F.pad(top, (0, 0, 0, 4))


def _of_the_whole(m: Any, x: Any) -> Any:
    y = m.conv(x)
    rows = y.flatten(2)
    y.add_(1)
    return rows


@pytest.mark.parametrize("changed", [_of_its_own, _of_parts, _of_the_whole])
def test_a_change_in_place_is_seen_under_other_names_and_in_parts(changed):
    module = Net(changed, conv=_conv(4, 4, 1))
    graph = pellucid.from_torch(module, SHAPE)
    with torch.no_grad():
        assert_close(graph(images(2)), module(torch.from_numpy(images(2))))


def test_a_buffer_that_forward_changes_stays_as_it_was():
    def counted(m: Any, x: Any) -> Any:
        m.count.add_(1)
        return torch.einsum("nchw,oc->nohw", x + m.count, m.weight)

    module = Net(counted, count=torch.zeros(()), weight=_parameter(3, 4))
    graph = pellucid.from_torch(module, SHAPE)
    assert module.count == 0
    with torch.no_grad():
        assert_close(graph(images(2)), module(torch.from_numpy(images(2))))
    assert isinstance(graph, nn.Graph)


# Refusals -----------------------------------------------------------------------------------


def refusal(forward: Any, match: str, **modules: Any) -> str:
    with pytest.raises(ArgumentError, match=match) as error:
        pellucid.from_torch(Net(forward, **modules), SHAPE)
    return str(error.value)


def test_a_module_that_decides_by_numbers_is_refused(capfd):
    def decided(m: Any, x: Any) -> Any:
        return x if x.sum() > 0 else -x

    text = refusal(decided, "decides by the numbers of the images")
    assert capfd.readouterr() == ("", "")
    assert text.count("\n") == 0


def test_a_module_for_one_number_of_images_is_refused():
    refusal(lambda m, x: x.reshape(2, -1), "one number of images only")


def test_all_unknown_functions_are_named_with_their_submodules():
    def unknown(m: Any, x: Any) -> Any:
        return torch.where(m.inner(x) > 0, x, -x)

    text = refusal(
        unknown, "^3 calls cannot be converted, and nothing was imported",
        inner=Net(lambda m, x: torch.cumsum(x, 2)),
    )  # fmt: skip
    assert "aten.cumsum 'inner': the function is unknown." in text
    assert "aten.gt 'the module itself': the function is unknown." in text
    assert "pellucid.formats.torch.tracing.translates" in text


@pytest.mark.parametrize(
    ("forward", "match"),
    [
        (lambda m, x: x - x.mean(0, keepdim=True), "axis 0, that of the images"),
        (lambda m, x: x.softmax(0), "axis 0, that of the images"),
        (lambda m, x: x * x.shape[0], "computes with the number of images"),
        (lambda m, x: x.transpose(0, 1), "images along axis 1; they must be the first"),
        (lambda m, x: x[1:], "one number of images only"),
        (lambda m, x: F.batch_norm(x, None, None, training=True), "by the means of the batch"),
        (lambda m, x: x.long(), "converts images to torch.int64"),
        (lambda m, x: (x, m.conv.weight), "does not depend on the images"),
        (lambda m, x: x + torch.ones(x.shape[0], 1, 1, 1).cumsum(0), "differs from image to image"),
        (lambda m, x: x + torch.full((4, 1, 1), x.shape[0]), "with the number of images"),
    ],
)
def test_what_mixes_images_is_refused(forward, match):
    refusal(forward, match, conv=_conv(4, 2, 3))


@pytest.mark.parametrize(
    ("module", "arguments", "match"),
    [
        ("resnet18.onnx", {"input_shape": SHAPE}, "must be a torch.nn.Module, received str"),
        (T.ReLU(), {}, r"either the images' shape, input_shape=\(3, 224, 224\), or an example"),
        (T.ReLU(), {"input_shape": (0, 2)}, r"lengths \(C, H, W\) of at least 1"),
        (T.ReLU(), {"example": torch.zeros(3)}, r"must be images \(N, C, H, W\)"),
        (T.Linear(3, 2, device="meta"), {"input_shape": (3,)}, "device 'meta'"),
        (T.Conv2d(3, 2, 1), {"input_shape": SHAPE}, "PyTorch says: RuntimeError: Given groups=1"),
    ],
)
def test_wrong_arguments_are_refused(module, arguments, match):
    with pytest.raises(ArgumentError, match=match):
        pellucid.from_torch(module, **arguments)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_torchscript_is_refused():
    with pytest.raises(ArgumentError, match="module: is TorchScript"):
        pellucid.from_torch(torch.jit.script(T.ReLU()), SHAPE)
