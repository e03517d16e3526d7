"""What was found in a batch, as tables and charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live.charter import metrics
from lab2live.handoff.alerts import MOVED, OF_SERVICE, RATES, Judged
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.judging import Column, Verdict
from lab2live.monitoring.window import Window
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYMBOLS = {"ok": "✔", "ticket": "▲", "page": "✖", "skip": "–"}
# Columns in a table or a chart.
MOST = 15


def window_sentence(seen: Window, base: Baseline) -> str:
    """Say what is judged, against what."""
    part = "" if seen.rows == seen.cases else f", of which {seen.rows:,} drawn at random are looked at"
    arrived = 0 if seen.known is None else int(np.isfinite(seen.known).sum())
    outcomes = f"{amount(arrived, 'of them has', 'of them have')} an outcome" if arrived else "no outcome has arrived"
    outcomes += f", {amount(seen.unread, 'outcome is', 'outcomes are')} not understood" if seen.unread else ""
    return (
        f"The batch has {amount(seen.cases, 'case')}{part}; {outcomes}. It is held against {base.cases:,} cases that "
        "the model was tested on."
    )


def rates_sentence() -> str:
    """Say how often alerts fire for nothing."""
    return (
        f"When nothing has changed, at most {RATES['ticket']:.0%} of all batches raise a ticket and "
        f"{RATES['page']:.0%} a page."
    )


def overview(judged: Sequence[Judged], service: bool = False) -> pd.DataFrame:
    """Show the alerts on a batch, or those of a service."""
    return pd.DataFrame(
        [
            {
                "alert": one.id.replace("_", " "),
                "status": f"{SYMBOLS[one.status]}\N{NO-BREAK SPACE}{one.status}",
                "what was found": one.message,
            }
            for one in judged
            if (one.id in OF_SERVICE) == service
        ]
    )


def to_do(judged: Sequence[Judged]) -> pd.DataFrame:
    """Show what to do about the alerts that fire, pages first."""
    firing = sorted((one for one in judged if one.fires), key=lambda one: one.status)
    return pd.DataFrame(
        [
            {
                "alert": f"{one.id.replace('_', ' ')} ({one.status})",
                "look at first": one.alert.first_check,
                "do": one.alert.action,
                "who": one.alert.owner.replace("_", " "),
            }
            for one in firing
        ]
    )


def columns_table(columns: Sequence[Column]) -> pd.DataFrame:
    """Show what became of each column, the one that moved most on top."""
    return pd.DataFrame(
        [
            {
                "column": one.name,
                "cases that lie elsewhere": f"{one.moved.distance[0]:.1%}",
                "stability index": f"{one.index:.2f}",
                "without a value": f"{one.moved.gone[0]:+.1%}",
                "rare or unknown": f"{one.moved.unknown[0]:+.1%}" if one.shape.kind == "category" else "–",
                "by chance alone": _chance(float(one.moved.p[0])),
                "verdict": "broken" if one.broken else "drifted" if one.drifted else "as before",
            }
            for one in _ordered(columns)
        ]
    )


def columns_chart(columns: Sequence[Column]) -> Figure:
    """Draw how far each column has moved."""
    shown = _ordered(columns)
    drifted = [one.name for one in shown if one.drifted or one.broken]
    title = f"{drifted[0]} has moved most" if drifted else "No column has clearly moved"
    far = [float(one.moved.far[0]) for one in shown]
    names = [one.name for one in shown]
    return plots.bars(names, far, title, "share of cases that lie elsewhere", MOVED, "matters from", percent=True)


def shares_chart(column: Column) -> Figure:
    """Draw how one column is distributed now and was then."""
    place = np.append(column.shape.tenths, column.shape.cells)  # forty bars are no picture
    last = dict(zip(place.tolist(), [*column.shape.names, "(no value)"], strict=True))
    then = np.bincount(place, [*column.shape.counts, column.shape.missing])[list(last)]
    now = np.bincount(place, column.now)[list(last)]
    names = list(last.values())
    change = now / max(now.sum(), 1) - then / max(then.sum(), 1)
    kept = [number for number in range(len(names)) if then[number] or now[number]][:MOST]
    title = f"Where the cases have moved: {column.name}"
    points = [100 * float(change[number]) for number in kept]
    return plots.bars([names[number] for number in kept], points, title, "more (+) or fewer (−) of 100 cases")


def performance_chart(base: Baseline, found: Verdict) -> Figure:
    """Draw the score when the model was tested, in this batch, and as estimated."""
    rows = {
        "when it was tested": base.score,
        "in this batch": found.score,
        "tested, estimated without outcomes": base.estimate,
        "in this batch, estimated": found.estimate,
    }
    there = {name: one for name, one in rows.items() if one is not None}
    label = metrics.METRICS[base.judge.metric].label
    fires = [one for one in found.judged if one.fires and one.id in ("realised_performance", "estimated_performance")]
    title = "The model does worse than when it was tested" if fires else "The model does as well as when it was tested"
    if not found.score and not found.estimate:
        title = "Nothing can be said about how well the model does"
    values = list(there.values())
    return plots.intervals(
        list(there),
        [one.value for one in values],
        [one.low for one in values],
        [one.high for one in values],
        title,
        f"{label}, 95 % interval",
    )


def _ordered(columns: Sequence[Column]) -> list[Column]:
    return sorted(columns, key=lambda one: -float(one.moved.far[0]))[:MOST]


def _chance(p: float) -> str:
    return "below 0.1%" if p < 0.001 else f"{p:.1%}"
