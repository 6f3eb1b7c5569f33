"""One pass instead of many crops: a classifier as a convolution, over an image larger than its own.

A network for crops of 64x64 with stride 16 scores every crop of a 160x160 image: first one by one,
then as one convolution over the whole image.
"""

import time

import numpy as np

from pellucid import models, nn
from pellucid.nn.init import without_values

CROP, STRIDE, SIZE, CLASSES = 64, 16, 160, 10
BODY = "[CONV3-16{p} -> RELU]*2 -> POOL -> [CONV3-32{p} -> RELU -> POOL]*3"
HEAD = "FC64 -> RELU -> DROP -> FC"
LECTURE = (  # VGG-16: images of 224x224, stride 32
    "INPUT -> [CONV3-64 -> RELU]*2 -> POOL -> [CONV3-128 -> RELU]*2 -> POOL -> "
    "[CONV3-256 -> RELU]*3 -> POOL -> [[CONV3-512 -> RELU]*3 -> POOL]*2 -> [FC4096 -> RELU]*2 -> FC"
)


def network(padding):
    """Return the classifier; its convolutions pad ("") or do not ("p0")."""
    text = f"INPUT -> {BODY.format(p=padding)} -> {HEAD}"
    shape = (3, CROP, CROP)
    return models.from_pattern(text, shape, CLASSES, rng=np.random.default_rng(0)).eval()


def by_crops(model, image):
    """Return the scores of every crop, computed one by one."""
    starts = range(0, SIZE - CROP + 1, STRIDE)
    rows = [
        [model(image[np.newaxis, :, i : i + CROP, j : j + CROP])[0] for j in starts] for i in starts
    ]
    return np.moveaxis(np.array(rows), 2, 0)  # (K, OH, OW)


def timed(work):
    """Return the result of ``work``, and the shortest of three times."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return result, min(seconds)


def difference(one, other):
    return float(abs(one - other).max() / abs(other).max())


def border(model, image):
    """Return how far the last map of a crop in the middle is from its part of the whole map."""
    chain = list(model)
    body = chain[: [type(layer) for layer in chain].index(nn.Flatten)]
    whole, crop = image[np.newaxis], image[np.newaxis, :, 48 : 48 + CROP, 48 : 48 + CROP]
    for layer in body:
        whole, crop = layer(whole), layer(crop)
    at = 48 // STRIDE
    part = whole[:, :, at : at + crop.shape[2], at : at + crop.shape[3]]
    return abs(crop - part).max(axis=(0, 1)) / abs(part).max()


def main():
    image = np.random.default_rng(1).normal(size=(3, SIZE, SIZE)).astype(np.float32)

    model = network("p0")
    print(nn.receptive_field(nn.to_convolutional(model)))
    scores, once = timed(lambda: nn.sliding_scores(model, image))
    crops, one_by_one = timed(lambda: by_crops(model, image))
    print(f"\nscores {scores.shape}, of {crops[0].size} crops")
    print(f"without padding: difference {difference(scores, crops):.1e}, rounding")
    print(f"one pass {1000 * once:.0f} ms, crops {1000 * one_by_one:.0f} ms")
    print(f"times as fast: {one_by_one / once:.1f}")
    dense = nn.sliding_scores(model, image, stride=STRIDE // 2)
    print(
        f"stride {STRIDE // 2}, four shifted passes: scores {dense.shape}; every other one is the"
    )
    print(f"same to {difference(dense[:, ::2, ::2], scores):.1e}")
    print(f"their mean: {np.round(nn.sliding_scores(model, image, average=True)[:4], 3)} ...")

    padded = network("")
    scores, crops = nn.sliding_scores(padded, image), by_crops(padded, image)
    print(f"\nwith padding: difference {difference(scores, crops):.1e}: around a crop a layer sees")
    print("zeros, where the image really goes on. In the last map of a crop in the middle:")
    for row in border(padded, image):
        print("   ", "  ".join(f"{apart:7.1e}" for apart in row))
    same = (scores.argmax(axis=0) == crops.argmax(axis=0)).mean()
    print(f"the same class is predicted in {100 * same:.0f} % of the crops")

    with without_values():
        vgg = nn.to_convolutional(models.from_pattern(LECTURE, (3, 224, 224), 1000))
    print(f"\nVGG-16 over 384x384: scores {vgg.output_shape((3, 384, 384))};", end=" ")
    many, one = 36 * vgg.multiply_adds((3, 224, 224)), vgg.multiply_adds((3, 384, 384))
    print(f"{many / 1e9:.0f} G products for 36 crops, {one / 1e9:.0f} G in one pass")


if __name__ == "__main__":
    main()
