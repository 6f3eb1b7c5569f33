"""A model as one HTML file, in which it runs."""
