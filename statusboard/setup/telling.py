"""What a trial of one source found out, in words: what was read, or what is wrong and what would be right."""

from __future__ import annotations

from typing import TypeAlias

from statusboard.clock import Duration
from statusboard.setup.checking import CLOCK_OFF, SourceFinding
from statusboard.text import clean

Told: TypeAlias = tuple[str, str]
"""(a line, the name of its style)."""

MOST_ERRORS = 5


def told(finding: SourceFinding) -> list[Told]:
    """The trial's outcome, line by line; the first one is the verdict."""
    lines = [_verdict(finding)]
    missing = [credential for credential in finding.credentials if credential.error]
    known = {finding.error}
    for credential in missing:
        error = f"{credential.reference}: {credential.error}"
        if error not in known:
            lines.append((f"{credential.option}: {error}", "warning"))
        known.add(error)
    errors = [f"{part.part}: {part.error}" for part in finding.parts if part.error and part.error not in known]
    lines += [(error, "warning") for error in errors[:MOST_ERRORS]]
    if len(errors) > MOST_ERRORS:
        lines.append((f"and {len(errors) - MOST_ERRORS} more parts that were not read", "warning"))
    lines += [(f"heartbeat {name} is missing", "warning") for name in finding.missing_beats]
    if finding.hint:
        lines.append((f"It may be: {finding.hint}", ""))
    if finding.needs:
        lines.append((f"It needs: {finding.needs}", ""))
    if finding.verdict == "failed" and finding.reachable is False and finding.url:  # a file or a command has none
        lines.append(("Nothing answers there: look at the url, and whether this machine may reach it.", ""))
    lines += [(f"{part.part}: {note}", "muted") for part in finding.parts for note in part.notes][:MOST_ERRORS]
    if finding.left_out:
        lines.append((f"{_count(len(finding.left_out), 'item')} left out: {finding.left_out[0]}", "warning"))
    if finding.clock_offset is not None and abs(finding.clock_offset) >= CLOCK_OFF:
        ahead = "ahead of" if finding.clock_offset > 0 else "behind"
        lines.append((f"its clock is {abs(finding.clock_offset):.0f} s {ahead} ours: ages will look wrong", "warning"))
    if finding.verdict == "ok" and finding.requests:
        every = Duration(finding.interval)
        cost = f"{_count(finding.requests, 'request')}; at most {finding.requests_per_hour} an hour, every {every}"
        lines.append((cost, "muted"))
    if finding.verdict == "failed":
        lines.append((f"How to set it up: statusboard sources {finding.type}", "muted"))
    return [(clean(line, 400), style) for line, style in lines]


def _verdict(finding: SourceFinding) -> Told:
    read = ", ".join(_count(number, kind) for kind, number in finding.items.items())
    took = f"in {finding.seconds:.1f} s"
    if finding.verdict == "ok":
        return (f"OK: read {read} {took}" if read else f"OK: read {took}; there is nothing to show now", "success")
    if finding.verdict == "partial":
        return f"PARTIAL: read {read or 'some of it'} {took}, but not all", "warning"
    asked = "" if finding.error else "nothing could be read"
    return f"FAILED: {finding.error or asked}", "failed"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
