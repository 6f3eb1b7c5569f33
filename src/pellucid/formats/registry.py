"""The formats of files that hold networks or their weights: one entry each.

`pellucid.load`, ``pellucid convert`` and ``pellucid train --from`` walk this table; their errors
and the help of ``convert`` are derived from it. A new format is a module that reads or writes it,
and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import ArgumentError, DataNotFoundError, FileFormatError
from ..typing import Array, PathLike
from .book_pickle import read_pickle, write_pickle
from .npz import read_npz, write_npz
from .sniff import Found, look_at, refusal
from .tensors import read_safetensors, write_tensors

if TYPE_CHECKING:
    from ..nn import Layer

__all__ = [
    "FORMATS",
    "Contents",
    "Format",
    "one_of",
    "read_network",
    "reader_of",
    "register",
    "writer_of",
    "written",
]


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes
    ----------
    tensors : dict of name to array
    metadata : dict of str to str
        Further text in the file; {} if the format has none.
    build : callable, optional
        Takes the classes of your own layers, and returns the model in evaluation mode; None if the
        file does not hold an architecture.
    notes : list of str
        Where in the file the tensors were, and what was converted, for the user to know.
    """

    tensors: dict[str, Array]
    metadata: dict[str, str] = field(default_factory=dict)
    build: Callable[[Iterable[type[Layer]]], Layer] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Format:
    """How one kind of file is recognised, read and written.

    Attributes
    ----------
    name : str
        One word, unique: "npz".
    what : str
        The kind of file in errors, with its article: "a NumPy archive (.npz)".
    about : str
        The content in help texts: "NumPy's arrays by name".
    suffixes : tuple of str
        In lower case, the usual one first.
    sniff : callable
        Takes what `look_at` returned, and returns whether the file has this format.
    keys : {"state dict", "book"}
        How the tensors of a network are named: as in its state dict, or W1, b1, ... as in the book.
        `pellucid.load` and ``train --from`` read the first kind only.
    read : callable, optional
        Takes a path, returns `Contents`.
    write : callable, optional
        Takes a path and a mapping of name to array.
    save : callable, optional
        Takes a model and a path, and writes the architecture too.
    """

    name: str
    what: str
    about: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Found], bool]
    keys: Literal["state dict", "book"] = "state dict"
    read: Callable[[Path], Contents] | None = None
    write: Callable[[Path, Mapping[str, Array]], None] | None = None
    save: Callable[[Layer, Path], None] | None = None

    def contents(self, path: PathLike) -> Contents:
        """Read a file of this format.

        Raises
        ------
        ArgumentError
            If such files are only written.
        """
        if self.read is None:
            raise ArgumentError(f"{self.what} is only written, not read.", where=self.name)
        return self.read(Path(path))

    def tensors_of(self, model: Layer) -> dict[str, Array]:
        """Return the tensors of a model by the names that this format gives them.

        Raises
        ------
        ArgumentError
            If the book lacks one of its layers.
        """
        from .book_networks import to_book

        return to_book(model) if self.keys == "book" else model.state_dict()


def _read_safetensors(path: Path) -> Contents:
    from .model_file import rebuild  # here, as it needs every layer

    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    tensors, metadata, notes = read_safetensors(path)
    if "architecture" not in metadata:
        return Contents(tensors, metadata, notes=notes)
    return Contents(tensors, metadata, lambda layers: rebuild(path, tensors, metadata, layers))


def _read_torch(path: Path) -> Contents:
    from .torch.reading import read_torch

    arrays, notes = read_torch(path)
    return Contents(arrays, notes=notes)


def _read_shards(path: Path) -> Contents:
    from .torch.shards import read_shards

    arrays, notes = read_shards(path)
    return Contents(arrays, notes=notes)


def _write_torch(path: Path, arrays: Mapping[str, Array]) -> None:
    from .torch.writing import write_torch

    write_torch(path, arrays)


def _save_safetensors(model: Layer, path: Path) -> None:
    from .model_file import save

    save(model, path)


FORMATS = [
    Format(
        "safetensors",
        "a safetensors file",
        "a model, or tensors",
        (".safetensors",),
        lambda found: found.kind == "safetensors",
        read=_read_safetensors,
        write=write_tensors,
        save=_save_safetensors,
    ),
    Format(
        "pickle",
        "a pickle of a dict of arrays",
        "the book's params.pkl",
        (".pkl", ".pickle"),
        lambda found: found.kind == "pickle",
        keys="book",
        read=lambda path: Contents(read_pickle(path)),
        write=write_pickle,
    ),
    Format(
        "npz",
        "a NumPy archive (.npz)",
        "NumPy's arrays by name",
        (".npz",),
        lambda found: found.kind == "npz",
        keys="book",
        read=lambda path: Contents(read_npz(path)),
        write=write_npz,
    ),
    Format(
        "torch",
        "a PyTorch checkpoint (.pth)",
        "PyTorch's weights",
        (".pth", ".pt", ".bin"),
        lambda found: found.kind == "torch",
        read=_read_torch,
        write=_write_torch,
    ),
    Format(
        "shards",
        "an index of weights in several files",
        "Hugging Face's index",
        (".index.json",),
        lambda found: found.kind == "shards",
        read=_read_shards,
    ),
]


def register(added: Format) -> None:
    """Add a format of your own.

    Raises
    ------
    ArgumentError
        If its name or one of its suffixes is taken.
    """
    for known in FORMATS:
        if added.name == known.name or set(added.suffixes) & set(known.suffixes):
            raise ArgumentError(
                f"{added.name!r} {added.suffixes} has the name or a suffix of {known.name!r} "
                f"{known.suffixes}. Choose others.",
                where="register",
            )
    FORMATS.append(added)


def reader_of(
    path: PathLike, formats: Sequence[Format] = FORMATS, advice: str | None = None
) -> Format:
    """Return the format of a file, by its content, or by its suffix if the content is unknown.

    Parameters
    ----------
    path : str or path
    formats : sequence of Format
        The candidates; all by default.
    advice : str, optional
        What to do if it is none of them, unless the kind of file decides it.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such file; if it has another format, which the message names.
    """
    path = Path(path)
    if not path.exists():
        raise DataNotFoundError(f"there is no file '{path}'.")
    found = look_at(path)
    known = [each for each in formats if each.read is not None]
    for each in known:
        if each.sniff(found):
            return each
    if found.kind in ("unknown", "unreadable"):
        for each in known:
            if path.suffix.lower() in each.suffixes:
                return each  # whose reader says what is wrong with it
    names = [each.what for each in known]
    if advice is None:
        wanted, advice = "a file that is read here", f"Give {one_of([*names, 'a run folder'])}."
        tensors = found.kind != "picture"  # whose advice is for commands that take a model too
    else:
        wanted, tensors = one_of(names), True
    raise FileFormatError(refusal(path, wanted, advice, tensors=tensors))


def read_network(path: PathLike) -> Contents:
    """Read a file in which the tensors of a network have the names of its state dict.

    Raises
    ------
    DataNotFoundError, FileFormatError
        If there is no such file; if it is damaged, or has another format.
    """
    of_networks = [each for each in FORMATS if each.keys == "state dict" and each.read is not None]
    weights = one_of([each.what for each in of_networks])
    advice = f"Give a model file, a run folder, or weights as {weights}."
    return reader_of(path, of_networks, advice).contents(path)


def writer_of(path: PathLike) -> Format:
    """Return the format to write a file in, by its suffix.

    Raises
    ------
    ArgumentError
        If it is the suffix of another format, or of one that is only read.

    Examples
    --------
    >>> writer_of("params.pkl").what
    'a pickle of a dict of arrays'
    """
    for each in written():
        if Path(path).suffix.lower() in each.suffixes:
            return each
    known = one_of([each.suffixes[0] for each in written()])
    raise ArgumentError(f"must end in {known}, received '{path}'.", where="path")


def written() -> list[Format]:
    """Return the formats that can be written."""
    return [each for each in FORMATS if each.write is not None or each.save is not None]


def one_of(names: Sequence[str]) -> str:
    """Join alternatives as a sentence does.

    Examples
    --------
    >>> one_of(["a"]), one_of(["a", "b", "c"])
    ('a', 'a, b or c')
    """
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
