"""How often do the alerts fire although nothing has changed? Measured on held-back cases that set no level (G4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import wilson
from lab2live.data.splits import Split
from lab2live.handoff.alerts import BROKEN, GONE, MORE_HANDED_ON, MORE_REFUSED, MOVED, MOVED_FAR, RATES, Level
from lab2live.handoff.bundle import Bundle
from lab2live.monitoring import baseline, clean, performing
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.clean import Levels, Reference, Signs
from lab2live.monitoring.performing import Measured
from lab2live.monitoring.window import Window
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import amount

# Parts into which the held-back cases are cut, windows drawn from each, cases of a window at most, and windows by which
# the levels are learnt from the other parts.
PARTS, WINDOWS, SIZE, LEARNT = 4, 100, 200, 500
# Groups from which on parts of them can be taken for each other.
FEWEST_GROUPS = 20


def verdict(
    kept: Mapping[str, Any],
    charter: Charter,
    data: Dataset,
    split: Split,
    core: Bundle,
    held_back: pd.DataFrame,
    seed: int,
) -> Evidence:
    """Measure how often clean windows raise an alert, as a multiple of what is stated.

    The held-back cases are cut into parts. Windows of one part are held against all cases outside of them, by levels
    that were learnt from the other parts alone.

    Parameters
    ----------
    kept
        See `baseline.learn`, as the other parameters.
    """
    base = Baseline.from_dict(kept)
    seen = baseline.window_of(charter, data, split, core, held_back)
    return measure(base, seen, splits.groups(charter, data, split.test), seed)


def measure(base: Baseline, seen: Window, groups: np.ndarray | None, seed: int) -> Evidence:
    """Measure on a window from which the baseline was learnt; see `verdict`."""
    if seen.rows < 2 * clean.FEWEST_REFERENCE:
        least = 2 * clean.FEWEST_REFERENCE
        return Evidence(None, f"The test set has only {amount(seen.rows, 'row')}; it takes {least}.")
    names = np.arange(seen.rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    if names.max() + 1 < FEWEST_GROUPS:
        return Evidence(None, f"The test set has only {names.max() + 1} groups; it takes {FEWEST_GROUPS}.")
    random = np.random.default_rng(seed)
    part = (random.permutation(names.max() + 1) % PARTS)[names]
    size = min(SIZE, int(np.bincount(part).min()) // 2)
    every = baseline.referred(seen, base.inputs, base.said, groups)
    found = [_alarms(base, seen, every, part == number, size, random) for number in range(PARTS)]
    fired = np.concatenate(found, axis=1)  # any alert, a page
    hits, windows, stated = int(fired[0].sum()), fired.shape[1], sum(RATES.values())
    low, high = (float(end) for end in wilson(np.array(hits), np.array(windows)))
    message = (
        f"Of {windows:,} windows of {size} rows in which nothing has changed, {hits / windows:.1%} raised "
        f"an alert ({low:.1%} to {high:.1%}), {fired[1].mean():.1%} a page. Stated are at most {stated:.0%}, and "
        f"{RATES['page']:.0%} for a page."
    )
    return Evidence(hits / windows / stated, message)


def _alarms(
    base: Baseline, seen: Window, every: Reference, inside: np.ndarray, size: int, random: np.random.Generator
) -> np.ndarray:
    """Say which windows of one part raise an alert, and which a page; shape (2, windows)."""
    judged = sum(one is not None for one in (base.score, base.money))
    others, rows = every.part(np.flatnonzero(~inside)), np.flatnonzero(inside)
    levels = clean.levels(others, int(random.integers(2**31)), base.estimate is not None, judged, (size,), LEARNT)
    own = every.part(rows)
    picked = own.draw(random, size, WINDOWS)
    signs = clean.signs(every, own, picked, apart=False)
    fired = _by_signs(signs, levels, every, own, picked)
    for number, window in enumerate(rows[picked]):
        rest = np.setdiff1d(np.arange(seen.rows), window)
        for level, worse in _by_scores(base, seen.part(rest), seen.part(window), levels):
            fired[level][number] |= worse
    return np.stack([fired["ticket"] | fired["page"], fired["page"]])


def _by_signs(
    signs: Signs, levels: Levels, every: Reference, own: Reference, picked: np.ndarray
) -> dict[Level, np.ndarray]:
    size = picked.shape[1]
    sure: dict[Level, float] = {"ticket": levels.ticket[0], "page": levels.page_known[0]}
    drifted = [(one.p < sure["ticket"]) & (one.far >= MOVED) for one in signs.inputs]
    lost = [
        (one.p < sure["ticket"]) & ((one.distance >= BROKEN) | (np.maximum(one.gone, one.unknown) >= GONE))
        for one in signs.inputs
    ]
    answers = [(one.p < sure["page"]) & (one.distance >= MOVED_FAR) for one in signs.said]
    fired: dict[Level, list[np.ndarray]] = {"ticket": drifted, "page": lost + answers}
    rooms: dict[Level, float] = {"ticket": MORE_HANDED_ON, "page": MORE_REFUSED}
    for level, room in rooms.items():
        for name in clean.WATCHED[level]:
            hits = (own.reasons == name)[picked].sum(axis=1)
            usual = ((every.reasons == name).sum() - hits) / (every.rows - size)
            fired[level].append((signs.reasons[name] < sure[level]) & (hits / size - usual >= room))
    return {level: np.any(each, axis=0) for level, each in fired.items()}


def _by_scores(base: Baseline, others: Window, window: Window, levels: Levels) -> list[tuple[Level, bool]]:
    """Judge what the answers and outcomes of one window say of the performance, against the other cases."""
    judge = base.judge

    def known(one: Window) -> np.ndarray:
        assert one.known is not None
        there = one.known[one.answered]
        return there if base.problem == "regression" else there.astype(int)

    def worse(measured: Measured | None, of: Callable[[Window], float], level: float) -> bool:
        if measured is None:
            return False
        cases = int(others.answered.sum())
        middle = of(others)
        then = replace(measured, value=middle, low=middle - 1.96 * measured.spread / math.sqrt(cases), cases=cases)
        now = of(window)
        return performing.worse_p(then, now, int(window.answered.sum())) < level and now < then.low

    found: list[tuple[Level, bool]] = [
        ("ticket", worse(base.estimate, lambda one: _expected(base, one), levels.ticket[0]))
    ]
    if not performing.too_few(base.problem, known(window)):
        found += [
            ("page", worse(base.score, lambda one: judge.score(known(one), _told(one)), levels.page_known[0])),
            ("page", worse(base.money, lambda one: judge.worth(known(one), _told(one)).mean(), levels.page_known[0])),
        ]
    return found


def _told(one: Window) -> np.ndarray:
    return one.answers[one.answered]


def _expected(base: Baseline, one: Window) -> float:
    return float(base.judge.expected_score(_told(one)) or 0.0)
