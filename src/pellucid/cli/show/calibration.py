"""``pellucid show calibration``: how often a network is right at each confidence."""

from __future__ import annotations

from ..figure_output import OutOption, WindowOption, deliver, require_deliverable
from ..options import DataDirOption, DataOption, RunArgument, SplitOption
from .mistakes import predicted

__all__ = ["command"]


def command(
    run: RunArgument,
    data: DataOption = None,
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    out: OutOption = None,
    window: WindowOption = False,
) -> None:
    """Draw the reliability diagram: how often the network is right at each confidence."""
    from ... import viz
    from ...training import Calibration

    require_deliverable(out, window)
    dataset, probabilities = predicted(run, data, data_dir, split)
    measured = Calibration.of(probabilities, dataset.labels)
    deliver(viz.reliability(measured), "calibration", out, window=window)
