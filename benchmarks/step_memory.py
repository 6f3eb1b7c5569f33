"""Peak memory of steps alone, ours and PyTorch's: ResNet-18 on images of 256x256, 32 at a time.

    python benchmarks/step_memory.py [training|inference] [pellucid|recomputing|torch]

"recomputing" is our training that computes cheap outputs again in backward (`recompute=True`).
Each runs in a process of its own, three steps after another, and prints the peak of the process
(VmHWM on Linux) and how much of it came after the imports. Run it twice: the first run compiles
kernels, which takes memory too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable

from memory import UNIT
from networks import resnet18

__all__ = ["main"]

SIZE, BATCH, CLASSES, STEPS = 256, 32, 1000, 3
MODES, WHO = ("training", "inference"), ("pellucid", "recomputing", "torch")


def main() -> None:
    """Measure what the arguments name, or all of it."""
    modes = [word for word in sys.argv[1:] if word in MODES] or MODES
    who = [word for word in sys.argv[1:] if word in WHO] or WHO
    if len(modes) == len(who) == 1:
        _measure(modes[0], who[0])
        return
    for mode in modes:
        for one in who:
            if (mode, one) == ("inference", "recomputing"):  # there is nothing to recompute
                continue
            subprocess.run([sys.executable, __file__, mode, one], check=True)


def _measure(mode: str, who: str) -> None:
    """Take the steps, and print the peak."""
    step = _torch(mode) if who == "torch" else _pellucid(mode, recompute=who == "recomputing")
    before = _peak()
    for _ in range(STEPS):
        step()
    print(f"{mode:9s} {who:11s} {_peak():7.0f} MB, {_peak() - before:7.0f} of them in the steps")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def _pellucid(mode: str, *, recompute: bool) -> Callable[[], object]:
    import numpy as np
    from ours import Kit

    from pellucid import engine, nn, optim

    model = resnet18(Kit())
    x = np.random.default_rng(0).normal(size=(BATCH, 3, SIZE, SIZE)).astype(np.float32)
    labels = np.zeros(BATCH, np.int64)
    # As the Trainer does: there is one backward for each forward.
    plan = engine.compile(model, x.shape[1:], BATCH, repeatable=False, recompute=recompute)
    loss, rule = plan.backend.loss(nn.SoftmaxCrossEntropy()), optim.SGD(0.01)
    if mode == "inference":
        model.eval()
        plan.freeze()
        return lambda: plan(x)

    def step() -> None:
        loss(plan(x), labels)
        plan.backward(loss.backward())
        plan.backend.update(rule, model.parameters())

    return step


def _torch(mode: str) -> Callable[[], object]:
    import torch
    from theirs import Kit

    model = resnet18(Kit())
    x, labels = torch.randn(BATCH, 3, SIZE, SIZE), torch.zeros(BATCH, dtype=torch.long)
    measure, rule = torch.nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), 0.01)
    if mode == "inference":
        model.eval()
        return torch.inference_mode()(lambda: model(x))

    def step() -> None:
        rule.zero_grad(set_to_none=True)
        measure(model(x), labels).backward()
        rule.step()

    return step


if __name__ == "__main__":
    main()
