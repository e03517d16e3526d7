"""How rows are lost, doubled and orphaned: one plain function a kind, see `faults.KINDS`."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data.feature_types import as_days, as_numbers
from lab2live.synthesis.planting import Plot

# More different texts than these are names.
MOST_LEVELS = 20


def _nearest(shares: pd.Series, share: float) -> Any:
    return (shares - share).abs().sort_values(kind="stable").index[0]


def entity(plot: Plot) -> None:
    shares = plot.values.value_counts(normalize=True).sort_index()
    if len(shares) < 3:
        raise plot.misfit("fewer than three different values")
    gone = plot.more.get("value", _nearest(shares, plot.share))
    plot.keep((plot.values != gone).to_numpy())


def band(plot: Plot) -> None:
    values = as_numbers(plot.values)
    start = (1 - plot.share) * plot.random.uniform(0.4, 0.6)
    low, high = np.nanquantile(values, [start, start + plot.share])
    if low == high:
        raise plot.misfit("one value makes up the whole band")
    plot.keep(~((values >= low) & (values < high)))


def _category_beside(plot: Plot) -> Any:
    """Give the first other column of few texts."""
    texts = (name for name in plot.frame if name != plot.column and plot.frame[name].dtype == object)
    return next((name for name in texts if 2 <= plot.frame[name].nunique() <= MOST_LEVELS), None)


def combination(plot: Plot) -> None:
    other = plot.more.get("other", _category_beside(plot))
    if other is None:
        raise plot.misfit("the source has no other column of few values")
    shares = plot.frame.groupby([plot.column, other]).size() / len(plot.frame)
    one, two = _nearest(shares, plot.share)
    plot.places.append((plot.source, other))
    plot.keep(~((plot.values == one) & (plot.frame[other] == two)).to_numpy())


def gap(plot: Plot) -> None:
    days = as_days(plot.values)
    start = (1 - plot.share) * plot.random.uniform(0.3, 0.8)
    low, high = np.floor(np.nanquantile(days, [start, start + plot.share]))
    plot.keep(~((days >= low) & (days < max(high, low + 1))))


def truncated(plot: Plot) -> None:
    plot.keep(np.arange(len(plot.frame)) < round((1 - plot.share) * len(plot.frame)))


def late(plot: Plot) -> None:
    days = as_days(plot.values)
    newest = days >= np.floor(np.nanmax(days)) - plot.more.get("days", 7) + 1
    plot.keep(~(newest & (plot.random.random(len(days)) < plot.share)))


def stale(plot: Plot) -> None:
    mask = np.ones(len(plot.frame), dtype=bool)
    mask[plot.last()] = False
    plot.keep(mask)


def orphans(plot: Plot) -> None:
    rows = plot.pick()
    known = {value for frame in plot.frames.values() if plot.column in frame for value in frame[plot.column]}
    strangers = [_stranger(value, known, plot.random) for value in plot.values.iloc[rows]]
    if None in strangers:
        raise plot.misfit("neither texts nor numbers")
    plot.write(rows, strangers)


def _stranger(value: Any, known: set[Any], random: np.random.Generator) -> Any:
    while True:
        if isinstance(value, str):
            new: Any = "".join(str(random.integers(10)) if sign.isdigit() else sign for sign in value)
            new = new if new != value else f"{value}{random.integers(10)}"
        elif not isinstance(value, Real):
            return None
        else:
            new = value + int(random.integers(10**6, 10**9))
        if new not in known:
            return new
        value = f"{value}9" if isinstance(value, str) else value


def spelt_keys(plot: Plot) -> None:
    copies = plot.frame.iloc[plot.pick()].copy()
    texts = copies[plot.column].astype(str)
    changed = np.where(texts == texts.str.upper(), texts.str.lower(), texts.str.upper())
    spaced = (changed == texts) | (plot.random.random(len(texts)) < 0.5)
    copies[plot.column] = np.where(spaced, texts + " ", changed)
    plot.append(copies)


def repeated_keys(plot: Plot) -> None:
    rows = plot.pick()
    others = plot.frame.iloc[plot.random.permutation(rows)].reset_index(drop=True)
    others[plot.column] = plot.values.iloc[rows].to_numpy()
    plot.append(others)


def copies(plot: Plot) -> None:
    plot.append(plot.frame.iloc[plot.pick(np.ones(len(plot.frame), dtype=bool))])


def fan_out(plot: Plot) -> None:
    rows = plot.pick()
    rows = np.repeat(rows, plot.random.integers(1, 4, len(rows)))
    others = plot.frame.iloc[plot.random.integers(0, len(plot.frame), len(rows))].reset_index(drop=True)
    others[plot.column] = plot.values.iloc[rows].to_numpy()
    plot.append(others)
