"""The layers of the book's `common.layers`, a module for each kind, and their buffers."""

__all__: list[str] = []
