"""What a wall shows, page by page, apart from any screen.  Pure.

A wall walks through its views.  While a view holds something failing, the wall stays with such views and walks through
their pages only.  Nobody sits before it: nothing here depends on a key, and what is not shown is said.
"""

from statusboard.wall.deployed import Deployed
from statusboard.wall.faults import Faults
from statusboard.wall.freshness import Freshness, freshness
from statusboard.wall.rotation import Part, Rotation, Slide
from statusboard.wall.spec import Night, WallSpec

__all__ = ["Deployed", "Faults", "Freshness", "Night", "Part", "Rotation", "Slide", "WallSpec", "freshness"]
