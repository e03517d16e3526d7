"""What may change in a case, and into what: learnt once, small enough to travel with the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd

from lab2live.data.encoding import Kind, label
from lab2live.data.feature_types import as_days, as_numbers
from lab2live.explainability.derived import Formula, formulas
from lab2live.explainability.sides import Sides
from lab2live.files import plain

# Rows of the joined table, before the user's features -> answers, see `models.answer`.
Predict = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Moves:
    """Into what one column may change.

    Attributes
    ----------
    column, kind
        Of the joined table.
    values
        Values that training cases have, as they stand there; numbers and dates from low to high.
    ranks
        For numbers and dates: the share of the training cases below each value plus half of those that have it.
    direction
        `increase` or `decrease` where it may only do that.
    """

    column: str
    kind: Kind
    values: tuple[Any, ...]
    ranks: tuple[float, ...] = ()
    direction: str | None = None

    @cached_property
    def order(self) -> np.ndarray:
        """The values as numbers; of categories their places."""
        if self.kind == "category":
            return np.arange(len(self.values), dtype=float)
        return self.read(self.values)

    @cached_property
    def places(self) -> dict[str, int]:
        return {label(value): place for place, value in enumerate(self.values)}

    def read(self, values: Sequence[Any]) -> np.ndarray:
        """Read values as floats, NaN for missing: days for dates; for categories places, -1 for all others together."""
        if self.kind == "category":
            return np.array([np.nan if pd.isna(value) else self.places.get(label(value), -1) for value in values])
        column = pd.Series(list(values), dtype=object)
        return as_days(column) if self.kind == "date" else as_numbers(column)

    def scaled(self, read: np.ndarray) -> np.ndarray:
        """Put what was read on the scale on which changes are measured: numbers and dates in ranks from 0 to 1."""
        return read if self.kind == "category" else np.interp(read, self.order, self.ranks)


@dataclass(frozen=True)
class Steps:
    """All single changes: a *step* is one value of one column.

    Attributes
    ----------
    column, value
        The places of the column among the moves and of the value among its values, shape (steps,).
    order, target
        The value as a number, see `Moves.order`, and on the scale on which changes are measured, shape (steps,).
    sign
        1 or -1 where the column may only increase or decrease, else 0, shape (steps,).
    is_category
        Shape (moves,).
    """

    column: np.ndarray
    value: np.ndarray
    order: np.ndarray
    target: np.ndarray
    sign: np.ndarray
    is_category: np.ndarray


@dataclass(frozen=True)
class Space:
    """All that a search for changes needs beside the model.

    Attributes
    ----------
    sides
        What counts as another output.
    dtypes
        Column of the joined table -> how pandas holds it, in the order in which the user's features expect them.
    moves
        Of the columns that may change.
    fixed
        The other columns -> why they may not.
    context
        Those of them that describe a case: what cannot change, is sensitive, or is its time.
    derived
        In the order in which they are computed; only those that stand in the joined table.
    bounds
        Derived column -> the lowest and highest value among training cases.
    directions
        Derived column -> `increase` or `decrease`.
    references
        Training cases to compare with, without what names them: from each side as many as from the others, where
        there are so many.
    answers
        What the model says of them, see `models.answer`.
    hidden
        Whether the references are no real cases any more and are never shown, see `without_people`.
    """

    sides: Sides
    dtypes: Mapping[str, str]
    moves: tuple[Moves, ...]
    fixed: Mapping[str, str]
    context: tuple[str, ...]
    derived: tuple[Formula, ...]
    bounds: Mapping[str, tuple[float, float]]
    directions: Mapping[str, str]
    references: pd.DataFrame
    answers: np.ndarray
    hidden: bool = False

    @cached_property
    def steps(self) -> Steps:
        """All single changes."""
        sizes = [len(move.values) for move in self.moves]
        column = np.repeat(np.arange(len(sizes)), sizes)
        signs = [{"increase": 1, "decrease": -1, None: 0}[move.direction] for move in self.moves]
        return Steps(
            column,
            np.concatenate([np.arange(size) for size in [0, *sizes]]),
            np.concatenate([np.array([]), *(move.order for move in self.moves)]),
            np.concatenate([np.array([]), *(move.scaled(move.order) for move in self.moves)]),
            np.array(signs, dtype=int)[column],
            np.array([move.kind == "category" for move in self.moves], dtype=bool),
        )

    @cached_property
    def scaled(self) -> np.ndarray:
        """The references on the scale of each of the moves, shape (moves, references)."""
        rows = [move.scaled(move.read(list(self.references[move.column]))) for move in self.moves]
        return np.array(rows, dtype=float).reshape(len(rows), len(self.references))

    @cached_property
    def gaps(self) -> np.ndarray:
        """How far every reference is from the target of every step, shape (steps, references)."""
        steps = self.steps
        return apart(steps.target[:, None], self.scaled[steps.column], steps.is_category[steps.column][:, None])

    @cached_property
    def codes(self) -> np.ndarray:
        """On which side the model puts each reference."""
        return self.sides.code(self.answers)

    @cached_property
    def typed(self) -> dict[str, np.ndarray]:
        """The values of every column of plain numbers the way the table holds them."""
        values: dict[str, tuple[Any, ...]] = {move.column: move.values for move in self.moves}
        plain = {name: kind for name, kind in self.dtypes.items() if kind.startswith(("int", "uint", "float"))}
        return {name: np.array(values.get(name, ()), dtype=kind) for name, kind in plain.items()}

    def deck(self, column: str, own: Any) -> Any:
        """Lay the values that a column may take side by side, and a case's own value behind them."""
        typed = self.typed.get(column)
        if typed is None or isinstance(own, bool) or not isinstance(own, int | float | np.integer | np.floating):
            values = next((move.values for move in self.moves if move.column == column), ())
            return held([*values, own], self.dtypes[column]).array
        try:
            # a fraction among whole numbers makes all of them floats, instead of being cut
            last = np.array(int(own) if float(own).is_integer() else float(own), dtype=typed.dtype)
            return np.append(typed, last if last == own else float(own))
        except (ValueError, OverflowError):  # missing, infinite, or more digits than fit among whole numbers
            return np.append(typed, as_numbers(pd.Series([own], dtype=object)))

    def without_people(self) -> Space:
        """Blur the references, so that none of them is a person: for a model that leaves the place of its data.

        Of what may change each is put on the nearest value that many cases share; everything else is emptied. That is
        enough to say which change is most typical, and no longer a case that could be shown.
        """
        blurred = {name: held([None] * len(self.references), dtype) for name, dtype in self.dtypes.items()}
        for move in self.moves:
            read = move.read(list(self.references[move.column]))
            place = np.abs(np.nan_to_num(read)[:, None] - move.order[None]).argmin(axis=1)
            known = np.isfinite(read) & (read >= 0 if move.kind == "category" else True)
            values = [move.values[at] if there else None for at, there in zip(place, known, strict=True)]
            blurred[move.column] = held(values, self.dtypes[move.column])
        return replace(self, references=pd.DataFrame(blurred), hidden=True)

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it."""
        kept: dict[str, Any] = plain(
            {
                "dtypes": self.dtypes,
                "moves": [[one.column, one.kind, one.values, one.ranks, one.direction] for one in self.moves],
                "fixed": self.fixed,
                "context": self.context,
                "derived": {one.column: one.expression for one in self.derived},
                "bounds": self.bounds,
                "directions": self.directions,
                "references": {name: list(self.references[name]) for name in self.references},
                "answers": self.answers,
                "hidden": self.hidden,
            }
        )
        return {"sides": self.sides.to_dict(), **kept}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Space:
        """Read what `to_dict` gave.

        Raises
        ------
        UserError
            If the expression of a derived column cannot be read.
        """
        dtypes = dict(kept["dtypes"])
        moves = [
            Moves(column, kind, tuple(held(values, dtypes[column])), tuple(ranks), direction)
            for column, kind, values, ranks, direction in kept["moves"]
        ]
        return cls(
            Sides.from_dict(kept["sides"]),
            dtypes,
            tuple(moves),
            dict(kept["fixed"]),
            tuple(kept["context"]),
            formulas(kept["derived"], dtypes, "the stored model"),
            {name: (low, high) for name, (low, high) in kept["bounds"].items()},
            dict(kept["directions"]),
            pd.DataFrame({name: held(kept["references"][name], dtype) for name, dtype in dtypes.items()}),
            np.array(kept["answers"]),
            kept["hidden"],
        )


def apart(one: np.ndarray, other: np.ndarray, is_category: np.ndarray) -> np.ndarray:
    """Give the distance of scaled values (Gower 1971): categories 0 or 1, numbers in ranks, missing to known 1."""
    gap = np.where(is_category, one != other, np.abs(one - other))
    missing = np.isnan(one), np.isnan(other)
    return np.where(missing[0] | missing[1], np.where(missing[0] & missing[1], 0.0, 1.0), gap)


def held(values: Sequence[Any], dtype: str) -> pd.Series:
    """Hold values the way the table does: a number that is not there makes whole numbers floats, as in pandas."""
    column, kind = pd.Series(list(values), dtype=object), cast(Any, dtype)
    try:
        if not dtype.startswith(("int", "uint", "float")):
            return column.astype(kind)
        if not dtype.startswith("float") and column.map(_is_whole).all():
            return column.map(int).astype(kind)
    except (TypeError, ValueError, OverflowError):
        if not dtype.startswith(("int", "uint")):
            return column
    # Through one reading, so that neither text nor a fraction among whole numbers is cut to something else.
    return pd.Series(as_numbers(column))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
