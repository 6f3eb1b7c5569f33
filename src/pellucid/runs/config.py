"""config.toml: the settings of a run, as a person reads them and `pellucid train --config` does."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataNotFoundError, FileFormatError, did_you_mean
from .fields import settings_in
from .folder import CONFIG

if TYPE_CHECKING:
    from ..typing import PathLike
    from .settings import Settings

__all__ = ["as_written", "read_config", "settings_from", "toml", "write_config"]

# Bytes of a path that are not valid UTF-8 are written to the file and read back unchanged.
BYTES_OF_NAMES = sys.getfilesystemencodeerrors()


def write_config(path: PathLike, settings: Settings) -> None:
    """Write settings as TOML; those that are None, or False by default, are left out.

    A comment says which learning rate follows from the batch size.
    """
    from ..formats import atomic_write
    from .large_batches import rate_line

    lines = ["# Repeat this run: pellucid train --config with this file or its folder"]
    if rate := rate_line(settings):
        lines.append(f"# {rate}")
    lines += [f"{key} = {toml(value)}" for key, value in as_written(settings).items()]
    with atomic_write(path) as part:
        part.write_bytes(("\n".join(lines) + "\n").encode("utf-8", BYTES_OF_NAMES))


def as_written(settings: Settings) -> dict[str, Any]:
    """Return settings by their keys, as files hold them; see `write_config` and `settings_from`."""
    found = {}
    for setting in settings_in(type(settings)).values():
        value = getattr(settings, setting.name)
        if value is not None and (value or setting.default is not False):
            found[setting.key] = str(value) if isinstance(value, Path) else value
    return found


def toml(value: object) -> str:
    """Return a value in TOML: as in JSON, but for escapes of what is not ASCII, and for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_config(path: PathLike, cls: type | None = None) -> dict[str, Any]:
    """Read the settings that a file, or the config.toml of a run folder, holds.

    Parameters
    ----------
    path : path
    cls : type, optional
        The dataclass of the settings; `Settings` by default.

    Returns
    -------
    dict of str to object
        By the names of the fields; only those that the file has.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    FileFormatError
        If it is not TOML, or holds an unknown setting, or one of another type.
    """
    from ..formats.sniff import describe_file, look_at

    path = Path(path)
    path = path / CONFIG if path.is_dir() else path
    try:
        text = path.read_bytes().decode("utf-8", BYTES_OF_NAMES)
        config = tomllib.loads(text)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"there is no file '{path}'.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        if path.exists() and look_at(path).kind not in ("text", "settings"):
            raise FileFormatError(
                f"'{path}' cannot be read as TOML: it is {describe_file(path)}. Give a "
                "config.toml, or the run folder that holds one."
            ) from error
        raise FileFormatError(f"'{path}' cannot be read as TOML: {error}.") from error
    return settings_from(config, str(path), cls)


def settings_from(config: Mapping[str, Any], where: str, cls: type | None = None) -> dict[str, Any]:
    """Return the settings that a file holds, by the names of the fields; see `read_config`."""
    known = {setting.key: setting for setting in settings_in(cls or _settings()).values()}
    found = {}
    for key, value in config.items():
        if key not in known:
            raise FileFormatError(
                f"has no setting {key!r}. {did_you_mean(key, known)}", where=where
            )
        setting = known[key]
        if isinstance(value, str):
            value = setting.older.get(value, value)
        if not setting.accepts(value):
            raise FileFormatError(
                f"{key} must be {setting.written}, received {value!r}.", where=where
            )
        found[setting.name] = Path(value) if setting.kind is Path else value
    return found


def _settings() -> type:
    from .settings import Settings  # which imports this module

    return Settings
