"""The portfolio while its notebook runs: who is in it, what was found, and where that is written."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import display

from lab2live import files
from lab2live.errors import UserError
from lab2live.portfolio import chances, example, reading
from lab2live.portfolio.chances import Spread
from lab2live.portfolio.reading import Project
from lab2live.reporting import display as report
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERSION = 1
FILE = "portfolio.json"
MADE_UP = "made up, not for any decision"


@dataclass(frozen=True)
class Together:
    """What the live projects with a measured return in one currency leave together.

    Attributes
    ----------
    currency, projects
        Money in different currencies is not added.
    spreads
        At each of `chances.CORRELATIONS`.
    big
        The same as one project whose parts stand or fall together: correlation 1, the same expected total.
    chance
        That at least one of these projects succeeds, at the correlation 0.2.
    """

    currency: str
    projects: tuple[Project, ...]
    spreads: tuple[Spread, ...]
    big: Spread
    chance: float

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into `portfolio.json`: the projects by name."""
        return {**asdict(self), "projects": [one.name for one in self.projects]}


@dataclass
class Sheet:
    """What the notebook holds on to from its first cell to its last."""

    projects: list[Project]
    folder: Path | None
    seed: int
    made_up: bool
    found: dict[str, Any] = field(default_factory=dict)

    def counts(self) -> dict[float, list[float]]:
        """Give correlation -> chances that none, one, two, ... of the projects with a number succeed."""
        known = [one.chance for one in self.projects if one.counts and one.chance is not None]
        return {each: chances.successes(known, each).tolist() for each in chances.CORRELATIONS} if known else {}

    def together(self) -> list[Together]:
        """Add up the projects, currency by currency; the one with most projects first."""
        groups: dict[str, list[Project]] = {}
        for one in self.projects:
            if one.counts:
                groups.setdefault(one.currency or "", []).append(one)
        return [
            _together(name, groups[name], self.seed) for name in sorted(groups, key=lambda name: -len(groups[name]))
        ]

    def keep(self, **found: Any) -> None:
        """Keep findings for `portfolio.json`."""
        self.found |= found

    def figure(self, name: str, figure: Figure) -> None:
        """Show a figure, and keep it as a file where there is a folder."""
        figure = plots.stamp(figure, MADE_UP if self.made_up else "")
        if self.folder is not None:
            files.write_bytes(self.folder / "figures" / f"{name}.png", plots.png(figure))
        display(plots.show(figure))

    def close(self) -> None:
        """Write `portfolio.json` where there is a folder, and say so."""
        if self.folder is None:
            display(report.say("Nothing was written: no folder was given."))
            return
        content = {
            "version": VERSION,
            "made_up": self.made_up,
            "projects": [asdict(one) for one in self.projects],
            **self.found,
        }
        files.write_json(self.folder / FILE, content)
        display(report.say(f"Written to {FILE}."))


def begin(projects: Sequence[str] | None, out: str | None, seed: int = 0, today: str | None = None) -> Sheet:
    """Start the portfolio: the first call of the notebook, with its parameters.

    Parameters
    ----------
    projects
        Folders of projects or runs; `None` for the made-up ones.
    out
        Where results go; `None` writes nothing.
    seed
        Of the simulation.
    today
        Until when open requests have been waited for, as `2026-11-02`; `None` for the day it is.
    """
    made_up = projects is None
    day = dt.date.fromisoformat(today) if today else example.TODAY if made_up else dt.date.today()
    with tempfile.TemporaryDirectory(prefix="lab2live-") as folder:
        places = example.write(Path(folder)) if projects is None else [Path(each) for each in projects]
        kept = distinct(places)
        found = [reading.read(place, day) for place in kept]
    older = [str(place) for place in places if place not in kept]
    report.mark(MADE_UP if made_up else "")
    display(report.style())
    if made_up:
        display(report.banner("Made up", "These projects do not exist: nothing here is for any decision.", kind="demo"))
    elif any("demo" in one.marks for one in found):
        display(report.banner("Demo", "Some numbers are about a simulated company; they are marked.", kind="demo"))
    if older:
        text = f"The newest run of each project counts. Left out: {', '.join(older)}."
        display(report.banner("Named more than once", text))
    return Sheet(found, Path(out) if out else None, seed, made_up)


def distinct(places: Sequence[Path]) -> list[Path]:
    """Keep the newest run of every project: one that is named twice, by its folder or by its runs, would count twice.

    A run that lies outside of a project's folder belongs to the project that its verdict names.

    Raises
    ------
    UserError
        If one of them is not a folder, or there is none.
    """
    found: list[tuple[Path, Path | None, str, str]] = []
    for place in places:
        if not place.is_dir():
            raise UserError(
                "There is no such folder.",
                where=place,
                expected="the folder of a project or of a run",
                fix="check the path",
            )
        found.append((place, *reading.identity(place)))
    if not found:
        raise UserError("No project was named.", fix="lab2live portfolio DIR...")
    homes = {name: home for _, home, name, _ in found if home is not None}
    newest: dict[Path | str, tuple[str, Path]] = {}
    for place, home, name, started in found:
        project = home or homes.get(name) or name
        if project not in newest or started > newest[project][0]:
            newest[project] = (started, place)
    return [place for _, place in newest.values()]


def _together(currency: str, projects: Sequence[Project], seed: int) -> Together:
    worths = [one.worth for one in projects if one.worth is not None]
    known = [one.chance for one in projects if one.chance is not None]
    spreads = tuple(chances.spread(worths, each, seed) for each in chances.CORRELATIONS)
    return Together(
        currency,
        tuple(projects),
        spreads,
        chances.spread(worths, 1.0, seed),
        chances.at_least_one(known, 0.2),
    )
