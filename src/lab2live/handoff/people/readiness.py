"""How ready for production is it (G4)? The ML Test Score, each of its tests with the evidence for it from the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from lab2live.charter.gates import CATALOGUE
from lab2live.handoff.people.findings import Findings
from lab2live.handoff.people.rubric import BANDS, ITEMS, RESEARCH, SECTIONS, Item
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import short, status

How = Literal["automated", "manual", "missing"]
POINTS: dict[How, float] = {"automated": 1.0, "manual": 0.5, "missing": 0.0}


@dataclass(frozen=True)
class Scored:
    """One of the 28 tests.

    Attributes
    ----------
    section, what
        See `rubric.Item`.
    how
        `automated`: every gate it takes was computed in this run, whatever it said. `manual`: done by hand, or written
        down without a limit. `missing`: neither.
    evidence
        The gates with what they said, what was done by hand, or what is lacking.
    """

    section: str
    what: str
    how: How
    evidence: str

    @property
    def points(self) -> float:
        return POINTS[self.how]


@dataclass(frozen=True)
class Score:
    """All tests, and the points of each section."""

    items: tuple[Scored, ...]

    @property
    def sections(self) -> dict[str, float]:
        return {name: sum(one.points for one in self.items if one.section == name) for name in SECTIONS}

    @property
    def value(self) -> float:
        """The least of the four sums: strength in one section does not make up for another (Breck et al. 2017)."""
        return min(self.sections.values())

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return {"score": self.value, "sections": self.sections, "items": [asdict(one) for one in self.items]}


def score(found: Findings) -> Score:
    """Hold what the run has computed, and what the charter settles, against the 28 tests."""
    return Score(tuple(_scored(item, found) for item in ITEMS))


def _scored(item: Item, found: Findings) -> Scored:
    skipped = [name for name in item.gates if not found.computed(name)]
    if item.gates and not skipped:
        return Scored(item.section, item.what, "automated", _answers(item.gates, found))
    by_hand = item.by_hand(found)
    lacks = f" To do: {item.lacks}." if item.lacks else ""
    if by_hand:
        return Scored(item.section, item.what, "manual", f"{by_hand}{lacks}")
    open_ones = f"Not computed: {', '.join(skipped)}." if skipped else "Nothing in the run tests it."
    return Scored(item.section, item.what, "missing", f"{open_ones}{lacks}")


def _answers(names: Sequence[str], found: Findings) -> str:
    # a status that hangs on measured times may be another one the next time
    return ", ".join(name if CATALOGUE[name].timed else f"{name} {status(found.gates[name].status)}" for name in names)


def table(scored: Score) -> pd.DataFrame:
    """Show the tests, one a line."""
    return pd.DataFrame(
        [
            {"section": one.section, "test": one.what, "how": one.how, "points": one.points, "evidence": one.evidence}
            for one in scored.items
        ]
    )


def band(value: float) -> str:
    """Say what a score stands for."""
    return next((words for above, words in BANDS if value > above), RESEARCH)


def verdict(scored: Score) -> Evidence:
    """Give the score, and what it stands for."""
    sums = ", ".join(f"{name} {short(points)}" for name, points in scored.sections.items())
    done = sum(one.how == "automated" for one in scored.items)
    missing = sum(one.how == "missing" for one in scored.items)
    said = (
        f"{short(scored.value)} of 7, the least of {sums}: {band(scored.value)}. "
        f"{done} of {len(scored.items)} tests are automated, {missing} are missing."
    )
    return Evidence(scored.value, said, table(scored), data={"ml_test_score": scored.as_dict()})
