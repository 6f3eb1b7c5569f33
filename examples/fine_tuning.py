"""Garments from few images: fine-tuning a network trained on digits, against training from scratch.

    python examples/fine_tuning.py [MNIST [FASHION]]

MNIST and FASHION are the folders with the files of the two sets, optional if Pellucid finds them.
Without MNIST or Fashion-MNIST, the small digits that come with Pellucid are used: a network trained
on 0 to 4 is fine-tuned on 5 to 9.
"""

import sys

import numpy as np

import pellucid
from pellucid import data, models, nn
from pellucid.errors import DataNotFoundError

FEW = (100, 300, 1000)  # images of the new classes
STEPS = 400
SEEDS = 3


def sets():
    """Return the first training set, the second one, and the test set."""
    folders = [*sys.argv[1:3], None, None][:2]
    try:
        before, _ = data.mnist(folders[0], download=False)
        return before, *data.fashion_mnist(folders[1], download=False)
    except DataNotFoundError as error:
        print(f"{error}\nSmall digits instead.\n")
    train, test = data.digits()
    return part(train, range(5)), part(train, range(5, 10)), part(test, range(5, 10))


def part(images, classes):
    """Return the images of these classes only."""
    chosen = images.subset(np.flatnonzero(np.isin(images.labels, classes)))
    names = tuple(images.classes[k] for k in classes)
    return data.Dataset(
        chosen.images, chosen.labels - classes[0], names, f"digits {names[0]} to {names[-1]}"
    )


def train(model, images, epochs, seed, **options):
    trainer = pellucid.Trainer(
        model, images, epochs=epochs, batch_size=50, evaluate_samples=50, seed=seed, **options
    )
    trainer.fit()
    return model


def fresh(images, seed):
    rng = np.random.default_rng(seed)
    return models.by_name("simple", images.image_shape, len(images.classes), rng=rng)


def ways(learned, images, seed):
    """Yield a name and a network trained on ``images``, for each way to train."""
    epochs = max(1, STEPS * 50 // len(images))
    yield "from nothing", train(fresh(images, seed), images, epochs, seed)
    for name, rates in (
        ("going on", {}),
        ("a tenth of the rate below", {"*": 0.1, "affine2": 1}),
        ("convolution frozen", {"conv*": 0}),
        ("all but the last layer frozen", {"*": 0, "affine2": 1}),
    ):
        old = fresh(learned.train, seed)
        old.load_state_dict(learned.model.state_dict())
        rng = np.random.default_rng(seed)
        model = nn.with_head(old, len(images.classes), rng=rng)  # the same layers, a new last one
        nn.set_rates(model, rates)
        yield name, train(model, images, epochs, seed)


def main():
    first, then, test = sets()
    print(f"learning {len(first):,} images of {first.name}")
    learned = pellucid.Trainer(fresh(first, 0), first, epochs=2 if len(first) > 5000 else 20)
    learned.fit()
    results = {}
    for few in (n for n in FEW if n <= len(then)):
        for seed in range(SEEDS):
            images = then.subset(np.random.default_rng(seed).permutation(len(then))[:few])
            for name, model in ways(learned, images, seed):
                accuracy = pellucid.evaluate(model, test, engine="compiled").accuracy
                results.setdefault(name, {}).setdefault(few, []).append(accuracy)
    sizes = sorted(next(iter(results.values())))
    print(f"test accuracy on {test.name}, mean of {SEEDS} trainings")
    print(f"{'images':30}" + "".join(f"{few:>8,}" for few in sizes))
    for name, by_size in results.items():
        print(f"{name:30}" + "".join(f"{np.mean(by_size[few]):8.3f}" for few in sizes))


if __name__ == "__main__":
    main()
