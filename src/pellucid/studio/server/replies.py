"""How a request is refused: with a sentence that says why."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

__all__ = ["Refused"]


class Refused(Exception):  # noqa: N818 - not a fault of the program
    """Ends a request with a status, a kind that the page knows, and a sentence."""

    def __init__(self, status: int, kind: str, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.kind, self.sentence, self.headers = status, kind, sentence, headers

    def response(self) -> Response:
        """Return it as an answer."""
        told = {"error": self.sentence, "kind": self.kind}
        return JSONResponse(told, self.status, self.headers)
