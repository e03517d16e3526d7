"""The monitoring notebook from its first cell to its last: what is judged, what was found, and where it is written."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.display import display

from lab2live import files
from lab2live.charter import loading as charters
from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.handoff.alerts import RATES, Judged
from lab2live.handoff.deciding import Deciding
from lab2live.monitoring import advice, baseline, judging, reading, rehearsing, served, telling
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.judging import Verdict
from lab2live.monitoring.served import Samples
from lab2live.monitoring.window import Window
from lab2live.pipeline import context, store
from lab2live.reporting import display as report
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERSION = 1
FILE = "monitoring.json"
REHEARSAL = "a rehearsal on held-back cases"


@dataclass
class Sheet:
    """What the notebook holds on to.

    Attributes
    ----------
    base, seen
        The baseline and the batch.
    samples
        Of a service, see `served.read`.
    rehearsal
        In a rehearsal, where the batch and a drifted one come from.
    bundle
        The first digits of the manifest's hash; empty in a rehearsal.
    seed, today
        Of the intervals; until when outcomes can have arrived.
    folder
        Where results go; `None` writes nothing.
    """

    base: Baseline
    seen: Window
    samples: Samples | None
    rehearsal: rehearsing.Rehearsal | None
    bundle: str
    seed: int
    today: dt.date
    folder: Path | None
    mark: str
    found: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def verdict(self) -> Verdict:
        return judging.judge(self.base, self.seen, self.seed, self.today)

    @cached_property
    def drifted(self) -> Verdict | None:
        """What is found in a batch with a planted shift; `None` outside of a rehearsal."""
        planted = None if self.rehearsal is None else self.rehearsal.drifted
        return None if planted is None else judging.judge(self.base, planted, self.seed, self.today)

    @cached_property
    def judged(self) -> list[Judged]:
        """All alerts, those of a service as well."""
        return [*self.verdict.judged, *served.judge(self.base, self.samples)]

    @cached_property
    def advice(self) -> advice.Row:
        return advice.advise(self.judged)

    def figure(self, name: str, figure: Figure) -> None:
        """Show a figure, and keep it as a file where there is a folder."""
        figure = plots.stamp(figure, self.mark)
        if self.folder is not None:
            files.write_bytes(self.folder / "figures" / f"{name}.png", plots.png(figure))
        display(plots.show(figure))

    def close(self) -> None:
        """Show all alerts, write `monitoring.json` where there is a folder, and say so."""
        display(report.table(telling.overview(self.verdict.judged), caption="Alerts on the batch"))
        display(report.table(telling.overview(self.judged, service=True), caption="Alerts on the service"))
        if self.folder is None:
            display(report.say("Nothing was written: no folder was given."))
            return
        files.write_json(self.folder / FILE, self.content())
        display(report.say(f"Written to {FILE}."))

    def content(self) -> dict[str, Any]:
        """Give what `monitoring.json` holds."""
        seen, found = self.seen, self.verdict
        alerts = [{**asdict(one.alert), **asdict(one)} for one in self.judged]
        measured = {
            name: {"tested": then and then.to_dict(), "batch": now and now.to_dict()}
            for name, then, now in (
                ("score", self.base.score, found.score),
                ("money", self.base.money, found.money),
                ("estimate", self.base.estimate, found.estimate),
            )
        }
        columns = [
            {
                "name": one.name,
                "distance": one.moved.distance[0],
                "stability_index": one.index,
                "missing": one.moved.gone[0],
                "unknown": one.moved.unknown[0],
                "p": one.moved.p[0],
                "verdict": "broken" if one.broken else "drifted" if one.drifted else "as before",
            }
            for one in (*found.columns, *found.said)
        ]
        return {
            "version": VERSION,
            "status": max((one.status for one in self.judged), key=_SEVERITY.index),
            "rehearsal": self.rehearsal is not None,
            "project": self.base.charter.project.name,
            "mark": self.mark,
            "bundle": self.bundle,
            "cases": seen.cases,
            "looked_at": seen.rows,
            "stated_rates": RATES,
            "alerts": alerts,
            "advice": {"id": self.advice.id, "text": self.advice.advice},
            "rates": {name: baseline.share(seen.count(name), seen.rows) for name in self.base.triggers},
            "metric": self.base.judge.metric,
            "measured": measured,
            "columns": columns,
        }


_SEVERITY = ("skip", "ok", "ticket", "page")


def begin(
    project: str | None = None,
    run_dir: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    bundle: str | None = None,
    batch: str | None = None,
    metrics: str | None = None,
    out: str | None = None,
    today: str | None = None,
) -> Sheet:
    """Start the monitoring: the first call of the notebook, with its parameters.

    Without a batch it is a rehearsal on the cases that were held back, see `rehearsing`. With a bundle and a batch
    nothing else is looked for: no project has to lie around.

    Raises
    ------
    UserError
        If bundle, batch or project cannot be read.
    """
    # in a rehearsal every outcome has arrived
    day = dt.date.fromisoformat(today) if today else dt.date.today() if batch else dt.date.max
    samples = served.read(metrics)
    folder = Path(out) if out else None
    if batch is None:
        run = context.begin("handoff", project, run_dir or _newest(project), sample=sample, seed=seed)
        display(
            report.banner(
                "Rehearsal",
                "No batch was named: half of the held-back cases play one, held against the other half.",
                kind="info",
            )
        )
        played = rehearsing.rehearse(run)
        return Sheet(played.base, played.clean, samples, played, "", seed, day, folder, played.base.mark)
    place = Path(bundle) if bundle else Path(run_dir or _newest(project) or "") / "artefacts" / "bundle"
    if not place.is_dir():
        raise UserError("There is no bundle.", where=place, expected="a bundle's folder", fix="name it: bundle=...")
    core = bundles.load(place)
    base = baseline.read(core)
    report.mark(base.mark)
    display(report.style())
    if base.demo:
        display(report.banner("Demo", "Every number here is about a simulated telecom company.", kind="demo"))
    if base.mark:
        display(report.banner("Stand-in data", f"The model was made {base.mark}.", kind="warn"))
    seen = reading.read(Path(batch), Deciding.of(core), base, sample, seed)
    name = hashlib.sha256((place / bundles.MANIFEST).read_bytes()).hexdigest()[:12]
    return Sheet(base, seen, samples, None, name, seed, day, folder, base.mark)


def _newest(project: str | None) -> str | None:
    newest = store.newest_in(charters.find(project).folder)
    return None if newest is None else str(newest)
