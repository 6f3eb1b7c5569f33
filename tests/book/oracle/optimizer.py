"""The update rules."""

from __future__ import annotations

import numpy as np


class SGD:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for key in params:
            params[key] -= self.lr * grads[key]


class _WithMemory:
    slots: tuple[str, ...]

    def __init__(self):
        for slot in self.slots:
            setattr(self, slot, None)

    def update(self, params, grads):
        for slot in self.slots:
            if getattr(self, slot) is None:
                setattr(self, slot, {key: np.zeros_like(p) for key, p in params.items()})
        self.begin()
        for key in params:
            self.step(params, key, grads[key])

    def begin(self):
        pass


class Momentum(_WithMemory):
    slots = ("v",)

    def __init__(self, lr=0.01, momentum=0.9):
        super().__init__()
        self.lr, self.momentum = lr, momentum

    def step(self, params, key, g):
        self.v[key] = self.momentum * self.v[key] - self.lr * g
        params[key] += self.v[key]


class Nesterov(Momentum):
    velocity_first = False

    def step(self, params, key, g):
        if self.velocity_first:
            self.v[key] = self.momentum * self.v[key] - self.lr * g
        params[key] += self.momentum**2 * self.v[key] - (1 + self.momentum) * self.lr * g
        if not self.velocity_first:
            self.v[key] = self.momentum * self.v[key] - self.lr * g


class AdaGrad(_WithMemory):
    slots = ("h",)

    def __init__(self, lr=0.01):
        super().__init__()
        self.lr = lr

    def step(self, params, key, g):
        self.h[key] += g * g
        params[key] -= self.lr * g / (np.sqrt(self.h[key]) + 1e-7)


class RMSprop(_WithMemory):
    slots = ("h",)

    def __init__(self, lr=0.01, decay_rate=0.99):
        super().__init__()
        self.lr, self.decay_rate = lr, decay_rate

    def step(self, params, key, g):
        self.h[key] = self.decay_rate * self.h[key] + (1 - self.decay_rate) * g * g
        params[key] -= self.lr * g / (np.sqrt(self.h[key]) + 1e-7)


class Adam(_WithMemory):
    slots = ("m", "v")

    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        super().__init__()
        self.lr, self.beta1, self.beta2, self.iter = lr, beta1, beta2, 0

    def begin(self):
        self.iter += 1
        bias = np.sqrt(1 - self.beta2**self.iter) / (1 - self.beta1**self.iter)
        self.rate = self.lr * bias

    def step(self, params, key, g):
        self.m[key] += (1 - self.beta1) * (g - self.m[key])
        self.v[key] += (1 - self.beta2) * (g * g - self.v[key])
        params[key] -= self.rate * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)
