"""Processors, as LLVM knows them: their instructions, vector registers, and levels of both."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LEVELS", "Processor", "gains", "level_setting", "multiplies", "vector_unit"]

# Instructions of the levels of the x86-64 psABI (section 3.1.1), which contain those below them.
_V2 = "cx16 sahf popcnt sse3 ssse3 sse4.1 sse4.2"
_V3 = f"{_V2} avx avx2 bmi bmi2 f16c fma lzcnt movbe xsave"
_V4 = f"{_V3} avx512f avx512bw avx512cd avx512dq avx512vl"
LEVELS = {"x86-64-v2": _V2.split(), "x86-64-v3": _V3.split(), "x86-64-v4": _V4.split()}

# Processors by name alone, where no instructions are given.
WIDE = ("skylake-avx512", "cascadelake", "icelake-server", "sapphirerapids", "znver4", "znver5")
MULTIPLY = {"bf16": "avx512bf16"}  # the instructions for products of less precise numbers
# Those whose instructions for it take longer than the float32 ones for as many products: an Emerald
# Rapids completes 1.2 billion in a second, to 4.1 of float32. Sapphire Rapids has the same cores.
SLOWER = {"bf16": ("sapphirerapids", "emeraldrapids")}
MIDDLE = ("haswell", "znver1", "znver2", "znver3")


class Processor(NamedTuple):
    """What kernels are compiled for: a system, a processor, and its instructions."""

    triple: str
    name: str
    features: str  # such as "+avx2,-sse4a"

    @property
    def instructions(self) -> set[str]:
        """The instructions that it has.

        Examples
        --------
        >>> Processor("x86_64-unknown-linux-gnu", "znver5", "+avx2,-sse4a").instructions
        {'avx2'}
        """
        return {each[1:] for each in self.features.split(",") if each.startswith("+")}


def vector_unit(target: Processor) -> tuple[int, int]:
    """Return how many float32 a vector register holds, and how many there are.

    Examples
    --------
    >>> vector_unit(Processor("", "x86-64-v3", level_setting("x86-64-v3")["NUMBA_CPU_FEATURES"]))
    (8, 16)
    """
    offered, named = target.instructions, "" if target.features else target.name
    if "avx512f" in offered or named in WIDE:
        return 16, 32
    if "avx2" in offered or named in MIDDLE:
        return 8, 16
    if "neon" in offered:
        return 4, 32
    return 4, 16


def multiplies(target: Processor) -> tuple[str, ...]:
    """Return the precisions of factors that it has instructions for, besides float32.

    Examples
    --------
    >>> multiplies(Processor("", "znver5", "+avx512f,+avx512bf16"))
    ('bf16',)
    """
    return tuple(each for each, needed in MULTIPLY.items() if needed in target.instructions)


def gains(target: Processor) -> tuple[str, ...]:
    """Return the precisions in which it multiplies faster than in float32.

    Examples
    --------
    >>> gains(Processor("", "emeraldrapids", "+avx512f,+avx512bf16"))
    ()
    """
    return tuple(each for each in multiplies(target) if target.name not in SLOWER[each])


def level_setting(level: str) -> dict[str, str]:
    """Return the environment in which Numba compiles for every processor of a level.

    Examples
    --------
    >>> level_setting("x86-64-v2")["NUMBA_CPU_FEATURES"]
    '+cx16,+sahf,+popcnt,+sse3,+ssse3,+sse4.1,+sse4.2'
    """
    features = ",".join(f"+{each}" for each in LEVELS[level])
    return {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": features}
