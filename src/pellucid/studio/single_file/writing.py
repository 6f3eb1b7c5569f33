"""Write a network as one HTML file with the studio's views."""

from __future__ import annotations

import base64
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...errors import ArgumentError, PellucidError
from ...formats.files import atomic_write
from ...standalone.page.contents import (
    as_json,
    in_tabs,
    packed,
    require_size,
    sha256,
    worker_script,
)
from ...standalone.program import Program, program_of
from ...typing import PathLike
from ..lesson_files import built_in
from ..opened import Opened
from ..page_texts import LANGUAGES, page_styles, page_texts
from ..questions.images import shown
from ..questions.network import network
from ..registry import Report
from .scripts import one_script
from .told import nodes, with_state
from .unit import described

__all__ = ["document", "to_studio_html"]

MOST_IMAGES = 20  # of the test set
# What the file answers; "gallery" if it has images.
CAN = ("field", "lesson", "lessons", "maps", "network", "networks", "see", "unit")


def to_studio_html(
    opened: Opened,
    path: PathLike,
    *,
    language: Literal["en", "ko"] | None = None,
    float16: bool = False,
) -> int:
    """Write an opened network as one HTML file that shows it without a server.

    The file has the views of the network, its image, feature maps, the arithmetic of each unit,
    receptive fields and lessons, and some of the test images. It loads and sends nothing.

    Parameters
    ----------
    opened : Opened
        A network of layers of `pellucid.nn`, or of those that `pellucid.standalone.becomes` knows.
    path : str or path
        Ends in ``.html``. An existing file is replaced.
    language : {"en", "ko"}, optional
        Of the page's words, until another is chosen on it; by default the browser's.
    float16 : bool
        Round the weights to 16 bits, for half the size.

    Returns
    -------
    int
        The size of the file in bytes.

    Raises
    ------
    ArgumentError
        If nothing is registered for some of the layers, if the file would exceed 200 MB, or if the
        path does not end in ``.html``. Nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> from pellucid.studio.opening import Studio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = to_studio_html(Studio().open("lenet"), f"{folder}/lenet.html")
    >>> 300_000 < size < 800_000
    True
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"must end in .html, received '{path}'.", where="path")
    if language not in (None, *LANGUAGES):
        raise ArgumentError(f"must be 'en' or 'ko', received {language!r}.", where="language")
    text = document(opened, language=language, float16=float16).encode("utf-8")
    with atomic_write(path) as part:
        return part.write_bytes(text)


def document(
    opened: Opened,
    *,
    language: str | None = None,
    float16: bool = False,
    lessons: dict[str, Any] | None = None,
    report: Report | None = None,
) -> str:
    """Return the whole HTML document; ``lessons`` are one's own, besides those of the studio.

    Raises
    ------
    ArgumentError
    """
    with opened.lock, opened.model.evaluating():
        program = program_of(opened.model, "studio", opened.image_shape)
        told = described(opened.nodes, opened.shapes)
        program, own = with_state(program, told["keys"], opened.model.buffers())
        require_size(program, float16, "studio")
        index, weights = packed(program, float16)
        computed = _computed(opened, program)
    computed |= {"described": told["values"], "own": own, "weights": index}
    images = _images(opened, report)
    shown_as = network(opened)
    shown_as["data"] = images is not None
    shown_as["can"] = sorted([*CAN, *(["gallery"] if images else [])])
    page = {
        "network": shown_as,
        "texts": page_texts(),
        "lessons": (lessons or {}) | built_in(),
        "language": language,
        "gallery": images and images["gallery"],
        "computed": computed | ((images and images["numbers"]) or {}),
    }
    return _html(page, _worker(program), weights, language)


def _computed(opened: Opened, program: Program) -> dict[str, Any]:
    """Return what the worker computes with, besides weights and images."""
    preparation = program.preparation
    return {
        "nodes": nodes(program, opened.nodes, opened.shapes),
        "output": opened.output,
        "softmax": opened.nodes[opened.output - 1].layer.gives_probabilities,
        "preparation": None if preparation is None else preparation.as_dict(),
        "range": opened.value_range,
    }


def _images(opened: Opened, report: Report | None) -> dict[str, Any] | None:
    """Return some test images: the surest mistakes, then one of each class, then the first ones."""
    try:
        if "test" not in opened.parts() or not opened.classes:
            return None
    except PellucidError:  # its images are elsewhere by now
        return None
    images, probabilities = opened.part("test"), opened.predicted("test", report)
    guesses = probabilities.argmax(axis=1)
    sure = np.argsort(-probabilities.max(axis=1), kind="stable")
    wrong = [k for k in sure if guesses[k] != images.labels[k]][: MOST_IMAGES // 4]
    each = [int(np.flatnonzero(images.labels == c)[0]) for c in np.unique(images.labels)]
    chosen = np.array(list(dict.fromkeys([*wrong, *each, *range(len(images))]))[:MOST_IMAGES])
    pictures = shown(opened, images.batch(chosen)[0])
    encoded = base64.b64encode(pictures.tobytes()).decode("ascii")
    labels = images.labels[chosen].tolist()
    return {
        "numbers": {"pictures": encoded, "labels": labels},
        "gallery": {
            "shape": pictures.shape,
            "labels": labels,
            "guesses": guesses[chosen].tolist(),
            "confidences": probabilities[chosen, guesses[chosen]].tolist(),
        },
    }


# The document -----------------------------------------------------------------------------------


def _worker(program: Program) -> str:
    return worker_script(program, *map(in_tabs, own_scripts()), uses=("strides", "walk"))


def own_scripts() -> list[str]:
    """Return the scripts of the worker that only the studio has."""
    folder = resources.files(__package__)
    rest = [(folder / name).read_text(encoding="utf-8") for name in ("boxes.js", "worker.js")]
    return [one_script("single_file/unit/arithmetic.js", "arithmetic"), *rest]


def _html(page: dict[str, Any], worker: str, weights: str, language: str | None) -> str:
    script = in_tabs(one_script("single_file/main.js"))
    style = in_tabs(page_styles())
    policy = (
        f"default-src 'none'; script-src '{sha256(script)}'; style-src '{sha256(style)}'; "
        "worker-src blob:; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    noscript = "This page computes with JavaScript, which is switched off here."
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="{language or "en"}">',
            '<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>Pellucid</title>\n<style>{style}</style>",
            f"</head>\n<body>\n<noscript>{noscript}</noscript>",
            f'<script type="application/json" id="page">{as_json(page)}</script>',
            f'<script type="text/plain" id="worker">{worker}</script>',
            f'<script type="text/plain" id="weights">{weights}</script>',
            f'<script type="module">{script}</script>',
            "</body>\n</html>\n",
        ]
    )
