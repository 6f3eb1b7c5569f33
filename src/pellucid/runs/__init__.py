"""Training runs: settings in, a run folder out; the same from the command line and from Python.

>>> import tempfile
>>> from pellucid import runs
>>> with tempfile.TemporaryDirectory() as folder:
...     settings = runs.Settings(epochs=2, limit=100)
...     run = runs.begin(settings, folder)
...     history = run.fit()
...     result = runs.finish(run)
...     sorted(run.folder.files())  # doctest: +NORMALIZE_WHITESPACE
['checkpoint.safetensors', 'config.toml', 'confusion.png', 'curves.png', 'filters.png',
'filters.safetensors', 'history.csv', 'model.safetensors']

Everything is imported when it is first asked for: the command line needs the names of the settings
to print a help text, and no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exports import on_demand

if TYPE_CHECKING:
    from .beginning import Run, begin
    from .config import read_config, write_config
    from .fields import Setting, setting, settings_in
    from .finishing import Finished, finish
    from .folder import RunFolder, model_path
    from .interrupts import Interrupts
    from .listener import Listener
    from .resuming import resume
    from .run_files import RunFiles
    from .seeds import Seeds
    from .settings import Settings

__all__ = [
    "Finished",
    "Interrupts",
    "Listener",
    "Run",
    "RunFiles",
    "RunFolder",
    "Seeds",
    "Setting",
    "Settings",
    "begin",
    "finish",
    "model_path",
    "read_config",
    "resume",
    "setting",
    "settings_in",
    "write_config",
]

_HOMES = {
    "Finished": "finishing",
    "Interrupts": "interrupts",
    "Listener": "listener",
    "Run": "beginning",
    "RunFiles": "run_files",
    "RunFolder": "folder",
    "Seeds": "seeds",
    "Setting": "fields",
    "Settings": "settings",
    "begin": "beginning",
    "finish": "finishing",
    "model_path": "folder",
    "read_config": "config",
    "resume": "resuming",
    "setting": "fields",
    "settings_in": "fields",
    "write_config": "config",
}

if not TYPE_CHECKING:  # which would take every name for known
    __getattr__ = on_demand(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
