"""The learning rate of large batches: how it follows from that of smaller ones, and its warm-up.

Goyal et al. 2017, "Accurate, large minibatch SGD: training ImageNet in 1 hour", sections 2.1 and
2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .completing import base_rate, completed, rule_of

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["product", "rate_line", "warmup_from"]


def warmup_from(settings: Settings) -> float | None:
    """Return the fraction of the rate at which a warm-up begins; None for the usual beginning.

    A rate that was raised for a large batch is reached from what it was before.
    """
    if settings.scale_lr is None or not settings.warmup:
        return None
    base, lr = base_rate(settings), rule_of(completed(settings)).lr
    return base / lr if lr > base else None


def product(settings: Settings) -> str | None:
    """Return how the learning rate follows from the batch size; None if it does not.

    Examples
    --------
    >>> from pellucid.runs import Settings
    >>> product(Settings(optimizer="momentum", lr=0.1, scale_lr=256, batch_size=1024))
    '0.4 = 0.1 x 1024/256'
    >>> product(Settings(optimizer="adam", scale_lr=256, batch_size=1024))
    '0.002 = 0.001 x sqrt(1024/256)'
    """
    if settings.scale_lr is None:
        return None
    settings = completed(settings)
    rule = rule_of(settings)
    ratio = f"{settings.batch_size}/{settings.scale_lr}"
    if (settings.lr_scaling or rule.batch_scaling) == "sqrt":
        ratio = f"sqrt({ratio})"
    return f"{rule.lr:.4g} = {base_rate(settings):.4g} x {ratio}"


def rate_line(settings: Settings) -> str | None:
    """Return in a line the learning rate that follows from the batch size, and its warm-up.

    Examples
    --------
    >>> from pellucid.runs import Settings
    >>> rate_line(Settings(optimizer="momentum", lr=0.1, scale_lr=256, batch_size=1024, warmup=5))
    'learning rate 0.4 = 0.1 x 1024/256, warmed up over 5 epochs from 0.1'
    """
    found = product(settings)
    if found is None:
        return None
    if not settings.warmup:
        return f"learning rate {found}, without warm-up"
    begin = "" if warmup_from(settings) is None else f" from {base_rate(settings):.4g}"
    epochs = "1 epoch" if settings.warmup == 1 else f"{settings.warmup:g} epochs"
    return f"learning rate {found}, warmed up over {epochs}{begin}"
