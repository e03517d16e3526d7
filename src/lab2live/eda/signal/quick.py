"""Cheap models for questions about the data: what the checks of signal, leakage and labels share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import MISSING
from lab2live.data.feature_types import moments
from lab2live.eda.checks.findings import JOINED, Finding, Skip
from lab2live.errors import UserError

# What guessing reaches, see `skills`.
CHANCE = {"binary": 0.5, "multiclass": 0.5, "regression": 0.0}
MEASURE = {
    "binary": "ROC AUC",
    "multiclass": "ROC AUC of each class against the others, averaged",
    "regression": "R2 of the outcome's rank",
}

Takes = ParamSpec("Takes")
Gives = TypeVar("Gives")


def on_one_thread(function: Callable[Takes, Gives]) -> Callable[Takes, Gives]:
    """Keep a function of many small fits on one thread: on a busy machine threads wait far longer than they work.

    One thread also adds numbers up in the same order every time.
    """

    @functools.wraps(function)
    def alone(*args: Takes.args, **named: Takes.kwargs) -> Gives:
        import sklearn.ensemble  # noqa: F401  only libraries that are loaded can be limited
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            return function(*args, **named)

    return alone


def drawn(charter: Charter, data: Dataset, most: int, seed: int) -> Dataset:
    """Draw cases at random where there are more than needed.

    Returns
    -------
    Dataset
        In the order of the data, or of time where the charter names a time column. The index of its tables is the
        place in `data`. The outcome of a regression is its rank, see `as_ranks`.
    """
    random = np.random.default_rng(seed)
    return _taken(charter, data, random.permutation(len(data.outcome))[:most])


def balanced(charter: Charter, data: Dataset, most: int, seed: int) -> Dataset:
    """As `drawn`, with classes as equally frequent as they can be: of a rare class every case counts.

    Scores that rank cases do not depend on how frequent the classes are.
    """
    if not data.classes:
        return drawn(charter, data, most, seed)
    return _taken(charter, data, splits.in_turn(data.outcome, np.random.default_rng(seed))[:most])


def _taken(charter: Charter, data: Dataset, rows: np.ndarray) -> Dataset:
    rows = np.sort(rows)
    name = charter.prediction.time_column
    if name in data.raw:
        rows = rows[np.argsort(moments(data.raw[name].iloc[rows]), kind="stable")]
    return as_ranks(
        replace(
            data,
            raw=data.raw.iloc[rows].set_axis(rows, axis=0),
            inputs=data.inputs.iloc[rows].set_axis(rows, axis=0),
            outcome=data.outcome[rows],
        )
    )


def as_ranks(data: Dataset) -> Dataset:
    """Replace the numbers of a regression by their ranks from 0 to 1: no extreme value decides what is found."""
    if data.classes:
        return data
    ranks = pd.Series(data.outcome).rank().to_numpy() - 1
    return replace(data, outcome=ranks / max(1.0, len(ranks) - 1))


def truth(data: Dataset) -> np.ndarray:
    """Give the outcome as columns, shape (rows, k): 0/1 for the positive class or for every class, else the number."""
    if data.problem == "multiclass":
        return (data.outcome[:, None] == np.arange(len(data.classes))).astype(float)
    return data.outcome[:, None].astype(float)


def skills(data: Dataset, known: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Score many answers at once, as `MEASURE` says: 1 is perfect, `CHANCE` is guessing.

    Parameters
    ----------
    data
        Says which kind of problem it is.
    known, answers
        Shape (rows, m): one column per question.

    Returns
    -------
    numpy.ndarray
        Shape (m,); NaN where all outcomes of a column are the same.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if not data.classes:
            return 1 - ((known - answers) ** 2).sum(axis=0) / ((known - known.mean(axis=0)) ** 2).sum(axis=0)
        from scipy.stats import rankdata

        positive = known.sum(axis=0)
        ranks = (rankdata(answers, axis=0) * known).sum(axis=0)
        # Mann-Whitney: the sum of the positives' ranks counts the pairs in the right order
        return (ranks - positive * (positive + 1) / 2) / (positive * (len(known) - positive))


def skill(data: Dataset, known: np.ndarray, answers: np.ndarray) -> float:
    """Score one set of answers, shape (rows, k) as `truth` has them: the mean over the classes."""
    found = skills(data, known, answers)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else float("nan")


def matrix(data: Dataset) -> np.ndarray:
    """Give the inputs as numbers for trees, one column each; categories by the number of their level, NaN for missing.

    No one-hot columns: each column of the matrix is a column that people know.
    """
    parts = []
    for name, kind in data.columns.kinds.items():
        column = data.inputs[name]
        if kind == "category":
            levels = [level for level in pd.unique(column) if level != MISSING]
            column = pd.Series(pd.Categorical(column, sorted(levels)).codes).replace(-1, np.nan)
        parts.append(column.to_numpy(dtype=float))
    return np.column_stack(parts)


def encoded(data: Dataset) -> np.ndarray:
    """Give the inputs as the linear model takes them: imputed, one-hot, scaled. None of this looks at the outcome."""
    columns = np.asarray(models.encoder(data.columns, impute=True).fit_transform(data.inputs), dtype=float)
    # Five standard deviations: one extreme value must not be a direction of its own
    columns = columns.clip(-5, 5)
    return np.asarray(columns - columns.mean(axis=0))


def ridge(inputs: np.ndarray, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Learn a linear model of `truth` and ask it at once; it ranks nearly as logistic regression does.

    Parameters
    ----------
    inputs, asked
        Of the cases to learn from and of those to answer, see `encoded`.
    known
        Shape (rows, k), see `truth`.
    """
    middle, level = inputs.mean(axis=0), known.mean(axis=0)
    centred = inputs - middle
    square = centred.T @ centred
    # the penalty of one case's worth, as in `signal`
    square += np.eye(square.shape[1]) * max(float(np.trace(square)) / len(inputs), 1e-9)
    return np.asarray(level + (asked - middle) @ np.linalg.solve(square, centred.T @ (known - level)))


def learner(data: Dataset, rows: int, seed: int) -> Any:
    """Give boosting that is cheap and sees interactions; half of the columns at each split, so that twins share.

    Parameters
    ----------
    rows
        Number of cases it will learn from: few cases need small leaves.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if data.classes else HistGradientBoostingRegressor
    return kind(
        learning_rate=0.15,
        max_iter=40,
        max_leaf_nodes=8,
        min_samples_leaf=int(np.clip(rows // 30, 3, 20)),
        max_features=0.5,
        early_stopping=False,
        random_state=seed,
    )


def tree(data: Dataset, seed: int) -> Any:
    """Give one small tree: enough to say what one column knows."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = DecisionTreeClassifier if data.classes else DecisionTreeRegressor
    least = int(np.clip(len(data.outcome) // 200, 3, 40))
    return kind(max_leaf_nodes=16, min_samples_leaf=least, random_state=seed)


def answers(model: Any, inputs: np.ndarray) -> np.ndarray:
    """Ask a fitted model, shape (rows, k) as `truth`."""
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(inputs), dtype=float)[:, None]
    found: np.ndarray = model.predict_proba(inputs)
    return found[:, 1:] if found.shape[1] == 2 else found


def out_of_fold(charter: Charter, data: Dataset, inputs: np.ndarray, model: Any, folds: int, seed: int) -> np.ndarray:
    """Ask for every case a model that has not seen it, nor its group.

    Parameters
    ----------
    inputs
        Shape (rows, columns), e.g. of `matrix`.
    model
        Fitted anew on every part.

    Returns
    -------
    numpy.ndarray
        Shape (rows, k) as `truth`; NaN for cases whose part could not be learnt.

    Raises
    ------
    UserError
        If there are too few cases.
    """
    found = np.full(truth(data).shape, np.nan)
    for learn, validate in splits.folds(untimed(charter), data, np.arange(len(data.outcome)), folds, 1, seed):
        found[validate] = answers(model.fit(inputs[learn], data.outcome[learn]), inputs[validate])
    return found


def untimed(charter: Charter) -> Charter:
    """Forget the time column: what asks about rows, and not about the future, needs an answer for all of them."""
    return charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"time_column": None})})


def guarded(check: str, look: Callable[[], list[Finding | Skip]]) -> list[Finding | Skip]:
    """Keep what breaks one check from taking the others with it."""
    try:
        return look()
    except UserError as error:
        return [Skip(check, JOINED, error.problem)]
    except Exception as error:  # data are hostile: whatever it is, it is said
        reason = " ".join(str(error).split())[:200]
        return [Skip(check, JOINED, f"It could not be computed: {type(error).__name__}: {reason}")]
