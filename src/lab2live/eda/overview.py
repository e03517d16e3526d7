"""What there is to learn from: every source on one line (G1), and the features and the target of the data set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live.charter.schema import DEMO_SCHEME, PUBLIC_SCHEME, SIMULATED_SCHEME, Charter, Source
from lab2live.data.dataset import MOST_LEFT_OUT, Dataset
from lab2live.data.sources.freshness import newest_day
from lab2live.data.sources.tables import Reading
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import plots
from lab2live.reporting.formatting import agree, amount

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def board(charter: Charter, readings: Sequence[Reading], today: dt.date | None = None) -> pd.DataFrame:
    """Show every silo on one line: whom to ask, whether we may, how long it took, what it holds and how new (G1).

    Parameters
    ----------
    charter, readings
        What is said of the sources, and what came of opening them.
    today
        For waiting times and ages; by default the day it is.

    Returns
    -------
    pandas.DataFrame
        `newest` is the latest day in the source's `date_column`. How old a stand-in is says nothing about the silo.
    """
    today = today or dt.date.today()
    lines = []
    for reading in readings:
        source, newest = reading.source, newest_day(reading.table, reading.source.date_column, today)
        waited = ((source.granted_on or today) - source.requested_on).days if source.requested_on else None
        real = source.is_real and not source.address.startswith(DEMO_SCHEME)
        age = (today - newest).days if newest and real else None
        limit = source.fresh_within_days
        stale = None not in (age, limit) and age > limit  # type: ignore[operator]
        reasons = {
            f"access {source.access}": source.access in ("requested", "refused"),
            "cannot be read": reading.table is None,
            "not fresh": stale,
        }
        chase = ", ".join(reason for reason, holds in reasons.items() if holds)
        lines.append(
            {
                "source": source.name,
                "owner": source.owner or "nobody named",
                "access": f"stand-in ({_kind_of_stand_in(source)})" if source.on_stand_in else source.access,
                "days waited": waited,
                "chase": f"{source.owner or 'find an owner'}: {chase}" if chase else None,
                "personal data": {None: "not said", True: "yes", False: "no"}[source.personal_data],
                "newest": newest.isoformat() if newest else None,
                "days old": age,
                "fresh": "not said"
                if age is None or limit is None
                else f"no, limit {limit:g} {agree(limit, 'day', 'days')}"
                if stale
                else "yes",
                "engine": reading.engine or "unreadable",
                "rows": reading.rows,
                "columns": len(reading.columns),
            }
        )
    return pd.DataFrame(lines)


def _kind_of_stand_in(source: Source) -> str:
    if source.address.startswith((SIMULATED_SCHEME, DEMO_SCHEME)):
        return "simulated"
    return "public" if source.address.startswith(PUBLIC_SCHEME) else "file"


def readable(readings: Sequence[Reading]) -> Evidence:
    """Count the sources that could not be read, and say why."""
    broken = [reading for reading in readings if reading.table is None]
    if not broken:
        instead = [reading.source.name for reading in readings if not reading.source.is_real]
        not_tried = f" Stand-ins were read instead of {', '.join(instead)}." if instead else ""
        could = f"All {amount(len(readings), 'source')}" if len(readings) > 1 else "The source"
        return Evidence(0, f"{could} could be read.{not_tried}")
    return Evidence(len(broken), "; ".join(f"{reading.source.name}: {reading.problem}" for reading in broken))


def not_granted(charter: Charter) -> Evidence:
    """Count the sources that are not the real, granted thing, and say whom to chase."""
    waiting = [source for source in charter.sources if source.on_stand_in or not source.is_open]
    if not waiting:
        return Evidence(0, "Access to every source is granted.")
    named = ", ".join(f"{source.name} ({source.access}; chase {source.owner or 'its owner'})" for source in waiting)
    return Evidence(len(waiting), f"Not granted: {named}.")


# Of several classes those with fewer cases do not decide about the project, if they are no large share of all.
FEW = 50


def support(data: Dataset, target: str) -> Evidence:
    """Count the cases of the rarest class that can be judged, or all of a regression: what there is to learn from."""
    figure = outcome_chart(data, target)
    left_out = agree(data.unlabelled, "has no known outcome and is", "have no known outcome and are")
    unknown = f" {amount(data.unlabelled, 'case')} {left_out} left out." if data.unlabelled else ""
    if not data.classes:
        said = f"{amount(len(data.outcome), 'case')} with a known outcome.{unknown}"
        return Evidence(len(data.outcome), said, figure=figure)
    counts = pd.Series(np.bincount(data.outcome, minlength=len(data.classes)), data.classes)
    few = counts[counts < FEW]
    if len(counts) - len(few) < 2 or few.sum() > MOST_LEFT_OUT * counts.sum():
        few = few[:0]
    judged = counts.drop(few.index)
    said = (
        f"{amount(len(data.outcome), 'case')} with a known outcome, {judged.min():,} of them in the rarest class "
        f"({judged.idxmin()}).{unknown}"
    )
    for classes, what in ((few, "too rare to be judged by"), (data.too_few, "too rare to be learnt, and left out")):
        if len(classes):
            named = ", ".join(f"{name} ({count:,})" for name, count in classes.items())
            said += f" {named}: {what}. In the source, put it together with another class, or leave the target empty."
    return Evidence(int(judged.min()), said, figure=figure)


def read_as(readings: Sequence[Reading]) -> pd.DataFrame:
    """Show how each column is read, what could also have been meant, and which are left out."""
    rows = [
        {"source": reading.source.name, "column": column, "read as": how.words, "note": how.note}
        for reading in readings
        for column, how in reading.read_as.items()
    ]
    rows += [
        {"source": reading.source.name, "column": column, "read as": "left out", "note": why}
        for reading in readings
        for column, why in reading.left_out.items()
    ]
    return pd.DataFrame(rows, columns=["source", "column", "read as", "note"])


def parts(data: Dataset) -> pd.DataFrame:
    """Show the part each column plays, or why it plays none."""
    used = [{"column": name, "part": kind, "why not": ""} for name, kind in data.columns.kinds.items()]
    return pd.DataFrame(
        used + [{"column": name, "part": "left out", "why not": why} for name, why in data.columns.left_out.items()]
    )


def gaps(table: pd.DataFrame, most: int = 12) -> pd.Series:
    """Give the share of missing values of the emptiest columns of the table that models see."""
    shares = table.isna().mean()
    shares.index = shares.index.map(str)
    return shares.sort_values(ascending=False, kind="stable").head(most)


def headline(shares: pd.Series) -> str:
    """Say what a chart of gaps shows."""
    if not shares.iloc[0]:
        return "No value is missing"
    return f"{shares.index[0]} is missing in {shares.iloc[0]:.0%} of the rows"


def outcome_chart(data: Dataset, target: str) -> Figure:
    """Draw how often each outcome occurs."""
    if not data.classes:
        return plots.histogram({target: data.outcome}, f"How {target} is distributed", target)
    shares = (np.bincount(data.outcome, minlength=len(data.classes)) / len(data.outcome)).tolist()
    title = f"{target} is {data.classes[-1]} in {shares[-1]:.0%} of the cases"
    return plots.bars(data.classes, shares, title, "share of cases", percent=True)
