"""How good a prediction is: the scores a charter can ask for, greater always better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Metric:
    """A score: for which kind of problem, what it means, and what it is called on a page."""

    problem_type: Literal["classification", "regression"]
    label: str
    meaning: str


METRICS = {
    "roc_auc": Metric(
        "classification", "ROC AUC", "the chance that a positive case ranks above a negative one (0.5 is guessing)"
    ),
    "average_precision": Metric(
        "classification", "average precision", "the precision averaged over all numbers of cases one could act on"
    ),
    "balanced_accuracy": Metric(
        "classification", "balanced accuracy", "the share of right answers, averaged over the classes"
    ),
    "r2": Metric("regression", "R2", "the share of the target's variance that is explained (0 is the average)"),
    "mae": Metric("regression", "negative mean absolute error", "how far off, on average, with a minus sign"),
    "rmse": Metric("regression", "negative root mean squared error", "how far off, big misses weighing more"),
}

# Where less is better, so that it is scored with a minus sign: what scikit-learn calls it.
ERRORS = {"mae": "mean_absolute_error", "rmse": "root_mean_squared_error"}


def score(metric: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """Give the function of a metric.

    Parameters
    ----------
    metric
        A key of `METRICS`.

    Returns
    -------
    callable
        Takes the outcomes and the predictions, both of shape (rows,): for `roc_auc` and `average_precision` outcomes
        0/1 and any ranking score, for `balanced_accuracy` class codes and predicted class codes, for regression
        numbers. Greater is better; errors are negative.
    """
    from sklearn import metrics

    if metric not in ERRORS:
        return getattr(metrics, f"{metric}_score")
    error = getattr(metrics, ERRORS[metric])
    return lambda outcome, predicted: -float(error(outcome, predicted))
