"""One HTML file in which a network plays: the studio's views, answered by JavaScript."""

from .writing import document, to_studio_html

__all__ = ["document", "to_studio_html"]
