"""Networks: architecture only. Each says its paper and section."""

from .pattern import from_pattern, is_pattern
from .pattern_text import to_pattern
from .registry import by_name
from .simple import SimpleConvNet

__all__ = ["SimpleConvNet", "by_name", "from_pattern", "is_pattern", "to_pattern"]
