"""Outcomes that look wrong (L3): told from outcomes that are merely uncertain by a floor under all probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.eda.signal import quick

# Cases used at most.
ROWS = 10_000
FOLDS = 5
FEWEST, FEWEST_OF_A_CLASS = 300, 30
# Twice the gain in log-likelihood by which wrong outcomes must explain more than uncertainty alone: p < 1e-4 for two
# shares at their bound (Self and Liang 1987), and clean simulated data stay below 9.
LEAST_EVIDENCE = 16.0
LEAST_SHARE, MOST_SHARE = 0.01, 0.44
# The floor has to be seen: so many cases, with so many contrary outcomes among them, lie where it outweighs the curve.
OUTWEIGHS, SEEN_SHARE, SEEN_CONTRARY = 0.8, 0.05, 6
# Wrong outcomes are blind. If boosting ranks the contrary ones above chance by so many errors, they have a reason.
REASON = 3.0
# Numbers with fewer values, or with one this frequent, have no density to speak of.
DIFFERENT, MOST_TIES = 50, 0.10
# Of numbers that are out of place, at least this share has to be too high, and too low: only one of them is a story.
BOTH_SIDES = 0.15


@dataclass(frozen=True)
class Errors:
    """Outcomes that are wrong without a reason in the columns.

    Attributes
    ----------
    share
        Estimated share of wrong outcomes.
    evidence
        Twice the gain in log-likelihood against uncertainty alone.
    doubt
        How likely each case is to be wrong, shape (rows used,).
    rows
        Places of these cases in the data set.
    """

    share: float
    evidence: float
    doubt: np.ndarray
    rows: np.ndarray


def errors(charter: Charter, data: Dataset, seed: int = 0) -> Errors | None:
    """Look for outcomes that were noted down wrongly.

    An uncertain outcome still becomes rare where the columns speak against it: its probability falls towards zero.
    Wrong outcomes do not care, and leave a floor that it never falls below. Both curves are fitted to out-of-fold
    margins, ``P(1) = r0 + (1 - r0 - r1) / (1 + exp(-a - b margin))`` with and without the floors r0 and r1: Hausman,
    Abrevaya and Scott-Morton (1998), "Misclassification of the dependent variable in a discrete-response setting". A
    number that was noted down for another case is a draw from all numbers, instead of one near its prediction.

    Returns
    -------
    Errors or None
        `None` when uncertainty alone explains the outcomes.

    Raises
    ------
    UserError
        If there are too few cases.
    """
    from lab2live.errors import UserError

    small = quick.drawn(charter, data, ROWS, seed)
    counts = np.bincount(small.outcome) if small.classes else np.array([len(small.outcome)])
    if len(small.outcome) < FEWEST or counts.min() < FEWEST_OF_A_CLASS:
        raise UserError(
            f"There are too few cases to tell wrong outcomes from uncertain ones: {len(small.outcome):,}, "
            f"{counts.min():,} of the rarest class; {FEWEST} and {FEWEST_OF_A_CLASS} are the fewest."
        )
    found = _of_classes(charter, small, seed) if small.classes else _of_numbers(charter, small, seed)
    return max((one for one in found if one is not None), key=lambda one: one.evidence, default=None)


def _of_classes(charter: Charter, small: Dataset, seed: int) -> list[Errors | None]:
    columns, inputs, truth = additive(small), quick.matrix(small), quick.truth(small)
    found: list[Errors | None] = []
    said: np.ndarray | None = None
    for k in range(truth.shape[1]):
        outcome = truth[:, k].astype(int)
        margins = _margins(charter, small, columns, outcome, seed)
        known = np.isfinite(margins)
        evidence, (start, slope, low, high) = _floors(margins[known], outcome[known])
        if evidence < LEAST_EVIDENCE or not LEAST_SHARE <= max(low, high) < MOST_SHARE:
            continue
        right = special.expit(start + slope * margins)
        noted = low + (1 - low - high) * right
        # of those noted as 1 the share that should be 0, and the other way round
        up, down = low * (1 - right) / np.maximum(noted, 1e-9), high * right / np.maximum(1 - noted, 1e-9)
        if said is None:
            model = quick.learner(small, len(inputs), seed)
            said = quick.out_of_fold(charter, small, inputs, model, FOLDS, seed)
        if _is_seen(up, outcome == 1, said[:, k]) or _is_seen(down, outcome == 0, -said[:, k]):
            doubt = np.where(known, np.where(outcome == 1, up, down), 0.0)
            found.append(Errors(float(doubt.mean()), evidence, doubt, small.inputs.index.to_numpy()))
    return found


def additive(data: Dataset) -> np.ndarray:
    """Give columns with which a linear model can follow any curve of every single number: as they are, and in steps."""
    parts = [quick.encoded(data)]
    inputs = quick.matrix(data)
    numbers = [j for j, kind in enumerate(data.columns.kinds.values()) if kind != "category"]
    steps = int(np.clip(160 // max(len(numbers), 1), 3, 8))
    for j in numbers:
        place = pd.qcut(pd.Series(inputs[:, j]), steps, labels=False, duplicates="drop").fillna(-1).to_numpy()
        parts.append((place[:, None] == np.unique(place)).astype(float))
    return np.hstack(parts)


def _margins(charter: Charter, data: Dataset, columns: np.ndarray, outcome: np.ndarray, seed: int) -> np.ndarray:
    """Give log-odds of a logistic regression that has not seen the case."""
    from sklearn.linear_model import LogisticRegression

    from lab2live.data import splits

    found = np.full(len(outcome), np.nan)
    for learn, validate in splits.folds(quick.untimed(charter), data, np.arange(len(outcome)), FOLDS, 1, seed):
        model = LogisticRegression(C=0.3, max_iter=500).fit(columns[learn], outcome[learn])
        found[validate] = model.decision_function(columns[validate])
    return found


def _floors(margins: np.ndarray, outcome: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit the curve with and without floors; give the evidence for them and start, slope, floor, ceiling."""

    def unlikely(values: np.ndarray) -> float:
        start, slope, low, high = (*values, 0.0, 0.0)[:4]
        share = np.clip(low + (1 - low - high) * special.expit(start + slope * margins), 1e-9, 1 - 1e-9)
        return -float(np.where(outcome == 1, np.log(share), np.log1p(-share)).sum())

    plain = optimize.minimize(unlikely, [0.0, 1.0], method="L-BFGS-B")
    # beyond this the curve has another form, such as that of a middle class, and floors mean nothing
    bounds = [(-30, 30), (0, 30), (0, MOST_SHARE), (0, MOST_SHARE)]
    starts = ([plain.x[0], plain.x[1], 0.01, 0.01], [plain.x[0], 1.5 * plain.x[1], 0.05, 0.05])
    tries = [optimize.minimize(unlikely, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(tries, key=lambda one: float(one.fun))
    return 2 * float(plain.fun - best.fun), np.asarray(best.x)


def _is_seen(outweighs: np.ndarray, contrary: np.ndarray, said: np.ndarray) -> bool:
    """Say whether the floor is there to be seen, and the contrary outcomes on it are blind to the columns."""
    there = (outweighs > OUTWEIGHS) & np.isfinite(said)
    found = int(contrary[there].sum())
    if there.mean() < SEEN_SHARE or found < SEEN_CONTRARY:
        return False
    ranks = stats.rankdata(said[there])
    others = int(there.sum()) - found
    above = (ranks[contrary[there]].sum() - found * (found + 1) / 2) / max(found * others, 1)
    return bool((above - 0.5) / np.sqrt((there.sum() + 1) / (12 * found * max(others, 1))) < REASON)


def _of_numbers(charter: Charter, small: Dataset, seed: int) -> list[Errors | None]:
    """Compare heavy tails around the predictions with heavy tails and some draws from all numbers."""
    values, times = np.unique(small.outcome, return_counts=True)
    if len(values) < DIFFERENT or times.max() > MOST_TIES * len(small.outcome):
        return []
    normal = special.ndtri((stats.rankdata(small.outcome) - 0.5) / len(small.outcome))
    ranked = Dataset(small.raw, small.inputs, normal, (), small.columns, 0)
    inputs = quick.matrix(small)
    said = quick.out_of_fold(charter, ranked, inputs, quick.learner(ranked, len(inputs), seed), FOLDS, seed)[:, 0]
    known = np.isfinite(said)
    off, marginal = (normal - said)[known], stats.norm.pdf(normal[known])
    width = _widths(said[known], off)

    def density(values: np.ndarray) -> np.ndarray:
        return np.asarray(stats.t.pdf((off - values[0]) / width, values[1], scale=values[2]) / width)

    def unlikely(values: np.ndarray) -> float:
        share = values[3] if len(values) == 4 else 0.0
        return -float(np.log((1 - share) * density(values) + share * marginal + 1e-300).sum())

    bounds = [(-3.0, 3.0), (1.5, 60.0), (0.05, 10.0), (0.0, MOST_SHARE)]
    plain = optimize.minimize(unlikely, [0.0, 5.0, 1.0], method="L-BFGS-B", bounds=bounds[:3])
    tries = [
        optimize.minimize(unlikely, [plain.x[0], freedom, 0.9 * plain.x[2], 0.03], method="L-BFGS-B", bounds=bounds)
        for freedom in (plain.x[1], 30.0)
    ]
    best = min(tries, key=lambda one: float(one.fun))
    evidence, share = 2 * float(plain.fun - best.fun), float(best.x[3])
    if evidence < LEAST_EVIDENCE or share < LEAST_SHARE:
        return []
    doubt = np.zeros(len(normal))
    doubt[known] = share * marginal / ((1 - share) * density(best.x) + share * marginal + 1e-300)
    high = (doubt > OUTWEIGHS) & (normal > np.nan_to_num(said))
    sure = int((doubt > OUTWEIGHS).sum())
    if sure < SEEN_CONTRARY or not BOTH_SIDES < high.sum() / sure < 1 - BOTH_SIDES:
        return []
    return [Errors(share, evidence, doubt, small.inputs.index.to_numpy())]


def _widths(said: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Give how far predictions of a height are usually off: in ten stretches of the predictions."""
    place = pd.qcut(pd.Series(said), 10, labels=False, duplicates="drop").to_numpy()
    middle = pd.Series(np.abs(off)).groupby(place).transform("median").to_numpy()
    return np.asarray(np.maximum(middle, 0.05 * max(np.median(np.abs(off)), 1e-6)))
