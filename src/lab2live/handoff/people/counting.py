"""How good the model is, as counts: of 100 cases like these, so many turn out so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import redraw, wilson
from lab2live.explainability.confidence.conformal import probabilities
from lab2live.explainability.confidence.telling_sure import Sure
from lab2live.explainability.explainer import Explainer
from lab2live.reporting.formatting import amount, short

# Fewer cases than this are few: half of them more or less say little about 100.
FEW = 100
DRAWS = 1_000
EDGES = (0.025, 0.975)


@dataclass(frozen=True)
class Count:
    """So many of 100.

    Attributes
    ----------
    of, says
        Which cases they are, and what is said of so many of them; both without a number: `cases that the model calls
        'yes'`, `turn out 'no': there the model is wrong`.
    hits, cases
        As counted.
    low, high
        The 95 % interval of the share.
    against
        Whether those that are counted speak against the model: it is wrong about them.
    """

    of: str
    says: str
    hits: int
    cases: int
    low: float
    high: float
    against: bool = False

    @property
    def per_hundred(self) -> int:
        """The share as a count of 100, rounded; 0 where there is no case."""
        return round(100 * self.hits / self.cases) if self.cases else 0

    @property
    def sentence(self) -> str:
        """Say it: `Of 100 cases ..., 23 turn out 'no' ...`."""
        if not self.cases:
            return f"There is no held-back case of this kind: {self.of}. So nobody can say how many of 100 {self.says}."
        return f"Of 100 {self.of}, {self.per_hundred} {self.says}."

    @property
    def short(self) -> str:
        """Say it in a cell: `23 (20 to 26; 512 cases)`."""
        if not self.cases:
            return "no case"
        return f"{self.per_hundred} ({100 * self.low:.0f} to {100 * self.high:.0f}; {amount(self.cases, 'case')})"

    @property
    def interval(self) -> str:
        """Say between which counts it lies."""
        if not self.cases:
            return ""
        few = " These are few cases." if self.cases < FEW else ""
        return (
            f"Between {100 * self.low:.0f} and {100 * self.high:.0f} of 100 (95 % interval), counted on "
            f"{amount(self.cases, 'case')} that the model had not learnt from.{few}"
        )


@dataclass(frozen=True)
class Counts:
    """What the brief says in numbers of people.

    Attributes
    ----------
    main
        Two counts about what the model says.
    by_class
        With more than two classes: the name of each, how many of 100 so called are wrong, how many of 100 are found.
    flagged
        Of two sides: the share of the cases that lies beyond the line.
    sure
        Of 100 cases, for how many one answer alone is left (in a regression: anything can be ruled out).
    cases
        That all of this is counted on.
    """

    main: tuple[Count, ...]
    by_class: tuple[tuple[str, Count, Count], ...]
    flagged: float | None
    sure: Count
    cases: int


def counts(charter: Charter, data: Dataset, rows: np.ndarray, answers: np.ndarray, explainer: Explainer) -> Counts:
    """Count on the held-back cases what becomes of what the model says, case by case.

    Parameters
    ----------
    charter
        Says which cases belong together: then whole groups are drawn again for the intervals.
    data, rows
        The data set and the rows of its test part.
    answers
        What the tested model says of these rows, see `models.answer`.
    explainer
        Says what an answer means and how sure it is.

    Returns
    -------
    Counts
        Intervals are Wilson's (1927); where cases belong together, quantiles of shares in groups drawn again (Efron
        1979).
    """
    sure, known, unit = explainer.sure, data.outcome[rows], explainer.units.get(explainer.target, "")
    count = _Counting(splits.groups(charter, data, rows))
    everyone = np.ones(len(rows), dtype=bool)
    single = count.of(everyone, sure.single(answers), *_sure_words(sure))
    if data.problem == "multiclass":
        codes = sure.sides.code(answers)
        wrong = count.of(everyone, codes != known, "answers of the model", "are wrong", against=True)
        named = tuple(
            (name, *_about(count, codes == code, known == code, name)) for code, name in enumerate(data.classes)
        )
        least = min((there for *_, there in named if there.cases), key=lambda one: one.hits / one.cases)
        return Counts((wrong, least), named, None, single, len(rows))
    if data.problem == "binary":
        called, there = answers >= (sure.sides.line if sure.sides.line is not None else 0.5), known == 1
        main = _about(count, called, there, data.classes[1], data.classes[0])
        return Counts(main, (), float(called.mean()), single, len(rows))
    level = sure.sides.line
    if level is not None:
        called, there = answers >= level, known >= level
        main = _beyond(count, called, there, f"{short(level)}{f' {unit}' if unit else ''}")
        return Counts(main, (), float(called.mean()), single, len(rows))
    usual = float(np.median(data.outcome[np.setdiff1d(np.arange(len(data.outcome)), rows)]))
    closer = np.abs(known - answers) < np.abs(known - usual)
    kept = sure.promise.covers(known, answers)
    always = f"always saying {short(usual)}{f' {unit}' if unit else ''}"
    main = (
        count.of(
            everyone,
            ~closer,
            "cases",
            f"are no closer to the truth with the model than with {always}, the usual number",
            against=True,
        ),
        count.of(everyone, kept, "cases", f"end within the range that the model gives at {sure.promise.level:.0%}"),
    )
    return Counts(main, (), None, single, len(rows))


def _sure_words(sure: Sure) -> tuple[str, str]:
    if sure.promise.problem == "regression":
        return "cases", "are such that anything can be ruled out"
    return "cases", f"are clear: at {sure.promise.level:.0%} confidence one outcome alone is left"


def _about(count: _Counting, called: np.ndarray, there: np.ndarray, name: str, other: str = "") -> tuple[Count, Count]:
    """Count wrong ones among the cases called by a name, and found ones among those that are so."""
    turn_out = f"turn out '{other}'" if other else "turn out otherwise"
    return (
        count.of(
            called,
            ~there,
            f"cases that the model calls '{name}'",
            f"{turn_out}: the model is wrong about them",
            against=True,
        ),
        count.of(there, called, f"cases that turn out '{name}'", "are found by the model"),
    )


def _beyond(count: _Counting, called: np.ndarray, there: np.ndarray, level: str) -> tuple[Count, Count]:
    wrong = "end below it: the model is wrong about them"
    return (
        count.of(called, ~there, f"cases that the model puts at {level} or more", wrong, against=True),
        count.of(there, called, f"cases that end at {level} or more", "are found by the model"),
    )


def like_this(explainer: Explainer, answer: np.ndarray | float, known: np.ndarray, answers: np.ndarray) -> Count:
    """Count for how many cases like one the model was right.

    Parameters
    ----------
    answer
        About that case, see `models.answer`.
    known, answers
        Of the held-back cases: in a regression those of the same predicted level are counted. A classification knows
        such cases already, see `alike.Alike`.
    """
    sure, one = explainer.sure, np.asarray(answer)[None]
    if sure.alike is None:
        here = sure.promise.place(answers) == sure.promise.place(one)
        cases, hits = int(here.sum()), int(sure.promise.covers(known, answers)[here].sum())
        says = f"ended within the range that the model gives at {sure.promise.level:.0%}"
    else:
        code = int(sure.sides.code(one)[0])
        cases, hits = sure.alike.of(code, float(probabilities(one)[0, code]))
        says = f"turned out '{explainer.classes[code]}', as the model says"
    low, high = wilson(np.array(hits), np.array(cases)) if cases else (0.0, 1.0)
    return Count("cases like the one below", says, hits, cases, float(low), float(high))


@dataclass(frozen=True)
class _Counting:
    """Counts some cases among others, with an interval that knows which of them belong together."""

    groups: np.ndarray | None

    def of(self, among: np.ndarray, hit: np.ndarray, of: str, says: str, against: bool = False) -> Count:
        hits, cases = int((hit & among).sum()), int(among.sum())
        if not cases:
            return Count(of, says, 0, 0, 0.0, 1.0, against)
        if self.groups is None:
            low, high = wilson(np.array(hits), np.array(cases))
            return Count(of, says, hits, cases, float(low), float(high), against)
        place = np.unique(self.groups, return_inverse=True)[1]
        per_group = np.array([np.bincount(place, weights=part) for part in (hit & among, among)])
        drawn_hits, drawn = per_group @ redraw(0, per_group.shape[1], DRAWS).T
        low, high = np.quantile(drawn_hits[drawn > 0] / drawn[drawn > 0], EDGES)
        return Count(of, says, hits, cases, float(low), float(high), against)
