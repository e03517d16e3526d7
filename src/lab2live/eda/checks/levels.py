"""Columns with few values, as numbers: what coverage is counted in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.data.encoding import label
from lab2live.eda.checks.survey import Survey

MOST_LEVELS = 30
# Numbers with so few values are codes or grades.
FEW_NUMBERS = 12


@dataclass(frozen=True)
class Levels:
    """A column of the sample as codes, -1 for missing, and the value of each code."""

    name: str
    codes: np.ndarray
    values: pd.Index

    def text(self, code: int) -> str:
        return label(self.values[code])


def factorized(column: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Number the values of a column, -1 for missing; lists and others that have no hash are told by their text."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:
        codes, values = pd.factorize(column.map(str, na_action="ignore"))
    return codes, pd.Index(values)


def levels_of(survey: Survey, most: int = MOST_LEVELS) -> list[Levels]:
    """Give the columns of a source that have few values and name nothing."""
    found = []
    for name, known in survey.facts.items():
        limit = FEW_NUMBERS if known.kind == "number" else most
        if name in survey.identifiers or name in survey.days or known.kind in ("other", "date"):
            continue
        if 2 <= known.distinct <= limit:
            codes, values = factorized(survey.sample[name])
            if len(values) >= 2:
                found.append(Levels(name, codes, values))
    return found
