"""Compiling kernels in processes beside this one, before it needs them."""
