"""MNIST to 99 % in two passes: a small network, shifted images, and one cycle of the rate.

    python examples/mnist_99.py [FOLDER]

FOLDER holds MNIST's four files; it is optional if Pellucid finds them. Without MNIST, the small
digits that come with Pellucid are used. The first run on a machine also compiles the kernels.
"""

import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import pellucid
from pellucid import data, engine, nn, optim
from pellucid.errors import DataNotFoundError
from pellucid.training import Callback

EPOCHS, BATCH, PEAK = 2, 100, 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Shifted(data.Dataset):
    """Augment images with shifts by up to one pixel."""

    rng: np.random.Generator = None

    @cached_property
    def views(self):
        """Return every image at nine shifts, (N, C, 3, 3, H, W): views of one padded copy."""
        framed = np.pad(self.images, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return sliding_window_view(framed, self.image_shape[1:], axis=(2, 3))

    def batch(self, indices, dtype=np.float32):
        down, right = self.rng.integers(0, 3, (2, len(indices)))
        shifted = self.views[indices, :, down, right]
        return np.divide(shifted, self.peak, dtype=dtype), self.labels[indices]


class OneCycle(Callback):
    """Raise the rate to a peak and lower it to 0 (Smith & Topin 2019, section 3)."""

    def __init__(self, peak):
        self.peak = peak

    def on_batch_end(self, trainer, loss, images):
        done = len(trainer.history.losses) / (trainer.epochs * len(trainer.loader))
        trainer.optimizer.lr = self.peak * np.interp(done, [0, 0.3, 1], [0.1, 1, 0])


def network(rng):
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, rng=rng), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, rng=rng), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(32 * 5 * 5, 128, rng=rng), nn.ReLU()),
        nn.Linear(128, 10, rng=rng),
    )


def train(images, seed=0, epochs=EPOCHS):
    """Return a model trained on a data set of 28x28 images."""
    rng = np.random.default_rng(seed)
    trainer = pellucid.Trainer(
        network(rng),
        Shifted(**vars(images), rng=rng),
        optimizer=optim.Adam(lr=PEAK / 10, betas=(0.85, 0.99)),  # short memories: 1,200 steps
        epochs=epochs,
        batch_size=BATCH,
        evaluate_samples=BATCH,
        callbacks=[OneCycle(PEAK)],
        engine="compiled",
        seed=seed,
    )
    trainer.fit()
    return trainer.model


def accuracy(model, images):
    """Return the accuracy of the model on a data set."""
    plan = engine.compile(model, images.image_shape, BATCH)
    return pellucid.evaluate(model, images, batch_size=BATCH, run=plan).accuracy


def enlarged(images):
    """Return the 8x8 digits as 28x28 images: pixels repeated three times, padded with black."""
    big = images.images.repeat(3, axis=2).repeat(3, axis=3)
    return replace(images, images=np.pad(big, ((0, 0), (0, 0), (2, 2), (2, 2))))


def main():
    try:
        fit, test = data.mnist(*sys.argv[1:], download=False)
        epochs = EPOCHS
    except DataNotFoundError:
        print("MNIST was not found (data.mnist() downloads it): using the small digits instead.")
        fit, test = map(enlarged, data.digits())
        epochs = 15 * EPOCHS  # of a fortieth of the images
    began = time.perf_counter()
    model = train(fit, epochs=epochs)
    print(f"trained for {time.perf_counter() - began:.1f} s")
    print(f"test accuracy {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
