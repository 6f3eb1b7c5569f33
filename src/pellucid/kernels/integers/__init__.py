"""Convolutions and matrix products in 8-bit integers."""
