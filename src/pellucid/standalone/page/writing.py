"""Write a model as one HTML file, in which it runs."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any, Literal

from ... import __version__
from ...display.html import escaped
from ...display.output import stylesheet
from ...errors import ArgumentError
from ...formats.files import atomic_write
from ...names import shown
from ...nn import Layer
from ...typing import PathLike, Shape
from ..program import Program, program_of
from .contents import as_json, packed, page_file, require_size, sha256, worker_script
from .texts import DYNAMIC, TEXTS

__all__ = ["to_html"]


def to_html(
    model: Layer,
    path: PathLike,
    *,
    input_shape: Shape | None = None,
    language: Literal["en", "ko"] = "en",
    float16: bool = False,
) -> int:
    """Write ``model`` in evaluation mode as one HTML file that runs it, without a network.

    Draw on the page, or drop, paste or choose a picture: it shows the classes with probabilities,
    the picture as the network sees it, and the maps of each layer. Pictures are prepared as those
    of the training were, and the scores are those of Python to 1e-4. The page is plain JavaScript
    of less than 50 KB, besides the weights and the list of layers; it loads and sends nothing.

    Parameters
    ----------
    model : Layer
        A classifier of images with one or three channels, of layers of `pellucid.nn`, and of your
        own that `pellucid.standalone.becomes` registers.
    path : str or path
        Ends in ``.html``. An existing file is replaced.
    input_shape : (C, H, W), optional
        By default ``model.input_shape``.
    language : {"en", "ko"}
        Of the page's words.
    float16 : bool
        Round the weights to 16 bits, for half the size: a float32 takes 5.3 bytes of the file, a
        float16 2.7. Scores then differ in the third digit. Weights of 8 bits take 1.3 either way.

    Returns
    -------
    int
        The size of the file in bytes.

    Raises
    ------
    ArgumentError
        If nothing is registered for some of the layers, all of them at once; if the model is not a
        classifier of pictures; if the file would exceed 200 MB; if the path does not end in
        ``.html``. Nothing is written then.
    ShapeError
        If the images do not fit.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid.models import SimpleConvNet
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = to_html(SimpleConvNet((1, 28, 28)), f"{folder}/digits.html", float16=True)
    >>> round(size / 2**20, 1)
    1.1
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"must end in .html, received '{path}'.", where="path")
    if language not in TEXTS:
        raise ArgumentError(f"must be 'en' or 'ko', received {language!r}.", where="language")
    program = program_of(model, "to_html", input_shape)
    _require_classifier(program)
    require_size(program, float16, "to_html")
    title = model.card.dataset if model.card is not None else ""
    text = document(program, title, language, float16=float16).encode("utf-8")
    with atomic_write(path) as part:
        return part.write_bytes(text)


def document(program: Program, name: str, language: str, *, float16: bool = False) -> str:
    """Return the whole HTML document."""
    texts, script = TEXTS[language], page_file("page.js")
    # The report's style, without what its tables need on telephones and paper.
    style = stylesheet("report.css").partition("@media (max-width")[0] + page_file("page.css")
    policy = (
        f"default-src 'none'; script-src '{sha256(script)}'; style-src '{sha256(style)}'; "
        "worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    index, weights = packed(program, float16)
    said = {
        key: escaped(text) for key, text in texts.items() if key not in DYNAMIC or key == "seen"
    }
    said["title"] = escaped(texts["title"].format(name=shown(name)) if name else texts["unnamed"])
    said["about"] = escaped(_about(program, texts))
    said["footer"] = escaped(texts["footer"].format(version=__version__))
    return Template(page_file("page.html")).substitute(
        said,
        language=language,
        policy=policy,
        style=style,
        script=script,
        worker=worker_script(program, page_file("worker.js")),
        network=as_json(_network(program, index, texts)),
        weights=weights,
    )


def _about(program: Program, texts: dict[str, str]) -> str:
    preparation = program.preparation
    assert preparation is not None
    assert program.classes is not None
    h, w = preparation.size
    return texts["about"].format(
        weights=f"{sum(array.size for array in program.weights.values()):,}",
        lines=len(program.lines),
        classes=len(program.classes),
        size=f"{h}x{w}",
        colours=texts["grey" if preparation.channels == 1 else "rgb"],
    )


def _network(program: Program, index: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """Return what the page is told of the network, besides the numbers of the weights."""
    assert program.preparation is not None
    assert program.classes is not None
    return {
        "shape": program.shape,
        "preparation": program.preparation.as_dict(),
        "classes": [shown(name) for name in program.classes],
        "lines": [
            [shown(x.path), x.kind, x.function, x.reads, x.keys, x.options, x.shape]
            for x in program.lines
        ],
        "output": program.outputs[0],
        "weights": index,
        "texts": {key: texts[key] for key in DYNAMIC},
    }


# What is refused ----------------------------------------------------------------------------------


def _require_classifier(program: Program) -> None:
    if program.preparation is None:
        raise ArgumentError(
            f"shows pictures of one or three channels to the network, which takes inputs of shape "
            f"{program.shape}. Write it with `to_numpy` or `to_onnx`.",
            where="to_html",
        )
    if program.classes is None:
        raise ArgumentError(
            "shows classes, and needs one row of numbers from the network. If it has several "
            "outputs, choose one by `model.ending_at`.",
            where="to_html",
        )
