"""Would more rows help (L3)? The score for more and more of the cases, and where that leads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.eda.signal import quick
from lab2live.errors import UserError
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount, score_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Cases used at most. Beyond them a curve has long shown where it leads.
MOST_ROWS = 20_000
FOLDS = 3
# Each size is half of the next one.
SIZES = 5
SMALLEST = 40
# A curve over less than a factor of four says nothing about the next factor of four.
FEWEST_ROWS = 4 * SMALLEST
# How far the curve is drawn beyond what was seen. Further out every law is a guess.
FURTHEST = 4
BOOTSTRAPS = 200
BAND = (0.05, 0.95)
# Exponents tried: learning curves have been found between slow (0.1) and as fast as one over n, see `more_rows`.
EXPONENTS = np.arange(0.1, 1.55, 0.1)
# Less than this above guessing is no signal whose growth could be foretold.
LEAST_SIGNAL = 0.02
# A gain of more than a tenth of what the columns know today is worth asking for rows; the gate's own limit.
WORTH = 0.1

Estimate = tuple[float, float, float]


@dataclass(frozen=True)
class Growth:
    """The learning curve and where it leads.

    Attributes
    ----------
    gain
        What four times the rows would bring, as a share of what the columns know today (score minus guessing); `None`
        when it could not be computed.
    model
        `linear model` or `boosting`: the one that scores better on all rows.
    sizes, scores, low, high
        Number of cases learnt from, and mean, lowest and highest score over the held-out parts; by model in `others`.
    twice, four_times
        The score with so many rows minus that of today: estimate and its 90 % band.
    rows
        Number of cases there are.
    measure, problem
        What the score is; why there is none.
    """

    gain: float | None
    model: str = ""
    sizes: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    twice: Estimate = (float("nan"),) * 3
    four_times: Estimate = (float("nan"),) * 3
    rows: int = 0
    measure: str = ""
    problem: str = ""

    @property
    def evidence(self) -> Evidence:
        """Give the relative gain at four times the rows with its chart, kept as `growth`."""
        return Evidence(self.gain, self._sentence, figure=self.figure(), data={"growth": asdict(self)})

    @property
    def _sentence(self) -> str:
        if self.gain is None:
            return self.problem
        help_ = "would help" if self.gain > WORTH else "would hardly help"
        at_most = ", at most" if self.rows > MOST_ROWS else ""
        twice, four_times = (score_text(*estimate, sign="+") for estimate in (self.twice, self.four_times))
        now = score_text(self.scores[-1], decimals=2)
        return (
            f"More rows of the same kind {help_}{at_most}: twice as many {twice}, four times as many "
            f"{four_times} on a score of {now} ({self.measure}; {self.model} learning "
            f"from {amount(self.sizes[-1], 'case')})."
        )

    def table(self) -> pd.DataFrame:
        """Show the curve, then what is expected beyond it."""
        seen = [
            {"cases learnt from": size, "score": round(score, 4), "lowest": round(low, 4), "highest": round(high, 4)}
            for size, score, low, high in zip(self.sizes, self.scores, self.low, self.high, strict=True)
        ]
        if self.gain is None:
            return pd.DataFrame(seen)
        for factor, estimate in ((2, self.twice), (FURTHEST, self.four_times)):
            middle, low, high = (round(self.scores[-1] + part, 4) for part in estimate)
            seen.append({"cases learnt from": factor * self.sizes[-1], "score": middle, "lowest": low, "highest": high})
        return pd.DataFrame(seen).assign(known=["seen"] * len(self.sizes) + ["expected"] * 2)

    def figure(self) -> Figure:
        """Draw the curve, and what is expected beyond it."""
        rows = self.table()
        labels = [
            f"{amount(size, 'case')}" + (" (expected)" if place >= len(self.sizes) else "")
            for place, size in enumerate(rows.get("cases learnt from", ()))
        ]
        helps = "More rows would help" if (self.gain or 0) > WORTH else "More rows would hardly help"
        title = helps if self.gain is not None else "What more rows would bring cannot be said"
        score, low, high = (rows.get(name, pd.Series(dtype=float)).tolist() for name in ("score", "lowest", "highest"))
        return plots.intervals(labels, score, low, high, title, self.measure or "score")


@quick.on_one_thread
def more_rows(charter: Charter, data: Dataset, seed: int = 0, repeats: int = 2) -> Growth:
    """Draw the learning curve and extend it, to four times the rows at most.

    The linear model and a cheap boosting learn from more and more of the cases and are scored on held-out parts; the
    better one's curve is fitted by ``score(n) = a - b * n ** -c``. The larger sizes weigh more: it is their direction
    that counts, and the law is known to be optimistic when small sizes decide.

    Parameters
    ----------
    charter, data
        At most `MOST_ROWS` cases are used. What more rows would bring beyond them is less than what is said here.
    seed
        Of everything that is drawn.
    repeats
        Of the held-out parts.

    Returns
    -------
    Growth
        Hestness et al. (2017), "Deep learning scaling is predictable, empirically"; Viering and Loog (2022), "The shape
        of learning curves: a review". The band comes from drawing the held-out parts' curves again and again.
    """
    small = quick.drawn(charter, data, MOST_ROWS, seed)
    measure, rows = quick.MEASURE[small.problem], len(data.outcome)
    try:
        parts = splits.folds(charter, small, np.arange(len(small.outcome)), FOLDS, repeats, seed)
    except UserError as error:
        return Growth(None, measure=measure, rows=rows, problem=error.problem)
    if charter.prediction.time_column in small.raw:
        parts = parts[-1:] * (FOLDS * repeats)  # learn from the past: the earlier parts have less of it
    largest = min(len(learn) for learn, _ in parts)
    if largest < FEWEST_ROWS:
        return Growth(
            None,
            measure=measure,
            rows=rows,
            problem=f"Too few cases for a learning curve: {largest:,} to learn from, {FEWEST_ROWS} are the fewest.",
        )
    halved = largest / 2.0 ** np.arange(SIZES)[::-1]
    sizes = halved[halved >= SMALLEST].astype(int)
    curves = _curves(small, parts, sizes, seed)
    model = max(curves, key=lambda name: float(np.nanmean(curves[name][:, -1])))
    curve = curves[model][np.isfinite(curves[model]).all(axis=1)]
    if not len(curve):
        return Growth(None, measure=measure, rows=rows, problem="No held-out part could be scored.")
    resampled = np.random.default_rng(seed).integers(len(curve), size=(BOOTSTRAPS, len(curve)))
    drawn = np.vstack([curve.mean(axis=0), curve[resampled].mean(axis=1)])
    now, twice, far = (extended(sizes, drawn, factor * sizes[-1]) for factor in (1, 2, FURTHEST))
    known = now - quick.CHANCE[small.problem]
    seen = (
        tuple(int(size) for size in sizes),
        tuple(curve.mean(axis=0).tolist()),
        tuple(curve.min(axis=0).tolist()),
        tuple(curve.max(axis=0).tolist()),
    )
    if np.quantile(known, BAND[0]) < LEAST_SIGNAL:
        problem = "There is hardly any signal so far, and nothing to foretell from it."
        return Growth(None, model, *seen, rows=rows, measure=measure, problem=problem)
    return Growth(
        float((far - now)[0] / known[0]), model, *seen, _estimate(twice - now), _estimate(far - now), rows, measure
    )


def _curves(
    data: Dataset, parts: list[tuple[np.ndarray, np.ndarray]], sizes: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Score both models, shape (parts, sizes) each. What a part learns from grows: no case leaves it again."""
    random = np.random.default_rng(seed)
    known, encoded, inputs = quick.truth(data), quick.encoded(data), quick.matrix(data)
    linear = np.full((len(parts), len(sizes)), np.nan)
    boosting = linear.copy()
    for i, (learn, validate) in enumerate(parts):
        order = _every_class_first(data, random.permutation(learn))
        for j, size in enumerate(sizes):
            rows = order[:size]
            said = quick.ridge(encoded[rows], known[rows], encoded[validate])
            linear[i, j] = quick.skill(data, known[validate], said)
            model = quick.learner(data, size, seed + i).fit(inputs[rows], data.outcome[rows])
            said = quick.answers(model, inputs[validate])
            boosting[i, j] = quick.skill(data, known[validate], said)
    return {"linear model": linear, "boosting": boosting}


def _every_class_first(data: Dataset, order: np.ndarray) -> np.ndarray:
    """Move a few cases of every class to the front: the smallest size has to know them all."""
    if not data.classes:
        return order
    outcome = pd.Series(data.outcome[order])
    return order[np.argsort(outcome.groupby(outcome).cumcount().to_numpy() >= splits.FEWEST, kind="stable")]


def extended(sizes: np.ndarray, scores: np.ndarray, size: int) -> np.ndarray:
    """Fit ``a - b * n ** -c`` to curves and read it at a size.

    Parameters
    ----------
    sizes
        Shape (sizes,).
    scores
        Shape (curves, sizes).
    size
        Where to read.

    Returns
    -------
    numpy.ndarray
        Shape (curves,), 1 at most. A curve that falls is taken for flat.
    """
    # a mean over n cases varies with 1 / n, so n is the weight
    weights = sizes / sizes.sum()
    middle = scores @ weights
    best, error = middle.copy(), (((scores - middle[:, None]) ** 2) * weights).sum(axis=1)
    for exponent in EXPONENTS:
        steps = (sizes / sizes[-1]) ** -exponent
        centred = steps - weights @ steps
        slope = np.minimum(0, ((scores - middle[:, None]) * centred * weights).sum(axis=1) / (weights @ centred**2))
        missed = (((scores - middle[:, None] - slope[:, None] * centred) ** 2) * weights).sum(axis=1)
        there = middle + slope * ((size / sizes[-1]) ** -exponent - weights @ steps)
        best, error = np.where(missed < error, there, best), np.minimum(missed, error)
    return np.asarray(np.minimum(best, 1.0))


def _estimate(gains: np.ndarray) -> Estimate:
    low, high = np.quantile(gains[1:], BAND)
    return float(gains[0]), float(min(low, gains[0])), float(max(high, gains[0]))
