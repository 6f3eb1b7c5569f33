"""pellucid export --torch: PyTorch loads the weights of a run."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid as library


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
def test_pytorch_loads_the_weights_of_a_run(name, pellucid, trained, tmp_path, torch):
    result = pellucid("export", trained[0], "--torch", name)
    assert (result.returncode, result.stdout) == (0, f"{name}\n"), result.stderr
    assert result.stderr.endswith("tensors under the keys of its state dict\n")
    if name.endswith(".safetensors"):
        from safetensors.torch import load_file

        loaded = load_file(tmp_path / name)
    else:
        loaded = torch.load(tmp_path / name, weights_only=True)
    own = library.load(trained[0] / "model.safetensors").state_dict()
    assert set(loaded) == set(own)
    for key, value in own.items():
        np.testing.assert_array_equal(loaded[key].numpy(), value, strict=True)


def test_another_ending_is_refused_and_nothing_written(pellucid, tmp_path):
    result = pellucid("export", "lenet", "--onnx", "w.onnx", "--torch", "w.tar")
    assert result.returncode == 1
    assert "--torch: must end in .pt, .pth or .safetensors, received 'w.tar'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_the_weights_alone_leave_out_is_said(pellucid, tmp_path):
    model = library.nn.Normalize([0.5], [0.25]).before(library.models.SimpleConvNet((1, 8, 8)))
    library.save(model, tmp_path / "m.safetensors")
    result = pellucid("export", "m.safetensors", "--torch", "w.pth")
    assert result.returncode == 0
    assert "not in it, as it has no weights: Normalize(" in result.stderr
