"""Rows that are equal in every column, told from events that coincide by chance (L4d)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import together
from lab2live.eda.checks.findings import EXAMPLES, Finding, Severity, Skip, finding
from lab2live.eda.checks.pairs import SAMPLED_KEYS, rows_of
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import agree, amount

# Below this share a few copies hardly move a model; above the other, the export itself is broken.
WARN, FAIL = 0.002, 0.20
FEWEST = 4


def copies(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find rows that are there several times.

    In large tables the rows of some values of the column with most values are looked at, all of them, since a sample
    of rows would part most copies from their originals.

    Returns
    -------
    list of Finding
        `value` is the share of rows that repeat an earlier one.
    """
    frame, basis = _rows(survey)
    if len(frame) < FEWEST or (survey.complete and _has_a_key(survey)):
        return []
    same = together.copies(frame)
    again = pd.Series(same).duplicated().to_numpy() if same is not None else np.zeros(0, dtype=bool)
    surplus = int(again.sum())
    if surplus < FEWEST or (share := surplus / len(frame)) <= WARN:
        return []
    rows = surplus if survey.complete else round(share * survey.rows)
    about = "" if survey.complete else "about "
    repeat = agree(rows, "repeats", "repeat")
    what = f"{about}{amount(rows, 'row')} of {survey.name} ({share:.1%}) {repeat} another row in every column{basis}."
    what = what[0].upper() + what[1:]
    shown = frame.loc[again].head(EXAMPLES)
    named = shown[survey.key].astype(str) if survey.key else shown.astype(str).agg(", ".join, axis=1)
    severity: Severity = "fail" if share > FAIL else "warn"
    return [finding("duplicate.rows", survey.name, None, severity, share, WARN, what, rows, named)]


def _rows(survey: Survey) -> tuple[pd.DataFrame, str]:
    """Give all rows of a small table; of a large one all that share a value with the sample in one column."""
    if survey.complete:
        return survey.sample, ""
    plain = [name for name, known in survey.facts.items() if known.kind in ("number", "text", "date")]
    if not plain:
        return survey.sample.head(0), ""
    name = max(plain, key=lambda one: survey.facts[one].distinct)
    wanted = survey.sample[name].dropna().drop_duplicates()
    wanted = wanted.sample(min(SAMPLED_KEYS, len(wanted)), random_state=0)
    basis = f" (in all rows of {amount(len(wanted), 'value')} of {name})"
    return rows_of(survey, name, wanted).reset_index(drop=True), basis


def _has_a_key(survey: Survey) -> bool:
    """Say whether some column is different in every row: then no two rows are equal."""
    return any(known.distinct == survey.rows for known in survey.facts.values())
