"""A training whose chunks have given gradients: its bits depend on exchange and update alone."""

import hashlib

import numpy as np

from pellucid import engine, nn, optim
from pellucid.distributed import Share
from pellucid.training import CompiledEngine
from pellucid.training.shared_update import SharedUpdate

RULES = {
    "sgd": lambda: optim.SGD(0.1, weight_decay=0.01),
    "momentum": lambda: optim.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda: optim.SGD(0.1, momentum=0.9, nesterov=True),
    "adagrad": lambda: optim.AdaGrad(0.05, weight_decay=0.01),
    "rmsprop": lambda: optim.RMSprop(0.01, weight_decay=0.01),
    "adam": lambda: optim.Adam(0.01, weight_decay=0.01),
    "adamw": lambda: optim.AdamW(0.01, weight_decay=0.1),
    "lars": lambda: optim.LARS(0.1, weight_decay=0.01),
    "lamb": lambda: optim.LAMB(0.01, weight_decay=0.01),
}


def network(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(3, 7, 3, padding=1, rng=rng), nn.ReLU(), nn.Flatten(),
        nn.Linear(7 * 64, 53, rng=rng), nn.ReLU(), nn.Linear(53, 10, rng=rng),
    )  # fmt: skip


def digest(weights):
    return hashlib.sha256(b"".join(w.tobytes() for w in weights.values())).hexdigest()


def gradients(step, shape):
    """Return the gradients of 8 chunks of a batch, of which a rank adds up its own."""
    rng = np.random.default_rng(step)
    return rng.normal(size=(8, *shape)).astype(np.float32)


def node(parts):
    """Return the sum of neighbouring chunks as a tree."""
    while len(parts) > 1:
        parts = parts[::2] + parts[1::2]
    return parts[0]


class Learner:
    """A training on a communicator; None is the solo one, which does without `SharedUpdate`."""

    def __init__(self, world, rule, kind=CompiledEngine, **buckets):
        self.model = network()
        self.share = Share(world)
        self.plan = engine.compile(self.model.train(), (3, 8, 8), 8, share=self.share)
        self.optimizer, self.engine = rule(), kind()
        self.shared = None
        if world is not None:
            self.shared = SharedUpdate(
                self.plan, self.share, self.optimizer, self.engine, **buckets
            )
        self.plan.replays = False  # these backwards are Python, which a recording would not repeat
        for step in self.plan.steps:
            step.backward = self._given(step, step.backward)

    def _given(self, step, backward):
        """Return a backward that leaves the gradients of `chunks` instead."""

        def run(dy, *, need_dx):
            dx, plan = backward(dy, need_dx=need_dx), self.plan
            for p in step.parameters:
                if not p.rate:
                    continue
                begin = plan.layout.starts[plan._parameters.index(p)]
                numbers = self.chunks[:, begin : begin + p.data.size]
                p.grad[...] = node(numbers).reshape(p.data.shape)
            return dx

        return run

    def step(self, number, lr=None, clip=None, callback=None):
        """Take a step; return the norm of the gradients, if they are clipped."""
        share, plan, shared = self.share, self.plan, self.shared
        mine = share.begin(8)
        self.chunks = gradients(number, plan.gradients.shape)[share.first : share.last]
        plan(np.ones((8, 3, 8, 8), np.float32)[mine])
        dy = np.ones((8, 10), np.float32)[mine]
        norm, parameters = None, self.model.parameters()
        if shared is None:
            plan.backward(dy)
            callback and callback(parameters)
            norm = clip and self.engine.clip(parameters, clip)
            self.engine.update(self.optimizer, parameters, lr)
        else:
            at_once = clip is None and callback is None
            shared.begin((lr or self.optimizer.lr) if at_once else None)
            plan.backward(dy)
            shared.finish()
            if callback:
                shared.whole_gradients()
                callback(parameters)
            norm = clip and shared.clip(clip)
            shared.update(lr)
        return norm

    def kept(self):
        """Return the optimizer's whole state, on rank 0."""
        return self.shared.memory() if self.shared else self.optimizer.state_dict()


def same(a, b):
    """Return whether two states are equal in every bit."""
    return a.keys() == b.keys() and all(
        (a[k].dtype, a[k].shape, a[k].tobytes()) == (b[k].dtype, b[k].shape, b[k].tobytes())
        for k in a
    )
