"""The arithmetic of a unit without Python: descriptions of layers, and the script that reads them.

`described` asks Python once, when the file is written; ``arithmetic.js`` answers for any unit.
"""

from .describing import described

__all__ = ["described"]
