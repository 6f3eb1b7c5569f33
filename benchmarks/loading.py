"""Images per second and peak memory of reading a folder, beside PyTorch's DataLoader.

    python benchmarks/loading.py make ZIP FOLDER   # from an archive of small JPEGs, see below
    python benchmarks/loading.py run FOLDER        # prints a table
    python benchmarks/loading.py wait FOLDER       # share of ResNet-18's step that waits for images

``make`` writes FOLDER/small, 60,000 JPEGs of 32x32 from an archive with train/CLASS/ and
test/CLASS/, and FOLDER/large, 20,000 of them enlarged to 256x256. Every contender runs in a process
of its own, with all files in the page cache, and gets shuffled float32 batches of 128 images. The
first pass begins with an empty cache and includes listing the folder; the later ones are averaged.
The seconds of CPU time, workers included, tell the same on a machine that has other things to do.
PyTorch's are `torchvision.datasets.ImageFolder` with ToTensor in a DataLoader with persistent
workers; without torchvision they are left out. Memory is the largest resident set of the process
(VmHWM), and of each worker if there are some.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np

BATCH, LATER = 128, 3
LARGE, SIDE = 20_000, 256
WHO = {
    "pellucid": "as it comes",
    "pellucid-disk": "all on disk",
    "pellucid-none": "cache none",
    "torch-0": "DataLoader, 0 workers",
    "torch-2": "DataLoader, 2 workers",
}


def make(archive: str, folder: str) -> None:
    """Write the two folders."""
    from PIL import Image

    small, large = Path(folder, "small"), Path(folder, "large")
    with zipfile.ZipFile(archive) as source:
        names = [n for n in source.namelist() if n.endswith(".jpg") and n.count("/") == 2]
        step = len(names) // LARGE
        for k, name in enumerate(names):
            part, kind, file = name.split("/")
            content = source.read(name)
            for root in (small, large)[: 1 + (k % step == 0 and k // step < LARGE)]:
                (root / kind).mkdir(parents=True, exist_ok=True)
                if root is large:
                    picture = Image.open(io.BytesIO(content)).convert("RGB")
                    enlarged = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
                    enlarged.save(root / kind / f"{part}-{file}", quality=90)
                else:
                    (root / kind / f"{part}-{file}").write_bytes(content)


def run(folder: str) -> None:
    """Measure every contender on both folders."""
    print("| images | reader | first pass, images/s | later | CPU s, first | later | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name in ("small", "large"):
        root = Path(folder, name)
        files = [path for path in root.rglob("*") if path.is_file()]
        for path in files:  # into the page cache
            path.read_bytes()
        for who, words in WHO.items():
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                done = subprocess.run(
                    [sys.executable, __file__, "one", who, str(root)],
                    env={**os.environ, "XDG_CACHE_HOME": cache},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
            if not done.stdout.strip():
                continue
            r = json.loads(done.stdout)
            first, later = len(files) / r["first"], r["images"] / r["later"]
            memory = f"{r['memory'] / 1e6:.0f}"
            memory += f" + {r['workers']} x {r['each'] / 1e6:.0f}" if r["workers"] else ""
            print(
                f"| {len(files):,} of {r['shape'][-1]}x{r['shape'][-2]} | {who} ({words}) "
                f"| {first:,.0f} | {later:,.0f} | {r['first_cpu']:.2f} | {r['later_cpu']:.2f} "
                f"| {memory} |",
                flush=True,
            )


def one(who: str, root: str) -> None:
    """Time the passes of one contender, and print JSON."""
    if who.startswith("torch"):
        try:
            reader = torch_reader(root, int(who[-1]))
        except ImportError as error:
            print(f"without {who}: {error}", file=sys.stderr)
            return
    else:
        reader = own_reader(root, who)
    seconds, busy, shape = [], [], ()
    started, used = time.perf_counter(), cpu()
    for _ in range(1 + LATER):
        images = 0
        for x in reader():
            images += len(x)
            shape = tuple(x.shape[1:])
        seconds.append(time.perf_counter() - started)
        busy.append(cpu() - used)
        started, used = time.perf_counter(), cpu()
    workers = int(who[-1]) if who.startswith("torch") else 0
    result = {
        "first": seconds[0],
        "later": sum(seconds[1:]) / LATER,
        "first_cpu": busy[0],
        "later_cpu": sum(busy[1:]) / LATER,
        "shape": shape,
        "images": images,
        "memory": peak(os.getpid()),
        "workers": workers,
        "each": max((peak(child.pid) for child in active_children()), default=0),
    }
    print(json.dumps(result))


def own_reader(root: str, who: str) -> Callable[[], Iterator[Any]]:
    """Return a function that yields the batches of one pass; the first call reads the folder."""
    from pellucid.data import Loader, image_folder
    from pellucid.engine.cpu.gather import Gather

    options: dict[str, Any] = {
        "pellucid": {},
        "pellucid-disk": {"in_memory": 0},
        "pellucid-none": {"in_memory": 0, "cache": "none"},
    }[who]
    tiny = Loader(_tiny(), 2, gather=Gather())
    tiny.next()  # compiles the kernel, if this machine has not done so yet
    loaders: list[Loader] = []

    def batches() -> Iterator[Any]:
        if not loaders:
            train, _ = image_folder(root, held_out=0.01, **options)
            loaders.append(Loader(train, BATCH, seed=0, gather=Gather()))
        for x, _ in loaders[0]:
            yield x

    return batches


def _tiny() -> Any:
    from pellucid.data import Dataset

    return Dataset.from_arrays(np.zeros((2, 3, 2, 2), np.uint8), [0, 1])


def torch_reader(root: str, workers: int) -> Callable[[], Iterator[Any]]:
    """Return the same of PyTorch's DataLoader over torchvision's ImageFolder."""
    import torch

    # A torchvision wheel beside the CPU build of torch lacks its C++ operators, which reading does
    # not need; it only declares the shapes of their results.
    torch.library.register_fake = lambda *_, **__: lambda function: function  # type: ignore
    from torchvision import datasets, transforms

    loaders: list[Any] = []

    def batches() -> Iterator[Any]:
        if not loaders:
            files = datasets.ImageFolder(root, transforms.ToTensor())
            loaders.append(
                torch.utils.data.DataLoader(
                    files, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
                )
            )
        for x, _ in loaders[0]:
            yield x

    return batches


def wait(folder: str) -> None:
    """Train ResNet-18 at 224x224 for some steps with each cache; print the share of waiting."""
    from pellucid import models
    from pellucid.data import image_folder
    from pellucid.data.stored_images import StoredImages
    from pellucid.training import Callback, Trainer

    class Enough(Callback):
        """Stops after nine steps."""

        def __init__(self) -> None:
            self.steps: list[float] = []

        def on_batch_end(self, trainer: Any, loss: float, images: int) -> None:
            self.steps.append(time.perf_counter())
            if len(self.steps) == 9:
                raise KeyboardInterrupt

    waited: list[float] = []
    original = StoredImages._read

    def read(self: Any, rows: Any) -> Any:
        started = time.perf_counter()
        images = original(self, rows)
        waited.append(time.perf_counter() - started)
        return images

    StoredImages._read = read  # type: ignore[method-assign]
    root = Path(folder, "large")
    for cache in ("disk", "none"):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            os.environ["XDG_CACHE_HOME"] = place
            train, _ = image_folder(root, size=224, held_out=0.5, cache=cache, in_memory=0)
            rng = np.random.default_rng(0)
            model = models.ResNet18(train.image_shape, len(train.classes), rng=rng)
            enough = Enough()
            trainer = Trainer(model, train, epochs=1, batch_size=32, callbacks=[enough])
            waited.clear()
            with suppress(KeyboardInterrupt):
                trainer.fit()
            steps = enough.steps
            took = (steps[-1] - steps[1]) / (len(steps) - 2)
            waits = sum(waited[2 : len(steps)]) / (len(steps) - 2)
            print(
                f"cache {cache}: a step of ResNet-18 with 32 images of 224x224 takes "
                f"{took * 1e3:,.0f} ms, of which {waits * 1e3:.2f} ms wait ({waits / took:.2%})",
                flush=True,
            )


def cpu() -> float:
    """Return the seconds of CPU time that this process and its workers have used (Linux)."""
    ticks = 0
    for process in [os.getpid(), *(child.pid for child in active_children())]:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak(process: int | None) -> int:
    """Return the largest resident set of a running process, in bytes (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    {"make": make, "run": run, "one": one, "wait": wait}[sys.argv[1]](*sys.argv[2:])
