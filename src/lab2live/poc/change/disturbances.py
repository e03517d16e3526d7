"""Ways in which live data differ from those learnt from, done to the columns as the silos deliver them (L2).

They come before the user's features, so that derived columns follow. Days are only made missing: that live cases are
later than those learnt from is what a split by time and `staleness` look at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import feature_types, models
from lab2live.data.encoding import Columns
from lab2live.data.feature_types import as_numbers
from lab2live.pipeline import hooks

Kind = Literal["dark", "missing", "noise", "higher", "lower", "unseen", "spelling", "units"]

Apply = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]

# How strong each one is tried, weakest first. What stands for the rows is a share of them, noise is in parts of the
# interquartile range, a shift in standard deviations, and units are factors.
LEVELS: dict[Kind, tuple[float, ...]] = {
    "dark": (1.0,),
    "missing": (0.1, 0.3, 1.0),
    "noise": (0.1, 0.25, 0.5),
    "higher": (0.25, 0.5, 1.0),
    "lower": (0.25, 0.5, 1.0),
    "unseen": (0.1, 0.3),
    "spelling": (1.0,),
    "units": (0.01, 100.0, 1000.0),
}

# What is to be expected in a normal year: the level up to which each kind counts for the gate.
PLAUSIBLE: dict[Kind, float] = {"dark": 1.0, "missing": 0.1, "noise": 0.1, "higher": 0.25, "lower": 0.25, "unseen": 0.1}

# Kinds that can be had in any dose, so that it makes sense to ask from which one on the model is worth nothing.
DOSED: tuple[Kind, ...] = ("dark", "missing", "noise", "higher", "lower", "unseen")

# A value that no data have shown.
NEW_LEVEL = "(never seen before)"

# Cases on which it is tried which columns a model uses.
TRIED = 800


@dataclass(frozen=True)
class Disturbance:
    """One way in which live data differ.

    Attributes
    ----------
    kind
        A key of `LEVELS`.
    where
        The column, or the silo that goes dark.
    level
        How strong, see `LEVELS`.
    title
        In plain words.
    apply
        Takes rows of the joined table and a random generator; gives a changed copy, same rows and order. Stronger
        levels change the same rows in the same direction, if the generator is the same.
    """

    kind: Kind
    where: str
    level: float
    title: str
    apply: Apply = field(compare=False, repr=False)

    @property
    def plausible(self) -> bool:
        """Whether it is to be expected in a normal year."""
        return self.kind in PLAUSIBLE and self.level <= PLAUSIBLE[self.kind]


def source_columns(charter: Charter, source: pd.DataFrame) -> dict[str, str]:
    """Give the kind of each column that a silo delivers: number, date, category, or other; keys are left out."""
    names = {charter.prediction.id_column, charter.prediction.group_column, charter.prediction.target}
    names |= {*charter.join_keys, *charter.prediction.annotators}
    found = feature_types.roles(source, identifiers=names)
    return {str(name): found.kinds.get(name, "other") for name in source.columns if name not in names}


def every(
    source: pd.DataFrame, kinds: Mapping[str, str], used: Sequence[str], origins: Mapping[str, str]
) -> list[Disturbance]:
    """List the disturbances worth trying.

    Parameters
    ----------
    source
        Rows as the silos deliver them, of the cases learnt from: they say how far values spread.
    kinds
        See `source_columns`.
    used
        The columns to try.
    origins
        Column -> source, see `tables.origins`. A silo goes dark as a whole, keys apart.
    """
    found: list[Disturbance] = []
    for silo in dict.fromkeys(origins[name] for name in kinds if name in origins):
        gone = [name for name in kinds if origins.get(name) == silo]
        found.append(Disturbance("dark", silo, 1.0, f"{silo} goes dark", partial(_dark, gone)))
    for name in used:
        column = source[name]
        found += _of(name, "missing", "{level:.0%} of {name} missing", _missing)
        if kinds[name] == "number":
            found += _of_number(name, as_numbers(column))
        elif kinds[name] == "category":
            found += _of(name, "unseen", "{level:.0%} of {name} are values never seen", _unseen)
            if not _respelt(column).equals(column.astype(object)):
                found += _of(name, "spelling", "{name} in another spelling (capitals)", _spelt)
    return found


def _of(name: str, kind: Kind, title: str, change: Callable[..., pd.Series], *more: Any) -> list[Disturbance]:
    return [
        Disturbance(
            kind, name, level, title.format(name=name, level=level), partial(_column, name, change, level, more)
        )
        for level in LEVELS[kind]
    ]


def _of_number(name: str, numbers: np.ndarray) -> list[Disturbance]:
    known = numbers[np.isfinite(numbers)]
    # whatever has two values is a yes or no: it can be missing, but not a little higher
    if len(np.unique(known)) < 3:
        return []
    quarter, three_quarters = np.quantile(known, [0.25, 0.75])
    spread = float(known.std())
    whole, least = bool((known == np.round(known)).all()), 0.0 if known.min() >= 0 else -np.inf
    width = float(three_quarters - quarter) or spread
    return [
        *_of(name, "noise", "{name} noisy by {level:.0%} of its middle half", _noisy, width, whole, least),
        *_of(name, "higher", "{name} higher by {level:g} standard deviations", _shifted, spread, whole, least),
        *_of(name, "lower", "{name} lower by {level:g} standard deviations", _shifted, -spread, whole, least),
        *(
            Disturbance(
                "units",
                name,
                factor,
                f"{name} comes in another unit (x{factor:g})",
                partial(_column, name, _scaled, factor, ()),
            )
            for factor in LEVELS["units"]
        ),
    ]


def _column(
    name: str,
    change: Callable[..., pd.Series],
    level: float,
    more: tuple[Any, ...],
    frame: pd.DataFrame,
    random: np.random.Generator,
) -> pd.DataFrame:
    return frame.assign(**{name: change(frame[name], level, random, *more)})


def _dark(names: Sequence[str], frame: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    return frame.assign(**{name: _emptied(frame[name], np.ones(len(frame), dtype=bool)) for name in names})


def _emptied(column: pd.Series, rows: np.ndarray) -> pd.Series:
    if pd.api.types.is_bool_dtype(column):
        column = column.astype(object)
    return column.mask(rows)


def _missing(column: pd.Series, level: float, random: np.random.Generator) -> pd.Series:
    return _emptied(column, random.random(len(column)) < level)


def _unseen(column: pd.Series, level: float, random: np.random.Generator) -> pd.Series:
    return column.astype(object).mask(random.random(len(column)) < level, NEW_LEVEL)


def _spelt(column: pd.Series, level: float, random: np.random.Generator) -> pd.Series:
    return _respelt(column)


def _respelt(column: pd.Series) -> pd.Series:
    """Write texts in capitals; those that are already, in small letters."""
    texts = column.astype(object)
    return texts.map(lambda value: _swapped(value) if isinstance(value, str) else value)


def _swapped(text: str) -> str:
    return text.upper() if text.upper() != text else text.lower()


def _noisy(
    column: pd.Series, level: float, random: np.random.Generator, width: float, whole: bool, least: float
) -> pd.Series:
    numbers = as_numbers(column) + random.normal(size=len(column)) * level * width
    return pd.Series((np.round(numbers) if whole else numbers).clip(least), index=column.index)


def _shifted(
    column: pd.Series, level: float, random: np.random.Generator, spread: float, whole: bool, least: float
) -> pd.Series:
    numbers = as_numbers(column) + level * spread
    if whole:  # a count stays one: some rows get one more than others
        numbers = np.floor(numbers + random.random(len(column)))
    return pd.Series(numbers.clip(least), index=column.index)


def _scaled(column: pd.Series, level: float, random: np.random.Generator) -> pd.Series:
    return pd.Series(as_numbers(column) * level, index=column.index)


@dataclass(frozen=True)
class Path:
    """The way from what the silos deliver to an answer, as the live model takes it.

    Attributes
    ----------
    charter
        Names the package with the user's features.
    roles
        The part each column plays, as decided on the data learnt from and never on disturbed ones.
    model
        A fitted pipeline.
    """

    charter: Charter
    roles: Columns
    model: Any

    def inputs(self, source: pd.DataFrame) -> pd.DataFrame:
        """Bring rows as the silos deliver them into the form that the model takes."""
        return models.taken(self.model, hooks.add_features(self.charter, source), self.roles)

    def answers(self, inputs: pd.DataFrame) -> np.ndarray:
        """Ask the model; an answer that is no number is an error."""
        found = models.answer(self.model, inputs)
        if not np.isfinite(found).all():
            raise ValueError("the answer is no number")
        return found


def importance(
    ask: Callable[[pd.DataFrame], np.ndarray],
    frame: pd.DataFrame,
    names: Collection[str],
    known: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
    seed: int,
) -> dict[str, float]:
    """Say which columns a model uses: how much it loses when the rows of one column are mixed up.

    Parameters
    ----------
    ask
        From rows of `frame` to answers.
    frame, known
        Cases and their outcomes.
    names
        The columns to mix up.

    Returns
    -------
    dict
        The most important one first. A column whose mixing changes no answer is not in it; one that cannot be mixed
        up without breaking what comes after it comes first, with an infinite loss.
    """
    random = np.random.default_rng(seed)
    before = ask(frame)
    start, lost = score(known, before), {}
    for name in names:
        mixed = frame.assign(**{name: frame[name].iloc[random.permutation(len(frame))].set_axis(frame.index)})
        try:
            after = ask(mixed)
        except Exception:  # the user's code, on rows that do not fit together
            lost[name] = float("inf")
            continue
        if not np.array_equal(before, after):
            lost[name] = float(start - score(known, after))
    return dict(sorted(lost.items(), key=lambda item: -item[1]))
