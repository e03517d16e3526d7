"""What is missing (L4a): empty critical attributes, and numbers, dates and words that stand for nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter import gates
from lab2live.charter.schema import Charter
from lab2live.data.encoding import EPOCH, day
from lab2live.data.sources import readers
from lab2live.eda.checks.findings import EXAMPLES, Finding, Limits, Severity, Skip, finding
from lab2live.eda.checks.spikes import sentinels_of_days, sentinels_of_keys, sentinels_of_numbers
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Fewer tokens than these among the filled values may be somebody's name.
RARE_TOKEN = 0.001
# Words that nobody means as a value, in lower case and without spaces around them.
TOKENS = frozenset(
    {
        *("n/a", "n.a.", "n.a", "#n/a", "#na", "<na>", "nan", "nat", "null", "(null)", "<null>", "#null!", "\\n"),
        *("#value!", "#ref!", "#div/0!", "#name?", "#num!", "?", "??", "???", "--", "---", ".", "..", "...", "_", "*"),
        *("(blank)", "(leer)", "(empty)", "not available", "not specified", "not provided", "no data", "no answer"),
        *("nicht bekannt", "keine angabe", "keine angaben", "ohne angabe", "k.a.", "k. a.", "k.a", "fehlt"),
        *("nicht vorhanden", "keine daten", "not known", "not reported", "<none>", "[null]", "unk"),
    }
)
# Words that may as well be a real category: "add_on = none". The share from which they are taken for one.
WORDS = {
    **dict.fromkeys(("na", "unknown", "unbekannt", "undefined", "missing", "not applicable", "empty", "nil"), 0.12),
    **dict.fromkeys(("-", "–", "—", "inconnu", "desconocido", "(missing)", "(unknown)", "tbd", "xxx", "leer"), 0.12),
    "none": 0.1,
}
# A column of more different values has no categories that everybody would know.
MOST_LEVELS = 50
# From this many codes of two letters on they are likely to be countries, and NA is Namibia.
COUNTRIES = 30


def limits(charter: Charter, gate_id: str) -> Limits:
    """Take the limits of a gate, the charter's own first: a finding and its gate must not disagree."""
    rule, override = gates.CATALOGUE[gate_id], charter.gates.get(gate_id)
    warn = override.warn if override and override.warn is not None else rule.warn
    fail = override.fail if override and override.fail is not None else rule.fail
    return Limits(float("inf") if warn is None else warn, float("inf") if fail is None else fail)


def critical(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Measure how much of every critical attribute is missing (L4a), blanks included.

    Counted over all rows. A critical column that its source does not have counts as missing altogether.

    Returns
    -------
    list of Finding
        One per critical column, also for nothing missing: a gate reads the worst value. The emptiest first.
    """
    allowed = limits(charter, "eda.missing_critical")
    found: list[Finding] = []
    for column in survey.source.critical:
        known = survey.facts.get(column)
        gaps = known.nulls + known.blanks if known else survey.rows
        share = gaps / survey.rows
        what = (
            f"{share:.1%} of {column} is missing in {survey.name} ({gaps:,} of {amount(survey.rows, 'row')})."
            if known
            else f"{survey.name} has no {column}."
        )
        severity = allowed.severity(share) if known else "fail"
        examples = _keys_where_missing(survey, column) if known and gaps else ()
        found.append(
            finding("missing.critical", survey.name, column, severity, share, allowed.warn, what, gaps, examples)
        )
    return [*sorted(found, key=lambda one: -one.value)]


def _keys_where_missing(survey: Survey, column: str) -> tuple[Any, ...]:
    if survey.key is None or survey.key == column:
        return ()
    gone = survey.table[column].isnull()
    if survey.facts[column].blanks:
        gone = gone | (survey.table[column].strip() == "")
    rows = survey.table.filter(gone).select(survey.key).order_by(survey.key).limit(EXAMPLES)
    return tuple(rows.to_pandas()[survey.key].astype(str))


def sentinels(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find numbers and dates that stand for nothing: -999, 1900-01-01 and the like.

    What counts as one is decided in `spikes`.
    """
    found: list[Finding | Skip] = []
    for column, numbers in survey.numbers.items():
        for value, times in sentinels_of_numbers(numbers, column in survey.identifiers).items():
            found.append(_sentinel(survey, column, f"{value:.15g}", times, numbers == value))
    for column, days in survey.days.items():
        for value, times in sentinels_of_days(days).items():
            found.append(_sentinel(survey, column, _date(value), times, days == value))
    for column, texts in survey.texts.items():
        if column in survey.identifiers:
            for text, times in sentinels_of_keys(texts).items():
                found.append(_sentinel(survey, column, text, times, (texts == text).to_numpy(bool)))
    for column in survey.days:
        # a day zero cannot be read as a date at all
        zeros = _day_zeros(survey, column)
        if zeros.any():
            found.append(_sentinel(survey, column, "0000-00-00", int(zeros.sum()), zeros))
    return found


def _day_zeros(survey: Survey, column: str) -> np.ndarray:
    if survey.facts[column].kind != "text":
        return np.zeros(len(survey.sample), dtype=bool)
    return np.asarray(survey.sample[column].astype(str).str.match(r"^\s*(0000-00-00|00?\.00?\.0000)"), dtype=bool)


def _sentinel(survey: Survey, column: str, value: str, times: int, where: np.ndarray) -> Finding:
    share = times / len(survey.sample)
    what = (
        f"{value} stands in {column} of {survey.name} in {amount(times, 'row')} ({share:.1%}), far more often than its "
        f"neighbours or where no other value is{survey.basis}."
    )
    examples = survey.keys_of(where) if column != survey.key else []
    return finding("missing.sentinel", survey.name, column, "warn", share, 0, what, times, examples or [value])


def _date(days: float) -> str:
    """Write a day as a person would, with the time only where there is one."""
    rest = dt.timedelta(days=days % 1)
    return day(days) if not rest else f"{day(days)} {(EPOCH + rest).time().isoformat('seconds')}"


def tokens(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find words and blanks that stand for nothing: N/A, null, ?, keine Angabe.

    Looked for in the text as it is written, since reading a CSV turns some of them into empty values; an empty cell
    of a CSV is no finding. Looked for in the sample, counted over all rows.
    """
    seen = {}
    for column in survey.facts:
        texts = survey.as_written(column)
        if texts is None:
            continue
        tokens_in = _tokens_in(texts, survey.written is not None)
        blanks = survey.facts[column].blanks if survey.written is None else 0
        if tokens_in or blanks:
            seen[column] = tokens_in, blanks
    if not survey.complete and seen:
        seen = _counted(charter, survey, seen)
    found: list[Finding | Skip] = []
    for column, (times, blanks) in seen.items():
        if blanks:
            times = {**times, "": times.get("", 0) + blanks}
        if times:
            found.append(_token(charter, survey, column, times))
    return found


def _tokens_in(texts: pd.Series, csv: bool) -> dict[str, int]:
    """Count the spellings of tokens; blanks only in a CSV, where the engine's own count is of the typed column."""
    found: dict[str, int] = {}
    for text in texts.unique():
        if isinstance(text, str) and len(text) < 40:
            word = text.strip().lower()
            if word in TOKENS or word in WORDS or (csv and text and not word):
                found[text] = 0
    if found:
        times = texts[texts.isin(list(found))].value_counts()
        found = {str(text): int(number) for text, number in times.items()}
    return found


def _counted(charter: Charter, survey: Survey, seen: Mapping[str, tuple[dict[str, int], int]]) -> dict[str, Any]:
    """Count over all rows what the sample has shown, in one pass."""
    written = None if survey.written is None else readers.open_table(charter, survey.source).texts
    table: ir.Table = survey.table if written is None else written
    asked = [
        (table[column] == text).sum().name(f"n{number}_{position}")
        for number, (column, (times, _)) in enumerate(seen.items())
        for position, text in enumerate(times)
    ]
    rows = table.aggregate(asked).to_pyarrow().to_pylist()[0] if asked else {}
    return {
        column: ({text: int(rows[f"n{number}_{position}"] or 0) for position, text in enumerate(times)}, blanks)
        for number, (column, (times, blanks)) in enumerate(seen.items())
    }


def _token(charter: Charter, survey: Survey, column: str, times: Mapping[str, int]) -> Finding:
    known = survey.facts[column]
    suspects = {text: n for text, n in times.items() if not _is_category(charter, survey, column, text, n)}
    times = suspects or times
    rows = sum(times.values())
    share = rows / survey.rows
    # the reader of a CSV has emptied cells that are filled in as written
    filled = max(rows, survey.rows - known.nulls)
    # among words a single one may be somebody's name, among numbers and dates it is none
    doubtful = not suspects or (column in survey.texts and rows / filled < RARE_TOKEN)
    severity: Severity = "info" if doubtful else "warn"
    if severity == "warn" and column in survey.source.critical:
        # a word in a critical attribute is as bad as an empty cell
        severity = "fail" if share > limits(charter, "eda.missing_critical").fail else "warn"
    said = ", ".join(dict.fromkeys(f'"{text}"' if text.strip() else "a blank" for text in times))
    what = f"{said} stands in {column} of {survey.name} in {rows:,} of {amount(survey.rows, 'row')} ({share:.1%})."
    if severity == "info":
        what += " It may well be a value like the others."
    return finding(
        "missing.placeholder", survey.name, column, severity, share, RARE_TOKEN, what, rows, map(repr, times)
    )


def _is_category(charter: Charter, survey: Survey, column: str, text: str, number: int) -> bool:
    """Say whether a token is rather one of the column's values: declared, or a word as frequent as a category is."""
    declared = survey.source.expected.get(column)
    if isinstance(declared, list) and text in map(str, declared):
        return True
    word = text.strip().lower()
    if word not in WORDS or column not in survey.texts:
        return False
    if column == charter.prediction.target:
        return True
    levels = survey.texts[column].dropna().unique()
    if word == "na" and sum(len(level) == 2 and level.isalpha() for level in levels) >= COUNTRIES:
        return True
    return len(levels) <= MOST_LEVELS and number >= WORDS[word] * survey.rows
