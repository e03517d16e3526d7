"""The candidates of the project's own models.py: what they have to do to stand beside the built-in ones."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data import models
from lab2live.data.dataset import Dataset
from lab2live.errors import UserError
from lab2live.pipeline import hooks
from lab2live.poc.comparison.candidates import Candidate
from lab2live.poc.comparison.trust import load


def candidates(
    charter: Charter, data: Dataset, seed: int, taken: Collection[str]
) -> tuple[list[Candidate], list[UserError]]:
    """List the project's own candidates that can be tried, and say of the others why not.

    Parameters
    ----------
    charter, data
        The candidates are those of the charter's package; the data set says what they take.
    seed
        Passed to `candidates(seed)`.
    taken
        Names of the built-in candidates.
    """
    try:
        named = hooks.candidates(charter, seed)
    except UserError as error:
        return [], [error]
    found, problems = [], []
    for name, estimator in named.items():
        why = f"`{name}` is the name of a built-in one" if name in taken else _unusable(estimator)
        if why:
            problems.append(left_out(charter, name, why))
        else:
            make = partial(_fresh, charter, data, estimator)
            found.append(Candidate(name, name, "contributions (SHAP)", make=make))
    return found, problems


def _unusable(estimator: Any) -> str:
    from sklearn.base import clone

    # asked of its class: a stack has no `predict` of its own before it is fitted
    if isinstance(estimator, type) or not all(hasattr(type(estimator), name) for name in ("fit", "predict")):
        return f"it is no estimator with `fit` and `predict`, but {estimator!r:.100}"
    try:
        clone(estimator)
    except Exception as error:  # the user's class: whatever it raises is theirs to read
        return f"it cannot be cloned: {type(error).__name__}: {error}"
    return ""


def _fresh(charter: Charter, data: Dataset, estimator: Any) -> Any:
    from sklearn.base import clone

    return models.own(charter, data, clone(estimator))


def left_out(charter: Charter, name: str, why: object) -> UserError:
    """Say that a candidate takes no part in the comparison, and where to mend it."""
    module = hooks.module(charter, "models")
    if isinstance(why, UserError):
        why = f"{why.problem} {why.details.get('found', '')} ({why.details.get('fix', '')})"
    elif isinstance(why, BaseException):
        why = f"{type(why).__name__}: {why}"
    return UserError(
        f"The candidate `{name}` of models.py is left out of the comparison.",
        where=module and module.__file__,
        found=" ".join(str(why).split())[:500],
        expected="an estimator that can be cloned, fitted, saved and asked about every row, missing values included",
        fix="correct it or leave it out of `candidates`; the other candidates are compared without it",
    )


def check(said: np.ndarray, model: Any, data: Dataset, rows: np.ndarray) -> None:
    """Hold the predictions of an own candidate about some rows to what all candidates give.

    Raises
    ------
    ValueError
        Without `predict_proba` in a classification, or if the shape is wrong or a prediction is no number.
    """
    if data.classes and not hasattr(model, "predict_proba"):
        raise ValueError("a classification needs `predict_proba`, and it has none")
    if data.classes and list(model.classes_) != list(range(len(data.classes))):
        raise ValueError(f"its `classes_` are {list(model.classes_)}, not the codes it was fitted on")
    shape = (len(rows), len(data.classes)) if data.problem == "multiclass" else (len(rows),)
    if said.shape != shape:
        raise ValueError(f"predictions of shape {said.shape} where {shape} was expected")
    if not np.isfinite(said.astype(float)).all():
        raise ValueError(f"{int((~np.isfinite(said.astype(float))).sum()):,} predictions are no number")


def check_saved(charter: Charter, model: Any, data: Dataset, rows: np.ndarray, said: np.ndarray) -> None:
    """See to it that a fitted candidate can be saved and loaded, and then predicts the same: else it could not be used.

    Raises
    ------
    UserError
        If it is made of types that may not be loaded.
    ValueError
        If what is loaded predicts something else.
    """
    import skops.io

    again = load(skops.io.dumps(model), charter)
    if not (models.gaps(said, models.answer(again, data.raw.iloc[rows]), data.outcome, data.classes) <= 1e-9).all():
        raise ValueError("saved and loaded (skops) it predicts something else")
