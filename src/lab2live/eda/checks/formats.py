"""How numbers are written: decimal separators, words among them, and types that are not as declared."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.feature_types import as_numbers
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.facts import Facts
from lab2live.eda.checks.findings import ANY_PART, Finding, Skip, finding
from lab2live.eda.checks.survey import MOSTLY, Survey
from lab2live.eda.checks.written import NOTHING, meaningful, share
from lab2live.reporting.formatting import agree, amount

POINT = r"\s*[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)?\.\d+(?:[eE][-+]?\d+)?\s*"
COMMA = r"\s*[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+\s*"
WHOLE = r"\s*[-+]?\d+(?:\.0*)?(?:[eE][-+]?\d+)?\s*"
# 1,234 may be thousands as well as a decimal: it proves nothing.
THOUSANDS = r"\s*[-+]?\d{1,3}(?:,\d{3})+\s*"
NUMBER = re.compile(f"{WHOLE}|{POINT}|{COMMA}|{THOUSANDS}")
# House numbers, ranges and check digits look like this, and are meant to.
HALF_A_NUMBER = r"\s*\d+(?: ?[A-Za-z]|\s*[-/]\s*\d+)\s*"
# Fewer different numbers are levels of a category (1, 2, 3+), where a word among them is normal.
FEWEST_NUMBERS = 20
# Texts by which a column is judged before it is read as a whole.
LOOKED_AT = 200
# Words that are levels beside small numbers.
LEVELS = frozenset({"other", "others", "more", "all", "any", "new", "self", "total", "max", "min", "inf", "yes", "no"})
TYPES = {
    "number": ("number", "float", "double", "decimal", "numeric", "real", "money"),
    "integer": ("integer", "int", "bigint", "count"),
    "date": ("date", "datetime", "timestamp", "time"),
    "boolean": ("boolean", "bool"),
    "text": ("text", "string", "str", "varchar", "char", "category", "categorical", "code", "id"),
}


def decimal_comma(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find numbers with a decimal comma beside numbers with a decimal point.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Texts most of which are numbers are looked at; for CSV as they are written.

    Returns
    -------
    list of Finding
        `warn` when both are used, `info` when the whole column has commas.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items():
        if column in survey.days or not _has_commas(survey, column, known):
            continue
        counts = meaningful(survey, column)
        texts = counts.index.to_series()
        thousands = texts.str.fullmatch(THOUSANDS)
        commas, points = texts.str.fullmatch(COMMA) & ~thousands, texts.str.fullmatch(POINT)
        if share(counts, commas | points | thousands | texts.str.fullmatch(WHOLE)) < MOSTLY:
            continue
        # 1,234 beside 39,22 has a decimal comma too; beside nothing but points it counts thousands
        commas |= thousands & (counts[commas].sum() > counts[points].sum())
        with_comma, with_point = int(counts[commas].sum()), int(counts[points].sum())
        where = f"{column} of {survey.name}"
        if not with_comma or not with_point:
            said = "decimal commas throughout" if with_comma else "commas between thousands"
            what = f"{where} is written with {said}{survey.basis}."
            shown = texts[commas | thousands]
            found.append(finding("consistency.decimal_comma", survey.name, column, "info", 0, 0, what, 0, shown))
            continue
        wrong = commas if with_comma <= with_point else points
        part = share(counts, wrong)
        what = (
            f"{where} mixes decimal separators: {amount(with_comma, 'value')} with a comma, {with_point:,} with a "
            f"point ({part:.1%} are in the minority){survey.basis}."
        )
        severity, rows, shown = ANY_PART.severity(part), int(counts[wrong].sum()), texts[wrong]
        found.append(finding("consistency.decimal_comma", survey.name, column, severity, part, 0, what, rows, shown))
    return found


def _has_commas(survey: Survey, column: str, known: Facts) -> bool:
    """Say cheaply whether it is worth looking closer: a column read as numbers has commas everywhere or nowhere."""
    if known.kind == "text":
        texts = meaningful(survey, column).index
        # of numbers, the most frequent begin like one too
        return _digits(texts) >= MOSTLY / 2 and any("," in text for text in texts)
    values = survey.as_written(column)
    return values is not None and known.kind == "number" and any("," in str(value) for value in values.head(100))


def _digits(texts: pd.Index) -> float:
    """Give the share of the first texts in which there is a digit."""
    first = texts[:LOOKED_AT]
    return sum(any(map(str.isdigit, text)) for text in first) / max(1, len(first))


def dtype(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find words among numbers, and columns that are not of the type that was declared or that they had before.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Its source may declare types; unknown names of types are left alone.

    Returns
    -------
    list of Finding
        At most one per column.
    """
    found: list[Finding | Skip] = []
    for column, known in survey.facts.items():
        declared = survey.source.columns.get(column)
        wanted = type_of(declared.type if declared else None)
        before = None if survey.earlier is None else survey.earlier.facts.get(column)
        was_number = before is not None and before.kind == "number" and before.distinct > 0
        one = None
        if known.kind == "text" and column not in survey.days:
            one = _words(survey, column, wanted in ("number", "integer"), was_number)
        if one is None and wanted:
            one = _not_as_declared(survey, column, known, wanted)
        if one:
            found.append(one)
    return found


def type_of(name: str | None) -> str | None:
    """Say which kind a declared type is: `number`, `integer`, `date`, `boolean` or `text`; `None` for none of them."""
    wanted = (name or "").strip().casefold()
    return next((kind for kind, names in TYPES.items() if wanted in names), None)


def _words(survey: Survey, column: str, is_declared: bool, was_number: bool) -> Finding | None:
    """Look at texts most of which are numbers."""
    counts = meaningful(survey, column)
    first = [bool(NUMBER.fullmatch(text)) for text in counts.index[:LOOKED_AT]]
    if sum(first) < max(1, 0.5 * len(first)):
        return None
    why = "; they are declared as numbers" if is_declared else ""
    why = why or ("; in the earlier extract they were numbers" if was_number else "")
    if not why and (column == survey.source.key or all(map(str.isdecimal, counts.index))):
        return None
    witness: Witness | None = "declared" if is_declared else "snapshot" if was_number else None
    check, name = "schema.dtype", survey.name
    texts = counts.index.to_series()
    whole, point = texts.str.fullmatch(WHOLE), texts.str.fullmatch(POINT)
    numbers = whole | point | texts.str.fullmatch(NUMBER.pattern)
    if numbers.all():
        # commas are another check's, zeros in front are those of codes; codes are whole numbers
        plain = (whole | point).all() and not texts.str.match("0[0-9]").any()
        if not plain or not (why or (share(counts, point) > 0.5 and len(counts) > FEWEST_NUMBERS)):
            return None
        what = f"{column} of {name} holds numbers kept as text{why}{survey.basis}."
        return finding(check, name, column, "warn", 1, 0, what, int(counts.sum()), texts, witness)
    # whole numbers that hardly repeat are names of things, with words among them or not
    codes = column in survey.identifiers and share(counts, point) < 0.5
    if not why and (codes or not _is_numeric(counts, numbers)):
        return None
    words = texts[~numbers]
    words = words if why else words[~words.str.fullmatch(HALF_A_NUMBER)]
    if words.empty:
        return None
    rows = int(counts[words].sum())
    part = rows / int(counts.sum())
    what = f"{column} of {name} holds {amount(rows, 'word')} ({part:.1%}) among numbers{why}{survey.basis}."
    return finding(check, name, column, ANY_PART.severity(part), part, 0, what, rows, words, witness or "form")


def _is_numeric(counts: pd.Series, numbers: pd.Series) -> bool:
    """Say whether a column with words in it is one of numbers rather than one of levels, as 1, 2, 3 or more."""
    part = share(counts, numbers)
    if part < MOSTLY:
        return False
    if numbers.sum() > FEWEST_NUMBERS:
        return True
    # few numbers: a level such as 3+ or other is one among them; words without any digit hardly are
    words = [text.strip().casefold() for text in counts.index[~numbers]]
    return part >= 0.9 and not any(word in LEVELS or any(map(str.isdigit, word)) for word in words)


def _not_as_declared(survey: Survey, column: str, known: Facts, wanted: str) -> Finding | None:
    """Hold the values of a column against its declared type."""
    values = survey.sample[column].dropna()
    if values.empty or wanted == "text" or known.kind == "other":
        return None
    as_text = values.astype(str) if known.kind == "text" else pd.Series(dtype=str)
    wrong = pd.Series(False, index=values.index)
    if wanted in ("number", "integer") and known.kind == "text":
        wrong = ~as_text.str.fullmatch(NUMBER.pattern)
    elif wanted in ("number", "integer") and known.kind == "date":
        wrong |= True
    elif wanted == "integer" and known.kind == "number":
        numbers = as_numbers(values)
        wrong = pd.Series(np.isfinite(numbers) & (np.floor(numbers) != numbers), index=values.index)
    elif wanted == "date" and known.kind == "text":
        wrong = ~as_text.str.match(r"\s*\d{1,4}[-/.]\d{1,2}(?:[-/.]\d{1,4})?")
    elif (wanted == "date" and known.kind != "date") or (
        wanted == "boolean" and known.kind != "boolean" and values.nunique() > 2
    ):
        wrong |= True
    if known.kind == "text":
        wrong &= ~as_text.str.strip().str.casefold().isin(NOTHING)
    rows = int(wrong.sum())
    if not rows:
        return None
    part = rows / len(values)
    none = agree(rows, "is none", "are none")
    what = (
        f"{column} of {survey.name} is declared as {wanted}; {amount(rows, 'value')} ({part:.1%}) {none}{survey.basis}."
    )
    severity, shown = ANY_PART.severity(part), values[wrong].astype(str).unique()
    return finding("schema.dtype", survey.name, column, severity, part, 0, what, rows, shown, "declared")
