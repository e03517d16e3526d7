"""How fast does the model age (L2)? Models that learn up to a moment, scored on the periods behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.feature_types import as_days
from lab2live.data.intervals import Score, redraw, scores
from lab2live.eda.signal import quick
from lab2live.poc.change.robustness import REACH, RESAMPLES
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount, score_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Equal periods, of which the first half only teaches, and the oldest age that is looked at.
PERIODS, OLDEST = 8, 3
# Cases of a period: from fewer nothing can be told.
FEWEST = 50


@dataclass(frozen=True)
class Staleness:
    """The score against the age of the model, one line of `ages` per period since it learnt; else the `problem`."""

    ages: tuple[dict[str, float], ...] = ()
    period: str = ""
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return asdict(self)

    def table(self) -> pd.DataFrame:
        """Show the score by age, what was lost since the first period, and what learning anew would give back."""
        return pd.DataFrame(self.ages)

    def figure(self) -> Figure:
        """Draw the score that is lost with age."""
        names = [f"after {line['age'] - 1:.0f} more" if line["age"] > 1 else "the first period" for line in self.ages]
        change, low, high = ([line[key] for line in self.ages] for key in ("change", "from", "to"))
        loses = self.ages[-1]["to"] < 0
        title = "The model loses score as it ages" if loses else "The model does not clearly lose score as it ages"
        return plots.intervals(names, change, low, high, title, f"change of the score, in periods of {self.period}")

    def sentence(self) -> str:
        """Say what a model loses with age."""
        if not self.ages:
            return self.problem
        last = self.ages[-1]
        verb = "loses" if last["to"] < 0 else "does not clearly lose"
        change = score_text(last["change"], last["from"], last["to"], sign="+")
        anew = score_text(last["learnt anew"], sign="+")
        return (
            f"Left alone, the model {verb} score: {change} after "
            f"{amount(int(last['age']) - 1, 'more period')} of {self.period}; learnt anew {anew}."
        )


@quick.on_one_thread
def staleness(charter: Charter, data: Dataset, make_model: Callable[[], Any], score: Score, seed: int = 0) -> Staleness:
    """Let models age: learn from all before a cut-off, score on the periods behind it, for several cut-offs.

    Change is within the same model, against the first period after its cut-off; intervals (90 %) resample the cases
    of every period. What learning anew gives back is compared on the same cases.
    """
    name, known_by = charter.prediction.time_column, splits.clock(charter, data)
    if known_by is None:
        return Staleness(problem="The charter names no time column: how fast a model ages cannot be seen.")
    times, delay = known_by
    order = np.argsort(times, kind="stable")
    # cases of one moment stay together
    edges = np.unique(np.searchsorted(times[order], times[order][len(order) * np.arange(PERIODS) // PERIODS]))
    parts = np.split(order, edges[edges > 0])
    if len(parts) < PERIODS or min(map(len, parts)) < FEWEST:
        return Staleness(problem=f"There are too few cases or moments for {PERIODS} periods of {FEWEST} cases.")
    found: dict[tuple[int, int], np.ndarray] = {}
    for cut in range(PERIODS // 2, PERIODS):
        learn = np.concatenate(parts[:cut])
        if delay:
            learn = learn[times[learn] <= times[parts[cut]].min() - delay]
        if len(learn) < FEWEST:
            return Staleness(problem="Labels come too late (label_delay_days): at half of the time too few are known.")
        model = models.fit(make_model(), data, learn)
        for later in range(cut, min(cut + OLDEST, PERIODS)):
            known, rows = data.outcome[parts[later]], parts[later]
            drawn = redraw(seed + later, len(known), RESAMPLES, splits.groups(charter, data, rows), known)
            weights = np.vstack([np.ones(len(rows), dtype=int), drawn])
            found[cut, later] = scores(
                score, known, models.answer(model, models.inputs_of(model, data).iloc[rows]), weights
            )
    ages = []
    for age in range(OLDEST):
        cuts = range(PERIODS // 2, PERIODS - age)
        old = np.mean([found[cut, cut + age] for cut in cuts], axis=0)
        change = old - np.mean([found[cut, cut] for cut in cuts], axis=0)
        anew = np.mean([found[cut + age, cut + age] for cut in cuts], axis=0) - old
        reach = REACH * change[1:].std(ddof=1)
        line = {"age": age + 1.0, "score": old[0], "change": change[0]}
        line |= {"from": change[0] - reach, "to": change[0] + reach, "learnt anew": anew[0]}
        ages.append({key: float(value) for key, value in line.items()})
    days = not pd.api.types.is_numeric_dtype(data.raw[name]) and not np.isnan(as_days(data.raw[name])).all()
    length = float(np.median(np.diff([np.median(times[part]) for part in parts])))
    period = f"{length:.3g} days" if days else f"{len(order) // PERIODS:,} cases"
    return Staleness(tuple(ages), period)
