"""The subjects that a page may ask about; importing one registers its questions."""

from . import images, maps, network

__all__ = ["images", "maps", "network"]
