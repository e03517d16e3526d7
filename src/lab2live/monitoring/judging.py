"""One batch held against the baseline: every alert with what was measured, or why it could not be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lab2live.charter import metrics
from lab2live.data.encoding import EPOCH, day
from lab2live.handoff import alerts
from lab2live.handoff.alerts import BROKEN, GONE, MORE_HANDED_ON, MORE_REFUSED, MOVED, MOVED_FAR, Judged
from lab2live.monitoring import clean, drift, performing
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.drift import Moved
from lab2live.monitoring.performing import Measured
from lab2live.monitoring.shape import Shape
from lab2live.monitoring.window import Window
from lab2live.reporting.formatting import agree, amount, short

# The shortest time in days after which a model counts as old.
SHORTEST = 30
# Columns named in a message; share of failing cases from which on the model itself is at fault.
NAMED, FAILING = 4, 0.01


@dataclass(frozen=True)
class Column:
    """One column of a batch: what has moved, its stability index, and whether that is sure and large."""

    shape: Shape
    now: np.ndarray
    moved: Moved
    index: float
    drifted: bool
    broken: bool

    @property
    def name(self) -> str:
        return self.shape.name

    @property
    def words(self) -> str:
        """Say what has moved most."""
        one = self.moved
        changes = {
            f"{one.distance[0]:.0%} of the cases lie elsewhere": one.distance[0],
            f"{abs(one.gone[0]):.0%} {'more' if one.gone[0] > 0 else 'fewer'} without a value": abs(one.gone[0]),
            f"{one.unknown[0]:.0%} more with a rare or unknown value": one.unknown[0],
        }
        return f"{self.name} ({max(changes, key=lambda text: float(changes[text]))})"


@dataclass(frozen=True)
class Verdict:
    """What was found in one batch.

    Attributes
    ----------
    judged
        In the order of `ALERTS`, without those of a service.
    columns, said, score, money, estimate
        Of this batch; `None` where a number could not be computed.
    """

    judged: tuple[Judged, ...]
    columns: tuple[Column, ...]
    said: tuple[Column, ...]
    score: Measured | None
    money: Measured | None
    estimate: Measured | None


def judge(base: Baseline, seen: Window, seed: int, today: dt.date) -> Verdict:
    """Judge a batch.

    Parameters
    ----------
    base
        Of the bundle.
    seen
        The batch.
    seed
        Of the intervals.
    today
        Until when outcomes can have arrived.
    """
    known, arrived = _arrived(base, seen, today)
    score, money, unscored = _realised(base, seen, known, seed)
    estimate, unestimated = _estimated(base, seen, seed)
    columns: tuple[Column, ...] = ()
    said: tuple[Column, ...] = ()
    judged = [_stale(base, seen)]
    why = _too_small(base, seen)
    if why:
        watched = ("input_drift", "input_broken", "prediction_drift", "invalid_rate", "fallback_rate")
        judged += [alerts.skipped(name, seen.rows, why) for name in watched]
    else:
        sure = {
            "ticket": base.levels.at("ticket", seen.rows),
            "page": base.levels.at("page", seen.rows, score is not None),
        }
        columns = tuple(_column(one, seen.values[one.name], sure["ticket"], MOVED) for one in base.inputs)
        answers = seen.said()
        said = tuple(_column(one, answers[one.name], sure["page"], MOVED_FAR, answered=True) for one in base.said)
        judged += [*_inputs(columns, seen), _said(said, seen), *_reasons(base, seen, sure)]
    judged += [_failing(seen), _by_estimate(base, seen, estimate, unestimated)]
    judged += _by_outcomes(base, (score, money), unscored or arrived, seen.rows)
    order = list(alerts.CATALOGUE)
    judged.sort(key=lambda one: order.index(one.id))
    return Verdict(tuple(judged), columns, said, score, money, estimate)


def _too_small(base: Baseline, seen: Window) -> str:
    if not base.levels.sizes:
        return f"Only {base.cases:,} cases were held back; it takes {clean.FEWEST_REFERENCE} to hold others against."
    if seen.rows < clean.FEWEST:
        return f"The batch has {amount(seen.rows, 'case')}; it takes {clean.FEWEST}."
    return ""


def _column(shape: Shape, values: np.ndarray, sure: float, far: float, answered: bool = False) -> Column:
    now = drift.counted(shape, shape.codes(values)[None])
    then = np.array([[*shape.counts, shape.missing]])
    if answered:  # cases without an answer are watched by their trigger
        now[:, -1] = then[:, -1] = 0
    moved = drift.moved(shape, then, now)
    certain = bool(moved.p[0] < sure)
    lost = max(float(moved.gone[0]), float(moved.unknown[0])) >= GONE or float(moved.distance[0]) >= BROKEN
    index = drift.stability(shape, now[0])
    return Column(shape, now[0], moved, index, certain and bool(moved.far[0] >= far), certain and lost)


def _inputs(columns: Sequence[Column], seen: Window) -> list[Judged]:
    found = []
    for name, limit, hit in (
        ("input_drift", MOVED, [one for one in columns if one.drifted]),
        ("input_broken", GONE, [one for one in columns if one.broken]),
    ):
        hit = sorted(hit, key=lambda one: -float(one.moved.far[0]))
        most = max((float(one.moved.far[0]) for one in hit), default=0.0)
        verb = agree(len(hit), "has", "have")
        does = f"{verb} drifted" if name == "input_drift" else f"{verb} lost {agree(len(hit), 'its', 'their')} shape"
        says = f"{len(hit)} of {amount(len(columns), 'column')} {does}: {_listed([one.words for one in hit])}."
        none = f"None of {amount(len(columns), 'column')} {'has drifted' if name == 'input_drift' else 'is broken'}."
        found.append(alerts.found(name, most, limit, seen.rows, says if hit else none, bool(hit)))
    return found


def _said(said: Sequence[Column], seen: Window) -> Judged:
    hit = [one for one in said if one.drifted]
    most = max(said, key=lambda one: float(one.moved.distance[0]))
    far = float(most.moved.distance[0])
    says = f"{far:.0%} of the answers lie elsewhere than on the held-back cases"
    sure = "that is no accident" if hit else "no more than chance or a small change makes"
    message = f"{says} (stability index {short(most.index, 2)}): {sure}."
    return alerts.found("prediction_drift", far, MOVED_FAR, seen.rows, message, bool(hit))


def _reasons(base: Baseline, seen: Window, sure: dict[str, float]) -> list[Judged]:
    found = []
    for name, level, room in (("invalid_rate", "page", MORE_REFUSED), ("fallback_rate", "ticket", MORE_HANDED_ON)):
        parts, fires, worst = [], False, (-1.0, 0.0)
        for trigger in clean.WATCHED[level]:  # type: ignore[index]
            hits, before = seen.count(trigger), base.triggers[trigger]
            share, usual = hits / seen.rows, before / base.cases
            then, of_then, now, of_now = map(np.asarray, (before, base.cases, hits, seen.rows))
            certain = bool(drift.share_p(then, of_then, now, of_now, upwards=True)[0] < sure[level])
            fires |= certain and share - usual >= room
            worst = max(worst, (share - usual, share))
            parts.append(f"{_TRIGGERS[trigger]} {share:.1%} of the cases ({usual:.1%} when it was tested)")
        limit = worst[1] - worst[0] + room
        found.append(alerts.found(name, worst[1], limit, seen.rows, f"{'; '.join(parts)}.", fires))
    return found


_TRIGGERS = {
    "invalid_input": "The contract is broken by",
    "out_of_distribution": "Unlike anything learnt from are",
    "low_confidence": "too unsure are",
}


def _failing(seen: Window) -> Judged:
    if not seen.rows:
        return alerts.skipped("model_errors", 0, "There is no case in the batch.")
    share = seen.count("model_error") / seen.rows
    message = f"The model failed on {amount(seen.count('model_error'), 'case')} of {seen.rows:,}."
    return alerts.found("model_errors", share, FAILING, seen.rows, message, share >= FAILING)


def _estimated(base: Baseline, seen: Window, seed: int) -> tuple[Measured | None, str]:
    if base.estimate is None:
        return (
            None,
            base.unscored or f"{metrics.METRICS[base.judge.metric].label} cannot be estimated without outcomes.",
        )
    answers = seen.answers[seen.answered]
    if len(answers) < performing.FEWEST:
        return None, f"The model answered {amount(len(answers), 'case')}; it takes {performing.FEWEST}."
    return performing.estimated(base.judge, answers, seed), ""


def _by_estimate(base: Baseline, seen: Window, estimate: Measured | None, why: str) -> Judged:
    if estimate is None or base.estimate is None:
        return alerts.skipped("estimated_performance", seen.rows, why)
    if not base.levels.sizes:
        return alerts.skipped("estimated_performance", seen.rows, _too_small(base, seen))
    certain = performing.worse_p(base.estimate, estimate.value, estimate.cases)
    fires = certain < base.levels.at("ticket", seen.rows) and estimate.value < base.estimate.low
    label = metrics.METRICS[base.judge.metric].label
    message = (
        f"Estimated {label}: {_range(estimate)}; on the held-back cases {_range(base.estimate)}. {performing.BLIND}"
    )
    return alerts.found("estimated_performance", estimate.value, base.estimate.low, seen.rows, message, fires)


def _arrived(base: Baseline, seen: Window, today: dt.date) -> tuple[np.ndarray, str]:
    """Say which outcomes count: those of cases so old that theirs must have arrived; and why there are none."""
    if seen.known is None:
        return np.zeros(
            seen.rows, dtype=bool
        ), f"No outcomes: the batch has no column {base.charter.prediction.target}."
    there, delay = np.isfinite(seen.known), base.charter.prediction.label_delay_days
    odd = np.isinf(seen.known)
    meant = f"one of {', '.join(base.classes)}" if base.classes else "a number"
    unread = f"{amount(int(odd.sum()), 'outcome')} not understood: {agree(odd.sum(), 'it is', 'they are')} not {meant}."
    if seen.times is None or delay is None:
        return there, "" if there.any() else unread if odd.any() else "No outcome has arrived yet."
    late = (dt.datetime.combine(today, dt.time(), dt.UTC) - EPOCH).days - delay - seen.times
    due = late >= 0
    if (due & there).any():
        return due & there, ""
    overdue = f"No outcome has arrived: {amount(int(due.sum()), 'case')} overdue, by up to"
    why = unread if odd.any() else f"{overdue} {late[due].max():,.0f} days." if due.any() else ""
    return due & there, why or f"No outcome is due yet: they arrive after {short(delay)} days."


def _realised(
    base: Baseline, seen: Window, counts: np.ndarray, seed: int
) -> tuple[Measured | None, Measured | None, str]:
    rows = counts & seen.answered
    if seen.known is None or not rows.any():
        return None, None, ""
    known = seen.known[rows] if base.problem == "regression" else seen.known[rows].astype(int)
    why = base.unscored or performing.too_few(base.problem, known)
    if why:
        return None, None, why
    return *performing.realised(base.judge, known, seen.answers[rows], seed), ""


def _by_outcomes(
    base: Baseline, measured: tuple[Measured | None, Measured | None], why: str, rows: int
) -> list[Judged]:
    found = []
    label = metrics.METRICS[base.judge.metric].label
    per_case = f"{base.charter.business.value.currency} per case"
    for name, now, then, title, unit in (
        ("realised_performance", measured[0], base.score, label, ""),
        ("realised_value", measured[1], base.money, "The model's decisions bring", f" {per_case}"),
    ):
        if now is None or then is None:
            lacking = base.judge.no_money if name == "realised_value" else ""
            found.append(alerts.skipped(name, rows, lacking or why or "There is nothing to compare with."))
            continue
        if not base.levels.sizes:
            found.append(alerts.skipped(name, now.cases, f"Only {base.cases:,} cases were held back."))
            continue
        sure = performing.worse_p(then, now.value, now.cases) < base.levels.at("page", now.cases, True)
        says = f"{title}: " if not unit else f"{title} "
        message = f"{says}{_range(now)}{unit} on {amount(now.cases, 'outcome')}; when it was tested {_range(then)}."
        found.append(alerts.found(name, now.value, then.low, now.cases, message, sure and now.value < then.low))
    return found


def _stale(base: Baseline, seen: Window) -> Judged:
    if base.seen is None:
        why = "The charter names no time column with dates: how old cases are cannot be seen."
        return alerts.skipped("staleness", seen.rows, why)
    if seen.times is None:
        why = f"The batch has no dates in {base.charter.prediction.time_column}."
        return alerts.skipped("staleness", seen.rows, why)
    first, last = base.seen
    middle = float(np.nanmedian(seen.times))
    away = max(middle - last, first - middle, 0.0)
    limit = max(last - first, SHORTEST) + (base.charter.prediction.label_delay_days or 0)
    where = "older than" if middle < first else "newer than" if middle > last else "from the same time as"
    by = f"{away:,.0f} days " if away else ""
    message = (
        f"Half of the cases are from before {day(middle)}: {by}{where} those the model was tested on "
        f"({day(first)} to {day(last)})."
    )
    return alerts.found("staleness", away, limit, seen.rows, message, away > limit)


def _range(one: Measured) -> str:
    return f"{short(one.value)} ({short(one.low)} to {short(one.high)})"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", and {more} more" if more > 0 else "")
