"""Recorded calls of kernels are made again without Python."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pellucid.kernels.ahead.rehearsal import rehearsal
from pellucid.kernels.jit import kernel
from pellucid.kernels.pool.recording import Recording
from pellucid.kernels.pool.threads import (
    get_num_threads,
    run,
    run_alone,
    run_python,
    set_num_threads,
    share,
)


@kernel
def double(queue, x, y):
    for row in share(queue):
        y[row] = 2 * x[row]


@kernel
def reciprocal(queue, x, y):
    for row in share(queue):
        if x[row] == 0:
            raise ZeroDivisionError("a zero")
        y[row] = 1 / x[row]


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = get_num_threads()
    set_num_threads(request.param)
    yield
    set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_calls_are_repeated_in_their_order_on_the_same_arrays():
    x, y, z = (np.ones(1000) for _ in range(3))
    recording = Recording()
    with recording:
        run(double, len(x), x, y)
        run_alone(double, len(x), y, z)
        run(double, 1, z, x)
    assert len(recording) == 3
    for k in range(100):
        x[:], z[:] = k, -1
        assert recording.repeat()
        assert (z == 4 * k).all()
        assert x[0] == 8 * k
        assert (x[1:] == k).all()


@pytest.mark.usefixtures("threads")
def test_a_kernel_that_fails_ends_the_repetition_and_the_next_one_works():
    x, y, z = np.ones(1000), np.ones(1000), np.zeros(1000)
    recording = Recording()
    with recording:
        run(reciprocal, len(x), x, y)
        run(double, len(x), y, z)
    x[700], z[:] = 0, -1
    assert not recording.repeat()
    assert (z == -1).all()
    x[700] = 1
    assert recording.repeat()
    assert (z == 2).all()


def test_an_error_while_recording_is_raised_and_ends_the_recording():
    x = np.zeros(3)
    recording = Recording()
    with pytest.raises(ZeroDivisionError), recording:
        run(reciprocal, 3, x, x.copy())
    y = np.zeros(3)
    run(double, 3, np.ones(3), y)
    assert len(recording) == 0
    assert (y == 2).all()


def test_only_the_calls_of_the_thread_in_the_block_are_recorded():
    x, y, z = np.ones(10), np.zeros(10), np.zeros(10)
    recording = Recording()
    with recording:
        other = threading.Thread(target=run, args=(double, 10, x, z))
        other.start()
        other.join()
        run(double, 10, x, y)
    assert len(recording) == 1
    z[:] = 0
    recording.repeat()
    assert (z == 0).all()


def test_a_recording_keeps_its_arrays_alive():
    y = np.zeros(10_000)
    recording = Recording()
    with recording:
        run(double, len(y), np.full(len(y), 3.0), y)
    waste = [np.full(10_000, 9.0) for _ in range(50)]
    y[:] = 0
    assert recording.repeat()
    assert (y == 6).all()
    del waste


def test_the_number_of_threads_may_change_between_repetitions():
    before = get_num_threads()
    x, y = np.ones(1000), np.zeros(1000)
    recording = Recording()
    with recording:
        run(double, len(x), x, y)
    try:
        for count in (1, 3, 2, 1, 4):
            set_num_threads(count)
            x[:], y[:] = count, 0
            assert recording.repeat()
            assert (y == 2 * count).all()
    finally:
        set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_functions_of_python_are_called_again_between_the_kernels():
    x, y, z = (np.ones(1000) for _ in range(3))
    recording = Recording()
    with recording:
        run(double, len(x), x, y)
        run_python(np.add, y, 1, y)
        run(double, len(x), y, z)
        run_python(np.negative, z, z)
    for k in range(5):
        x[:] = k
        assert recording.repeat()
        assert (z == -4 * k - 2).all()


@pytest.mark.usefixtures("threads")
def test_a_moving_array_may_lie_elsewhere_and_only_where_it_was_said_to_move():
    x, y, z = (np.ones(1000) for _ in range(3))
    recording = Recording()
    with recording:
        with recording.moving({"x": x}):
            run(double, 400, x[600:], y)
        run(double, len(x), x, z)
    for k in range(4):
        other, x[:] = np.arange(1000.0) + k, -k
        assert recording.repeat({"x": other})
        np.testing.assert_array_equal(y[:400], 2 * other[600:])
        assert (z == -2 * k).all()
    assert not recording.pinned


class Interrupted(dict):
    """Where moving arrays are, and Ctrl-C as soon as a new address is noted as written."""

    def __setitem__(self, key, at):
        if at > 0:
            raise KeyboardInterrupt
        super().__setitem__(key, at)


def test_an_array_is_found_where_it_was_after_an_interruption_on_the_way_to_another():
    """An address is used again, when the array of an interrupted call has been freed."""
    x, y = np.ones(10), np.empty(10)
    recording = Recording()
    with recording, recording.moving({"x": x}):
        run(double, len(x), x, y)
    assert recording.repeat({"x": x})
    before = recording._at
    recording._at = Interrupted(before)
    with pytest.raises(KeyboardInterrupt):
        recording.repeat({"x": np.full(10, 7.0)})
    recording._at = dict(recording._at)
    x[:] = 3
    assert recording.repeat({"x": x})
    assert (y == 6).all()


def test_a_function_that_gets_a_moving_array_pins_the_recording():
    x, y = np.ones(10), np.ones(10)
    recording = Recording()
    with recording, recording.moving({"x": x}):
        run_python(np.negative, y, y)
        assert not recording.pinned
        run_python(np.negative, x[2:], y[2:])
    assert recording.pinned


def test_what_is_rehearsed_while_recording_is_not_recorded():
    x, y = np.ones(10), np.ones(10)
    recording = Recording()
    with recording:
        run(double, len(x), x, y)
        with rehearsal():
            run(double, len(x), x, y)
            run_python(np.negative, y, y)
    assert len(recording) == 1
