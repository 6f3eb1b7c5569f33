"""The speed: Numba twins of the ops, and the SIMD vocabulary they are written in."""
