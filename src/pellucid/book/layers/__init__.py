"""The layers of the book's `common.layers`, one family a module, and how they share memory."""

__all__: list[str] = []
