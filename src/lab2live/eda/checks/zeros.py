"""Codes that lost the zeros in front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.facts import Facts
from lab2live.eda.checks.findings import ANY_PART, Finding, Skip, finding
from lab2live.eda.checks.formats import type_of
from lab2live.eda.checks.survey import MOSTLY, Survey
from lab2live.eda.checks.written import meaningful, share

# Codes have a fixed width: shorter ones are a minority. Random codes begin with a zero in one of ten cases.
FIXED_WIDTH = 0.75
NARROWEST_CODE = 4
FEWEST = 20
# Whole numbers up to here are exact as floats.
LARGEST = 2.0**53


def leading_zeros(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find codes that lost their leading zeros, in part or altogether.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Texts of digits are judged by their widths, by the earlier extract, and by a declared type of text.

    Returns
    -------
    list of Finding
        At most one per column.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items():
        if column in survey.days or known.kind not in ("text", "number"):
            continue
        declared = survey.source.columns.get(column)
        one = (
            _against_earlier(survey, column)
            or _narrower(survey, column, known)
            or (_read_as_number(survey, column) if declared and type_of(declared.type) == "text" else None)
        )
        if one:
            found.append(one)
    return found


def _zeros(
    survey: Survey, column: str, codes: pd.Series, lost: pd.Series, what: str, witness: Witness | None = None
) -> Finding:
    """Word a finding; `what` takes the number and the share of the codes that are wrong."""
    rows = int(lost.sum())
    part = rows / int(codes.sum())
    said = f"{column} of {survey.name} {what.format(f'{rows:,} ({part:.1%})')}{survey.basis}."
    check, shown = "consistency.leading_zeros", lost.index
    return finding(check, survey.name, column, ANY_PART.severity(part), part, 0, said, rows, shown, witness)


def _codes(survey: Survey, column: str) -> pd.Series | None:
    """Count the codes of a column the way the source hands them on; `None` for what is no whole numbers."""
    if survey.facts[column].kind == "number":
        numbers = survey.numbers[column]
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers) or (numbers % 1 != 0).any() or numbers.min() < 0 or numbers.max() > LARGEST:
            return None
        different, times = np.unique(numbers.astype(np.int64), return_counts=True)
        return pd.Series(times, index=different.astype(str))
    return _all_digits(meaningful(survey, column))


def _codes_in_file(survey: Survey, column: str) -> pd.Series | None:
    """Count what a CSV really says where it was read as numbers, if that has zeros in front."""
    known = survey.facts[column]
    if survey.written is None or known.low is None or known.low % 1 or known.high % 1:
        return None
    values = survey.written.get(column)
    # not counted before one is seen: most columns of numbers have none
    if values is None or not any(value[:1] == "0" and value[1:2].isdecimal() for value in values if value):
        return None
    return _all_digits(meaningful(survey, column))


def _all_digits(counts: pd.Series) -> pd.Series | None:
    head = counts.index[:FEWEST]
    if sum(text.strip().isdecimal() for text in head) <= MOSTLY * len(head):
        return None
    if all(text.isdecimal() and text.isascii() for text in counts.index):  # nearly always, and much faster
        return counts
    texts = counts.index.to_series().str.strip()
    fits = texts.str.fullmatch("[0-9]+")
    if share(counts, fits) <= MOSTLY:
        return None
    return counts[fits.to_numpy()].groupby(texts[fits].to_numpy()).sum()


def _width(codes: pd.Series | None) -> int:
    """Give the width of codes padded with zeros; 0 when they are none."""
    if codes is None or not any(text[0] == "0" for text in codes.index):
        return 0
    widths = codes.groupby(codes.index.str.len()).sum()
    usual = int(widths.idxmax())
    longer, whole = widths[widths.index > usual].sum(), widths.sum()
    padded = (codes.index.str.startswith("0") & (codes.index.str.len() == usual)).any()
    return usual if usual > 1 and padded and widths[usual] >= whole / 2 and longer < 0.01 * whole else 0


def _narrower(survey: Survey, column: str, known: Facts) -> Finding | None:
    """Judge codes by their widths alone."""
    codes = _codes(survey, column) if known.kind == "text" else _codes_in_file(survey, column)
    if codes is None or codes.sum() < FEWEST:
        return None
    width = _width(codes)
    if width:
        lost = codes[(codes.index.str.len() < width) & ~codes.index.str.startswith("0")]
        if lost.empty:
            return None
        return _zeros(survey, column, codes, lost, f"has codes of {width} digits, and {{}} that lost their zeros")
    return _all_stripped(survey, column, codes) if known.kind == "text" else None


def _all_stripped(survey: Survey, column: str, codes: pd.Series) -> Finding | None:
    """Judge codes none of which has a zero in front.

    Counters and amounts have narrower values too. Those of a counter are dense, and amounts rarely begin with all
    digits equally often; of random codes without their zeros, every tenth has one digit less, every hundredth two.
    """
    widths = codes.groupby(codes.index.str.len()).sum()
    full, rows = int(widths.index.max()), int(widths.sum())
    if full < NARROWEST_CODE or len(widths) == 1 or widths[full] < FIXED_WIDTH * rows:
        return None
    numbers = codes.index.astype(float)
    dense = len(codes) > 0.3 * (numbers.max() - numbers.min() + 1)
    whole = codes[codes.index.str.len() == full]
    first = whole.groupby(whole.index.str[0]).sum() / whole.sum()
    one_less, two_less = (int(widths.get(full - less, 0)) for less in (1, 2))
    if dense or len(first) < 9 or first.max() > 0.25 or one_less < 10 or two_less > 0.25 * one_less + 3:
        return None
    short = codes[codes.index.str.len() < full]
    what = f"has codes of {full} digits, none with a zero in front, and {{}} shorter ones: their zeros are lost"
    return _zeros(survey, column, codes, short, what)


def _read_as_number(survey: Survey, column: str) -> Finding | None:
    """Find a column that is declared to be text and arrives as numbers of different widths."""
    codes = _codes(survey, column) if survey.facts[column].kind == "number" else None
    if codes is None:
        return None
    width = codes.index.str.len()
    low, high = int(width.min()), int(width.max())
    in_file = _codes_in_file(survey, column) is not None
    if low == high and not in_file:
        return None
    what = f"is declared as text and arrives as numbers of {low} to {high} digits, {{}} of them with less than {high}"
    what += "; the file has zeros in front" if in_file else ""
    short = codes[width < high] if low < high else codes
    return _zeros(survey, column, codes, short, what, "declared")


def _against_earlier(survey: Survey, column: str) -> Finding | None:
    before = survey.earlier
    if before is None or column not in before.facts or before.facts[column].kind != "text":
        return None
    return _unpadded(survey, column, before, "in the earlier extract they have")


def _unpadded(survey: Survey, column: str, other: Survey, where: str) -> Finding | None:
    """Find codes that are only known somewhere else once zeros are put in front."""
    padded = _codes(other, column)
    width = _width(padded)
    codes = _codes(survey, column) if width else None
    if codes is None or padded is None:
        return None
    with_zeros = codes.index.str.zfill(width)
    lost = codes[(codes.index.str.len() < width) & ~codes.index.isin(padded.index) & with_zeros.isin(padded.index)]
    if lost.empty:
        return None
    what = f"has {{}} codes without the zeros in front that {where}"
    return _zeros(survey, column, codes, lost, what, "snapshot")


def leading_zeros_across(charter: Charter, surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Find join keys that lost the zeros in front which they have in another source.

    Parameters
    ----------
    charter
        Its join keys are compared.
    surveys
        All readable sources.

    Returns
    -------
    list of Finding
        At most one per source and key.
    """
    found: list[Finding | Skip] = []
    for key in charter.join_keys:
        there = [survey for survey in surveys if key in survey.facts and survey.facts[key].kind in ("text", "number")]
        for one in there:
            for other in there:
                if one is other or other.facts[key].kind != "text":
                    continue
                missing = _unpadded(one, key, other, f"{other.name} has")
                if missing:
                    found.append(missing)
                    break
    return found
