"""Convolution kernels: direct, Winograd's, and gradients that skip what pooling dropped."""
