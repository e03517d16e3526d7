"""How sure is it that cases come from elsewhere, and how far have they moved? On counts of the two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.monitoring.shape import Shape

# Added to every count in the stability index: a part that nobody lies in would make it infinite.
HALF = 0.5


@dataclass(frozen=True)
class Moved:
    """What became of one column in some windows, each of shape (windows,).

    Attributes
    ----------
    p
        How often chance alone makes at least such a difference: the smallest of three tests, see `moved`.
    distance
        The share of the cases that lie elsewhere: the largest distance of the cumulated shares for numbers
        (Kolmogorov 1933, Smirnov 1939), half the summed distance of the shares for categories.
    gone, unknown
        By how much the share without a value has risen; of categories, that of rare and new ones.
    """

    p: np.ndarray
    distance: np.ndarray
    gone: np.ndarray
    unknown: np.ndarray

    @property
    def far(self) -> np.ndarray:
        """The largest of these changes."""
        return np.max([self.distance, np.abs(self.gone), self.unknown], axis=0)


def moved(shape: Shape, then: np.ndarray, now: np.ndarray) -> Moved:
    """Hold windows against a reference.

    Two-sample tests. Of the distribution of the known values: Kolmogorov and Smirnov's for numbers, with the correction
    of Stephens (1970) for few cases, at the ends of the parts, which makes it a little careful; chi-square for
    categories. Of shares (without a value, either way; rare or new categories, upwards): the hypergeometric
    distribution (Fisher 1935).

    Parameters
    ----------
    shape
        What the counts are about.
    then, now
        Counts, the missing ones last, shapes (1 or windows, cells + 1) and (windows, cells + 1).
    """
    then = np.broadcast_to(then, now.shape)
    known_then, known_now = then[:, :-1].sum(axis=1), now[:, :-1].sum(axis=1)
    both = (known_then > 0) & (known_now > 0)  # else nobody can say where the values lie
    apart = np.where(both[:, None], _shares(now[:, :-1]) - _shares(then[:, :-1]), 0.0)
    missing = share_p(then[:, -1], then.sum(axis=1), now[:, -1], now.sum(axis=1))
    gone = _shares(now)[:, -1] - _shares(then)[:, -1]
    if shape.kind == "number":
        distance = np.abs(np.cumsum(apart, axis=1)).max(axis=1)
        p = np.minimum(_ks(distance, known_then, known_now), missing)
        return Moved(p, distance, gone, np.zeros(len(now)))
    others = share_p(then[:, -2], known_then, now[:, -2], known_now, upwards=True)
    p = np.min([_chi_square(then[:, :-1], now[:, :-1]), missing, others], axis=0)
    return Moved(p, np.abs(apart).sum(axis=1) / 2, gone, apart[:, -1])


def stability(shape: Shape, now: np.ndarray) -> float:
    """Give the population stability index of the known values (Siddiqi 2006), of numbers by tenths.

    Parameters
    ----------
    now
        Counts of the window, the missing ones last, shape (cells + 1,).
    """
    place = shape.tenths
    old, new = (np.bincount(place, counts) + HALF for counts in (shape.counts, now[:-1]))
    old, new = old / old.sum(), new / new.sum()
    return float(((new - old) * np.log(new / old)).sum())


def counted(shape: Shape, codes: np.ndarray) -> np.ndarray:
    """Count windows.

    Parameters
    ----------
    codes
        See `Shape.codes`, shape (windows, cases).

    Returns
    -------
    numpy.ndarray
        Counts, the missing ones last, shape (windows, cells + 1).
    """
    cells = shape.cells + 1
    places = codes + cells * np.arange(len(codes))[:, None]
    return np.bincount(places.ravel(), minlength=cells * len(codes)).reshape(len(codes), cells)


def _shares(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts / np.maximum(counts.sum(axis=1), 1)[:, None])


def _ks(distance: np.ndarray, then: np.ndarray, now: np.ndarray) -> np.ndarray:
    from scipy.stats import kstwobign

    root = np.sqrt(np.maximum(then * now / np.maximum(then + now, 1), 1e-12))
    return np.where((then > 0) & (now > 0), kstwobign.sf((root + 0.12 + 0.11 / root) * distance), 1.0)


def _chi_square(then: np.ndarray, now: np.ndarray) -> np.ndarray:
    from scipy.stats import chi2

    old, new = (np.maximum(counts.sum(axis=1), 1)[:, None] for counts in (then, now))
    both = then + now
    off = (np.sqrt(old / new) * now - np.sqrt(new / old) * then) ** 2 / np.maximum(both, 1)
    free = (both > 0).sum(axis=1) - 1
    there = (free > 0) & (then.sum(axis=1) > 0) & (now.sum(axis=1) > 0)
    return np.where(there, chi2.sf(off.sum(axis=1), np.maximum(free, 1)), 1.0)


def share_p(
    then: np.ndarray, of_then: np.ndarray, now: np.ndarray, of_now: np.ndarray, upwards: bool = False
) -> np.ndarray:
    """Give how often chance alone makes such a difference of two shares, given how many hits there are in all.

    Parameters
    ----------
    then, of_then, now, of_now
        Hits and cases of the reference and of the windows, shape (windows,) or numbers.
    upwards
        Whether only a rise counts; else both ways do (twice the smaller tail).
    """
    from scipy.stats import hypergeom

    # windows of one size have few different counts, and this distribution takes long
    table = np.column_stack(np.broadcast_arrays(*map(np.atleast_1d, (then, of_then, now, of_now))))
    rows, place = np.unique(table, axis=0, return_inverse=True)
    old, of_old, new, of_new = rows.T
    total, hits = of_old + of_new, old + new
    more = hypergeom.sf(new - 1, total, hits, of_new)
    p = more if upwards else np.minimum(1.0, 2 * np.minimum(more, hypergeom.cdf(new, total, hits, of_new)))
    return np.asarray(np.where(total > 0, p, 1.0)[place.ravel()])
