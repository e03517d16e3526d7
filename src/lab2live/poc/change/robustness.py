"""Will the deployed model withstand changing data (L2)? The test part once more, disturbed as live data may be."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import dataset, models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import Score, redraw, scores
from lab2live.data.splits import Split
from lab2live.eda.signal import quick
from lab2live.errors import UserError
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.change import disturbances
from lab2live.poc.change.disturbances import Disturbance, Path
from lab2live.reporting import plots
from lab2live.reporting.formatting import agree, amount, number, score_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Of a wide table only so many columns are disturbed, the most important ones.
MOST_COLUMNS, RESAMPLES = 12, 100
# Of a large test part only so many cases are disturbed, a hundred times over: the intervals are narrow by then.
MOST_ROWS = 5_000

# How many standard errors a 90 % interval reaches to each side.
REACH = 1.645
# What a plausible disturbance counts for on which the journey breaks: worse than having no model.
BREAKS = 2.0

NOT_BY_ROW = "features.py says something else of some rows than of all: it must look at one row at a time."


@dataclass(frozen=True)
class Trial:
    """One disturbance at one level, and what became of the score.

    Attributes
    ----------
    kind, where, level, title, plausible
        See `disturbances.Disturbance`.
    score, worth
        On the disturbed test part; money per month where the caller can say. `None` if it breaks.
    change, low, high
        Score minus that on the undisturbed part, and its 90 % interval from paired resamples.
    broken
        What features or model said when they could not answer; else empty.
    """

    kind: str
    where: str
    level: float
    title: str
    plausible: bool
    score: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    worth: float | None = None
    broken: str = ""

    @property
    def said(self) -> str:
        change, low, high = (score_text(end, sign="+") for end in (self.change, self.low, self.high))
        return f"{self.title} ({change}, {low} to {high})"


@dataclass(frozen=True)
class Weakness:
    """All levels of one disturbance, weakest first, and from which level on the model is worth less than nothing."""

    trials: tuple[Trial, ...]
    turns: float | None

    @property
    def middle(self) -> Trial:
        return self.trials[(len(self.trials) - 1) // 2]

    @property
    def loss(self) -> float:
        """What the middle level costs; more than anything if it breaks."""
        return float("inf") if self.middle.change is None else -self.middle.change


@dataclass(frozen=True)
class Robustness:
    """What the model loses when live data differ.

    Attributes
    ----------
    score, worth
        On the undisturbed test part.
    weaknesses
        The worst comes first.
    tried, spared, unused
        The columns that were disturbed, those that are in use too but matter less, and those that change no answer.
    note
        What else was noticed.
    """

    score: float
    worth: float | None
    weaknesses: tuple[Weakness, ...]
    tried: tuple[str, ...]
    spared: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    note: str = ""

    @property
    def trials(self) -> list[Trial]:
        return [trial for weakness in self.weaknesses for trial in weakness.trials]

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return asdict(self)

    def evidence(self, lead: float) -> Evidence:
        """Give the share of the lead (score minus baseline's) that one plausible trial takes."""
        share, message = self._judged(lead)
        return Evidence(
            share, message, self.table(), self.figure() if self.trials else None, {"robustness": self.as_dict()}
        )

    def _judged(self, lead: float) -> tuple[float | None, str]:
        plausible = [trial for trial in self.trials if trial.plausible]
        if not plausible:
            return None, "No column changes an answer of the model: there is nothing to disturb."
        if not lead > 0:
            return None, "The model has no lead over the baseline that it could lose."
        broken = [trial for trial in plausible if trial.broken]
        if broken:
            return BREAKS, f"{broken[0].title}: {broken[0].broken}. That counts as worse than having no model."
        worst = min(plausible, key=lambda trial: trial.change or 0.0)
        share = max(0.0, -(worst.change or 0.0)) / lead
        if not share:
            return 0.0, f"None of {len(plausible)} plausible disturbances costs anything."
        return share, (
            f"{worst.said}: the worst of {len(plausible)} plausible disturbances takes {share:.0%} of the model's "
            f"lead of {number(lead)} over the baseline."
        )

    def table(self, most: int = 15) -> pd.DataFrame:
        """Show what hurts most, at the middle one of the levels tried."""
        middles = [weakness.middle for weakness in self.weaknesses[:most]]
        names = {"title": "what happens", "score": "score", "change": "change", "low": "from", "high": "to"}
        shown = pd.DataFrame({name: [getattr(trial, field) for trial in middles] for field, name in names.items()})
        if self.worth is not None:
            shown["worth per month"] = [trial.worth for trial in middles]
            shown["below zero from level"] = [weakness.turns for weakness in self.weaknesses[:most]]
        return shown.assign(breaks=[trial.broken for trial in middles]) if any(t.broken for t in middles) else shown

    def sentence(self) -> str:
        """Say what hurts most, and what was not tried."""
        said = [f"The score is {number(self.score)} undisturbed."]
        broken = [trial for trial in self.trials if trial.broken]
        if broken:
            count = f"{amount(len(broken), 'disturbance')} {agree(len(broken), 'breaks', 'break')} it"
            said.append(f"{count}, e.g. {broken[0].title}: {broken[0].broken}.")
        hurting = [weakness.middle for weakness in self.weaknesses if (weakness.middle.high or 0.0) < 0]
        if hurting:
            said.append(f"What hurts most: {'; '.join(trial.said for trial in hurting[:3])}.")
        said.append(f"{len(hurting)} of {len(self.weaknesses)} disturbances clearly cost something (middle level).")
        if self.spared:
            said.append(
                f"Disturbed were the most important columns, {', '.join(self.tried)}; {len(self.spared)} more are used."
            )
        return " ".join([*said, self.note]).strip()

    def figure(self, most: int = 10) -> Figure:
        """Draw what hurts most, with intervals."""
        shown = [weakness.middle for weakness in self.weaknesses if weakness.middle.change is not None][:most]
        hurts = shown and (shown[0].high or 0.0) < 0
        return plots.intervals(
            [trial.title for trial in shown],
            [trial.change or 0.0 for trial in shown],
            [trial.low or 0.0 for trial in shown],
            [trial.high or 0.0 for trial in shown],
            f"What hurts most: {shown[0].title}" if hurts else "Nothing that was tried clearly hurts",
            "change of the score, 90 % interval",
            reference=0.0,
            reference_label="undisturbed",
        )


@quick.on_one_thread
def robustness(
    charter: Charter,
    table: pd.DataFrame,
    data: Dataset,
    split: Split,
    model: Any,
    origins: Mapping[str, str],
    score: Score,
    worth: Score | None = None,
    seed: int = 0,
) -> Robustness:
    """Disturb the test part in every way of `disturbances`, and see what the answers are still good for.

    Parameters
    ----------
    charter, table, data, split
        The joined table before the user's features, and what `cases` and `splits` made of it.
    model
        Fitted on the training part.
    origins
        See `tables.origins`.
    score
        Takes outcomes and answers, see `poc.answers`. Greater is better.
    worth
        As `score`, in money per month: the gain over the best alternative.
    seed
        Of the disturbances, the same for all levels, and of the resamples.
    """
    source = dataset.labelled(charter, table)
    path = Path(charter, data.columns, model)
    kinds = disturbances.source_columns(charter, source)
    some = splits.some(split.train, disturbances.TRIED, seed)
    used = disturbances.importance(
        lambda frame: path.answers(path.inputs(frame)), source.iloc[some], kinds, data.outcome[some], score, seed
    )
    tried, spared = list(used)[:MOST_COLUMNS], list(used)[MOST_COLUMNS:]
    rows = splits.some(split.test, MOST_ROWS, seed)
    test, known = source.iloc[rows], data.outcome[rows]
    inputs = path.inputs(test)
    answers = path.answers(inputs)
    weights = redraw(seed, len(known), RESAMPLES, splits.groups(charter, data, rows), known)
    start, before = float(score(known, answers)), scores(score, known, answers, weights)

    def tried_out(disturbance: Disturbance) -> Trial:
        # without any column left there is nobody to answer: that is the fallback's part
        all_gone = disturbance.kind == "dark" and all(origins.get(name) == disturbance.where for name in used)
        what = (disturbance.kind, disturbance.where, disturbance.level, disturbance.title)
        # and without the base there is nobody to answer for
        nobody = disturbance.kind == "dark" and disturbance.where == charter.base.name
        plausible = disturbance.plausible and not all_gone and not nobody
        random = np.random.default_rng([seed, zlib.crc32(f"{disturbance.kind} {disturbance.where}".encode())])
        try:
            changed = path.inputs(disturbance.apply(test, random))
            found = answers if changed.equals(inputs) else path.answers(changed)
            now, money = float(score(known, found)), None if worth is None else float(worth(known, found))
        except Exception as error:  # of the user's features, or of a model that does not expect such values
            reason = error.details.get("found", error.problem) if isinstance(error, UserError) else repr(error)
            return Trial(*what, plausible, broken=f"breaks: {' '.join(str(reason).split())[:200]}")
        changes = scores(score, known, found, weights) - before if found is not answers else np.zeros(2)
        change, reach = now - start, REACH * float(changes.std(ddof=1))
        return Trial(*what, plausible, now, change, change - reach, change + reach, money)

    tries = disturbances.every(source.iloc[split.train], kinds, tried, origins) if used else []
    together = groupby(map(tried_out, tries), key=lambda trial: (trial.kind, trial.where))
    money = None if worth is None else float(worth(known, answers))
    weaknesses = [Weakness(levels, turning(levels, money)) for levels in (tuple(trials) for _, trials in together)]
    weaknesses.sort(key=lambda weakness: -weakness.loss)
    unused = tuple(name for name in kinds if name not in used)
    notes = [] if inputs.equals(models.inputs_of(model, data).iloc[rows]) else [NOT_BY_ROW]
    if len(rows) < len(split.test):
        notes.append(f"Disturbed were {len(rows):,} of {len(split.test):,} held-back cases, drawn at random.")
    return Robustness(start, money, tuple(weaknesses), tuple(tried), tuple(spared), unused, " ".join(notes))


def turning(trials: Sequence[Trial], worth: float | None) -> float | None:
    """Say from which level on the model is worth less than nothing, in a straight line between the levels tried."""
    if worth is None or trials[0].kind not in disturbances.DOSED:
        return None
    level, value = 0.0, worth
    for trial in trials if worth >= 0 else ():
        if trial.worth is not None and trial.worth < 0:
            return level + (trial.level - level) * value / (value - trial.worth)
        level, value = (level, value) if trial.worth is None else (trial.level, trial.worth)
    return 0.0 if worth < 0 else None
