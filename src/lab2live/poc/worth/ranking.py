"""Where to draw the line: cases sorted by score once, their gains summed for as many resamples as there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.charter.schema import Value

# Of so many lines the best one always looks better than the usual one. Only a gain of this many standard errors of the
# paired difference counts as evidence that the probabilities cannot be taken at their word.
CLEARLY = 1.5


@dataclass(frozen=True)
class Ranking:
    """Cases from the highest score down, and what acting on the first ones of them adds up to.

    Attributes
    ----------
    scores
        The distinct ones, falling, shape (steps,): who shares a score is acted on together.
    lines
        Between them, from above the highest to below the lowest, shape (steps + 1,).
    weight, gain, square
        Summed over the cases above each line, shape (draws, steps + 1): how many cases, what acting on them brings
        against leaving them alone, and the squares of that. One row per set of weights.
    """

    scores: np.ndarray
    lines: np.ndarray
    weight: np.ndarray
    gain: np.ndarray
    square: np.ndarray

    def at(self, line: np.ndarray | float) -> np.ndarray:
        """Find the number of steps at or above a line."""
        return np.asarray(np.searchsorted(-self.scores, -np.asarray(line, dtype=float), side="right"))

    def within(self, share: float | None, sums: np.ndarray) -> np.ndarray:
        """Stop sums where capacity ends: who shares the score at the border is acted on with the same chance."""
        if share is None:
            return sums
        most = share * self.weight[:, -1:]
        last = np.maximum((self.weight < most * (1 - 1e-12)).sum(axis=1, keepdims=True), 1)
        before, after = (np.take_along_axis(self.weight, step, axis=1) for step in (last - 1, last))
        low, high = (np.take_along_axis(sums, step, axis=1) for step in (last - 1, last))
        return np.where(self.weight <= most, sums, low + (most - before) / (after - before) * (high - low))


def rank(scores: np.ndarray, gains: np.ndarray, weights: np.ndarray | None = None) -> Ranking:
    """Sort cases by score once, and sum their gains for every set of weights.

    Parameters
    ----------
    scores, gains
        Of the cases, shape (rows,) each.
    weights
        How often each case counts, shape (draws, rows); once if left out.
    """
    weights = np.ones((1, len(scores))) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    falling, gains, weights = scores[order], gains[order], weights[:, order].astype(float)
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    steps = falling[ends]

    def sums(parts: np.ndarray) -> np.ndarray:
        return np.pad(parts.cumsum(axis=1)[:, ends], ((0, 0), (1, 0)))

    lines = np.concatenate([[np.inf], (steps[:-1] + steps[1:]) / 2, [-np.inf]])
    return Ranking(steps, lines, sums(weights), sums(weights * gains), sums(weights * gains**2))


def pick_lines(ranking: Ranking, usual: float | None, share: float | None) -> np.ndarray:
    """Choose the score from which on to act, for every set of weights of a ranking.

    Parameters
    ----------
    ranking
        Of cases whose answers are out of fold.
    usual
        The line for calibrated probabilities: left only for one that earns clearly more, see `CLEARLY`. None for scores
        that are no probabilities: then the line that earns most.
    share
        Of the cases that can be acted on.

    Returns
    -------
    numpy.ndarray
        Shape (draws,); infinite where nobody, or everybody, is to be acted on.
    """
    gain = ranking.within(share, ranking.gain)
    best = gain.argmax(axis=1)
    if usual is None:
        return np.asarray(ranking.lines[best])
    usual = np.inf if usual >= 1 else usual
    draws, start = np.arange(len(gain)), ranking.at(usual)
    square = ranking.within(share, ranking.square)
    more = gain[draws, best] - gain[draws, start]
    noise = np.abs(square[draws, best] - square[draws, start]) - more**2 / ranking.weight[:, -1]
    return np.where(more > CLEARLY * np.sqrt(np.maximum(noise, 0)), ranking.lines[best], usual)


def pick_shifts(value: Value, miss: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Choose what to add to a number so that answering too low and too high cost the least together.

    Parameters
    ----------
    value
        With the costs of both.
    miss
        Truth minus answer, out of fold, shape (rows,).
    weights
        How often each case counts, shape (draws, rows); once if left out.

    Returns
    -------
    numpy.ndarray
        The quantile under / (under + over) of the misses, shape (draws,): the newsvendor's stock.
    """
    under, over = value.cost_per_unit_under or 0.0, value.cost_per_unit_over or 0.0
    weights = np.ones((1, len(miss))) if weights is None else weights
    order = np.argsort(miss, kind="stable")
    counted = weights[:, order].cumsum(axis=1)
    needed = max(under / (under + over), 1e-12) * counted[:, -1:]
    steps = (counted < needed * (1 - 1e-12)).sum(axis=1)
    return np.asarray(miss[order][np.minimum(steps, len(miss) - 1)])
