"""The face of each layout.  What the first picture does not need is imported when it is asked for."""

from __future__ import annotations

from statusboard.screens.faces import Face
from statusboard.screens.lanesface import LanesFace
from statusboard.screens.live import Live
from statusboard.view import Layout


def make_face(layout: Layout, live: Live) -> Face:
    """A new face of this layout."""
    if layout == "timeline":
        from statusboard.screens.timeline import TimelineFace

        return TimelineFace(live)
    if layout == "services":
        from statusboard.screens.services import ServicesFace

        return ServicesFace(live)
    if layout == "sources":
        from statusboard.screens.sources import SourcesFace

        return SourcesFace(live)
    if layout == "metrics":
        from statusboard.screens.metrics import MetricsFace

        return MetricsFace(live)
    assert layout == "lanes", layout
    return LanesFace(live)
