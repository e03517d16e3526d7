"""The data set that models learn from: the joined table, the user's features, and a target that is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import together
from lab2live.data.encoding import LARGEST, Columns, label
from lab2live.data.feature_types import as_numbers, moments, prepare, roles
from lab2live.errors import UserError

# A classification with more has to be another question.
MOST_CLASSES = 20

# Of several classes those with fewer rows are left out, if they are no more than this share of all.
FEWEST_OF_A_CLASS, MOST_LEFT_OUT = 5, 0.05
# A regression needs so many rows beside the most frequent number, or one in so many; numbers no further apart than so
# many steps of a float are one, computed in different ways.
FEWEST_OTHERS, STEPS = 10, 8

Problem = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Dataset:
    """What the models learn from: the rows whose target is known.

    Attributes
    ----------
    raw
        The joined table with the user's features, for the business rule and for showing single rows.
    inputs
        The same rows in the form that models take, see `prepare`.
    outcome
        The target, shape (rows,): 0/1 for two classes, class codes for more, floats for regression.
    classes
        What the codes stand for; for two classes the positive one is last. Empty for regression.
    columns
        Which role each feature has.
    unlabelled
        Number of rows left out because their target is not known.
    computed
        Columns that no source has: the user's features made them.
    too_few
        Classes that were left out, and how many rows they had, see `known`.
    """

    raw: pd.DataFrame
    inputs: pd.DataFrame
    outcome: np.ndarray
    classes: tuple[str, ...]
    columns: Columns
    unlabelled: int
    computed: frozenset[str] = frozenset()
    too_few: Mapping[str, int] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        if not self.classes:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    @cached_property
    def copies(self) -> np.ndarray | None:
        """Number rows that are equal in features and target alike; `None` where chance explains it."""
        features = self.raw[list(self.columns.kinds)]
        return together.copies(pd.concat([features, pd.Series(self.outcome, features.index)], axis=1))

    @cached_property
    def repeating(self) -> dict[str, float]:
        """Columns that seem to name what rows that are no copies belong to, see `together.repeating`."""
        alone = ~pd.Series(self.copies if self.copies is not None else self.raw.index).duplicated().to_numpy()
        return together.repeating(self.raw[alone], self.outcome[alone], bool(self.classes))


def dataset(
    charter: Charter, table: pd.DataFrame, add_features: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> Dataset:
    """Turn the joined table into what models learn from.

    Parameters
    ----------
    charter
        Names target, id, keys and the positive class.
    table
        One row per case, see `joined_table`.
    add_features
        Gives the same rows with the user's features; `None` adds none. `pipeline.hooks.dataset` passes the project's.

    Returns
    -------
    Dataset

    Raises
    ------
    UserError
        If the target is missing or does not fit the problem type, the time column holds no time, or no usable column is
        left.
    """
    prediction = charter.prediction
    where = f"{charter.file}, field `prediction.target`"
    if prediction.target not in table.columns:
        raise UserError(
            "The target is not in the joined table.",
            where=where,
            found=prediction.target,
            expected=f"one of {', '.join(map(str, table.columns))}",
            fix="correct the target, or add the source that has it",
        )
    for role in ("id_column", "time_column", "group_column"):
        named = getattr(prediction, role)
        if named is not None and named not in table.columns:
            # Silently going on without it would split at random what belongs together, or learn from a name.
            raise UserError(
                "The charter names a column that is not in the joined table.",
                where=f"{charter.file}, field `prediction.{role}`",
                found=named,
                expected=f"one of {', '.join(map(str, table.columns))}",
                fix="correct it or leave it out, or add the source that has it",
            )
    unlabelled = int(table[prediction.target].isna().sum())
    if unlabelled == len(table):
        raise UserError(
            "The target is not known in any row.",
            where=where,
            found=f"{prediction.target} is empty in every row (of {len(table):,})",
            fix="correct the target, or add the source that knows it",
        )
    raw = labelled(charter, table)
    if add_features is not None:  # never sees the target: a feature made of it would be perfect, and worthless
        raw = add_features(raw)
    if prediction.time_column in raw:
        moments(raw[prediction.time_column])  # refuses what nobody can order, before anything is computed
    target = table.loc[known(charter, table), prediction.target]
    if prediction.problem_type == "regression":
        outcome = _numbers(target, where)
        classes: tuple[str, ...] = ()
    else:
        outcome, classes = _codes(target, prediction.positive_class, where)
    columns = roles(
        raw, identifiers={prediction.id_column, prediction.group_column, *charter.join_keys, *prediction.annotators}
    )
    if not columns.kinds:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in columns.left_out.items())
        raise UserError(
            "No column is left to predict from.",
            where=f"{charter.file}, field `sources`",
            found=reasons or "no columns beside the target and the keys",
            expected="a column whose values differ and repeat, or a number or date, known before the outcome",
            fix="add a source that describes the rows, or make such a column in add_features (features.py)",
        )
    computed = frozenset(raw.columns) - frozenset(table.columns)
    too_few = _too_few(charter, table)
    return Dataset(raw, prepare(raw, columns), outcome, classes, columns, unlabelled, computed, too_few)


def known(charter: Charter, table: pd.DataFrame) -> pd.Series:
    """Say which rows are learnt from: the target is known, and its class, among several, not too rare to be learnt."""
    target = table[charter.prediction.target]
    return target.notna() & ~target.map(label, na_action="ignore").isin(_too_few(charter, table))


def _too_few(charter: Charter, table: pd.DataFrame) -> dict[str, int]:
    """Find classes that no split can show to a model and to a test, unless they are many or nothing else is left."""
    prediction = charter.prediction
    if prediction.problem_type == "regression":
        return {}
    counts = table[prediction.target].map(label, na_action="ignore").value_counts()
    rare = counts[counts < FEWEST_OF_A_CLASS].drop(label(prediction.positive_class), errors="ignore")
    if len(counts) - len(rare) < 2 or rare.sum() > MOST_LEFT_OUT * counts.sum():
        return {}
    return {str(name): int(count) for name, count in sorted(rare.items())}


def labelled(charter: Charter, table: pd.DataFrame) -> pd.DataFrame:
    """Give the rows that are learnt from, in the order in which a data set has them, without the target."""
    return table.loc[known(charter, table)].drop(columns=charter.prediction.target).reset_index(drop=True)


def _numbers(target: pd.Series, where: str) -> np.ndarray:
    numbers = as_numbers(target)
    unfit = ~(np.abs(numbers) <= LARGEST)  # NaN, infinity, and what squares to it
    if unfit.any():
        raise UserError(
            "The target of a regression must be a number.",
            where=where,
            found=repr(target.astype(object)[unfit].iloc[0]),
            expected="numbers only, none infinite",
            fix="clean the column, or set prediction.problem_type: classification",
        )
    values, counts = np.unique(numbers, return_counts=True)
    others = len(numbers) - counts.max()
    is_one = np.ptp(values) <= STEPS * np.spacing(np.abs(values).max())
    if is_one or others < min(FEWEST_OTHERS, len(numbers) / FEWEST_OTHERS):
        raise UserError(
            "The target of a regression is constant, or nearly so.",
            where=where,
            found=f"{values[counts.argmax()]:.10g} in {counts.max():,} of {len(numbers):,}, "
            f"numbers from {values[0]:.10g} to {values[-1]:.10g}",
            expected=f"{FEWEST_OTHERS} or more rows with other numbers: else every score is perfect or senseless",
            fix="choose another target, add rows with other outcomes, or raise `sample`",
        )
    return numbers


def _codes(target: pd.Series, positive: Any, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    labels = target.map(label)
    counts = labels.value_counts()
    classes = sorted(counts.index, key=_naturally)
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise UserError(
            "The target of a classification needs two classes or a few more.",
            where=where,
            found=f"different values: {len(classes)}, e.g. {', '.join(classes[:5])}",
            expected=f"2 to {MOST_CLASSES}",
            fix=_fix(labels, classes),
        )
    if len(classes) == 2:
        rarer = str(min(classes, key=lambda name: (counts[name], name)))
        wanted = rarer if positive is None else same_class(label(positive), classes)
        if wanted is None:
            raise UserError(
                "The positive class is not among the values of the target.",
                where=where.removesuffix("target`") + "positive_class`",
                found=label(positive),
                expected=" or ".join(classes),
                fix="correct it, or leave it out: then the rarer class is the positive one",
            )
        classes.sort(key=lambda name: name == wanted)
    return labels.map({name: code for code, name in enumerate(classes)}).to_numpy(dtype=int), tuple(classes)


def _naturally(name: str) -> tuple[bool, float, list[Any]]:
    """Order numbers by size and texts by the numbers in them, as people write a cost matrix: 2 stands before 10."""
    is_text = re.fullmatch(r"-?\d+(\.\d+)?", name) is None
    parts = [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
    return is_text, 0.0 if is_text else float(name), parts


def _fix(labels: pd.Series, classes: Sequence[str]) -> str:
    if len(classes) < 2:
        return "choose another target, or add cases with another outcome: there is nothing to tell apart"
    if np.isfinite(as_numbers(labels)).all():
        return "set prediction.problem_type: regression, or choose another target"
    return "choose another target, or one with fewer classes: put those together that lead to the same decision"


def same_class(wanted: str, classes: Sequence[str]) -> str | None:
    """Find the class that is meant: as it is written, else whatever the case, else by what yes and no can be."""
    for same in (str, str.lower, _meaning):
        found = [name for name in classes if same(name) == same(wanted)]
        if len(found) == 1:
            return found[0]
    return None


def _meaning(name: str) -> str:
    for meaning, words in {"1": ("true", "yes", "y", "t"), "0": ("false", "no", "n", "f")}.items():
        if name.lower() in words:
            return meaning
    try:
        return label(float(name))
    except ValueError:
        return name.lower()
