"""The page of a run, with all that matters of it, and the page that compares several."""

from .comparison import Compared, Comparison, compare
from .comparison_page import comparison_page, comparison_tables, write_comparison
from .facts import Facts, gather
from .page import page, write

__all__ = [
    "Compared",
    "Comparison",
    "Facts",
    "compare",
    "comparison_page",
    "comparison_tables",
    "gather",
    "page",
    "write",
    "write_comparison",
]
