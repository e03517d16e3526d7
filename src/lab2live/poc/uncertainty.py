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
    outcome: np.ndarray,
    answers: Mapping[str, np.ndarray],
    score: Callable[[np.ndarray, np.ndarray], float],
    seed: int,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Score all rungs on the same resampled test parts.

    Parameters
    ----------
    outcome, answers
        Of the test part, shape (rows,) each.
    score
        See `metrics.score`.
    seed
        Of the resampling.
    groups
        Where rows belong together, whole groups are drawn: rows of one group say less than as many strangers.

    Returns
    -------
    dict of numpy.ndarray
        `BOOTSTRAPS` scores per rung. A resample with one class only is drawn again.
    """
    random = np.random.default_rng(seed)
    names = np.arange(len(outcome)) if groups is None else np.unique(groups, return_inverse=True)[1]
    members = np.split(np.argsort(names, kind="stable"), np.cumsum(np.bincount(names))[:-1])
    one_class = len(np.unique(outcome)) < 2
    draws: list[np.ndarray] = []
    for _ in range(100 * BOOTSTRAPS):
        rows = np.concatenate([members[drawn] for drawn in random.integers(len(members), size=len(members))])
        if one_class or len(np.unique(outcome[rows])) > 1:
            draws.append(rows)
        if len(draws) == BOOTSTRAPS:
            break
    return {name: np.array([score(outcome[rows], answer[rows]) for rows in draws]) for name, answer in answers.items()}
