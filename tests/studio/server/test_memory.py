"""What a studio remembers of what it was shown."""

from pathlib import Path

import numpy as np
import pytest

STATUS = Path("/proc/self/status")


def resident(process):
    text = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's /proc")
def test_many_pictures_are_not_all_remembered(studio, answer):
    rng = np.random.default_rng(0)

    def show(count):
        for _ in range(count):
            picture = rng.integers(0, 256, (400, 400, 4), dtype=np.uint8)
            image = answer("see", picture=picture)["image"]
            answer("maps", image=image, value=1)

    show(70)  # more than are kept
    before = resident(studio.process)
    show(200)
    grown = resident(studio.process) - before
    sent = 200 * 400 * 400 * 4
    print(f"grown by {grown / 1e6:.1f} MB after {sent / 1e6:.0f} MB of pictures")
    assert grown < sent / 10
