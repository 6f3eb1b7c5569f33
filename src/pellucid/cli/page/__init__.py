"""The parts of the page that ``pellucid report`` writes."""

__all__: list[str] = []
