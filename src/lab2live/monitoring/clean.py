"""Windows in which nothing has changed: from which level on an alert is rare in them, and whether that is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab2live.handoff.alerts import RATES, Level
from lab2live.monitoring.drift import Moved, counted, moved, share_p
from lab2live.monitoring.shape import Shape

# Sizes of the windows that are drawn, as long as two of them fit into the reference; how many of each, and from how
# many cases they are drawn at most.
SIZES, WINDOWS, MOST = (100, 200, 400, 800), 2000, 10_000
# Cases from which on a window, and a reference, say anything.
FEWEST, FEWEST_REFERENCE = 50, 100
# The triggers of the fallback that are watched, by the level of their alert.
WATCHED: Mapping[Level, tuple[str, ...]] = {
    "ticket": ("out_of_distribution", "low_confidence"),
    "page": ("invalid_input",),
}


@dataclass(frozen=True)
class Reference:
    """All cases that nothing happened to, as places among counts.

    Attributes
    ----------
    inputs, said
        The columns, and what the model says.
    codes
        Of all of these, shape (columns, rows); of what the model says, the cases it did not answer are missing.
    reasons
        See `Window`.
    groups
        Which cases belong together, shape (rows,); `None` where each stands alone.
    """

    inputs: tuple[Shape, ...]
    said: tuple[Shape, ...]
    codes: np.ndarray
    reasons: np.ndarray
    groups: np.ndarray | None

    @property
    def rows(self) -> int:
        return len(self.reasons)

    def part(self, rows: np.ndarray) -> Reference:
        """Give some of the cases."""
        groups = None if self.groups is None else self.groups[rows]
        return Reference(self.inputs, self.said, self.codes[:, rows], self.reasons[rows], groups)

    def draw(self, random: np.random.Generator, size: int, windows: int) -> np.ndarray:
        """Draw windows without replacement, whole groups at a time: row numbers, shape (windows, size)."""
        if self.groups is None:
            return np.stack([random.permutation(self.rows)[:size] for _ in range(windows)])
        names = np.unique(self.groups, return_inverse=True)[1]
        order = [np.argsort(random.permutation(names.max() + 1)[names], kind="stable") for _ in range(windows)]
        return np.stack(order)[:, :size]


@dataclass(frozen=True)
class Signs:
    """What some windows show: per column and trigger what has moved, and how sure the difference is."""

    inputs: tuple[Moved, ...]
    said: tuple[Moved, ...]
    reasons: Mapping[str, np.ndarray]

    def smallest(self, level: Level) -> np.ndarray:
        """Give the smallest p among all that is watched at a level, shape (windows,)."""
        columns = self.inputs if level == "ticket" else self.said
        return np.min([*(one.p for one in columns), *(self.reasons[name] for name in WATCHED[level])], axis=0)


def signs(reference: Reference, windows: Reference, picked: np.ndarray, apart: bool) -> Signs:
    """Hold windows against a reference.

    Parameters
    ----------
    reference, windows
        The cases that are compared with, and those that the windows are made of.
    picked
        See `Reference.draw`.
    apart
        Whether they are others; else the cases of a window are left out of the reference.
    """
    found = []
    for number, shape in enumerate((*reference.inputs, *reference.said)):
        everything = counted(shape, reference.codes[number][None])
        now = counted(shape, windows.codes[number][picked])
        if number >= len(reference.inputs):  # cases without an answer are watched by their trigger
            everything[:, -1] = now[:, -1] = 0
        found.append(moved(shape, everything if apart else everything - now, now))
    size, reasons = picked.shape[1], {}
    for name in (*WATCHED["ticket"], *WATCHED["page"]):
        hits = (windows.reasons == name)[picked].sum(axis=1)
        before = int((reference.reasons == name).sum())
        then, of = (before, reference.rows) if apart else (before - hits, reference.rows - size)
        reasons[name] = share_p(np.asarray(then), np.asarray(of), hits, np.asarray(size), upwards=True)
    inputs = len(reference.inputs)
    return Signs(tuple(found[:inputs]), tuple(found[inputs:]), reasons)


@dataclass(frozen=True)
class Levels:
    """How small a p has to be at windows of some sizes, so that all that is watched together fires no more than stated.

    Attributes
    ----------
    sizes
        Cases of a window; empty where there were too few cases to draw windows from.
    ticket, page, page_known
        The level at each size; the last one where outcomes are judged as well.
    """

    sizes: tuple[int, ...] = ()
    ticket: tuple[float, ...] = ()
    page: tuple[float, ...] = ()
    page_known: tuple[float, ...] = ()

    def at(self, level: Level, size: int, with_outcomes: bool = False) -> float:
        """Give the level at any size: between those drawn by the logarithm, beyond them that of the nearest."""
        levels = self.ticket if level == "ticket" else self.page_known if with_outcomes else self.page
        return float(np.interp(math.log(size), np.log(self.sizes), levels))


def levels(
    reference: Reference,
    seed: int,
    estimated: bool,
    judged: int,
    sizes: Sequence[int] = SIZES,
    windows: int = WINDOWS,
) -> Levels:
    """Find the levels, by drawing windows of the reference and comparing them with the rest of it.

    Columns depend on each other and shares come in steps, so that a correction for many comparisons by formula would
    be too strict. The smallest of all p is what is drawn (Westfall and Young 1993).

    Parameters
    ----------
    reference
        The cases that were held back.
    seed
        Of the draws.
    estimated
        Whether an estimate of the performance is judged beside: under no change its p is even from 0 to 1.
    judged
        How many numbers are judged from outcomes: score and money.
    sizes, windows
        How large the windows are, and how many are drawn of each size.
    """
    random = np.random.default_rng(seed)
    if reference.rows > MOST:
        reference = reference.part(np.sort(random.permutation(reference.rows)[:MOST]))
    if reference.rows < FEWEST_REFERENCE:
        return Levels()
    fitting = [size for size in sizes if 2 * size <= reference.rows] or [reference.rows // 2]
    found: dict[str, list[float]] = {"ticket": [], "page": [], "page_known": []}
    for size in fitting:
        seen = signs(reference, reference, reference.draw(random, size, windows), apart=False)
        beside = {"ticket": int(estimated), "page": 0, "page_known": judged}
        for name, more in beside.items():
            level: Level = "ticket" if name == "ticket" else "page"
            even = random.random((windows, more)).min(axis=1, initial=1.0)
            smallest = np.minimum(seen.smallest(level), even)
            # never above the rate itself: where hardly anything can happen by chance, the rate is enough
            found[name].append(min(float(np.quantile(smallest, RATES[level], method="lower")), RATES[level]))
    return Levels(tuple(fitting), **{name: tuple(one) for name, one in found.items()})
