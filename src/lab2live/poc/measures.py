"""The figures that every page shows under one name: recall, precision, threshold and the contacts they make."""

from __future__ import annotations

from typing import Any

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data.intervals import redraw, redraw_in_shares
from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth.value import Policy

LEVEL = 0.9


def measures(
    charter: Charter, answers: Answers, chosen: str, policy: Policy, seed: int = 0, resamples: int = 400
) -> dict[str, dict[str, Any]]:
    """Measure on the test set what the chosen model does as it will be used, with 90 % bootstrap intervals.

    Parameters
    ----------
    charter
        How many cases come in a month.
    answers, chosen
        The predictions of all candidates, and the name of the chosen one.
    policy
        Threshold and capacity; with more than two classes what each decision costs.
    seed, resamples
        Of the bootstrap, which draws the test set as that of the net benefit does.

    Returns
    -------
    dict
        Arguments of `run.measure` by name. Recall and precision are those of the cases acted on, within capacity;
        with more than two classes the means over the classes (macro). A value is `None` where there is none: in a
        regression, without a threshold, or without `cases_per_month`.
    """
    known, said = answers.test_known, answers.test[chosen]
    random, empty = np.random.default_rng(seed), {"value": None}
    if answers.problem == "regression":
        return {name: dict(empty) for name in ("threshold", "recall", "precision", "contacts_per_month")}
    if answers.in_shares:
        weights = redraw_in_shares(random, known, resamples, len(answers.known) + len(known))
    else:
        weights = redraw(random, len(known), resamples, answers.test_groups)
    # the first line is the test set as it is
    weights = np.vstack([np.ones(len(known)), weights])
    decided = policy.decide(said)
    if answers.problem == "binary":
        acted, wanted = decided[:, None], (known == 1).astype(float)[:, None]
    else:
        codes = np.arange(said.shape[1])
        acted, wanted = (decided[:, None] == codes).astype(float), (known[:, None] == codes).astype(float)
    hits, chosen_, there = weights @ (acted * wanted), weights @ acted, weights @ wanted
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = hits / there, hits / chosen_
    if answers.problem == "multiclass":
        # as scikit-learn: a class that is never predicted has precision 0; one that is not there has no recall
        precision = np.where(chosen_ > 0, precision, 0.0)
        recall, precision = (np.nanmean(part, axis=1, keepdims=True) for part in (recall, precision))
    volume = charter.business.value.cases_per_month
    contacts = empty
    if answers.problem == "binary" and volume is not None:
        contacts = _measure(chosen_[:, 0] / weights.sum(axis=1) * volume, "contacts per month")
    is_binary = answers.problem == "binary"
    return {
        "threshold": {"value": policy.threshold, "unit": "probability"} if is_binary else dict(empty),
        "recall": _measure(recall[:, 0], "share"),
        "precision": _measure(precision[:, 0], "share"),
        "contacts_per_month": dict(contacts),
    }


def _measure(draws: np.ndarray, unit: str) -> dict[str, Any]:
    if np.isnan(draws[0]):
        return {"value": None}
    low, high = np.nanquantile(draws[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": float(draws[0]), "low": float(low), "high": float(high), "level": LEVEL, "unit": unit}
