"""A file of cases read as a window: in pieces that fit into memory, and of a large one a sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lab2live.data.sources.later import Later
from lab2live.handoff import batch
from lab2live.handoff.checking import arrays
from lab2live.handoff.deciding import Deciding
from lab2live.monitoring import window
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.window import Window

# Cases that are looked at, of a larger file: more would tell nothing more.
MOST = 50_000


def read(path: Path, decides: Deciding, base: Baseline, most: int | None, seed: int) -> Window:
    """Read a batch.

    Parameters
    ----------
    path
        CSV or Parquet with the fields of the form, and perhaps outcomes and the charter's time column.
    decides, base
        The bundle and its baseline.
    most
        Cases that are looked at; of a file with more they are drawn at random. `None` for `MOST`.
    seed
        Of the draw.

    Raises
    ------
    UserError
        If the file cannot be read, or lacks every field.
    """
    later = Later(str(path), decides.bundle.readings.columns)
    prediction = base.charter.prediction
    kinds = [field["name"] for field in decides.fields if "derived" not in field]
    later.lacking(kinds)
    more = [name for name in (prediction.target, prediction.time_column) if name is not None and name not in kinds]
    frame, cases = _drawn(later, [*kinds, *decides.unasked, *more], most or MOST, seed)
    known = None
    if prediction.target in frame and prediction.target not in kinds:
        known = window.outcomes(frame[prediction.target], base.problem, base.classes)
    return window.of(decides, base.charter, arrays(frame), len(frame), known, cases)


def _drawn(later: Later, needed: list[str], most: int, seed: int) -> tuple[pd.DataFrame, int]:
    """Keep the rows with the smallest of as many random numbers: a sample in which every row is equally likely."""
    random = np.random.default_rng(seed)
    kept, keys, cases = pd.DataFrame(), np.array([]), 0
    for frame in later.pieces(needed, batch.PIECE):
        cases += len(frame)
        keys = np.concatenate([keys, random.random(len(frame))])
        kept = pd.concat([kept, frame], ignore_index=True) if len(kept) else frame
        if len(kept) > most:
            smallest = np.sort(np.argpartition(keys, most)[:most])
            kept, keys = kept.iloc[smallest].reset_index(drop=True), keys[smallest]
    return kept, cases
