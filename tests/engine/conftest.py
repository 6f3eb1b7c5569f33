"""Few kernels for the engine's tests: compiling took nine tenths of their time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.networks import few_tiles


@pytest.fixture(autouse=True, scope="module")
def few_kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have few tiles cover every size, but in modules that are marked with `all_tiles`.

    Each tile is a kernel to compile, at up to two seconds; its height and width are constants in
    one and the same source.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("all_tiles") is None:
            few_tiles(patch)
        yield
