"""What these columns allow (G2): a band for the best reachable score, so that nobody promises more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lab2live.charter import metrics
from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import corrected_error
from lab2live.eda.signal.growth import extended
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.comparison.candidates import Candidate, ask
from lab2live.poc.comparison.ladder import Ladder, compared
from lab2live.reporting import plots
from lab2live.reporting.formatting import minus, score_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

# Shares of the training part that the best model also learns from.
SHARES = (0.125, 0.25, 0.5)
# A part of fewer cases says nothing about the curve.
FEWEST = 60
# The curve is followed so many times as far as there are cases: what is gained beyond is less than the band is wide.
FURTHEST = 16
BOOTSTRAPS = 400
# The band is one of 95 %: its limits are quantiles of what the parts of the cross-validation say.
BAND = (0.025, 0.975)


@dataclass(frozen=True)
class Reach:
    """The band, and the curve it comes from.

    Attributes
    ----------
    low, high
        The best score that any model of these columns could get lies in between; `None` where there is no curve.
    model
        Title of the best model.
    sizes, scores
        Cases learnt from, and the mean score; the last one is that of the ladder.
    expected
        Where the curve leads.
    problem
        Why there is no curve; the band then is the interval of the best model alone.
    """

    low: float
    high: float
    model: str
    sizes: tuple[int, ...]
    scores: tuple[float, ...]
    expected: float
    problem: str = ""

    def sentence(self, metric: str) -> str:
        """Say what is within reach."""
        label, low, high = metrics.METRICS[metric].label, score_text(self.low), score_text(self.high)
        return f"With these columns a {label} of {low} to {high} is within reach (a band of 95 %)."

    def evidence(self, required: float | None, metric: str) -> Evidence:
        """Say by how much a required score lies above the band (0 if it does not)."""
        says = self.sentence(metric)
        if required is None:
            beyond, more = None, "The charter states no required score (prediction.required_score)."
        elif required <= self.high:
            beyond, more = 0.0, f"The required {minus(f'{required:g}')} is not beyond it."
        else:
            beyond = required - self.high
            more = f"The required {minus(f'{required:g}')} is out of reach: only features that know more will help."
        return Evidence(beyond, f"{says} {more}", figure=self.figure(metric), data={"reach": self})

    def figure(self, metric: str) -> Figure:
        """Draw the curve and the band."""
        labels = [f"{size:,} cases" for size in self.sizes] + ["with these columns at best"]
        middle = [*self.scores, self.expected]
        title = f"{score_text(self.low, decimals=2)} to {score_text(self.high, decimals=2)} is what these columns allow"
        low, high = [*self.scores, self.low], [*self.scores, self.high]
        return plots.intervals(labels, middle, low, high, title, f"{metrics.METRICS[metric].label}, {self.model}")


def reachable(
    charter: Charter,
    data: Dataset,
    train: np.ndarray,
    ladder: Ladder,
    candidate: Candidate,
    score: Callable[[np.ndarray, np.ndarray], float],
    *,
    folds: int = 5,
    seed: int = 0,
) -> Reach:
    """Say which score these columns allow at best.

    From below the band is limited by what the best model surely reaches; from above by its upper limit, or by where its
    learning curve leads, ``a - b * n ** -c`` (Cortes et al. 1994), whichever is higher. More columns may allow more.

    Parameters
    ----------
    charter, data, train
        The training part: the test part has no say.
    ladder
        The comparison, whose scores end the curve.
    candidate
        The best rung's.
    score
        See `ladder.scorer`.
    folds, seed
        As the ladder was climbed.
    """
    best = ladder.rung(ladder.best)
    parts = splits.folds(charter, data, compared(data, train, seed), folds, 1, seed)
    whole = int(np.mean([len(learn) for learn, _ in parts]))
    random = np.random.default_rng(seed)
    shares = [share for share in SHARES if share * whole >= FEWEST]
    curves = np.full((len(parts), len(shares) + 1), np.nan)
    for i, (learn, validate) in enumerate(parts):
        order = _mixed(data, learn, random)
        for j, share in enumerate(shares):
            rows = order[: int(share * len(order))]
            if not data.classes or np.bincount(data.outcome[rows], minlength=len(data.classes)).min() >= splits.FEWEST:
                said, _ = ask(candidate, data, rows, validate)
                curves[i, j] = score(data.outcome[validate], said)
    curves[:, -1] = best.scores[: len(parts)]
    sizes = np.array([*(round(share * whole) for share in shares), whole])
    usable = np.isfinite(curves).all(axis=0)
    curves, sizes = curves[:, usable], sizes[usable]
    scores, told = tuple(curves.mean(axis=0).tolist()), tuple(sizes.tolist())
    if len(sizes) < 3 or len(parts) < 3:
        why = "There are too few cases for a learning curve."
        return Reach(best.low, best.high, best.title, told, scores, best.mean, why)
    limit = 0.0 if ladder.metric in metrics.ERRORS else 1.0
    draws = random.integers(len(parts), size=(BOOTSTRAPS, len(parts)))
    leads = np.minimum(extended(sizes, curves[draws].mean(axis=1), FURTHEST * whole), limit)
    expected = min(float(extended(sizes, curves.mean(axis=0)[None], FURTHEST * whole)[0]), limit)
    # the parts share training cases: their spread is too small by the factor of Nadeau and Bengio
    ratio = float(np.mean([len(validate) / len(learn) for learn, validate in parts]))
    ends = curves[:, -1]
    wider = corrected_error(ends, ratio) / max(ends.std(ddof=1) / np.sqrt(len(ends)), 1e-12)
    above = expected + wider * (float(np.quantile(leads, BAND[1])) - expected)
    return Reach(best.low, float(min(max(best.high, above), limit)), best.title, told, scores, expected)


def _mixed(data: Dataset, learn: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Shuffle cases so that every start of them holds the classes in equal shares; numbers need no more than that."""
    order = random.permutation(learn)
    if not data.classes:
        return order
    rank = np.empty(len(order))
    for code in np.unique(data.outcome[order]):
        of_class = np.flatnonzero(data.outcome[order] == code)
        rank[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    return order[np.argsort(rank, kind="stable")]
