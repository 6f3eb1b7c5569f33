"""A model as a file of Python that needs NumPy only."""
