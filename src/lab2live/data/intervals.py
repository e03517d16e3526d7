"""How sure a score is: intervals that allow for shared training rows, and resampled test parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Score = Callable[[np.ndarray, np.ndarray], float]

BOOTSTRAPS = 400
# Attempts to draw more than one outcome, and numbers that are counted at once: more would only fill the memory.
MOST_REDRAWS, AT_ONCE = 100, 4_000_000

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


def wilson(hits: np.ndarray, cases: np.ndarray, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
    """Give the interval of a share (Wilson 1927): right also where the share is 0 or 1 or cases are few.

    Parameters
    ----------
    hits, cases
        Of any shape that fits; NaN where there is no case.
    confidence
        Of the interval.
    """
    from scipy.special import ndtri

    hits, cases = np.asarray(hits, dtype=float), np.asarray(cases, dtype=float)
    reach = float(ndtri((1 + confidence) / 2)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = hits / cases
        middle = (share + reach / (2 * cases)) / (1 + reach / cases)
        half = np.sqrt(reach * (share * (1 - share) + reach / (4 * cases)) / cases) / (1 + reach / cases)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def redraw(
    seed: int | np.random.Generator,
    rows: int,
    draws: int,
    groups: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """Draw rows with replacement, again and again.

    Parameters
    ----------
    seed
        Of the resampling.
    rows, draws
        How many rows there are, and how often they are drawn.
    groups
        Where rows belong together, shape (rows,), whole groups are drawn: rows of one group say less than as many
        strangers.
    known
        Outcomes, shape (rows,): a draw in which all are the same is drawn again, unless there is no other.

    Returns
    -------
    numpy.ndarray
        How often each row was drawn, shape (draws, rows).
    """
    random = np.random.default_rng(seed)
    names = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    units = int(names.max()) + 1

    def again(draws: int) -> np.ndarray:
        drawn = random.integers(units, size=(draws, units)) + units * np.arange(draws)[:, None]
        return np.bincount(drawn.ravel(), minlength=draws * units).reshape(draws, units)[:, names]

    counts = again(draws)
    if known is None or len(np.unique(known)) < 2:
        return counts
    codes = np.unique(known, return_inverse=True)[1]
    for _ in range(MOST_REDRAWS):
        alike = np.flatnonzero([np.ptp(codes[times > 0]) == 0 for times in counts])
        if not len(alike):
            break
        counts[alike] = again(len(alike))
    return counts


def redraw_in_shares(random: np.random.Generator, known: np.ndarray, draws: int, cases: int) -> np.ndarray:
    """Draw the rows of a test set that holds the classes in fixed shares.

    Rows are drawn within each class; the shares of the classes are drawn as from all cases, which they were taken
    from. To draw rows whatever their class would let these shares vary as if only this part had told them, and make
    intervals too wide.

    Parameters
    ----------
    random
        Where the draws come from.
    known
        Class codes of the part, shape (rows,).
    draws
        How often.
    cases
        How many cases the shares were taken from.

    Returns
    -------
    numpy.ndarray
        How much each row counts, shape (draws, rows); not whole numbers.
    """
    classes, codes, counts = np.unique(known, return_inverse=True, return_counts=True)
    shares = random.multinomial(cases, counts / len(known), size=draws) / cases
    weights = np.empty((draws, len(known)))
    for code in range(len(classes)):
        weights[:, codes == code] = redraw(random, counts[code], draws) * (
            shares[:, [code]] * len(known) / counts[code]
        )
    return weights


def scores(score: Score, known: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Score the same answers with each row counted as often as each line of `weights` says.

    Parameters
    ----------
    score
        See `metrics.score`. ROC AUC is computed for many lines at once, a hundred times as fast as one by one.
    known, answers
        Outcomes and answers, shape (rows,), or (rows, classes) for answers about more than two classes.
    weights
        Whole numbers, shape (draws, rows).

    Returns
    -------
    numpy.ndarray
        Shape (draws,).
    """
    from sklearn.metrics import roc_auc_score

    if score is not roc_auc_score or answers.ndim > 1:
        rows = np.arange(len(known))
        repeated = (np.repeat(rows, times) for times in weights)
        return np.array([score(known[drawn], answers[drawn]) for drawn in repeated], dtype=float)
    order = np.argsort(answers, kind="stable")
    ties = np.flatnonzero(np.r_[True, np.diff(answers[order]) != 0])
    found = []
    for part in np.array_split(weights, max(1, weights.size // AT_ONCE)):
        positive = np.add.reduceat((part * known)[:, order], ties, axis=1).astype(float)
        negative = np.add.reduceat((part * (1 - known))[:, order], ties, axis=1).astype(float)
        pairs = (positive * (np.cumsum(negative, axis=1) - negative / 2)).sum(axis=1)
        found.append(pairs / (positive.sum(axis=1) * negative.sum(axis=1)))
    return np.concatenate(found)


def bootstrap(
    outcome: np.ndarray,
    answers: Mapping[str, np.ndarray],
    score: Score,
    seed: int,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Score all rungs on the same resampled test parts: `BOOTSTRAPS` scores per rung.

    Parameters
    ----------
    outcome, answers
        Of the test part, shape (rows,) each.
    score
        See `metrics.score`.
    seed, groups
        See `redraw`.
    """
    weights = redraw(seed, len(outcome), BOOTSTRAPS, groups, outcome)
    return {name: scores(score, outcome, answer, weights) for name, answer in answers.items()}
