"""Shared tasks: each is done once, on any number of threads, in children, and to the very end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba.core import event
from numba.core.caching import NullCache

from pellucid.errors import ArgumentError
from pellucid.kernels.jit import kernel
from pellucid.kernels.pool import thread_count, threads, work_queue
from pellucid.kernels.pool.atomics import X86, add_to, look_at
from pellucid.kernels.pool.thread_count import get_num_threads, set_num_threads
from pellucid.kernels.pool.threads import run, share

TASKS, SIZE = 64, 500


@kernel
def scale(queue, x, y, factor):
    for n in share(queue):
        for i in range(x.shape[1]):
            y[n, i] = factor * x[n, i] + np.sqrt(x[n, i])


@kernel
def count(queue, times):
    for n in share(queue):
        times[n] += 1


@kernel
def divide(queue, x, y):
    for n in share(queue):
        if x[n] == 0:
            raise ValueError("cannot divide")
        y[n] = 1 / x[n]


@kernel
def meet(queue, arrived, y, seconds):
    """Each task waits for all others to begin; the last goes on for a while then."""
    for n in share(queue):
        add_to(arrived, 0, 1)
        while look_at(arrived, 0) < y.size:
            pass
        if n == y.size - 1:
            for _ in range(int(1e9 * seconds)):  # an atomic addition takes some nanoseconds
                add_to(arrived, 0, 1)
        y[n] = 1


@kernel
def begin_late(queue, arrived, seconds):
    """Whoever comes second takes a while before it looks for a task."""
    if add_to(arrived, 0, 1) == 1:
        for _ in range(int(1e8 * seconds)):
            add_to(arrived, 8, 1)
    for _ in share(queue):
        pass


@pytest.fixture(autouse=True)
def same_number_of_threads_afterwards():
    before = get_num_threads()
    yield
    set_num_threads(before)


def images(seed=0):
    return np.random.default_rng(seed).random((TASKS, SIZE), dtype=np.float32)


def scaled(factor=3.0, seed=0):
    y = np.zeros((TASKS, SIZE), np.float32)
    run(scale, TASKS, images(seed), y, np.float32(factor))
    return y


def right(y, factor=3.0, seed=0):
    x = images(seed)
    return np.allclose(y, np.float32(factor) * x + np.sqrt(x), rtol=1e-6)


@pytest.mark.parametrize("wanted", [1, 2, 3, 7])
@pytest.mark.parametrize("tasks", [0, 1, 2, 3, 1000])
def test_every_task_is_done_exactly_once(wanted, tasks):
    set_num_threads(wanted)
    times = np.zeros(1000, np.int64)
    for _ in range(20):
        run(count, tasks, times)
    assert (times[:tasks] == 20).all()
    assert (times[tasks:] == 0).all()


def test_more_threads_than_one_do_work_and_no_more_than_were_asked_for():
    run(meet, 1, np.zeros(1, np.int64), np.zeros(1), 0)  # compiles
    for wanted in (3, 2):
        set_num_threads(wanted)
        y = np.zeros(wanted)
        run(meet, wanted, np.zeros(1, np.int64), y, 0)
        assert y.all()
        assert len(threads._pool.helpers) == wanted - 1


def test_after_ctrl_c_nobody_writes_any_more(monkeypatch):
    def interrupt(queue):
        monkeypatch.undo()
        raise KeyboardInterrupt

    set_num_threads(2)
    run(meet, 1, np.zeros(1, np.int64), np.zeros(1), 0)
    for _ in range(5):
        monkeypatch.setattr(work_queue, "finished", interrupt)
        arrived, y = np.zeros(1, np.int64), np.zeros(2)
        with pytest.raises(KeyboardInterrupt):
            run(meet, 2, arrived, y, 0.02)
        at_once = arrived[0]
        time.sleep(0.02)
        assert at_once == arrived[0]
        assert right(scaled())


def test_a_second_ctrl_c_leaves_the_next_call_in_peace(monkeypatch):
    def interrupt(queue):
        raise KeyboardInterrupt

    set_num_threads(2)
    run(meet, 1, np.zeros(1, np.int64), np.zeros(1), 0)
    for _ in range(5):
        with monkeypatch.context() as patched:
            patched.setattr(work_queue, "finished", interrupt)  # each time it is waited for
            with pytest.raises(KeyboardInterrupt):
                run(meet, 2, np.zeros(1, np.int64), np.zeros(2), 0.02)
        for seed in range(5):
            assert right(scaled(seed=seed), seed=seed)


def test_after_ctrl_c_no_task_is_begun():
    times = np.zeros(10_000_000, np.int64)
    run(count, 1, times)

    def interrupted(queue, times):
        """Leave the tasks to the helper, and return amid them."""
        ahead = threading.Thread(target=count, args=(queue, times))
        ahead.start()
        while queue[work_queue.TAKEN] == 0:
            time.sleep(1e-5)
        raise KeyboardInterrupt

    set_num_threads(2)
    times[:] = 0
    with pytest.raises(KeyboardInterrupt):
        run(interrupted, len(times), times)
    time.sleep(0.05)
    done = times.sum()
    assert done < len(times)
    time.sleep(0.02)
    assert times.sum() == done
    assert right(scaled())


def test_the_bits_do_not_depend_on_the_threads():
    results = []
    for wanted in (1, 2, 3):
        set_num_threads(wanted)
        results.append(scaled().tobytes())
    assert len(set(results)) == 1


def test_a_kernel_of_one_task_wakes_nobody(monkeypatch):
    set_num_threads(3)
    scaled()
    while not all(helper.asleep for helper in threads._pool.helpers):
        time.sleep(0.001)
    y = np.zeros((1, SIZE), np.float32)
    run(scale, 1, images()[:1], y, np.float32(2))
    assert y.any()
    assert all(helper.asleep for helper in threads._pool.helpers)


def test_a_helper_sleeps_after_a_while_and_is_woken():
    set_num_threads(2)
    run(meet, 1, np.zeros(1, np.int64), np.zeros(1), 0)
    for _ in range(3):
        y = np.zeros(2)
        run(meet, 2, np.zeros(1, np.int64), y, 0)  # which one alone would never end
        assert y.all()
        (helper,) = threads._pool.helpers
        begin = time.process_time()
        while not helper.asleep:
            time.sleep(0.001)
        assert time.process_time() - begin < 1


def test_a_kernel_is_compiled_by_its_caller_alone():
    @kernel
    def fresh(queue, y):
        for n in share(queue):
            y[n] = 1

    fresh._cache = NullCache()  # or it is compiled in the first run of this test alone
    compiling = []

    class Listener(event.Listener):
        def on_start(self, news):
            compiling.append(threading.current_thread())

        def on_end(self, news):
            pass

    listener = Listener()
    event.register("numba:compile", listener)
    try:
        set_num_threads(3)
        for _ in range(20):
            run(fresh, 50, np.zeros(50))
    finally:
        event.unregister("numba:compile", listener)
    assert set(compiling) == {threading.main_thread()}


def test_a_kernel_with_too_many_arguments_is_refused():
    @kernel
    def wide(queue, *arrays):
        for n in share(queue):
            arrays[0][n] = n

    with pytest.raises(TypeError, match="take more than 4096 bytes"):
        run(wide, 2, *[np.zeros(2)] * 80)


def test_helpers_count_no_references():
    # They may be at work when what counts them is gone: it lives as long as the call by Python.
    set_num_threads(2)
    times = np.zeros(5, np.int64)
    run(count, 5, times)
    run(count, 5, times)
    queue, words = threads._pool.queue, 7  # counter, owner, size, bytes, data, shape, strides
    for place, array in ((0, queue), (words, times)):
        counter, owner, size, _, data = queue[work_queue.ARGUMENTS + place :][:5].tolist()
        assert (counter, owner, size, data) == (0, 0, len(array), array.ctypes.data)


def test_tasks_are_taken_from_both_ends():
    @kernel
    def order(queue, arrived, y):
        for n in share(queue):
            y[n] = add_to(arrived, 0, 1)

    y = np.zeros(10, np.int64)
    queue = work_queue.queue_for_one(10)
    order(queue, np.zeros(1, np.int64), y)
    assert y.tolist() == list(range(10))
    queue = work_queue.queue_for_one(10)
    queue[work_queue.ENTERED] = 1  # as if another had called it
    order(queue, np.zeros(1, np.int64), y)
    assert y.tolist() == list(range(10))[::-1]


def test_many_python_threads_at_once_each_get_their_own_result():
    set_num_threads(3)
    scaled()
    wrong = []

    def work(seed):
        for _ in range(100):
            if not right(scaled(seed, seed), seed, seed):
                wrong.append(seed)

    crowd = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 9)]
    for thread in crowd:
        thread.start()
    for number in (1, 2, 4, 2, 3):  # hiring and dismissing meanwhile
        set_num_threads(number)
        time.sleep(0.02)
    for thread in crowd:
        thread.join(60)
    assert not any(thread.is_alive() for thread in crowd)
    assert wrong == []


def denormals_count():
    """Return whether half of 1e-40 is more than nothing here and now."""
    return bool((np.full(8, 1e-40, np.float32) * np.float32(0.5)).all())


@pytest.mark.skipif(not X86, reason="denormal numbers cost little elsewhere")
@pytest.mark.parametrize("wanted", [1, 2])
def test_denormal_numbers_are_zero_in_a_kernel_and_only_there(wanted):
    set_num_threads(wanted)
    x, y = np.full((TASKS, SIZE), 1e-40, np.float32), np.ones((TASKS, SIZE), np.float32)
    run(scale, TASKS, x, y, np.float32(0.5))
    assert not y.any()
    assert denormals_count()


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_an_error_in_a_task_is_raised_by_run_wherever_it_happened(wanted):
    set_num_threads(wanted)
    x, y = np.ones(100), np.zeros(100)
    run(divide, 100, x, y)
    for bad in range(100):
        x[:] = 1
        x[bad] = 0
        with pytest.raises(ValueError, match="cannot divide"):
            run(divide, 100, x, y)
    assert denormals_count()
    x[:] = 2
    run(divide, 100, x, y)
    assert (y == 0.5).all()


def test_the_arrays_are_let_go():
    set_num_threads(2)
    y = np.zeros((TASKS, SIZE), np.float32)
    before = sys.getrefcount(y)
    for _ in range(50):
        run(scale, TASKS, y, y, np.float32(1))
    for _ in range(100):
        if sys.getrefcount(y) == before:
            break
        time.sleep(0.01)
    assert sys.getrefcount(y) == before


class Pair(NamedTuple):
    """Arrays that a kernel takes together, one of them within a second tuple."""

    x: Any
    more: tuple[Any, Any]


@kernel
def scale_pair(queue, pair, y):
    for n in share(queue):
        x, (factors, times) = pair
        times[n] += 1
        for i in range(x.shape[1]):
            y[n, i] = factors[0] * x[n, i] + np.sqrt(x[n, i])


@kernel
def leave_arguments(queue, pair, y):
    for n in share(queue):
        y[n, 0] = len(pair.x)


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_arrays_in_tuples_are_neither_kept_nor_freed_too_early(wanted):
    set_num_threads(wanted)
    y = np.zeros((TASKS, SIZE), np.float32)
    x, factors, times = images(), np.float32([3]), np.zeros(TASKS, np.int64)
    arrays = (x, factors, times, y)
    pair = Pair(x, (factors, times))
    run(scale_pair, TASKS, pair, y)
    before = [sys.getrefcount(a) for a in arrays]
    for _ in range(200):
        run(scale_pair, TASKS, pair, y)
    assert (times == 201).all()
    assert right(y)
    for _ in range(100):
        if [sys.getrefcount(a) for a in arrays] == before:
            break
        time.sleep(0.01)
    assert [sys.getrefcount(a) for a in arrays] == before
    for seed in range(200):  # arrays that nobody else holds, in memory that is used again at once
        run(scale_pair, TASKS, Pair(images(seed), (np.float32([seed]), times)), y)
        assert right(y, seed, seed)


def test_helpers_find_no_counter_of_references_in_a_tuple():
    set_num_threads(2)
    x, factors, times = images(), np.float32([3]), np.zeros(TASKS, np.int64)
    y = np.zeros((TASKS, SIZE), np.float32)
    for _ in range(2):  # the first call may compile
        run(leave_arguments, TASKS, Pair(x, (factors, times)), y)
    queue, at = threads._pool.queue, work_queue.ARGUMENTS
    words = queue[at : at + 60].tolist()
    found = 0
    for array in (x, factors, times, y):
        data = words.index(array.ctypes.data)
        counter, owner, size = words[data - 4 : data - 1]
        assert (counter, owner, size) == (0, 0, array.size)
        found += 1
    assert found == 4


def test_where_the_system_gives_no_threads_the_caller_does_all(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    scaled()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    set_num_threads(get_num_threads() + 2)
    assert right(scaled())


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", None, True, 10**6])
def test_nonsense_is_refused(bad):
    before = get_num_threads()
    with pytest.raises(ArgumentError, match=r"^set_num_threads: must be a whole number from 1 to"):
        set_num_threads(bad)
    assert get_num_threads() == before


def test_numbers_of_numpy_are_numbers():
    set_num_threads(np.int64(2))
    assert get_num_threads() == 2


# In processes of their own ------------------------------------------------------------------------

HERE = Path(__file__)
PRELUDE = f"""
import os, sys
sys.path.insert(0, {str(HERE.parent)!r})
from test_threads import *
"""


def start(code, *, first="", **environment):
    names = ("PELLUCID_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
    inherited = {key: value for key, value in os.environ.items() if key not in names}
    return subprocess.Popen(
        [sys.executable, "-c", first + PRELUDE + textwrap.dedent(code)],
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def said(code, **options):
    with start(code, **options) as process:
        out, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (0, ""), err
    return out.split()


def test_the_environment_decides_at_the_start():
    code = "print(get_num_threads())"
    assert said(code, PELLUCID_NUM_THREADS="3", NUMBA_NUM_THREADS="1") == ["3"]
    assert said(code, NUMBA_NUM_THREADS="1", OMP_NUM_THREADS="2") == ["1"]
    assert said(code, OMP_NUM_THREADS="5,2") == ["5"]
    assert said(code, OMP_NUM_THREADS="all", PELLUCID_NUM_THREADS="") == [
        str(thread_count._cores())
    ]


def test_to_ask_for_threads_loads_no_compiler():
    code = (
        "import pellucid; pellucid.set_num_threads(2); print('numba' in __import__('sys').modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.strip() == b"False"


@pytest.mark.parametrize("bad", ["0", "two", "-1", "1.5", "99999"])
def test_a_nonsensical_environment_is_refused_by_its_name(bad):
    with start("", PELLUCID_NUM_THREADS=bad) as process:
        _, err = process.communicate(timeout=100)
    assert process.returncode == 1
    words = f"PELLUCID_NUM_THREADS: must be a whole number from 1 to 1024, received {bad!r}."
    assert words in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("quota", "share_of_them"),
    [("max 100000", 6), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 6)],
)
def test_a_container_s_share_of_the_cores_counts(monkeypatch, tmp_path, quota, share_of_them):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(thread_count, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert thread_count._cores() == share_of_them


@pytest.mark.parametrize(
    ("own", "of_launcher", "ranks", "threads"),
    [(6, 6, 1, 6), (6, 6, 2, 3), (6, 6, 4, 1), (6, 6, 9, 1), (1, 6, 2, 1), (4, 32, 2, 4)],
)
def test_ranks_share_the_cores_of_their_host(monkeypatch, own, of_launcher, ranks, threads):
    cores = {0: set(range(own)), os.getppid(): set(range(of_launcher))}
    monkeypatch.setattr(thread_count, "QUOTA", HERE / "none")
    monkeypatch.setattr(os, "sched_getaffinity", cores.__getitem__, raising=False)
    assert thread_count._of_rank(ranks) == threads


def test_numba_starts_no_threads_of_its_own():
    code = """
    set_num_threads(3)
    assert right(scaled())
    assert right(scaled())
    from numba.np.ufunc import parallel
    print(parallel._is_initialized, len(os.listdir("/proc/self/task")))
    """
    assert said(code, OPENBLAS_NUM_THREADS="1") == ["False", "3"]


FORKS = """
def child():
    alive = [helper.thread.is_alive() for helper in threads._pool.helpers]
    ok = right(scaled(5.0), 5.0) and alive == []
    alive = [helper.thread.is_alive() for helper in threads._pool.helpers]
    os._exit(0 if ok and alive == [True, True] else 1)

def fork():
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            child()
        statuses.append(os.waitpid(pid, 0)[1])
        assert right(scaled())

statuses = []
set_num_threads(3)
assert right(scaled())
"""
filter_fork = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"


def test_a_forked_child_has_threads_of_its_own():
    assert said(filter_fork + FORKS + "fork()\nprint(*statuses)") == ["0"] * 20


def test_a_thread_may_fork_while_others_are_at_work():
    code = """
    done = False
    def work():
        while not done:
            assert right(scaled())
    busy = [threading.Thread(target=work) for _ in range(2)]
    forking = threading.Thread(target=fork)
    for thread in (*busy, forking):
        thread.start()
    forking.join()
    done = True
    for thread in busy:
        thread.join()
    print(*statuses)
    """
    assert said(filter_fork + FORKS + textwrap.dedent(code)) == ["0"] * 20


def test_a_child_that_was_forked_amid_a_compilation_can_compile():
    code = """
    import numba
    from numba.core import event

    started = threading.Event()
    class Slow(event.Listener):
        def on_start(self, _):
            started.set()
            time.sleep(0.02)
        def on_end(self, _):
            pass

    second, third = numba.njit(lambda y: y + 1), numba.njit(lambda y: y + 2)
    listener = Slow()
    event.register("numba:run_pass", listener)
    compiling = threading.Thread(target=numba.njit(lambda x: x + 1), args=(1,))
    compiling.start()
    started.wait()
    pid = os.fork()
    event.unregister("numba:run_pass", listener)
    if pid == 0:  # neither its own thread nor another has to wait
        other = threading.Thread(target=third, args=(1,))
        other.start()
        other.join()
        os._exit(0 if second(1) == 2 and third.overloads else 1)
    for _ in range(200):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.1)
    else:
        os.kill(pid, signal.SIGKILL)
        status = "it waits forever"
    compiling.join()
    print(status)
    """
    assert said(filter_fork + textwrap.dedent(code)) == ["0"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_works_either_way(method):
    code = f"""
    import multiprocessing
    if __name__ == "__main__":
        set_num_threads(2)
        assert right(scaled())
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            results = pool.starmap(scaled, [(2.0, seed) for seed in range(6)])
        print(*(right(y, 2.0, seed) for seed, y in enumerate(results)))
    """
    assert said(filter_fork + textwrap.dedent(code)) == ["True"] * 6


ENDINGS = {
    "while the threads wait": "set_num_threads(4); scaled(); scaled(); print(1)",
    "while one of them is at it": """
        set_num_threads(2)
        run(begin_late, 1, np.zeros(9, np.int64), 0.0)
        run(begin_late, 2, np.zeros(9, np.int64), 0.5)
        print(1)
    """,
    "at once": "print(1); sys.exit(0)",
    "after they were sent home": """
        set_num_threads(3)
        scaled(); scaled()
        threads._dismiss()
        print(int(right(scaled())))
    """,
    "and calls a kernel": """
        import atexit
        atexit.register(scaled)
        set_num_threads(3)
        scaled(); scaled()
        print(1)
    """,
    "of a daemon": """
        set_num_threads(3)
        scaled()
        def work():
            while True:
                scaled()
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
        print(1)
        sys.stdout.flush()
        os._exit(0)
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_end_of_a_process_is_silent(ending):
    for _ in range(3):
        assert said(ENDINGS[ending]) == ["1"]


def test_the_threads_are_sent_home_before_python_is_taken_down():
    last = """
import atexit, threading
atexit.register(lambda: print([t.name for t in threading.enumerate()]))
"""
    code = "set_num_threads(3); scaled(); scaled(); print(threading.active_count())"
    assert said(code, first=last) == ["3", "['MainThread']"]


def test_ctrl_c_ends_a_process_amid_its_kernels():
    code = """
    set_num_threads(3)
    scaled()
    print("ready", flush=True)
    while True:
        scaled()
    """
    for delay in (0.0, 0.01, 0.05):
        with start(code) as process:
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGINT
        assert err.rstrip().endswith("KeyboardInterrupt")
