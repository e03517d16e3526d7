"""A rehearsal where there is no batch yet: half of the held-back cases play it, held against the other half."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lab2live.data import splits
from lab2live.data.feature_types import as_numbers
from lab2live.handoff import bundle as bundles
from lab2live.handoff import making
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.checking import arrays
from lab2live.handoff.deciding import Deciding
from lab2live.monitoring import baseline, window
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.window import Window
from lab2live.pipeline.context import RunContext

# By how many standard deviations the column is moved in the batch that shows what an alert looks like.
MOVED_BY = 0.5
# Share of the cases for which a column has to be known to be moved.
KNOWN = 0.9


@dataclass(frozen=True)
class Rehearsal:
    """What is needed to show the page without a batch.

    Attributes
    ----------
    base
        Learnt from one half of the held-back cases.
    clean
        The other half.
    drifted
        The same, with one column moved; `None` where there is no column of numbers.
    moved
        Which column, in words.
    """

    base: Baseline
    clean: Window
    drifted: Window | None
    moved: str


def rehearse(run: RunContext) -> Rehearsal:
    """Halve the held-back cases of a project, whole groups at a time, and plant a shift in one half."""
    parts = making.parts(run)
    core = _core(run, parts)
    decides = Deciding.of(core)
    held_back = parts.labelled.iloc[parts.split.test]
    groups = splits.groups(run.charter, parts.data, parts.split.test)
    names = np.arange(len(held_back)) if groups is None else np.unique(groups, return_inverse=True)[1]
    later = (np.random.default_rng(run.seed).permutation(names.max() + 1) % 2)[names] == 1
    seen = baseline.window_of(run.charter, parts.data, parts.split, core, held_back)
    first = np.flatnonzero(~later)
    base = baseline.of(
        run.charter,
        parts.data,
        parts.picked.policy,
        seen.part(first),
        None if groups is None else groups[first],
        run.seed,
    )
    rows = held_back[later]
    clean = seen.part(np.flatnonzero(later))
    column = _numbers_known(decides, rows)
    if column is None:
        return Rehearsal(base, clean, None, "")
    numbers = as_numbers(rows[column])
    planted = rows.assign(**{column: numbers + MOVED_BY * np.nanstd(numbers)})
    drifted = window.of(decides, run.charter, arrays(planted), len(planted), None)
    return Rehearsal(base, clean, drifted, f"{column}, by {MOVED_BY:g} of its standard deviation")


def _core(run: RunContext, parts: making.Parts) -> Bundle:
    """Take the bundle of the run if it is of the same data, code and seed; else write one for as long as it is read."""
    folder = run.folder / "artefacts" / "bundle"
    if run.upstream("handoff") is not None and folder.is_dir():
        return bundles.load(folder)
    with tempfile.TemporaryDirectory(prefix="lab2live-") as work:
        made = Path(work) / "bundle"
        making.core(run, parts, made, rows=1000)
        return bundles.load(made)


def _numbers_known(decides: Deciding, rows: pd.DataFrame) -> str | None:
    """Find the column of numbers that matters most among those that are known for most cases."""
    numbers = [field["name"] for field in decides.fields if field["kind"] == "number" and "derived" not in field]
    known = [name for name in numbers if rows[name].notna().mean() >= KNOWN]
    return next(iter(known or numbers), None)
