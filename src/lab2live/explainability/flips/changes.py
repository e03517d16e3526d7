"""The changes of one case: which single ones are allowed, how several are applied together, and how far they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.explainability.derived import reading
from lab2live.explainability.flips.moves import Moves, Space, apart

# Of a derived column's bounds, for values that a silo has rounded.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Changes:
    """The changes of one case. A *step* is one value of one column, by its place in `Space.steps`.

    Attributes
    ----------
    space
        See `moves.Space`.
    decks
        Column -> the values it may take and, as the last one, its own.
    free
        The steps that are allowed, shape (free,).
    sizes
        How far each step moves the case, shape (steps,), see `moves.apart`.
    gaps
        How far the case is from every reference by each column that may change, shape (moves, references).
    """

    space: Space
    decks: Mapping[str, Any]
    free: np.ndarray
    sizes: np.ndarray
    gaps: np.ndarray

    @classmethod
    def of(cls, space: Space, case: Mapping[str, Any]) -> Changes:
        """Look at a case: column of the joined table -> value."""
        decks = {name: space.deck(name, case.get(name)) for name in space.dtypes}
        steps = space.steps
        read = np.array([_read(move, decks[move.column]) for move in space.moves])
        scaled = np.array([move.scaled(number) for move, number in zip(space.moves, read, strict=True)], dtype=float)
        sizes = apart(scaled[steps.column], steps.target, steps.is_category[steps.column])
        ahead = steps.order - read[steps.column]
        # where a value is missing nobody knows in which direction another one lies
        free = (ahead != 0) & ((steps.sign == 0) | (np.sign(ahead) * steps.sign > 0))
        gaps = apart(scaled[:, None], space.scaled, steps.is_category[:, None])
        return cls(space, decks, np.flatnonzero(free), sizes, gaps)

    def own(self, column: str) -> Any:
        """Give the case's own value of a column."""
        return self.decks[column][-1]

    def apply(self, steps: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
        """Make changes, and compute the derived columns again.

        Parameters
        ----------
        steps
            Shape (changes, columns changed); -1 for none.

        Returns
        -------
        pandas.DataFrame, numpy.ndarray
            Rows of the joined table and their steps: those that leave every derived column known, within what training
            cases have, and on the right side of the case's own value where it may only go one way.
        """
        column, value = self.space.steps.column, self.space.steps.value
        own = np.array([len(move.values) for move in self.space.moves], dtype=int)
        places = np.tile(own, (len(steps), 1))
        for taken in steps.T:
            made = np.flatnonzero(taken >= 0)
            places[made, column[taken[made]]] = value[taken[made]]
        touched = {move.column: places[:, place] != own[place] for place, move in enumerate(self.space.moves)}
        taken_from = {move.column: places[:, place] for place, move in enumerate(self.space.moves)}
        same = np.zeros(len(steps), dtype=int)
        frame = pd.DataFrame({name: deck.take(taken_from.get(name, same)) for name, deck in self.decks.items()})
        allowed = np.ones(len(steps), dtype=bool)
        for one in self.space.derived:
            moved = np.any([touched.get(source, same > 0) for source in one.sources], axis=0)
            touched[one.column] = moved
            if not moved.any():
                continue
            before = reading(frame[one.column])
            computed = one.compute({source: reading(frame[source]) for source in one.sources})
            frame[one.column] = np.where(moved, computed, before)
            low, high = self.space.bounds.get(one.column, (-np.inf, np.inf))
            room = ROUNDING * max(abs(low), abs(high))
            sound = (computed >= low - room) & (computed <= high + room)
            direction = self.space.directions.get(one.column)
            if direction is not None:
                sound &= computed >= before if direction == "increase" else computed <= before
            allowed &= sound | ~moved | (np.isnan(before) & np.isnan(computed))
        return (frame, steps) if allowed.all() else (frame[allowed].reset_index(drop=True), steps[allowed])

    def further(self, steps: np.ndarray) -> np.ndarray:
        """Add every allowed step in another column to each of some changes, shape (changes, columns changed + 1)."""
        column = self.space.steps.column
        longer = np.column_stack([np.repeat(steps, len(self.free), axis=0), np.tile(self.free, len(steps))])
        new = (column[longer[:, :-1]] != column[longer[:, -1:]]).all(axis=1)
        longer = np.sort(longer[new], axis=1)
        # the same change reached in two orders has the same number
        key = longer @ (len(column) + 1) ** np.arange(longer.shape[1])
        return np.asarray(longer[np.unique(key, return_index=True)[1]])

    def size(self, steps: np.ndarray) -> np.ndarray:
        """Say how far changes move the case, shape (changes,)."""
        return np.asarray(self.sizes[steps].sum(axis=1))

    def distance(self, steps: np.ndarray, others: np.ndarray, nearest: int) -> np.ndarray:
        """Give the mean distance of changed cases to the nearest of some references, shape (changes,).

        Parameters
        ----------
        steps
            See `apply`.
        others
            Places of references.
        nearest
            How many of them count.

        Returns
        -------
        numpy.ndarray
            The mean over the columns that may change, see `moves.apart` (Gower 1971).
        """
        column, targets = self.space.steps.column, self.space.gaps
        apart = np.tile(self.gaps[:, others].sum(axis=0), (len(steps), 1))
        for taken in steps.T:
            apart += targets[taken][:, others] - self.gaps[column[taken]][:, others]
        nearest = min(nearest, len(others))
        return np.asarray(np.partition(apart, nearest - 1, axis=1)[:, :nearest].mean(axis=1) / len(self.gaps))

    def pick(self, steps: np.ndarray, ahead: np.ndarray, most: int) -> np.ndarray:
        """Choose the changes to go on from: of every set of columns the best one first, then the best of all.

        Parameters
        ----------
        steps, ahead
            Changes, and how far the model has come with each, shape (changes,).
        most
            How many.
        """
        order = np.argsort(-ahead, kind="stable")
        columns = np.sort(self.space.steps.column[steps[order]], axis=1)
        key = columns @ (len(self.space.moves) + 1) ** np.arange(columns.shape[1])
        first = np.zeros(len(order), dtype=bool)
        first[np.unique(key, return_index=True)[1]] = True
        return np.asarray(steps[np.concatenate([order[first], order[~first]])[:most]])


def _read(move: Moves, deck: Any) -> float:
    """Read a case's own value as a number."""
    own = deck[-1]
    plain = move.kind == "number" and isinstance(own, int | float | np.integer | np.floating)
    return float(own) if plain else float(move.read([own])[0])
