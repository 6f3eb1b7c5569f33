"""The networks that are measured, as lists of layers that Pellucid and PyTorch both build."""

from __future__ import annotations

from dataclasses import dataclass

SIMPLE = "conv:30:5:0 relu pool flatten linear:100 relu linear:10"
LENET = (
    "conv:6:5:2 relu pool conv:16:5:0 relu pool flatten linear:120 relu linear:84 relu linear:10"
)
DEEP = (
    "conv:16:3:1 relu conv:16:3:1 relu pool conv:32:3:1 relu conv:32:3:2 relu pool "
    "conv:64:3:1 relu conv:64:3:1 relu pool flatten linear:50 relu dropout linear:10 dropout"
)
VGG = " ".join(f"conv:{n}:3:1 relu conv:{n}:3:1 relu pool" for n in (32, 64, 128))


@dataclass(frozen=True)
class Case:
    """One row of the table: a network, its images, and whether it is trained."""

    name: str
    layers: str
    image: tuple[int, int, int]
    batch: int
    training: bool

    @property
    def key(self) -> str:
        """A name for files and command lines."""
        return f"{self.name}-{'train' if self.training else 'infer'}-{self.batch}"


CASES = {
    case.key: case
    for case in (
        Case("simple", SIMPLE, (1, 28, 28), 100, True),
        Case("simple", SIMPLE, (1, 28, 28), 1, False),
        Case("simple", SIMPLE, (1, 28, 28), 1000, False),
        Case("deep", DEEP, (1, 28, 28), 100, True),
        Case("deep", DEEP, (1, 28, 28), 100, False),
        Case("lenet", LENET, (1, 28, 28), 100, True),
        Case("lenet", LENET, (1, 28, 28), 100, False),
        Case("vgg", f"{VGG} flatten linear:10", (3, 32, 32), 128, True),
        Case("vgg", f"{VGG} flatten linear:10", (3, 32, 32), 128, False),
    )
}
