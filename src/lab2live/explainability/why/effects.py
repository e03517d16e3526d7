"""The shape of each effect: what the model adds for which value of a column, over all explained cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lab2live.data.encoding import MISSING, OTHER, Columns, day
from lab2live.explainability.why.contributions import Reasons
from lab2live.explainability.why.families import Family
from lab2live.explainability.why.telling import Scale, shown
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount
from lab2live.reporting.style import BLUE, INK, QUIET, canvas, clean, drawn, finish, write_title

# A number with so few different values is shown value by value; one with more, in as many bins of equal size.
FEW, BINS = 8, 10
MOST_ROWS = 8
# Fewer bins than these make no curve: most cases share a few values.
FEWEST_BINS = 5
# The band holds the reasons of 9 of 10 cases in a bin.
BAND = (0.05, 0.95)
# A curve may turn by this share of its range without being said to turn: bins wobble.
WOBBLE = 0.15


@dataclass(frozen=True)
class Effect:
    """What the model adds for which value of one column.

    Attributes
    ----------
    name
        Of the column, or of the family of columns.
    source
        The column along which it is shown.
    kind
        `curve` for a number or date with many values, else `rows`.
    labels
        The value of each row, or the middle of each bin, in words.
    at
        The middles as numbers; empty for rows.
    mean, low, high
        The average reason and the band of 9 in 10 cases, in points or in the target's unit.
    cases
        Behind each of them.
    missing
        The average reason where the value of a curve's column is not known; `None` if it always is.
    """

    name: str
    source: str
    kind: str
    labels: tuple[str, ...]
    at: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    cases: tuple[int, ...]
    missing: float | None = None


def effect(
    reasons: Reasons, family: Family, inputs: pd.DataFrame, raw: pd.DataFrame, part: Columns, scale: Scale, unit: str
) -> Effect:
    """Sum up the reasons of one family of columns along its first source.

    Parameters
    ----------
    reasons
        Of these families; in all cases for and against the same output, see `Reasons.toward`.
    inputs, raw
        The same cases as models take them, and in their own units.
    part, unit
        The part each column plays, and the unit of this one; empty if nobody has stated it.
    """
    source, values = family.sources[0], inputs[family.sources[0]]
    moved = scale.factor * reasons.points[family.name].to_numpy()
    if part.kinds[source] == "category":
        return _rows(family.name, source, _categories(values), moved)
    numbers = values.to_numpy(dtype=float)
    known = ~np.isnan(numbers)
    unknown = [("not known", ~known)] if (~known).any() else []
    different = np.unique(numbers[known])
    if len(different) <= FEW:
        first = {value: int(np.flatnonzero(numbers == value)[0]) for value in different}
        groups = [(shown(raw[source].iloc[row], unit), numbers == value) for value, row in first.items()]
        return _rows(family.name, source, [*groups, *unknown], moved)
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    bins = [known & (place == number) for number in range(len(edges) - 1)]
    bins = [chosen for chosen in bins if chosen.any()]
    write = day if part.kinds[source] == "date" else partial(shown, unit=unit)
    if len(bins) < FEWEST_BINS:
        ends = [(float(numbers[chosen].min()), float(numbers[chosen].max())) for chosen in bins]
        labels = [
            write(low) if low == high else f"{write(low).removesuffix(unit).strip()} to {write(high)}"
            for low, high in ends
        ]
        return _rows(family.name, source, [*zip(labels, bins, strict=True), *unknown], moved)
    middles = [float(np.median(numbers[chosen])) for chosen in bins]
    missing = float(moved[~known].mean()) if unknown else None
    labels = [write(middle) for middle in middles]
    return _effect(family.name, source, "curve", labels, middles, bins, moved, missing)


def _categories(values: pd.Series) -> list[tuple[str, np.ndarray]]:
    text = values.map(str)
    names = {MISSING: "not known", OTHER: "any other"}
    kept = text.value_counts().index[:MOST_ROWS]
    return [(names.get(value, value), (text == value).to_numpy()) for value in kept]


def _rows(name: str, source: str, groups: Sequence[tuple[str, np.ndarray]], moved: np.ndarray) -> Effect:
    labels = [f"{label} ({amount(int(chosen.sum()), 'case')})" for label, chosen in groups]
    return _effect(name, source, "rows", labels, [], [chosen for _, chosen in groups], moved, None)


def _effect(
    name: str,
    source: str,
    kind: str,
    labels: Sequence[str],
    at: Sequence[float],
    bins: Sequence[np.ndarray],
    moved: np.ndarray,
    missing: float | None,
) -> Effect:
    bands = [np.quantile(moved[chosen], BAND) for chosen in bins]
    return Effect(
        name,
        source,
        kind,
        tuple(labels),
        tuple(at),
        tuple(float(moved[chosen].mean()) for chosen in bins),
        tuple(float(low) for low, _ in bands),
        tuple(float(high) for _, high in bands),
        tuple(int(chosen.sum()) for chosen in bins),
        missing,
    )


def sentence(effect: Effect, scale: Scale) -> str:
    """Say how the answer depends on the column."""
    return ": ".join(filter(None, _told(effect, scale))) + "."


def _told(effect: Effect, scale: Scale) -> tuple[str, str]:
    """Give the headline of an effect, and the numbers behind it."""
    mean = np.array(effect.mean)
    top, bottom = int(mean.argmax()), int(mean.argmin())

    def said(place: int) -> str:
        return scale.alone(float(mean[place]))

    if np.ptp(mean) == 0:
        return f"{effect.name} adds the same everywhere", ""
    if effect.kind == "rows":
        names = [label.rpartition(" (")[0] for label in effect.labels]
        return effect.name, f"{names[top]} adds most ({said(top)}), {names[bottom]} least ({said(bottom)})"
    ends = f"{said(0)} at {effect.labels[0]}, {said(len(mean) - 1)} at {effect.labels[-1]}"
    shape = _shape(mean)
    if shape in ("rises", "falls"):
        return f"The answer {shape} with {effect.source}", ends
    if shape == "peak":
        return f"The answer rises with {effect.source} up to {effect.labels[top]} ({said(top)}), then falls", ends
    if shape == "valley":
        at = f"{effect.labels[bottom]} ({said(bottom)})"
        return f"The answer falls with {effect.source} up to {at}, then rises", ends
    extremes = f"highest at {effect.labels[top]} ({said(top)}), lowest at {effect.labels[bottom]} ({said(bottom)})"
    return f"{effect.source} has no single direction", extremes


def _shape(mean: np.ndarray) -> str:
    """Say whether a curve rises, falls, has one peak or one valley, or none of these; small wobbles aside."""
    wobble = WOBBLE * np.ptp(mean)

    def rises(part: np.ndarray) -> bool:
        return len(part) < 2 or bool((np.maximum.accumulate(part) - part).max() <= wobble)

    top, bottom = int(mean.argmax()), int(mean.argmin())
    if rises(mean):
        return "rises"
    if rises(-mean):
        return "falls"
    if rises(mean[: top + 1]) and rises(-mean[top:]):
        return "peak"
    return "valley" if rises(-mean[: bottom + 1]) and rises(mean[bottom:]) else "mixed"


@drawn
def chart(effect: Effect, scale: Scale, unit: str = "", meaning: str = "") -> Figure:
    """Draw one effect: rows with intervals, or a curve with its band.

    Parameters
    ----------
    unit
        Of the column.
    meaning
        The class that the answer is about; empty for a regression.
    """
    title = _told(effect, scale)[0] if effect.kind == "curve" else f"What {effect.name} adds"
    ylabel = f"added to {f'the chance of {meaning}' if meaning else 'the answer'}, {scale.measured}"
    if effect.kind == "rows":
        return plots.intervals(
            effect.labels, effect.mean, effect.low, effect.high, title, ylabel, reference=0.0, reference_label="nothing"
        )
    figure = canvas(3.4)
    axes = figure.subplots()
    axes.fill_between(effect.at, effect.low, effect.high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(effect.at, effect.mean, color=BLUE, marker="o", markersize=5, linewidth=2)
    axes.axhline(0, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
    if effect.missing is not None:
        beyond = effect.at[-1] + 0.1 * (effect.at[-1] - effect.at[0])
        axes.plot(beyond, effect.missing, "D", color=QUIET, markersize=7)
        axes.annotate("not known", (beyond, effect.missing), (0, 8), textcoords="offset points", ha="right")
    axes.grid(axis="y")
    axes.locator_params(axis="x", nbins=6)
    dates = effect.labels[0] == day(effect.at[0])
    if dates:
        axes.xaxis.set_major_formatter(lambda value, _: day(value)[:7])
    axes.set_xlabel(clean(f"{effect.source}{f' ({unit})' if unit else ''}"))
    axes.set_ylabel(clean(ylabel).replace(", ", ",\n", 1))
    write_title(figure, title)
    facts = [f"{at} {scale.reason(mean, 1)}" for at, mean in zip(effect.labels, effect.mean, strict=True)]
    band = "the band holds 9 of 10 cases"
    return finish(figure, f"{sentence(effect, scale)} {ylabel}; {band}: {'; '.join(facts)}.")
