"""How delivery is going, in DORA's five numbers.  Pure: it takes releases and incidents and reads nothing.

    Ledger    what is remembered of releases and incidents, as deployments that failed or not; takes news one by one
    Report    the five numbers of a scope in a window, beside the window before and the goals
    Number    one of them: value, n, the time it covers, how failures are known, the deployments behind it

docs/metrics.md tells the definitions and rules, and where they come from; `statusboard.measuring` reads the store.
"""

from statusboard.metrics.deployments import Deployment, Episode, Link, deployed_at, episode_of, is_counted, settle
from statusboard.metrics.goals import EXAMPLES, NAMES, Goal, GoalError, goals_of, parse_goal
from statusboard.metrics.kinds import DEFINITIONS, METRICS, Definition, Metric, Unit
from statusboard.metrics.ledger import Ledger
from statusboard.metrics.numbers import Covered, Linking, Number, median
from statusboard.metrics.report import (
    WINDOWS,
    Inputs,
    Judged,
    Report,
    Scope,
    Unlinked,
    report_of,
)
from statusboard.metrics.windows import Stretch, Window, days_of, window_before, window_of
from statusboard.metrics.words import change_text, length_text, value_text

__all__ = [
    "DEFINITIONS",
    "EXAMPLES",
    "METRICS",
    "NAMES",
    "WINDOWS",
    "Covered",
    "Definition",
    "Deployment",
    "Episode",
    "Goal",
    "GoalError",
    "Inputs",
    "Judged",
    "Ledger",
    "Link",
    "Linking",
    "Metric",
    "Number",
    "Report",
    "Scope",
    "Stretch",
    "Unit",
    "Unlinked",
    "Window",
    "change_text",
    "days_of",
    "deployed_at",
    "episode_of",
    "goals_of",
    "is_counted",
    "length_text",
    "median",
    "parse_goal",
    "report_of",
    "settle",
    "value_text",
    "window_before",
    "window_of",
]
