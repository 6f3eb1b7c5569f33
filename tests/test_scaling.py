"""The model of a step's time on many ranks, and two machines made of one."""

from __future__ import annotations

import doctest
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def module(name):
    """Import one of the scripts, which are not a package."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    found = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


sys.path.append(str(BENCHMARKS))  # the scripts import each other
step_model, machines, links = module("step_model"), module("machines"), module("links")
sys.path.remove(str(BENCHMARKS))
Layer, Link, Network, StepModel = (
    step_model.Layer, step_model.Link, step_model.Network, step_model.StepModel,
)  # fmt: skip

FREE = Link("free", 0, 0, 0, 0)


def network(*numbers, channels=(), seconds=1e-3, update=0.0):
    """Return layers of these numbers of parameters: 1 ms an image forward and 2 ms backward."""
    channels = channels or [0] * len(numbers)
    layers = [
        Layer((seconds, 2 * seconds), (2 * seconds, 4 * seconds), n, c)
        for n, c in zip(numbers, channels, strict=True)
    ]
    return Network("made", (1, 2), tuple(layers), (0.0, 0.0), update, 0.0)


def test_the_examples_of_the_model_hold():
    assert doctest.testmod(step_model).failed == doctest.testmod(links).failed == 0


def test_a_step_on_one_rank_is_what_it_computes():
    slow = Link("slow", 1, 1, 1, 1)
    split = StepModel(network(100, 200, update=0.5), slow).split(1, 10)
    assert split.total == pytest.approx(split.compute) == pytest.approx(10 * 6e-3 + 0.5)


@pytest.mark.parametrize(("ranks", "images"), [(1, 96), (2, 48), (3, 48), (5, 24), (8, 12)])
def test_without_cost_of_messages_the_rank_with_most_images_decides(ranks, images):
    model = StepModel(network(1000, 1000), FREE)
    assert model.seconds(ranks, 96) == pytest.approx(images * 6e-3)
    assert model.speed_up(ranks, 96) == pytest.approx(96 / images)


def test_more_ranks_than_chunks_take_more_chunks():
    assert [step_model.images_of_rank(1024, n) for n in (8, 9, 16, 1024)] == [128, 128, 64, 1]
    assert step_model.images_of_rank(100, 1024) == 1


def test_the_bytes_are_those_of_a_ring_and_the_update_is_divided():
    numbers, ranks = 10**6, 4
    split = StepModel(network(numbers, update=1.0), Link("wire", 0, 1e-9, 0, 0)).split(ranks, 8)
    sent = 4 * numbers * (ranks - 1) / ranks * 1e-9
    assert split.exchange == pytest.approx(sent)
    assert split.gather == pytest.approx(sent)
    assert split.compute == pytest.approx(2 * 3e-3 + 1.0 / ranks)


def test_gradients_of_late_layers_travel_while_early_ones_compute():
    wire = Link("wire", 0, 1e-9, 0, 0)
    late, early = network(10, 10**6), network(10**6, 10)
    hidden, exposed = (StepModel(net, wire).split(2, 4).exchange for net in (late, early))
    assert hidden == pytest.approx(20e-9, abs=1e-9)  # of the last bucket, 10 numbers
    assert exposed == pytest.approx(2e-3, rel=1e-3)
    assert StepModel(late, wire, overlap=False).split(2, 4).exchange == pytest.approx(
        2e-3, rel=1e-3
    )


def test_the_processor_s_part_of_a_message_is_not_hidden():
    link = Link("busy", 0, 0, 1e-6, 1e-9)
    split = StepModel(network(10, 2**18), link).split(4, 8)
    assert split.exchange == pytest.approx(2 * 3e-6 + 0.75e-9 * (2**20 + 40))


def test_each_bucket_is_a_message_to_each_other_rank():
    link = Link("latency", 0, 0, 1e-6, 0)
    many = StepModel(network(*[1000] * 10), link, bucket=4000).split(64, 64)
    one = StepModel(network(*[1000] * 10), link, bucket=40_000).split(64, 64)
    assert many.exchange == pytest.approx(10 * 63e-6)
    assert one.exchange == pytest.approx(63e-6)


def test_batch_norms_wait_twice_each_for_log2_of_the_ranks():
    link = Link("latency", 1e-3, 0, 0, 0)
    small = StepModel(network(0, 0, channels=(16, 32)), link).split(8, 8).small
    assert small == pytest.approx((2 * 2 + 2) * 3e-3)


def test_gathered_sums_of_a_thousand_ranks_are_a_thousand_times_as_many_bytes():
    link = Link("wire", 0, 1e-9, 0, 0)
    gathered, paired = (
        StepModel(network(0, channels=(512,)), link, gathered=g).message(1024, 8192)
        for g in (True, False)
    )
    assert gathered == pytest.approx(1023 * 8192e-9)
    assert paired == pytest.approx(10 * 8192e-9)


def test_the_least_batch_rises_with_the_latency_and_may_not_exist():
    net = network(100)
    least = [StepModel(net, Link("l", s, 0, 0, 0)).least_images(8) for s in (1e-6, 1e-3, 1e3)]
    assert least == [1, 32, None]  # 3 ms an image and 8 messages, one after the other
    model = StepModel(net, Link("l", 1e-3, 0, 0, 0))
    assert model.scaled_speed_up(8, 32) >= 0.9 * 8 > model.scaled_speed_up(8, 16)


def test_two_machines_of_one_have_addresses_of_their_own_and_a_cable_of_its_rate():
    if reason := machines.unavailable():
        pytest.skip(reason)
    program = """
import hashlib, subprocess, time
import numpy as np
from pellucid.distributed import MPI, Share
world = MPI()
addresses = world.gather(subprocess.check_output(["ip", "-4", "-o", "addr", "show", "up"]))
assert len({a.split(b"inet 10.77")[1].split()[0] for a in addresses}) == 2
rng = np.random.default_rng(0)
parts = rng.normal(size=(8, 3)).astype(np.float32)
share = Share(world, 8)
total = share.total(parts[share.first : share.last])
assert total.tobytes() == Share().total(parts).tobytes()
a, b = np.full((2, 2**20), world.rank, dtype=np.uint8)
begin = time.perf_counter()
world.exchange([a, a], [a, b] if world.rank == 0 else [b, a]).wait()
seconds = time.perf_counter() - begin
assert (b == 1 - world.rank).all()
# 1 MiB less what the bucket of tokens and the sockets let pass at once, at 100 Mbit/s.
assert seconds > 0.5 * 8 * 2**20 / 100e6
"""
    done = machines.between_machines(100, [sys.executable, "-c", program], timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_command_between_machines_gives_its_exit_code():
    if reason := machines.unavailable():
        pytest.skip(reason)
    command = [sys.executable, str(BENCHMARKS / "machines.py"), "0", "sh", "-c", "exit 3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
