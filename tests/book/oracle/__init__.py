"""The oracle of the book's modules: plain NumPy, im2col and all, from the description alone.

It imports nothing of ours. Parameters are float64, as the scripts draw them; nothing here is fast.
"""
