"""Peak memory of a SimpleConvNet's training on MNIST, in this process: prints JSON.

    python benchmarks/memory.py WHO [IMAGES]

WHO is pellucid, torch, or reference (our plain layers, which compute as the book's code does).
Each holds all of MNIST as bytes and trains with 100 images per step; afterwards a thousand test
images are evaluated in batches of 100, and by "reference-1000" in one batch.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["WHO"]

WHO = ("pellucid", "torch", "reference", "reference-1000")
IMAGES = 10_000  # for one epoch: more epochs need no more memory
BATCH, TESTED = 100, 1000
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in one of ru_maxrss


def main() -> None:
    """Import, load, train; note the peak after each."""
    who, images = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else IMAGES
    work = _torch(images) if who == "torch" else _pellucid(who, images)
    peaks: dict[str, Any] = {}
    for stage, peaks["accuracy"] in zip(("imports", "data", "training"), work, strict=True):
        peaks[stage] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    print(json.dumps(peaks))


def _pellucid(who: str, images: int) -> Iterator[float]:
    """Import, load, train with the library's Trainer; return the accuracy after each."""
    import numpy as np
    from images import mnist_or_none

    import pellucid
    from pellucid import models

    fast = who == "pellucid"
    if fast:
        import pellucid.engine
    yield 0

    train, test = mnist_or_none() or sys.exit("no MNIST")
    yield 0

    model = models.SimpleConvNet(weight_init="he", rng=np.random.default_rng(0))
    trainer = pellucid.Trainer(
        model,
        train.take(images),
        test,
        epochs=1,
        batch_size=BATCH,
        evaluate_samples=TESTED,
        engine="compiled" if fast else "numpy",
    )
    accuracy = trainer.fit().epochs[-1].test_accuracy
    if who == "reference-1000":
        accuracy = pellucid.evaluate(model, test.take(TESTED), batch_size=TESTED).accuracy
    yield accuracy or 0


def _torch(images: int) -> Iterator[float]:
    """Do the same with a plain loop."""
    import torch
    from images import mnist_or_none
    from networks import simple
    from theirs import Kit

    yield 0

    train, test = mnist_or_none() or sys.exit("no MNIST")
    pixels, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
    yield 0

    model = simple(Kit())
    measure, rule = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), fused=True)
    for chosen in torch.split(torch.randperm(images), BATCH):
        rule.zero_grad(set_to_none=True)
        measure(model(pixels[chosen].float().div_(255)), labels[chosen]).backward()
        rule.step()
    with torch.inference_mode():
        tested = torch.split(torch.from_numpy(test.images[:TESTED]), BATCH)
        guesses = torch.cat([model(x.float().div_(255)).argmax(dim=1) for x in tested])
    yield float((guesses.numpy() == test.labels[:TESTED]).mean())


if __name__ == "__main__":
    main()
