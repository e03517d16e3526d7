"""Is what is served what was learnt? The project's own sources are scored with the finished bundle, and compared.

Whatever is read, joined or encoded otherwise on the way from a source to an answer shows here, whatever the reason.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet

from lab2live.data import dataset, models
from lab2live.handoff import batch, drill, export
from lab2live.handoff import bundle as bundles
from lab2live.handoff.making import Parts
from lab2live.pipeline.context import RunContext
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import amount

# Rows that a running service is asked about.
ASKED = 40


def differing(run: RunContext, folder: Path, made: Parts) -> Evidence:
    """Score the sources as `lab2live score BUNDLE project.yaml OUT` does, ask a service, and compare with the notebook.

    Parameters
    ----------
    run
        Whose sources, sample and seed are used.
    folder
        The finished bundle.
    made
        What it was made from: the chosen model tells which answers are right.

    Returns
    -------
    Evidence
        The number of rows with another answer, or that are refused though the model learnt from them. Rows that break
        a limit which the charter declares are not compared, unless no other is left.
    """
    data, picked = made.data, made.picked
    expected = models.answer(picked.model, models.inputs_of(picked.model, data))
    labelled = np.flatnonzero(dataset.known(run.charter, made.table).to_numpy())
    with tempfile.TemporaryDirectory(prefix="lab2live-round-trip-") as work:
        target = Path(work) / "answers.parquet"
        batch.score(folder, run.charter, target, lambda _: None, run.sample, run.seed)
        scores = parquet.read_table(target)["score"].to_numpy()[labelled]
        rejected = target.with_name(f"{target.name}.rejected.csv")
        refused = pd.read_csv(rejected) if rejected.is_file() else pd.DataFrame({"row": [], "reason": []}, dtype=str)
        beyond = np.isin(labelled, refused.loc[refused["reason"].str.contains("This cannot be"), "row"])
        compared = np.flatnonzero(~beyond)
        asked = compared[:: max(1, len(compared) // ASKED)][:ASKED]
        served = _served(folder, Path(work), made.labelled.iloc[asked])
    if not len(compared):
        return Evidence(len(labelled), "Every row of the sources breaks a limit that the charter declares.")
    said = f" {amount(int(beyond.sum()), 'row')} break limits that the charter declares." if beyond.any() else ""
    wrong = {*compared[_other(scores, expected, made)[compared]], *asked[_other(served, expected[asked], made)]}
    rows = amount(len(compared), "row")
    if not wrong:
        by = f"and {amount(len(asked), 'row')} asked of a running service"
        return Evidence(0, f"{rows} of the sources, scored with the bundle, {by} get the notebook's predictions.{said}")
    unfit = refused.loc[~refused["reason"].str.contains("This cannot be"), "reason"]
    why = f" {len(unfit):,} are refused, the first one for {unfit.iloc[0]}" if len(unfit) else ""
    return Evidence(len(wrong), f"{len(wrong):,} of {rows} of the sources get another prediction.{why}{said}")


def _other(found: np.ndarray, expected: np.ndarray, made: Parts) -> np.ndarray:
    """Say which rows have another score, or another decision by it."""
    data, line = made.data, made.picked.policy.line
    scores = expected if expected.ndim == 1 else expected.max(axis=1)
    limit = export.TOLERANCE if data.classes else export.OF_SPREAD
    other = ~(models.gaps(scores, found, data.outcome, data.classes) <= limit)
    return np.asarray(other | ((found >= line) != (scores >= line)) if data.problem == "binary" else other)


def _served(folder: Path, work: Path, rows: pd.DataFrame) -> np.ndarray:
    """Ask a running service about some rows, shape (rows,); NaN where its model did not answer."""
    cases = drill.real_cases(bundles.load(folder).form(), rows)
    with drill.serving(folder, work / "state") as ask:
        ask.settle()
        found = [drill.answered(ask, case)["score"] for case in cases]
    return np.array([np.nan if score is None else score for score in found], dtype=float)
