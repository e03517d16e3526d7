"""How the outcome leaks into features, and how outcomes are wrong: one plain function a kind, see `faults.KINDS`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab2live.data.feature_types import as_numbers
from lab2live.synthesis.planting import Plot, like, moments

# An outcome with more different values than this is a number.
LEVELS = 20


def _outcome(plot: Plot) -> pd.Series:
    """Give the outcome of every row, from the source that has it."""
    target = plot.named("target", "the outcome's column")
    home = plot.frames[plot.more.get("base", plot.source)]
    if target in plot.frame:
        return plot.frame[target]
    key = plot.named("key", "what the sources share")
    return plot.frame[key].map(home.drop_duplicates(key).set_index(key)[target])


def _rank(plot: Plot) -> np.ndarray:
    """Put outcomes between 0 and 1: the rarer class of two is 1."""
    outcome = _outcome(plot)
    if outcome.nunique() == 2:
        return (outcome == outcome.value_counts().index[1]).to_numpy(dtype=float)
    return outcome.rank(pct=True).to_numpy(dtype=float)


def leak(plot: Plot) -> None:
    """A score that is written from the outcome in the share of rows, and empty in the others."""
    rank = _rank(plot)
    written = plot.random.random(len(rank)) < plot.share
    score = np.round(100 * (0.2 + 0.6 * rank) + plot.random.normal(0, 6, len(rank)), 1)
    plot.frame[plot.column] = np.where(written, score, np.nan)
    plot.rows = np.flatnonzero(written)


def ordered_keys(plot: Plot) -> None:
    """Hand out the keys of the share of rows again, in the order of the outcome, in every table."""
    rank = _rank(plot)
    rows = plot.pick()
    keys = plot.values.iloc[rows]
    by_outcome = rows[np.argsort(rank[rows] + plot.random.uniform(0, 1e-6, len(rows)))]
    new = dict(zip(plot.values.iloc[by_outcome], np.sort(keys.to_numpy()), strict=True))
    for name, frame in plot.frames.items():
        if plot.column in frame:
            plot.frames[name] = frame.assign(**{plot.column: [new.get(key, key) for key in frame[plot.column]]})
    plot.rows = rows


def later_date(plot: Plot) -> None:
    """A date that is written once the outcome is: earlier for one outcome than for the other."""
    when = moments(plot.frame[plot.named("time_column", "when the case was decided")])
    rank = _rank(plot)
    filled = plot.random.random(len(when)) < plot.share
    days = 1 + 18 * (1 - rank) + plot.random.gamma(2, 1.5, len(when))
    written = (when + pd.to_timedelta(np.round(days), unit="D")).dt.normalize().where(filled)
    plot.frame[plot.column] = written.where(written <= pd.Timestamp(plot.more.get("until", written.max())))
    plot.rows = np.flatnonzero(plot.frame[plot.column].notna())


def flips(plot: Plot) -> None:
    rows = plot.pick()
    levels = plot.values.dropna().unique()
    if len(levels) < 2:
        raise plot.misfit("fewer than two different values")
    if len(levels) > LEVELS:  # a number: it gets that of another case
        plot.write(rows, plot.values.iloc[plot.random.permutation(rows)].to_numpy(dtype=object))
        return
    plot.write(rows, [plot.random.choice(levels[levels != was]) for was in plot.values.iloc[rows]])


def annotators(plot: Plot) -> None:
    """Two people's labels: one agrees with the outcome, the other does not in the share of rows."""
    first, second = plot.named("annotators", "the names of two columns")
    target = plot.named("target", "the outcome's column")
    if first not in plot.frame:
        plot.frame[first] = plot.frame[target]
    plot.frame[second] = plot.frame[first]
    plot.column = second
    plot.places += [(plot.source, first), (plot.source, target)]
    flips(plot)


def immature(plot: Plot) -> None:
    """Cases moved up to the moment of the extract: most of their outcomes have not happened yet.

    `along` names sources whose dates move with their case.
    """
    time_column = plot.named("time_column", "when the case was decided")
    delay = plot.named("delay", "days until the outcome is known")
    was = moments(plot.frame[time_column])
    until = pd.Timestamp(plot.more.get("until", was.max() + pd.Timedelta(days=delay)))
    rows = plot.pick((plot.values.notna() & was.notna()).to_numpy())
    age = np.ceil(plot.random.uniform(0, delay, len(rows)))
    days = (until.normalize() - was.iloc[rows].dt.normalize()).dt.days.to_numpy() - age
    known = plot.random.random(len(rows)) < age / delay / 2
    outcome = plot.values.iloc[rows]
    if outcome.nunique() > LEVELS:
        plot.write(rows, np.round(as_numbers(outcome) * np.where(known, 1, age / delay), 2))
    else:
        plot.write(rows, np.where(known, outcome, plot.values.value_counts().index[0]))
    for name in plot.more.get("along", ()):
        key = plot.named("key", "what the sources share")
        of_case = pd.Series(days, index=plot.frame[key].iloc[rows]).groupby(level=0).first()
        _move(plot, name, plot.frames[name][key].map(of_case), time_column)
    later = pd.Series(np.nan, index=plot.frame.index)
    later.iloc[rows] = days
    plot.rows = _move(plot, plot.source, later, time_column)
    plot.places.append((plot.source, time_column))


def _move(plot: Plot, source: str, days: pd.Series, time_column: str) -> np.ndarray:
    """Move the dates of some rows, keep a table that was in the order of time in that order, and say where they are."""
    frame = plot.frames[source].copy()
    dates = [name for name in frame if name == time_column or pd.api.types.is_datetime64_any_dtype(frame[name])]
    ordered = next((name for name in dates if moments(frame[name]).is_monotonic_increasing), None)
    for name in dates:
        frame[name] = like(frame[name], moments(frame[name]) + pd.to_timedelta(days.fillna(0), unit="D"))
    order = frame.index if ordered is None else moments(frame[ordered]).sort_values(kind="stable").index
    plot.frames[source] = frame.loc[order].reset_index(drop=True)
    return np.flatnonzero(days.loc[order].notna())
