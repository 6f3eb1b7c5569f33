"""The book's package `dataset`: MNIST."""

__all__: list[str] = []
