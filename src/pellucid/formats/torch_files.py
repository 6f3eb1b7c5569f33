"""Recognise PyTorch's files without unpickling, and say how to convert those that are not read.

The kind "torch" is read by `formats.torch`; the others, "torch module", hold code or objects, and
PyTorch must convert them.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

__all__ = ["NESTED", "is_legacy", "torch_pickle", "torch_tar", "torch_zip", "unpacked"]

_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number of torch.save before 1.6
NESTED = (
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "weights"),
    *("params", "params_ema", "ema", "state_dict_ema", "model_ema", "generator", "teacher"),
)
# A checkpoint's first class is a dict or a tensor, a pickled module's its own.
_FIRST = re.compile(rb"\x80\x02c([\w.]+)\n(\w+)\n")
_LEGACY_MODULE = b"X\x06\0\0\0module"

Kind = tuple[str, str, str]


def is_legacy(head: bytes) -> bool:
    """Return whether `torch.save` before PyTorch 1.6 wrote a file, which is not a zip archive."""
    framed = head[2:3] == b"\x95"  # protocol 4 and later
    return head[11 if framed else 2 :].startswith(_MAGIC)


def torch_zip(path: Path, names: list[str], head: bytes) -> Kind | None:
    """Return kind, description and advice of a zip archive of PyTorch; None for any other.

    Parameters
    ----------
    path : Path
    names : list of str
        Of the members of the archive.
    head : bytes
        Its first bytes; the pickle is usually the first member.
    """
    last = {name.rsplit("/", 1)[-1] for name in names}
    script = "constants.pkl" in last or any("/code/__torch__" in name for name in names)
    if script:
        load = f"torch.jit.load({str(path)!r}, map_location='cpu').state_dict()"
        return "torch module", "a TorchScript model (torch.jit.save)", _lines(path, load)
    if "data.pkl" not in last:
        if "model.json" in last and "tensors" in {n.split("/")[-2:][0] for n in names if "/" in n}:
            return "torch module", "an old TorchScript model", ""
        return None
    return _checkpoint(path, head, "a zip archive with a pickle")


def torch_pickle(path: Path, head: bytes) -> Kind:
    """Return kind, description and advice of a pickle of tensors or modules of PyTorch."""
    if is_legacy(head):
        return _checkpoint(path, head, "of PyTorch before 1.6: pickles in a row")
    load = f"pickle.loads(pathlib.Path({str(path)!r}).read_bytes())"
    if b"torch.nn" in head[:4096]:
        what, load = "a pickle of a whole PyTorch module", f"{load}.state_dict()"
    else:
        what = "a pickle of PyTorch tensors"
    return (
        "torch module",
        what,
        _lines(path, load, trusted=False).replace("import torch", "import pathlib, pickle"),
    )


def torch_tar(path: Path, head: bytes) -> Kind | None:
    """Return kind, description and advice of a file of PyTorch 0.1, a tar archive; else None."""
    if not head.startswith(b"sys_info\0"):
        return None
    load = f"torch.load({str(path)!r}, map_location='cpu', weights_only=False)"
    return (
        "torch module",
        "a file of PyTorch 0.1 (a tar archive)",
        _lines(path, load, trusted=False),
    )


def unpacked(path: Path) -> Kind:
    """Return kind, description and advice of the folder of an unpacked checkpoint."""
    advice = "Give the .pth or .pt file itself."
    return "torch module", "the folder of an unpacked PyTorch checkpoint", advice


def _checkpoint(path: Path, head: bytes, how: str) -> Kind:
    first = _FIRST.search(head[:1024])
    plain = (b"collections", b"torch._utils", b"torch._tensor")
    other = first is not None and first[1] not in plain
    if other or _LEGACY_MODULE in head[:1024]:
        load = f"torch.load({str(path)!r}, map_location='cpu', weights_only=False).state_dict()"
        what = f"a whole PyTorch module ({how})"
        return "torch module", what, _lines(path, load, trusted=False)
    target = shlex.quote(path.with_suffix(".safetensors").name)
    advice = f"Convert its weights: pellucid convert --raw {shlex.quote(str(path))} {target}"
    return "torch", f"a PyTorch checkpoint ({how})", advice


def _lines(path: Path, load: str, *, trusted: bool = True) -> str:
    target = path.with_suffix(".safetensors").name
    warning = "" if trusted else " (it runs code from the file: only if you trust its origin)"
    return (
        f"In Python, where PyTorch is installed, convert it to safetensors{warning}:\n"
        "  import torch; from safetensors.torch import save_file\n"
        f"  state = {load}\n"
        f"  save_file({{k: v.detach().clone().contiguous() for k, v in state.items()}}, {target!r})"
    )
