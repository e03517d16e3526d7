"""What is answered about each of many cases, and by whom: the model, or whom the charter names when it cannot (L1).

The same for one case and for millions, in the service and in a batch. pandas is needed only where the project's own
code is asked: its features or its rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.data.encoding import EPOCH, days, number, rounded, told_apart
from lab2live.explainability.confidence.telling_sure import Sure
from lab2live.explainability.derived import Formula, formulas
from lab2live.explainability.failures.unfamiliar import Familiar, strange
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.checking import arrays, check, no_value

if TYPE_CHECKING:
    import pandas as pd

    from lab2live.explainability.flips.moves import Space

MODEL = "model"
# Who answers where the model cannot and the charter has settled nothing: a person has to.
UNSETTLED = "review"
# How often the model is asked about parts of some cases of which one breaks it.
MOST_ATTEMPTS = 64
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Decided:
    """What was answered about some cases, each of shape (rows,).

    Attributes
    ----------
    score
        The probability of the positive class, of the most probable one of several, or the number; NaN where the model
        did not answer.
    prediction
        The class, as text, or the number that is to be acted on; `None` where a person decides.
    served_by
        `model`, `rule`, `baseline` or `review`.
    reason
        The trigger; empty for the model where nothing speaks against it.
    problems
        What is wrong with the input: field and message of each.
    """

    score: np.ndarray
    prediction: np.ndarray
    served_by: np.ndarray
    reason: np.ndarray
    problems: list[list[tuple[str, str]]]


@dataclass(frozen=True)
class Deciding:
    """A bundle made ready to decide.

    Attributes
    ----------
    bundle
        See there.
    fields, identifiers
        Of the form: what is asked of a case, and what names it.
    sure, familiar
        See there.
    derived
        How columns follow from others.
    unasked
        See `Explainer`.
    """

    bundle: Bundle
    fields: Sequence[Mapping[str, Any]]
    identifiers: Sequence[str]
    sure: Sure
    familiar: Familiar
    derived: tuple[Formula, ...]
    unasked: Mapping[str, Any]

    @classmethod
    def of(cls, bundle: Bundle) -> Deciding:
        """Make a bundle ready.

        Raises
        ------
        UserError
            If it was written without what tells how sure an answer is.
        """
        kept, form = bundle.explained, bundle.form()
        return cls(
            bundle,
            form["fields"],
            form["identifiers"],
            Sure.from_dict(kept["sure"]),
            Familiar.from_dict(kept["familiar"]),
            formulas(kept["space"]["derived"], kept["space"]["dtypes"], "the stored model"),
            kept["unasked"],
        )

    @cached_property
    def needs_tables(self) -> bool:
        """Whether the model sees what only the joined table holds: the project's features, or what nobody is asked."""
        asked = {field["name"] for field in self.fields}
        return self.bundle.own or self.bundle.features is not None or not set(self.bundle.columns.kinds) <= asked

    @cached_property
    def space(self) -> Space:
        from lab2live.explainability.flips.moves import Space

        return Space.from_dict(self.bundle.explained["space"])

    @property
    def classes(self) -> tuple[str, ...]:
        return self.sure.sides.classes

    def decide(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Answer about the cases of a table.

        Parameters
        ----------
        rows
            The fields of the form; other columns are not looked at.

        Returns
        -------
        pandas.DataFrame
            A row per case, in the same order and with the same index: `score`, `prediction`, `served_by` and `reason`
            as in `Decided`, and `detail`, which says what is wrong with the input.
        """
        import pandas as pd

        found = self.about(arrays(rows), len(rows))
        detail = ["; ".join(f"{name}: {text}" for name, text in problems) for problems in found.problems]
        return pd.DataFrame(
            {
                "score": found.score,
                "prediction": found.prediction if self.classes else found.prediction.astype(float),
                "served_by": found.served_by,
                "reason": found.reason,
                "detail": detail,
            },
            index=rows.index,
        )

    def about(self, rows: Mapping[str, Any], count: int, triggers: str | Sequence[str] = "") -> Decided:
        """Answer about some cases.

        Parameters
        ----------
        rows
            The fields of the form by name, as `checking.check` takes them.
        count
            How many cases there are.
        triggers
            Why the model is not to be asked, e.g. `drift`, for all of them or for each; empty where it is.
        """
        read, problems = check(self.fields, rows, count)
        said: list[list[tuple[str, str]]] = [[] for _ in range(count)]
        reason = np.array([triggers] * count if isinstance(triggers, str) else triggers, dtype=object)
        for row, name, message in problems:
            reason[row] = "invalid_input"
            said[row].append((name, message))
        table = self._table(read, rows) if self.needs_tables else None
        answers = self._asked(read, table, reason)
        source = self._sources(reason)
        output = np.full(count, None, dtype=object)
        by_model = source == MODEL
        if by_model.any():
            acted_on = answers[by_model]
            output[by_model] = (
                [self.classes[code] for code in self.sure.sides.code(acted_on)] if self.classes else acted_on
            )
        for who in ("rule", "baseline"):
            theirs = np.flatnonzero(source == who)
            if len(theirs):
                ruled = who == "rule" and self.bundle.rules is not None
                asked = (table if table is not None else self._table(read, rows)) if ruled else None
                given = None if asked is None else asked.iloc[theirs]
                output[theirs], failed = instead(self.bundle, who, given, len(theirs))
                source[theirs] = "baseline" if failed else who
        told = answers if answers.ndim == 1 else answers.max(axis=1, initial=-np.inf)
        return Decided(told, output, source, reason, said)

    def _table(self, read: Mapping[str, np.ndarray], rows: Mapping[str, Any]) -> pd.DataFrame:
        """Write the cases as rows of the joined table; what nobody is asked for is taken where somebody gives it."""
        import pandas as pd

        from lab2live.explainability.flips.space import joined
        from lab2live.handoff import form

        found = form.as_joined(self.space, pd.DataFrame(dict(read)))
        carried = {name: pd.Series(list(rows[name]), dtype=object) for name in self.unasked if name in rows}
        return joined(self.space, self.unasked, found.assign(**carried))

    def _inputs(self, read: Mapping[str, np.ndarray], table: pd.DataFrame | None, rows: np.ndarray) -> tuple[Any, Any]:
        """Give some rows as the model takes them, and prepared, see `feature_types.prepare`."""
        columns = self.bundle.columns
        if table is not None:
            from lab2live.data.feature_types import prepare

            featured = self.bundle.featured(table.iloc[rows])
            inputs = prepare(featured, columns)
            return (featured if self.bundle.own else inputs), inputs
        given = {name: values[rows] for name, values in read.items()}
        for one in self.derived:
            given[one.column] = one.compute({name: _as_numbers(given[name]) for name in one.sources})
        prepared = {
            name: told_apart(given[name], no_value(given[name]), columns.levels[name])
            if kind == "category"
            else rounded(_as_numbers(given[name]))
            for name, kind in columns.kinds.items()
        }
        return prepared, prepared

    def _asked(self, read: Mapping[str, np.ndarray], table: pd.DataFrame | None, reason: np.ndarray) -> np.ndarray:
        """Ask the model about the cases that keep the contract, and note where its answer is not to be followed."""
        classes = len(self.classes)
        answers = np.full((len(reason), classes) if classes > 2 else len(reason), np.nan)
        waiting, attempts = [np.flatnonzero(reason == "")], 0
        while waiting:
            good = waiting.pop()
            if not len(good):
                continue
            attempts += 1
            try:
                taken, inputs = self._inputs(read, table, good)
                answers[good] = self.bundle.asked.answer(taken)
            except Exception:  # the user's features, or the model: whatever it is, somebody has to answer
                if len(good) == 1 or attempts > MOST_ATTEMPTS:
                    reason[good] = "model_error"
                else:  # a single case may have broken it for those beside it
                    waiting += [good[: len(good) // 2], good[len(good) // 2 :]]
                continue
            reason[good] = self._doubts(answers[good], inputs)
        return answers

    def _doubts(self, answers: np.ndarray, inputs: Any) -> np.ndarray:
        """Say why each of some answers is not to be followed; empty where nothing speaks against it."""
        finite = np.isfinite(answers).reshape(len(answers), -1).all(axis=1)
        unknown = np.array([bool(texts) for texts in strange(self.familiar, inputs)])
        single = self.sure.single(answers)
        doubts = ["model_error", "out_of_distribution", "low_confidence"]
        return np.select([~finite, unknown, ~single], doubts, "").astype(object)

    def _sources(self, reason: np.ndarray) -> np.ndarray:
        policy = self.bundle.contract["fallback"]["policy"]
        source = np.full(len(reason), MODEL, dtype=object)
        for trigger in set(reason) - {""}:
            source[reason == trigger] = settled(policy, trigger)
        return source


def settled(policy: Mapping[str, str], trigger: str) -> str:
    """Say who answers after a trigger; where the charter settles nothing, the model if it has an answer."""
    return policy.get(trigger, MODEL if trigger in ("out_of_distribution", "low_confidence") else UNSETTLED)


def _as_numbers(values: np.ndarray) -> np.ndarray:
    """Read what `check` read as numbers; what is no number but a date counts in days since 2000-01-01."""
    if values.dtype.kind == "M":
        return np.asarray((values - np.datetime64(EPOCH.replace(tzinfo=None))) / DAY)
    if values.dtype != object:
        return values
    numbers = np.array([number(value) for value in values], dtype=float)
    unread = np.isnan(numbers) & ~no_value(values)
    numbers[unread] = [days(value) for value in values[unread]]
    return numbers


def instead(bundle: Bundle, who: str, table: pd.DataFrame | None, count: int) -> tuple[list[str | float], bool]:
    """Let the rule answer, or the baseline.

    Parameters
    ----------
    who
        `rule` or `baseline`.
    table
        Rows of the joined table; only the rule looks at them.
    count
        How many there are.

    Returns
    -------
    outputs, failed
        One per row; and whether the rule failed, so that the baseline answers for it.
    """
    contract = bundle.contract
    if who == "rule" and table is not None:
        try:
            scores = bundle.rule(table)
            if scores.shape == (count,) and all(score == score for score in scores):  # a missing one is unequal
                return [named(contract, score, contract["fallback"]["rule_line"]) for score in scores], False
        except Exception:  # the user's code, asked about an input that may be nonsense
            pass
    return [named(contract, contract["baseline"], contract["threshold"])] * count, who == "rule"


def named(contract: Mapping[str, Any], value: Any, line: float | None) -> str | float:
    """Say what a score of the rule, or the baseline, means: a class, or a number.

    Raises
    ------
    ValueError
        If it has to be a number and is none.
    """
    if contract["problem"] == "regression":
        if not math.isfinite(value):
            raise ValueError("no number that anybody could act on")
        return float(value)
    if contract["problem"] == "binary":
        return str(contract["classes"][int(float(value) >= (0.5 if line is None else line))])
    return str(contract["classes"][int(value)] if isinstance(value, int | np.integer) else value)
