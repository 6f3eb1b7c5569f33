"""Kernels on disk: compiled once, never a wrong one, and never a reason to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pellucid
from pellucid.kernels import cache
from permissions import obeying

MODULES = {
    "__init__.py": "",
    "numbers.py": "FACTOR = 3\n",
    "words.py": """
import numpy as np
from pellucid.kernels.jit import kernel
from .numbers import (
    FACTOR,
)

@kernel
def twice(x):
    return 2 * x

@kernel
def scaled(x):
    return FACTOR * x.sum()

@kernel
def pairs(x):
    both = np.empty((2, len(x)))
    both[0], both[1] = x, 2 * x
    return both, x.copy()

def power(p, inner=None):
    if inner is not None:
        @kernel
        def risen(x):
            return inner(x.sum()) ** p
    else:
        @kernel
        def risen(x):
            return x.sum() ** p
    return risen
""",
    "shared.py": """
from pellucid.kernels.jit import kernel
from pellucid.kernels.pool.threads import share

@kernel
def one(queue, y):
    for n in share(queue):
        y[n] = 1

@kernel
def two(queue, y):
    for n in share(queue):
        y[n] = 2
""",
}
PRELUDE = """
import sys
import numpy as np
from numba.core import event
from pellucid.kernels.pool.threads import run
from mine import shared, words

compiled = []
class Listener(event.Listener):
    def on_start(self, news):
        function = news.data["dispatcher"].py_func
        if function.__module__.startswith("mine."):
            compiled.append(function.__name__)
    def on_end(self, news):
        pass
event.register("numba:compile", Listener())
x = np.ones(5, np.float32)
"""


class Place:
    """A package of kernels in a folder, and processes that use it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.package = folder, folder / "mine"
        self.package.mkdir(parents=True)
        for name, text in MODULES.items():
            (self.package / name).write_text(text)

    def say(self, code: str, *, env=None, program=(sys.executable,)) -> list[str]:
        """Return what ``code`` printed, and then the names of the kernels it had compiled."""
        paths = (self.folder, Path(pellucid.__file__).parent.parent)
        result = subprocess.run(
            [*program, "-c", f"{PRELUDE}\n{code}\nprint(*compiled)"],
            env={
                **{k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"},
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "PYTHONDONTWRITEBYTECODE": "1",
                "XDG_CACHE_HOME": "/dev/null",
                **(env or {}),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return result.stdout.split()

    def files(self, name: str = "") -> list[Path]:
        return sorted(self.package.glob(f"__pycache__/words.{name}*.nbc"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "place")


SCALED = "print(words.scaled(x))"


def test_the_second_process_compiles_nothing(place):
    assert place.say(SCALED) == ["15.0", "scaled"]
    assert place.say(SCALED) == ["15.0"]
    assert len(place.files()) == 1
    assert not list(place.package.glob("__pycache__/*.tmp"))


def test_loading_a_kernel_does_not_prepare_to_compile(place):
    code = """
both, copy = words.pairs(x)
print(both.sum(), copy.sum(), "numba.np.linalg" in sys.modules)
both = copy = None
"""
    assert place.say(code) == ["15.0", "5.0", "True", "pairs"]
    assert place.say(code) == ["15.0", "5.0", "False"]
    # What is not there is compiled beside what was loaded.
    printed = place.say(f"{code}\n{SCALED}\n{code}")
    assert printed == ["15.0", "5.0", "False", "15.0", "15.0", "5.0", "True", "scaled"]


def test_another_type_is_another_kernel(place):
    place.say(SCALED)
    other = "print(words.scaled(x.astype(np.float64)))"
    assert place.say(other) == ["15.0", "scaled"]
    assert place.say(f"{SCALED}; {other}") == ["15.0", "15.0"]


def test_what_a_kernel_takes_from_another_module_counts(place):
    place.say(SCALED)
    (place.package / "numbers.py").write_text("FACTOR = 4\n")
    assert place.say(SCALED) == ["20.0", "scaled"]
    assert place.say(SCALED) == ["20.0"]
    assert len(place.files()) == 1


def test_a_file_that_changed_after_it_was_imported_is_not_taken_for_what_runs(place):
    change = f"open({str(place.package / 'numbers.py')!r}, 'w').write('FACTOR = 4\\n')"
    assert place.say(f"{change}; {SCALED}") == ["15.0", "scaled"]
    assert place.say(SCALED) == ["20.0", "scaled"]


def test_kernels_of_one_factory_are_told_apart(place):
    code = "print(*(words.power(p)(2 * x) for p in (1, 2, 3)))"
    assert place.say(code) == ["10.0", "100.0", "1000.0", "risen", "risen", "risen"]
    assert place.say(code) == ["10.0", "100.0", "1000.0"]


def test_a_kernel_that_holds_another_is_kept_too(place):
    code = "print(words.power(2, words.twice)(x))"
    assert place.say(code) == ["100.0", "risen", "twice"]
    assert place.say(code) == ["100.0"]
    words = place.package / "words.py"
    words.write_text(words.read_text().replace("return 2 * x", "return 3 * x"))
    assert place.say(code) == ["225.0", "risen", "twice"]


def test_a_kernel_may_share_tasks_that_another_shared_before(place):
    code = "y = np.zeros(2); run(shared.{0}, 2, y); run(shared.{0}, 2, y); print(*y)"
    assert place.say(code.format("one")) == ["1.0", "1.0", "one"]
    assert place.say(code.format("two")) == ["2.0", "2.0", "two"]
    assert place.say(code.format("two")) == ["2.0", "2.0"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes(len(data)),
        lambda data: data + b"x",
    ],
    ids=["empty", "short", "half", "one bit", "zeros", "longer"],
)
def test_a_damaged_file_is_replaced(place, damage):
    place.say(SCALED)
    (path,) = place.files()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert place.say(SCALED) == ["15.0", "scaled"]
    assert len(path.read_bytes()) == pytest.approx(len(whole), rel=0.1)
    assert place.say(SCALED) == ["15.0"]


def test_a_file_under_the_name_of_another_is_not_taken_for_it(place):
    code = "print(words.power(1)(2 * x), words.power(2)(2 * x))"
    place.say(code)
    one, two = place.files("power.risen")
    shutil.copy(one, two)
    assert place.say(code) == ["10.0", "100.0", "risen"]


def test_processes_that_store_at_the_same_moment_lose_nothing(place):
    types = ("float32", "float64", "int32", "int64", "complex64", "uint8")
    code = [f"print(words.scaled(x.astype(np.{name})).real)" for name in types]
    with ThreadPoolExecutor(3) as pool:
        assert [float(said[0]) for said in pool.map(place.say, code)] == [15] * len(types)
    assert place.say("; ".join(code))[len(types) :] == []


def test_the_named_folder_is_used(place, tmp_path):
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "named")}
    assert place.say(SCALED, env=env) == ["15.0", "scaled"]
    assert place.say(SCALED, env=env) == ["15.0"]
    assert place.files() == []
    assert len(list((tmp_path / "named").glob("mine_*/words.scaled.*.nbc"))) == 1


def test_the_user_s_folder_is_used_where_the_package_s_own_cannot_be(place, tmp_path):
    (place.package / "__pycache__").touch()  # no folder can be made there, not even by root
    env = {"XDG_CACHE_HOME": str(tmp_path / "user")}
    assert place.say(SCALED, env=env) == ["15.0", "scaled"]
    assert place.say(SCALED, env=env) == ["15.0"]
    assert len(list((tmp_path / "user").glob("numba/mine_*/words.scaled.*.nbc"))) == 1


def test_where_nothing_can_be_written_kernels_are_compiled_each_time(place):
    (place.package / "__pycache__").touch()
    env = {"NUMBA_CACHE_DIR": "/dev/null/none"}
    where = "from pellucid.kernels.cache import folder; print(folder(words.__file__))"
    for _ in range(2):
        assert place.say(f"{SCALED}; {where}", env=env) == ["15.0", "None", "scaled"]


@pytest.fixture
def locked(place):
    """The place, with folders that may only be read."""
    yield place
    for path in (place.package, place.package / "__pycache__"):
        path.chmod(0o755)


def test_a_folder_that_may_only_be_read_is_read(locked):
    program = [*obeying(), sys.executable]
    (locked.package / "__pycache__").mkdir()
    (locked.package / "__pycache__").chmod(0o555)
    locked.package.chmod(0o555)
    assert locked.say(SCALED, program=program) == ["15.0", "scaled"]
    assert locked.files() == []
    (locked.package / "__pycache__").chmod(0o755)
    locked.say(SCALED)
    (locked.package / "__pycache__").chmod(0o555)
    assert locked.say(SCALED, program=program) == ["15.0"]
    assert locked.say("print(words.power(1)(x))", program=program) == ["5.0", "risen"]
    assert len(locked.files()) == 1


def test_the_best_place_comes_first_and_what_is_behind_it_is_not_looked_at(tmp_path, monkeypatch):
    named, own = tmp_path / "named", tmp_path / "mine"
    own.mkdir()
    source = str(own / "words.py")
    monkeypatch.setattr(cache.config, "CACHE_DIR", "/dev/null")
    unwritable, pycache = cache.folders(source)
    assert pycache == cache.folder(source) == own / "__pycache__"
    monkeypatch.setattr(cache.config, "CACHE_DIR", str(named))
    (place,) = cache.folders(source)
    assert place == cache.folder(source) == named / unwritable.name


def test_a_named_folder_that_is_empty_begins_anew(place, tmp_path):
    place.say(SCALED)
    env = {"NUMBA_CACHE_DIR": str(tmp_path / "named")}
    assert place.say(SCALED, env=env) == ["15.0", "scaled"]
