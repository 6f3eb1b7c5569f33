"""A folder that several processes read: each decodes a part of it, and all find it in the cache."""

import numpy as np
import pytest
from PIL import Image

from .ranks import needs_mpi, on_ranks

pytestmark = needs_mpi

# Of each rank: what it has read, how many files it has opened, what went wrong.
READ = """
import hashlib, json, os, sys
from pathlib import Path
from pellucid import data
from pellucid.data.file_tree import FolderTree
from pellucid.data.zip_tree import ZipTree
from pellucid.distributed import MPI

world = MPI()
opened = []
for kind in (FolderTree, ZipTree):
    def read(self, entry, original=kind.read):
        opened.append(entry.path)
        return original(self, entry)
    kind.read = read

def read(folder, caches, communicator=None, **options):
    os.environ["XDG_CACHE_HOME"] = caches
    opened.clear()
    notes = []
    try:
        parts = data.image_parts(folder, communicator=communicator, tell=notes.append, **options)
    except Exception as error:
        return {"error": f"{type(error).__name__} {error}"}
    pixels = b"".join(np.asarray(part.images[:]).tobytes() for part in parts if part is not None)
    files = [file for part in parts if part is not None for file in part.files]
    return {
        "images": hashlib.sha256(pixels).hexdigest(), "files": [list(file) for file in files],
        "notes": notes, "opened": len(opened),
        "cache": {p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                  for p in Path(caches).rglob("*") if p.is_file()},
    }

import numpy as np
found = {}
for name, (folder, options) in json.loads(Path(sys.argv[1]).read_text()).items():
    own = options.pop("own_cache", False)
    missing = options.pop("missing", None)
    together = f"{sys.argv[2]}/{name}" + (str(world.rank) if own and world.rank else "")
    place = folder + "-away" if missing == world.rank else folder
    first = read(place, together, world, **options)
    again = read(place, together, world, **options)
    alone = read(folder, f"{sys.argv[2]}/{name}-alone-{world.rank}", **options)
    found[name] = world.gather((first, again, alone))
if world.rank == 0:
    print(json.dumps(found))
"""


def pictures(folder, n=40, size=(8, 8)):
    random = np.random.default_rng(0)
    for k in range(n):
        place = folder / ("train" if k % 4 else "test") / "abc"[k % 3] / f"{k:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(place)
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What three ranks, each with 40 pictures or so to share, have found in each case."""
    import json
    import shutil

    folder = tmp_path_factory.mktemp("reading")
    whole = pictures(folder / "whole")
    packed = shutil.make_archive(folder / "packed", "zip", whole)
    damaged = pictures(folder / "damaged")
    for place in sorted(damaged.rglob("*.png"))[::7]:
        place.write_bytes(place.read_bytes()[:50])
    unlike = pictures(folder / "unlike")
    Image.new("RGB", (9, 8)).save(unlike / "train" / "b" / "999.png")
    cases = {
        "folder": [str(whole), {}],
        "archive": [packed, {}],
        "on disk": [packed, {"in_memory": 0, "workers": 2}],
        "limited": [str(whole), {"limit": 9}],
        "damaged": [str(damaged), {"corrupt": "skip"}],
        "damaged, on disk": [str(damaged), {"corrupt": "skip", "in_memory": 0}],
        "refused": [str(damaged), {}],
        "unlike": [str(unlike), {"in_memory": 0}],
        "few": [str(pictures(folder / "few", 9)), {}],
        "own cache": [str(whole), {"own_cache": True}],
        "no cache": [str(whole), {"cache": False}],
        "missing": [str(whole), {"missing": 1}],
    }
    told = folder / "cases.json"
    told.write_text(json.dumps(cases), encoding="utf-8")
    out = on_ranks(3, READ, str(told), str(folder / "caches")).stdout
    return json.loads(out)


@pytest.mark.parametrize(
    "case", ["folder", "archive", "on disk", "limited", "damaged", "damaged, on disk", "few"]
)
def test_a_folder_read_together_is_that_of_one_process(found, case):
    first, again, alone = zip(*found[case], strict=True)
    for one in (*first, *again):
        assert one["images"] == alone[0]["images"]
        assert one["files"] == alone[0]["files"]
        assert one["notes"] == alone[0]["notes"]
    assert first[0]["cache"] == alone[0]["cache"] != {}, "byte for byte"
    assert not any(one["opened"] for one in again), "all find it in the cache"


@pytest.mark.parametrize("case", ["folder", "archive", "on disk"])
def test_each_process_reads_its_part_of_the_files_and_no_more(found, case):
    opened = [first["opened"] for first, _, _ in found[case]]
    assert opened[1] in (13, 14)
    assert opened[2] in (13, 14)


def test_processes_that_share_no_cache_decode_the_folder_for_themselves(found):
    assert found["own cache"][0][0]["opened"] > 40
    assert found["own cache"][1][0]["opened"] > 40
    for case in ("own cache", "no cache"):
        images = {one["images"] for ones in found[case] for one in ones}
        assert len(images) == 1


@pytest.mark.parametrize("case", ["refused", "unlike"])
def test_what_one_process_refuses_is_refused_by_all_with_the_same_sentence(found, case):
    for first, again, alone in found[case]:
        assert first == again
        assert first["error"].startswith(alone["error"].split(" ")[0])
    assert len({first["error"] for first, _, _ in found[case]}) == 1
    assert found["refused"][0][0] == found["refused"][0][2]


def test_a_process_that_cannot_see_the_folder_says_which_it_is(found):
    for first, _, _ in found["missing"]:
        assert "rank 1 of 3" in first["error"]
        assert "-away" in first["error"]


ELSEWHERE = """
import os, sys
import pytest
from pellucid.runs import Settings
from pellucid.runs.images import load_images
from pellucid.distributed import world
from pellucid.errors import RanksError
os.chdir(sys.argv[1] if world().rank == 0 else "/")
with pytest.raises(RanksError, match="rank 1 of 2.*'whole-elsewhere'"):
    load_images(Settings(data="whole-elsewhere"), communicator=world())
"""


def test_a_folder_that_one_rank_takes_for_the_name_of_a_data_set_is_missing_there(tmp_path):
    pictures(tmp_path / "whole-elsewhere", 9)
    on_ranks(2, ELSEWHERE, str(tmp_path), timeout=60)
