"""Better settings for boosting, within a stated number of fits, inside the training part."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data import models, splits
from lab2live.data.dataset import Dataset
from lab2live.errors import UserError

FOLDS = 3
# Cases used at most: which settings are better shows long before that.
MOST_ROWS = 20_000
# Trees are added in these steps, and the best number of them is read off: that costs no fit of its own.
ITERATIONS = (40, 80, 120, 160)
# Orders of magnitude in which good settings have been found, the usual ones first.
CHOICES: dict[str, tuple[Any, ...]] = {
    "learning_rate": (0.08, 0.05, 0.15),
    "max_leaf_nodes": (12, 5, 24),
    "min_samples_leaf": (30, 10, 80),
    "l2_regularization": (1.0, 0.1, 10.0),
}


@dataclass(frozen=True)
class Tuning:
    """What was tried and what came out.

    Attributes
    ----------
    settings
        For `models.boosting`; empty where nothing was tried.
    fits
        How many models were fitted.
    loss, usual
        Mean loss on held-out parts with these settings and with the usual ones: log loss, or squared error.
    """

    settings: dict[str, Any]
    fits: int = 0
    loss: float = float("nan")
    usual: float = float("nan")


def tune(charter: Charter, data: Dataset, train: np.ndarray, budget: int, seed: int) -> tuple[Tuning, float]:
    """Search settings at random (Bergstra and Bengio 2012), judged by a proper loss on held-out parts.

    The parts are others than those on which the ladder is scored, but of the same cases: the cross-validated score of
    boosting gains a little from having been chosen among a few. The test part, which has seen none of it, tells.

    Parameters
    ----------
    charter, data
        Say how cases are split.
    train
        Row numbers of the training part.
    budget
        Number of fits that may be spent.
    seed
        Of everything that is drawn.

    Returns
    -------
    tuning, seconds
        The usual settings where the budget does not allow for two, or too few cases to split again.
    """
    start = time.perf_counter()
    if budget < 2 * FOLDS:
        return Tuning({}), 0.0
    random = np.random.default_rng(seed)
    rows = splits.some(train, MOST_ROWS, seed)
    try:
        parts = splits.folds(charter, data, rows, FOLDS, 1, seed + 1_000)
    except UserError:
        return Tuning({}), 0.0
    tried = [{name: values[0] for name, values in CHOICES.items()}]
    while len(tried) < budget // FOLDS:
        drawn = {name: values[random.integers(len(values))] for name, values in CHOICES.items()}
        if drawn not in tried:
            tried.append(drawn)
    losses = np.zeros((len(tried), len(ITERATIONS)))
    for learn, validate in parts:
        encode = models.encoder(data.columns, impute=False)
        inputs, asked = encode.fit_transform(data.inputs.iloc[learn]), encode.transform(data.inputs.iloc[validate])
        for i, settings in enumerate(tried):
            model = models.booster(data, seed, {**settings, "max_iter": ITERATIONS[-1]})
            with models.quiet_threads(len(learn)):
                model.fit(inputs, data.outcome[learn])
                losses[i] += _losses(model, asked, data.outcome[validate]) / len(parts)
    best, place = np.unravel_index(losses.argmin(), losses.shape)
    settings = {**tried[best], "max_iter": ITERATIONS[place]}
    usual = losses[0, ITERATIONS.index(models.SETTINGS["max_iter"])]
    tuning = Tuning(settings, len(tried) * len(parts), float(losses.min()), float(usual))
    return tuning, time.perf_counter() - start


def _losses(model: Any, asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give the loss after each number of trees in `ITERATIONS`."""
    staged = model.staged_predict_proba if hasattr(model, "predict_proba") else model.staged_predict
    found = []
    for trees, said in enumerate(staged(asked), start=1):
        if trees in ITERATIONS:
            if said.ndim == 2:
                own = np.clip(said[np.arange(len(known)), known], 1e-12, 1)
                found.append(float(-np.log(own).mean()))
            else:
                found.append(float(np.square(known - said).mean()))
    return np.array(found)
