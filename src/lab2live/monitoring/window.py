"""A window: some cases as they came, what the model says of them, and outcomes where they arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import same_class
from lab2live.data.encoding import EPOCH, label
from lab2live.data.feature_types import as_numbers
from lab2live.handoff import form
from lab2live.handoff.checking import check
from lab2live.handoff.deciding import Deciding
from lab2live.monitoring import shape

# What the number is called that a model answers with.
ANSWER = "the answer"


@dataclass(frozen=True)
class Window:
    """Cases of one batch, or the ones that were held back; of a large file a sample.

    Attributes
    ----------
    cases
        How many the file holds.
    values
        Column -> what is compared, see `shape.as_compared`.
    answers
        Of the model, see `models.answer`; NaN where it gave none.
    reasons
        Why the model is not followed, see `Decided`; shape (rows,).
    known
        Outcomes: numbers or class codes; NaN where there is none, infinite where it is not understood. `None` where the
        batch has no such column.
    times
        Days since 2000-01-01 of the charter's time column; `None` where there is none.
    """

    cases: int
    values: Mapping[str, np.ndarray]
    answers: np.ndarray
    reasons: np.ndarray
    known: np.ndarray | None
    times: np.ndarray | None

    @property
    def rows(self) -> int:
        return len(self.reasons)

    @property
    def unread(self) -> int:
        """How many outcomes are not understood."""
        return 0 if self.known is None else int(np.isinf(self.known).sum())

    @property
    def answered(self) -> np.ndarray:
        """Which cases the model answered, shape (rows,)."""
        return np.asarray(np.isfinite(self.answers).reshape(self.rows, -1).all(axis=1))

    def said(self) -> dict[str, np.ndarray]:
        """Give what is watched of the answers: the number, or how sure and which class; nothing where there is none."""
        if self.answers.ndim == 1:
            return {ANSWER: self.answers}
        there = self.answered
        decided = np.where(there[:, None], self.answers, 0.0).argmax(axis=1).astype(str).astype(object)
        decided[~there] = None
        return {"how sure": np.where(there, self.answers.max(axis=1), np.nan), "the class": decided}

    def part(self, rows: np.ndarray) -> Window:
        """Give some of the cases."""
        some = {
            name: None if column is None else column[rows]
            for name, column in {"known": self.known, "times": self.times}.items()
        }
        values = {name: column[rows] for name, column in self.values.items()}
        return Window(len(rows), values, self.answers[rows], self.reasons[rows], **some)

    def count(self, reason: str) -> int:
        """Count the cases with a trigger."""
        return int((self.reasons == reason).sum())


def of(
    decides: Deciding,
    charter: Charter,
    rows: Mapping[str, np.ndarray],
    count: int,
    known: np.ndarray | None,
    cases: int | None = None,
) -> Window:
    """Read cases, and ask the model about them.

    Parameters
    ----------
    decides
        The bundle.
    charter
        Names the time column.
    rows
        Columns as `checking.check` takes them.
    count
        How many rows there are.
    known
        Outcomes, see `Window`.
    cases
        How many the file holds, where these are a sample.
    """
    read, _ = check(decides.fields, rows, count)
    decided = decides.about(rows, count)
    answers = decided.score
    if len(decides.classes) > 2:
        answers = _all_said(decides, read, rows, np.isfinite(decided.score))
    time = charter.prediction.time_column
    values = shape.as_compared(read, decides.fields, time)
    return Window(
        count if cases is None else cases, values, answers, decided.reason, known, _times(read, rows, time, count)
    )


def _all_said(
    decides: Deciding, read: Mapping[str, np.ndarray], rows: Mapping[str, np.ndarray], answered: np.ndarray
) -> np.ndarray:
    """Ask for the probability of every class, of the cases that the model could answer."""
    from lab2live.explainability.flips.space import joined

    found = np.full((len(answered), len(decides.classes)), np.nan)
    if answered.any():
        given = form.as_joined(decides.space, pd.DataFrame(dict(read)))
        carried = {name: pd.Series(list(rows[name]), dtype=object) for name in decides.unasked if name in rows}
        table = joined(decides.space, decides.unasked, given.assign(**carried))[answered]
        bundle = decides.bundle
        found[answered] = bundle.asked.answer(bundle.taken(bundle.featured(table)))
    return found


def _times(
    read: Mapping[str, np.ndarray], rows: Mapping[str, np.ndarray], name: str | None, count: int
) -> np.ndarray | None:
    if name is None or (name not in read and name not in rows):
        return None
    values = read.get(name)
    if values is None:  # no field of the form: a date as files write it
        values = check([{"name": name, "kind": "date", "optional": True}], rows, count)[0][name]
    if values.dtype.kind != "M":
        return None
    days = (values - np.datetime64(EPOCH.replace(tzinfo=None), "us")) / np.timedelta64(1, "D")
    return days if np.isfinite(days).any() else None


def outcomes(column: pd.Series, problem: str, classes: Sequence[str]) -> np.ndarray:
    """Read outcomes that arrived as training and charter do, see `Window.known`."""
    none = (column.isna() | (column.map(str).str.strip() == "")).to_numpy()
    if problem == "regression":
        read = as_numbers(column)
    else:
        texts = column.astype(object).map(label, na_action="ignore")
        code = {text: same_class(text, classes) for text in texts[~none].unique()}
        read = np.array([classes.index(name) if (name := code.get(text)) else np.nan for text in texts], dtype=float)
    return np.where(none, np.nan, np.where(np.isfinite(read), read, np.inf))
