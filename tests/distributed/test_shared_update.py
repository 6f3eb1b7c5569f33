"""Each rank updates a part of the weights; the bits are those of one process."""

import json
import math
from fractions import Fraction
from itertools import chain

import numpy as np
import pytest

from pellucid import nn, optim
from pellucid.errors import NumericsError, PellucidError
from pellucid.optim.clipping import BLOCK, block_bounds
from pellucid.training import CompiledEngine
from pellucid.training.buckets import buckets_of
from pellucid.training.exchange import GRADIENTS
from pellucid.training.shared_update import exact_terms

from .given_gradients import RULES, Learner, digest, same
from .in_threads import on_threads
from .ranks import needs_mpi, on_ranks


@pytest.mark.parametrize("rule", RULES)
def test_any_number_of_ranks_gives_the_bits_of_one(rule):
    def train(world):
        one = Learner(world, RULES[rule])
        norms = [one.step(k, lr=0.01 / (k + 1), clip=3.0 if k % 2 else None) for k in range(6)]
        return digest(one.model.state_dict()), norms

    expected = train(None)
    for n in (1, 2, 3, 4, 8):
        assert on_threads(n, train) == [expected] * n


EVERY_RULE = """
import json
from pellucid.distributed import MPI
from tests.distributed.given_gradients import RULES, Learner, digest
world, found = MPI(), {}
for rule in RULES:
    one = Learner(world, RULES[rule])
    norms = [one.step(k, clip=3.0 if k % 2 else None) for k in range(20)]
    kept = one.kept()
    found[rule] = digest(one.model.state_dict()), norms, kept and digest(kept)
found = world.gather(found)
if world.rank == 0:
    assert all(digests[rule][:2] == found[0][rule][:2] for digests in found for rule in RULES)
    print(json.dumps(found[0]))
"""


@needs_mpi
def test_real_ranks_give_the_bits_of_one():
    found = json.loads(on_ranks(3, EVERY_RULE).stdout)
    for rule, make in RULES.items():
        one = Learner(None, make)
        norms = [one.step(k, clip=3.0 if k % 2 else None) for k in range(20)]
        assert found[rule] == [digest(one.model.state_dict()), norms, digest(one.kept())], rule


BUCKETS = [{"most": 1, "first": 1}, {"most": 2**30, "first": 2**30}, {"most": 2**12, "first": 0}]


@pytest.mark.parametrize("buckets", BUCKETS)
def test_the_bits_do_not_depend_on_the_buckets(buckets):
    def train(world):
        one = Learner(world, RULES["adam"], **buckets)
        norms = [one.step(k, clip=2.0 if k == 1 else None) for k in range(3)]
        return digest(one.model.state_dict()), norms

    expected = train(None)
    assert on_threads(3, train) == [expected] * 3


@pytest.mark.parametrize("rule", ["adam", "nesterov"])
def test_parameters_may_be_frozen_and_thawed(rule):
    def train(world):
        one = Learner(world, RULES[rule])
        keys = list(one.model.parameters())
        nn.set_rates(one.model, {keys[5]: 0})
        for k in range(8):
            if k in (2, 4):
                nn.set_rates(one.model, {keys[0]: k == 4, keys[2]: 0.5, keys[3]: k == 4})
            if k == 6:
                nn.set_rates(one.model, {"*": 0})
            one.step(k, clip=3.0 if k % 3 else None)
        state = one.kept()
        return digest(one.model.state_dict()), state

    expected, state = train(None)
    assert [*map(int, (state["t"], state["t.5.bias"], state["t.0.weight"]))] == [8, 0, 4]
    for n in (2, 3):
        found = on_threads(n, train)
        assert [weights for weights, _ in found] == [expected] * n
        assert same(found[0][1], state)
        assert all(other is None for _, other in found[1:])


def test_the_memory_is_divided_among_the_ranks():
    def train(world):
        one = Learner(world, RULES["adam"])
        one.step(0)
        return sum(a.nbytes for kept in one.optimizer.memory.values() for a in kept.values())

    whole = train(None)
    parts = on_threads(4, train)
    assert sum(parts) == whole
    assert max(parts) < 0.4 * whole  # blocks are whole, and this network has few


@pytest.mark.parametrize("rule", ["momentum", "adam"])
def test_a_state_goes_on_with_any_number_of_ranks(rule):
    def train(world, steps, state=None):
        one = Learner(world, RULES[rule])
        if state is not None:
            weights, memory = state
            one.model.load_state_dict(weights)
            one.optimizer.load_state_dict(memory)
            one.optimizer.require_fit(one.model.parameters())
            if one.shared:
                one.shared.load()
        for k in steps:
            one.step(k)
        return one.model.state_dict(), one.kept()

    expected, memory = train(None, range(6))
    state = train(None, range(2))
    for n, steps in ((3, (2, 3)), (2, (4,)), (1, (5,))):
        state = on_threads(n, lambda world, steps=steps, state=state: train(world, steps, state))[0]
    assert same(state[0], expected)
    assert same(state[1], memory)


class Normed(optim.Adam):
    """A rule that needs whole arrays."""

    def update(self, w, g, lr, t, m, v):
        super().update(w, g / np.linalg.norm(g), lr, t, m, v)


def test_a_rule_that_needs_whole_arrays_gets_them_on_every_rank():
    def train(world):
        one = Learner(world, Normed)
        for k in range(3):
            one.step(k, clip=2.0)
        return digest(one.model.state_dict()), one.kept()

    expected, memory = train(None)
    found = on_threads(3, train)
    assert [weights for weights, _ in found] == [expected] * 3
    assert same(found[0][1], memory)
    assert found[1][1] is None


class Centred(CompiledEngine):
    """An engine that needs whole gradients for its update and its norm."""

    def update(self, optimizer, parameters, lr=None):
        for p in parameters.values():
            p.grad -= p.grad.mean()
        super().update(optimizer, parameters, lr)

    def clip(self, parameters, max_norm):
        return max(np.abs(p.grad).max() for p in parameters.values())


def test_an_engine_with_an_update_of_its_own_gets_whole_arrays():
    def train(world):
        one = Learner(world, RULES["adam"], Centred)
        norms = [one.step(k, clip=2.0 if k else None) for k in range(3)]
        return digest(one.model.state_dict()), norms

    expected = train(None)
    assert on_threads(3, train) == [expected] * 3


def test_a_callback_sees_and_changes_the_gradients_of_the_whole_batch():
    def train(world):
        one, seen = Learner(world, RULES["adam"]), []

        def callback(parameters):
            seen.append(digest({k: p.grad for k, p in parameters.items()}))
            for p in parameters.values():
                p.grad = p.grad * 0.5

        norms = [one.step(k, clip=1.0, callback=callback) for k in range(3)]
        return digest(one.model.state_dict()), norms, seen

    expected = train(None)
    assert on_threads(3, train) == [expected] * 3


def test_gradients_of_weights_that_are_updated_already_are_not_clipped():
    def train(world):
        one = Learner(world, RULES["sgd"])
        one.shared.begin(0.1)
        with pytest.raises(PellucidError, match="call `begin` without `lr`"):
            one.shared.clip(1.0)

    on_threads(2, train)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_every_rank_refuses_a_norm_that_is_not_finite(value):
    def train(world):
        one = Learner(world, RULES["sgd"])

        def callback(parameters):
            next(iter(parameters.values())).grad[0] = value

        with pytest.raises(NumericsError, match=f"the norm of the gradients is {value}"):
            one.step(0, clip=1.0, callback=callback)
        return True

    assert on_threads(2, train) == [True, True]


def test_a_bucket_is_sent_while_the_layers_before_it_compute():
    def train(world):
        one, begun = Learner(world, RULES["sgd"], most=1, first=1), []
        exchange = world.exchange

        def noted(sent, received, channel):
            if channel == GRADIENTS:
                begun.append(sum(a.size for a in sent))
            return exchange(sent, received, channel)

        world.exchange = noted
        step = next(step for step in one.plan.steps if step.learns)
        first = step.backward

        def backward(dy, *, need_dx):
            begun.append("the first layer computes")
            return first(dy, need_dx=need_dx)

        step.backward = backward
        one.step(0)
        return begun[:4]

    # Padded to cache lines: 53·10 + 10, 448·53 + 53, and 7·27 + 7 numbers.
    messages = [544 + 10, 23744 + 53, "the first layer computes", 192 + 7]
    assert on_threads(2, train) == [messages] * 2


def test_a_bucket_that_comes_late_is_not_mistaken_for_another():
    class Late:
        """Messages that are there only when they are waited for."""

        def __init__(self, pending):
            self.test, self.wait = lambda: False, pending.wait

    def train(world):
        one = Learner(world, RULES["adam"], most=1, first=1)
        exchange, begun = world.exchange, []

        def late(sent, received, channel):
            begun.append(channel)
            pending = exchange(sent, received, channel)
            return Late(pending) if begun.count(GRADIENTS) % 3 == 1 else pending

        world.exchange = late
        one.step(0)
        one.step(1)
        return digest(one.model.state_dict())

    one = Learner(None, RULES["adam"])
    one.step(0), one.step(1)
    assert on_threads(2, train) == [digest(one.model.state_dict())] * 2


def test_buckets_are_whole_layers_in_the_order_of_the_backward():
    rng = np.random.default_rng(0)
    for _ in range(200):
        count, ranks = rng.integers(1, 12), int(rng.integers(1, 9))
        sizes = rng.integers(1, 20000, count).tolist()
        starts = np.cumsum([0, *[-(-size // 16) * 16 for size in sizes[:-1]]]).tolist()
        after = np.sort(rng.integers(0, 6, count)).tolist()
        frozen = (rng.random(count) < rng.random()).tolist()
        most, first = (int(n) for n in rng.integers(1, 80000, 2))
        found = buckets_of(starts, sizes, after, frozen, ranks, most, first)
        every = [k for b in reversed(found) for k in range(b.first, b.last)]
        assert sorted(every) == list(range(count))
        assert [b.after for b in found] == sorted((b.after for b in found), reverse=True)
        edges = {*block_bounds(starts, sizes).ravel().tolist()}
        for b in found:
            inside = range(b.first, b.last)
            assert b.after == min(after[k] for k in inside)
            assert {frozen[k] for k in inside} == {b.frozen}
            assert len(b.cuts) == ranks + 1
            assert list(b.cuts) == sorted(b.cuts)
            assert (b.cuts[0], b.cuts[-1]) == (
                starts[b.first],
                starts[b.last - 1] + sizes[b.last - 1],
            )
            assert edges.issuperset(b.cuts)
            equal = (b.cuts[-1] - b.cuts[0]) / ranks
            assert max(np.diff(b.cuts)) <= equal + BLOCK


def test_the_exact_sum_of_squares_survives_a_message():
    rng = np.random.default_rng(0)
    for _ in range(50):
        exponents = rng.uniform(-149, 127, 400)
        squares = np.float64(np.float32(2.0**exponents)) ** 2
        parts = [exact_terms(part.tolist()).tolist() for part in np.split(squares, [3, 100, 250])]
        assert math.fsum(chain.from_iterable(parts)) == math.fsum(squares)
        exact = sum(map(Fraction, squares))
        assert sum(Fraction(term) for part in parts for term in part) == exact
