"""The book's package `common`: functions, gradient, layers, optimizer, trainer, util, networks."""

__all__: list[str] = []
