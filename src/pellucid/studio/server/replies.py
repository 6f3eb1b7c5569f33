"""How a request is refused: with a sentence that says why."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

__all__ = ["Refused"]

MOST_LETTERS = 2000  # of a sentence, which may quote what came


class Refused(Exception):  # noqa: N818 - not a fault of the program
    """Ends a request with a status, a kind that the page knows, and a sentence."""

    def __init__(self, status: int, kind: str, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.kind, self.sentence, self.headers = status, kind, sentence, headers

    def response(self) -> Response:
        """Return it as an answer."""
        sentence = self.sentence
        if len(sentence) > MOST_LETTERS:
            sentence = f"{sentence[: MOST_LETTERS // 2]} … {sentence[-MOST_LETTERS // 2 :]}"
        # Half of a pair of surrogates, which JSON allows, is not a letter of UTF-8.
        told = {"error": sentence.encode("utf-8", "replace").decode(), "kind": self.kind}
        return JSONResponse(told, self.status, self.headers)
