"""``notices:`` of a config.  Only the main file may hold it: it runs commands."""

from __future__ import annotations

from statusboard._config.views import FilterCheck, check_filter_node
from statusboard.binding import bind
from statusboard.errors import Problem
from statusboard.noticing.options import NoticesOptions
from statusboard.yamlfile import List, Map, Node, Scalar


def bind_notices(node: Node | None, problems: list[Problem], check_filter: FilterCheck | None) -> NoticesOptions:
    """The section, with its defaults where there is none; what is wrong with it is in ``problems``."""
    if node is None:
        return NoticesOptions()
    options = bind(node, NoticesOptions, problems, "notices")
    if isinstance(node, Map) and check_filter is not None:
        rules = node.get("rules")
        for index, rule in enumerate(rules.items if isinstance(rules, List) else [rules]):
            _filter(rule, "when", f"notices.rules[{index}]", check_filter, problems)
        _filter(node.get("quiet"), "except", "notices.quiet", check_filter, problems)
    return options or NoticesOptions()


def _filter(node: Node | None, key: str, path: str, check: FilterCheck, problems: list[Problem]) -> None:
    found = node.get(key) if isinstance(node, Map) else None
    if isinstance(found, Scalar) and found.value is not None:
        check_filter_node(found, f"{path}.{key}", check, problems)
