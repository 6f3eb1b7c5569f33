"""Ctrl-C at any moment counts as Ctrl-C between two batches: real signals, at every line."""

from __future__ import annotations

import gc
import hashlib
import json
import signal
import sys
import threading
from collections import Counter

import numpy as np
import pytest

from pellucid import data, nn, optim
from pellucid.errors import NumericsError, PellucidError
from pellucid.kernels.pool import threads
from pellucid.training import Callback, Trainer

# A training that was interrupted after its last batch may be done already.
pytestmark = pytest.mark.filterwarnings("ignore:Trainer. all .* epochs are done")
ENGINES = ["compiled", "numpy"]
FILES = (
    "pellucid/training/",
    "pellucid/optim/",
    "data/loader.py",
    "pellucid/engine/cpu/updates.py",
    "pellucid/engine/cpu/flat_memory.py",
    "pellucid/engine/flat.py",
)
FILES += ("pellucid/nn/evaluation.py", "data/augmentation.py", "pellucid/engine/plan.py")
IMAGES, BATCH = 70, 32  # three batches, the last one of 6


def network() -> nn.Sequential:
    rng = np.random.default_rng(0)
    return nn.Sequential(
        conv=nn.Conv2d(1, 3, 3, rng=rng), norm=nn.BatchNorm2d(3), relu=nn.ReLU(),
        pool=nn.MaxPool2d(2), drop=nn.Dropout(0.3), flatten=nn.Flatten(),
        fc1=nn.Linear(27, 8, rng=rng), norm1=nn.BatchNorm2d(8), drop1=nn.Dropout(0.2, "book"),
        fc2=nn.Linear(8, 10, rng=rng),
    )  # fmt: skip


def trainer(engine: str, *, optimizer="adam", epochs: int = 2, **options) -> Trainer:
    train, test = data.digits()
    return Trainer(
        network(), train.take(IMAGES), test.take(20), optimizer=optimizer, epochs=epochs,
        batch_size=BATCH, augment="flip,crop1", schedule="cosine", engine=engine, **options,
    )  # fmt: skip


def digest(one: Trainer) -> str:
    """Return a hash of everything that the state holds, but for seconds."""
    state = one.state()
    bits = hashlib.sha256()
    for arrays in (state.weights, state.optimizer, {"order": state.order}):
        for key in sorted(arrays):
            bits.update(key.encode() + arrays[key].tobytes())
    epochs = [(r.epoch, r.loss, r.train_accuracy, r.test_loss) for r in state.history.epochs]
    rest = (
        state.optimizer_config, state.seed, state.draws, state.order_epoch, state.epoch,
        state.position, state.lr, state.history.losses, epochs, str(state.best),
    )  # fmt: skip
    bits.update(json.dumps(rest, default=int).encode())
    return bits.hexdigest()


class Moments(Callback):
    """Note the states between batches."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def _note(self, trainer: Trainer, *_: object) -> None:
        self.seen.append(digest(trainer))

    on_fit_begin = on_batch_end = on_epoch_end = _note


@pytest.fixture(autouse=True)
def no_callbacks_of_the_collector():
    """Python drops an exception that is raised amid a callback of its garbage collector.

    Hypothesis has one, in which a timer may ring.
    """
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = callbacks


@pytest.fixture(autouse=True)
def _handlers():
    """Let SIGINT raise KeyboardInterrupt, and require the very same handlers afterwards."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module", params=ENGINES)
def whole(request):
    """Return the engine, and the states of a training that nothing interrupted."""
    moments = Moments()
    one = trainer(request.param, callbacks=[moments])
    one.fit()
    return request.param, moments.seen, digest(one)


def lines_of(one: Trainer) -> list[tuple[str, int]]:
    """Return the lines of training and optimizer that run, in order."""
    ran: list[tuple[str, int]] = []
    _traced(one, lambda place: ran.append(place))
    return ran


def _traced(one: Trainer, told) -> None:
    def trace(frame, event, _):
        name = frame.f_code.co_filename
        if event == "call" and not any(part in name for part in FILES):
            return None
        if event in ("line", "return"):
            told((name, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        one.fit()
    finally:
        sys.settrace(before)


def _interrupted_at(one: Trainer, places: list[int]) -> None:
    """Fit, and send SIGINT at the given numbers of lines."""
    count = iter(range(10**9))

    def told(_):
        if next(count) in places:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        _traced(one, told)


def _each_line_once(ran: list[tuple[str, int]]) -> list[int]:
    """Return a number for each line that runs: where it runs for the second time, if it does."""
    seen: Counter[tuple[str, int]] = Counter()
    chosen = {}
    for number, place in enumerate(ran):
        seen[place] += 1
        if seen[place] <= 2:
            chosen[place] = number
    return sorted(chosen.values())


def test_at_every_line(whole):
    engine, between, end = whole
    lines = _each_line_once(lines_of(trainer(engine)))
    for number in lines if engine == "compiled" else lines[::2]:
        one = trainer(engine)
        _interrupted_at(one, [number])
        assert digest(one) in between, number
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        one.fit()
        assert digest(one) == end, number


def test_twice(whole):
    """The second one comes while the first is being dealt with."""
    engine, between, end = whole
    lines = _each_line_once(lines_of(trainer(engine)))
    rng = np.random.default_rng(0)
    for first in rng.choice(lines, 40, replace=False):
        one = trainer(engine)
        _interrupted_at(one, [first, first + int(rng.integers(1, 40))])
        assert digest(one) in between, first
        one.fit()
        assert digest(one) == end, first


# One may come while Python removes a dead weak reference, where none can be raised: it is lost.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*WeakKeyDictionary")
@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_storm_of_interruptions_at_random_moments(optimizer, engine):
    """By a timer, so that they come within kernels, NumPy and waiting for threads too."""
    epochs = 30
    one, calm = (trainer(engine, optimizer=optimizer, epochs=epochs) for _ in range(2))
    calm.fit()
    moments = Moments()
    trainer(engine, optimizer=optimizer, epochs=epochs, callbacks=[moments]).fit()

    def ring(*_):
        raise KeyboardInterrupt

    rng, interruptions = np.random.default_rng(1), 0
    signal.signal(signal.SIGALRM, ring)
    while one.epoch < epochs and interruptions < 300:
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-4, 4e-3))
            one.fit()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interruptions += 1
        assert digest(one) in moments.seen
    one.fit()
    assert digest(one) == digest(calm)
    assert interruptions > 10


class Stops(optim.Adam):
    """Adam by NumPy, whose formula fails in the middle of one of the parameters."""

    def __init__(self, lr: float = 0.001) -> None:
        super().__init__(lr)
        self.left = 0

    def config(self):
        return {k: v for k, v in super().config().items() if k != "left"}

    def update(self, w, g, lr, t, m, v):
        self.left -= 1
        if self.left == 0:
            m += 1
            w += 1
            raise self.error
        super().update(w, g, lr, t, m, v)

    error = MemoryError


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("calls", [1, 4, 8, 9, 20])
def test_an_optimizer_that_fails_amid_its_step_has_taken_none_of_it(engine, calls):
    moments = Moments()
    calm = trainer(engine, optimizer=Stops(), callbacks=[moments])
    calm.fit()
    for Stops.error in (MemoryError, KeyboardInterrupt):
        one = trainer(engine, optimizer=Stops())
        one.optimizer.left = calls
        with pytest.raises(Stops.error):
            one.fit()
        assert digest(one) in moments.seen
        one.fit()
        assert digest(one) == digest(calm)


def test_a_step_that_failed_between_two_kernels_is_not_gone_on_with():
    """There are no copies: `fit` and `state` refuse, until a whole state is loaded."""
    one = trainer("compiled")
    state = one.state()
    parts = {slot: np.zeros((8, 27), np.float32) for slot in "mv"}
    one.optimizer.memory["fc1.weight"] = parts
    parts["v"].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        one.fit()
    for gone_on in (one.fit, one.state):
        with pytest.raises(PellucidError, match=r"^Trainer: the optimizer's last step failed half"):
            gone_on()
    one.load_state(state)
    one.fit()
    calm = trainer("compiled")
    calm.fit()
    assert digest(one) == digest(calm)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("where", ["forward", "backward", "loss"])
def test_a_batch_that_fails_leaves_the_order_and_running_statistics_as_before(engine, where):
    class Fails(nn.Layer):
        left = 0

        def forward(self, x):
            if where == "forward":
                self._count()
            return x

        def backward(self, dy):
            if where == "backward":
                self._count()
            return dy

        def _count(self):
            self.left -= 1
            if self.left == 0:
                raise ValueError("a layer failed")

    class Breaks(nn.SoftmaxCrossEntropy):
        left = 0

        def forward(self, scores, labels):
            Breaks.left -= 1
            return np.nan if Breaks.left == 0 else super().forward(scores, labels)

    def build(left: int, *callbacks: Callback) -> Trainer:
        train, _ = data.digits()
        model = nn.Sequential(**dict(network().children()), fails=Fails())
        model["fails"].left = left
        Breaks.left = left if where == "loss" else 0
        return Trainer(
            model, train.take(IMAGES), epochs=1, batch_size=BATCH, augment="flip,crop1",
            engine=engine, loss=Breaks(), callbacks=callbacks,
        )  # fmt: skip

    moments = Moments()
    calm = build(0, moments)
    calm.fit()
    for batch in (1, 2, 3):
        one = build(batch)
        with pytest.raises(NumericsError if where == "loss" else ValueError, match=r"fail|nan"):
            one.fit()
        assert digest(one) == moments.seen[batch - 1]
        one.fit()
        assert digest(one) == digest(calm)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_handler_that_takes_the_state_gets_that_between_two_batches(engine):
    moments = Moments()
    trainer(engine, callbacks=[moments]).fit()
    one = trainer(engine)
    taken = []
    signal.signal(signal.SIGTERM, lambda *_: taken.append(digest(one)))
    numbers = set(range(0, 10**5, 7))
    count = iter(range(10**9))

    def told(_):
        if next(count) in numbers:
            signal.raise_signal(signal.SIGTERM)

    _traced(one, told)
    assert len(taken) > 50
    assert set(taken) <= set(moments.seen)


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_while_a_state_is_loaded_comes_when_it_is_loaded(engine):
    source = trainer(engine)
    source.fit()
    state, end = source.state(), digest(source)
    one = trainer(engine)
    start = digest(one)
    one.fit = lambda: one.load_state(state)
    lines = len(lines_of(one))
    assert lines > 50
    for number in range(0, lines, 3):
        one = trainer(engine)
        one.fit = lambda one=one: one.load_state(state)
        _interrupted_at(one, [number])
        assert digest(one) in (start, end)


def test_the_threads_go_on_after_interruptions():
    one = trainer("compiled", epochs=200)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may ring at once
            signal.setitimer(signal.ITIMER_REAL, 2e-3)
            one.fit()
    one.epochs = one.epoch + 1
    one.fit()
    assert not threads._pool.free.locked()
    alive = {thread for thread in threading.enumerate() if thread.name == "pellucid"}
    assert {helper.thread for helper in threads._pool.helpers} <= alive


def test_in_another_thread_no_handler_is_touched():
    one, calm, errors = trainer("compiled"), trainer("compiled"), []

    def work():
        try:
            one.fit()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    calm.fit()
    assert errors == []
    assert digest(one) == digest(calm)
