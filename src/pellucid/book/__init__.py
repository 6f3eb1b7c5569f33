"""The modules of "Deep Learning from Scratch", `common` and `dataset`, on Pellucid's kernels.

A script of the book that says ``from common.layers import *`` gets the same names, the same random
draws and the same results, to the accuracy of float32, from ``pellucid.book.common.layers``.
"""

__all__: list[str] = []
