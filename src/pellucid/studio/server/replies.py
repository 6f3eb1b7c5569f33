"""What the server answers: values in an envelope, and refusals as a sentence."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

__all__ = ["Refused", "refusal"]


class Refused(Exception):  # noqa: N818 - not a fault of the program
    """Ends a request with a status, a kind that the page knows, and a sentence."""

    def __init__(self, status: int, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.kind, self.sentence = status, kind, sentence

    def response(self) -> Response:
        """Return it as an answer."""
        return refusal(self.status, self.kind, self.sentence)


def refusal(status: int, kind: str, sentence: str, **headers: Any) -> Response:
    """Return an answer that says why there is no other."""
    return JSONResponse({"error": sentence, "kind": kind}, status, headers or None)
