"""How sure a score is: intervals that allow for shared training rows, and resampled test parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

BOOTSTRAPS = 400

CONFIDENCE = 0.95


def corrected_error(scores: np.ndarray, ratio: float) -> float:
    """Give the standard error of a mean over overlapping training parts.

    Parameters
    ----------
    scores
        One per validation part.
    ratio
        Size of a validation part over that of its training part.

    Returns
    -------
    float
        Nadeau and Bengio (2003), "Inference for the generalization error": the naive error ignores that training
        parts share rows, and is far too small.
    """
    if len(scores) < 2:
        return float("nan")
    return float(np.sqrt((1 / len(scores) + ratio) * scores.var(ddof=1)))


def interval(scores: np.ndarray, ratio: float) -> tuple[float, float, float, float]:
    """Give mean, 95 % interval and the probability of being positive, by the corrected t distribution."""
    from scipy import stats

    mean, error = float(scores.mean()), corrected_error(scores, ratio)
    if not error > 0:  # one split only, or no variation: there is no interval to show
        return mean, mean, mean, float(mean > 0) if error == 0 else float("nan")
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(scores) - 1)) * error
    return mean, mean - reach, mean + reach, float(stats.t.cdf(mean / error, len(scores) - 1))


def bootstrap(
    outcome: np.ndarray, answers: Mapping[str, np.ndarray], score: Callable[..., float], seed: int
) -> dict[str, np.ndarray]:
    """Score all rungs on the same resampled test parts; a resample with one class only is drawn again."""
    random = np.random.default_rng(seed)
    draws: list[np.ndarray] = []
    few = len(np.unique(outcome)) < 2
    while len(draws) < BOOTSTRAPS:
        rows = random.integers(len(outcome), size=len(outcome))
        if few or len(np.unique(outcome[rows])) > 1:
            draws.append(rows)
    return {name: np.array([score(outcome[rows], answer[rows]) for rows in draws]) for name, answer in answers.items()}
