"""Kernels that only the book's layers use: in float64, or with the book's memory layout."""
