"""Trained networks in 8-bit integers, for inference."""

from .quantizing import is_quantized, quantize

__all__ = ["is_quantized", "quantize"]
