"""The engine on a CPU: steps over the kernels."""
