"""Which algorithm serves a convolution, and the algorithms."""
