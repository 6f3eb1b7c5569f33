"""One step for each kind of layer."""
