"""Sweeps: train with many settings and find the best, on Optuna.

Needs ``pip install "pellucid[sweep]"``. A sweep is a folder: its space of settings, Optuna's
journal, a run folder for each trial, and a page. Any number of processes, on any number of
machines that share the folder, may work on one sweep; so do the ranks of one ``mpiexec``.
"""

from __future__ import annotations

from .running import Sweep, sweep
from .space import Range, Space

__all__ = ["Range", "Space", "Sweep", "sweep"]
