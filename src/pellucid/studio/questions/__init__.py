"""The subjects that a page may ask about: each module registers its questions when it is imported.

Importing this package imports all of them.
"""

from importlib import import_module
from pkgutil import iter_modules

__all__ = [module.name for module in iter_modules(__path__)]

for name in __all__:
    import_module(f"{__name__}.{name}")
