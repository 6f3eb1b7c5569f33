"""``python -m pellucid.book SCRIPT`` is ``pellucid book SCRIPT``."""

import sys

from ..cli import main

main(["book", *sys.argv[1:]])
