"""From margins to what a person reads: points of probability, and numbers that still add up when they are rounded.

A model adds up in its margin: in log-odds for classes. Log-odds say little to most people, so every reason is also
given in points of probability: by walking in a straight line from the margin of a case about which nothing is known to
the margin of this case, and giving each reason its share of every step (Aumann and Shapley 1974; as integrated
gradients in Sundararajan et al. 2017). With two classes the walk has a closed form: every reason is multiplied by the
same number, the change of the probability over the change of the margin. The points of a case add up to that change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# Below this change of the margin the curve is as good as straight, and the quotient would be all rounding error.
STRAIGHT = 1e-6
# Of the Gauss-Legendre rule for the walk between more than two classes: for margins up to 20 apart its own error is
# below 1e-9, and what is left of it is closed.
STEPS = 64
# Of an answer, at most: more of them nobody reads, however small its reasons are.
DIGITS = 6


def probability(margin: np.ndarray) -> np.ndarray:
    """Give the probability of the positive class that belongs to a margin (the logistic function)."""
    size = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1.0, size) / (1.0 + size)


def probabilities(margins: np.ndarray) -> np.ndarray:
    """Give the probabilities that belong to one margin per class (softmax), shape (..., classes)."""
    raised = np.exp(margins - margins.max(axis=-1, keepdims=True))
    shares: np.ndarray = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def secant(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Say by how much the probability changes per unit of the margin on the way from one margin to another.

    Parameters
    ----------
    start, end
        Margins in log-odds, shape (rows,) or one number.

    Returns
    -------
    numpy.ndarray
        (p(end) - p(start)) / (end - start), shape (rows,); where both are the same the limit of that, p (1 - p).
    """
    start, end = np.broadcast_arrays(np.asarray(start, dtype=float), np.asarray(end, dtype=float))
    same = np.abs(end - start) < STRAIGHT
    middle = probability((start + end) / 2)
    change = probability(end) - probability(start)
    return np.where(same, middle * (1 - middle), change / np.where(same, 1.0, end - start))


def path(start: np.ndarray, ends: np.ndarray, output: np.ndarray) -> np.ndarray:
    """Say by how much one class's probability changes per unit of each class's margin, on average over the walk.

    Parameters
    ----------
    start
        Margins of a case about which nothing is known, shape (classes,).
    ends
        Margins of the cases, shape (rows, classes).
    output
        The class whose probability is meant, shape (rows,).

    Returns
    -------
    numpy.ndarray
        Weights, shape (rows, classes): those of a row times the changes of its margins add up to the change of the
        probability. What the numerical integral leaves over is closed along the walk (Gonzalez 1996).
    """
    rows = np.arange(len(ends))
    # one number added to the margins of all classes changes nothing: without it the walk is the shortest one
    way = (ends - ends.mean(axis=1, keepdims=True)) - (start - start.mean())
    begin = ends - way
    weights = np.zeros_like(way)
    for place, share in zip(*np.polynomial.legendre.leggauss(STEPS), strict=True):
        here = probabilities(begin + (place + 1) / 2 * way)
        own = here[rows, output][:, None]
        slope = -own * here
        slope[rows, output] += own[:, 0]
        weights += share / 2 * slope
    change = probabilities(ends)[rows, output] - probabilities(start)[output]
    length = (way**2).sum(axis=1)
    left = change - (weights * way).sum(axis=1)
    closed: np.ndarray = weights + np.where(length > 0, left / np.where(length > 0, length, 1.0), 0.0)[:, None] * way
    return closed


def tally(
    start: float, parts: Sequence[float], end: float, fewest: float = -math.inf
) -> tuple[float, list[float], float, int]:
    """Round a sum so that what is shown still adds up, to two digits of its largest part if that can be read.

    Parameters
    ----------
    start, parts, end
        ``start + sum(parts) == end``.
    fewest
        Decimals that are shown at least; without it tens or hundreds may be rounded.

    Returns
    -------
    start, parts, end, decimals
        Rounded; every part by less than one in its last digit up or down (largest remainders, Hamilton 1792).
    """
    largest = max((abs(part) for part in parts), default=0.0) or abs(end) or 1.0
    reach = max(largest, abs(start), abs(end))
    readable = min(1 - math.floor(math.log10(largest)), DIGITS - 1 - math.floor(math.log10(reach)))
    decimals = int(max(fewest, readable))
    step = 10.0**-decimals
    first, last = round(start / step), round(end / step)
    exact = [part / step for part in parts]
    whole = [math.floor(part) for part in exact]
    left = (last - first) - sum(whole)
    order = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place in order[:left] if left > 0 else order[left:] if left < 0 else ():
        whole[place] += 1 if left > 0 else -1
    return first * step, [part * step for part in whole], last * step, max(decimals, 0)
