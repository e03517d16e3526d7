"""The table against the charter and the earlier extract: its columns, and whether all of its rows arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data.sources import readers
from lab2live.eda.checks import earlier
from lab2live.eda.checks.findings import Finding, Severity, Skip, finding
from lab2live.eda.checks.survey import MOST_COLUMNS, Survey
from lab2live.reporting.formatting import agree, amount

# What an export stops at, and who stops there.
EXCEL_LIMITS = {65_535: "Excel (.xls)", 65_536: "Excel (.xls)", 1_048_575: "Excel", 1_048_576: "Excel"}
ROUND_LIMITS = (500, 1000, 5000, 10_000, 50_000, 100_000, 500_000, 1_000_000)
# Separators that leave everything in one column when the wrong one is expected.
SEPARATORS = ";,\t|"
# A column that was renamed has the values it had: so many of its rows, or its distribution by this distance.
SAME_VALUES = 0.8
SAME_DISTRIBUTION = 0.05
# Fewer rows than this were deleted in the ordinary course of things.
FEW_GONE = 0.005
MANY_GONE = 0.05
# Of the rows behind the point where an export was cut, so many have to be gone; of those before it hardly any.
BEHIND_THE_CUT = 0.95


def schema(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find columns that are missing, new, renamed or doubled, and tables that were read with the wrong separator.

    Parameters
    ----------
    charter
        The columns it names have to be there.
    survey
        Compared with its earlier extract, where there is one.

    Returns
    -------
    list of Finding or Skip
        A Skip where there is no earlier extract to compare with.
    """
    columns = list(survey.facts)
    if len(columns) == MOST_COLUMNS:
        columns = list(readers.open_table(charter, survey.source)[0].columns)
    found: list[Finding | Skip] = [*_shape(survey, columns), *_doubled(charter, survey, columns)]
    renamed = _renamed(survey, columns)
    asked = _asked(charter, survey)
    for column, what in asked.items():
        if column in columns or column in survey.source.aggregate:
            continue
        now = renamed.get(column) or _alike(column, columns)
        said = f"{survey.name} has no column {column}, {what}."
        said = f"{said[:-1]}; it seems to be called {now} now." if now else said
        needed = {survey.source.key, *charter.join_keys, *survey.source.critical}
        severity: Severity = "fail" if column in needed else "warn"
        found.append(
            finding("schema.columns", survey.name, column, severity, 1, 0, said, None, [now] if now else (), "declared")
        )
    if survey.earlier is None:
        return [*found, Skip("schema.columns", survey.name, survey.no_earlier)]
    before = list(survey.earlier.facts)
    for column in before:
        if column in columns or column in asked:
            continue
        now = renamed.get(column)
        what = (
            f"{column} of {survey.name} is now called {now}." if now else f"{survey.name} has lost its column {column}."
        )
        found.append(
            finding("schema.columns", survey.name, column, "warn", 1, 0, what, None, [now] if now else (), "snapshot")
        )
    old_names = {new: old for old, new in renamed.items()}
    for column in survey.facts:
        if column not in before and len(before) < MOST_COLUMNS:
            old = old_names.get(column)
            what = f"{survey.name} has a new column {column}{f', which holds what was called {old}' if old else ''}."
            found.append(finding("schema.columns", survey.name, column, "info", 1, 0, what, witness="snapshot"))
    return found


def _asked(charter: Charter, survey: Survey) -> Mapping[str, str]:
    """Say which columns the charter names, and as what."""
    source = survey.source
    asked: dict[str, str] = {}
    for column, what in [
        *(((source.key, "its key"),) if source.key else ()),
        *((column, "its key") for column in charter.join_keys),
        *((column, "which is critical") for column in source.critical),
        *(((source.date_column, "its date"),) if source.date_column else ()),
        *((column, "which the charter describes") for column in (*source.columns, *source.expected)),
    ]:
        asked.setdefault(column, what)
    return asked


def _alike(column: str, columns: Sequence[str]) -> str | None:
    """Find a name that differs in case, spaces or punctuation only."""

    def plain(name: str) -> str:
        return "".join(sign for sign in name.casefold() if sign.isalnum())

    return next((other for other in columns if plain(other) == plain(column)), None)


def _shape(survey: Survey, columns: Sequence[str]) -> list[Finding]:
    name, number = survey.name, len(columns)
    if number > MOST_COLUMNS:
        what = (
            f"{name} has {amount(number, 'column')}, the first {MOST_COLUMNS} are checked: a pivot, or a broken export?"
        )
        return [finding("schema.columns", name, None, "warn", number, MOST_COLUMNS, what)]
    if number > 1:
        return []
    (only,) = columns
    values = survey.sample[only].dropna().astype(str).head(100) if only in survey.sample else pd.Series(dtype=str)
    inside = next((sign for sign in SEPARATORS if sign in only and values.str.contains(sign, regex=False).any()), None)
    if inside:
        what = f"{name} has a single column, whose name {only!r} looks like several: it is separated by {inside!r}."
        return [finding("schema.columns", name, only, "fail", 1, 1, what, None, values, "form")]
    severity: Severity = "info" if only == survey.source.key else "warn"
    return [finding("schema.columns", name, only, severity, 1, 1, f"{name} has a single column, {only}.", None, values)]


def _doubled(charter: Charter, survey: Survey, columns: Sequence[str]) -> list[Finding]:
    """Find names that stand there twice, or differ in case and spaces only."""
    names = readers.header(charter, survey.source) or list(columns)
    plain = pd.Series([name.strip().casefold() for name in names])
    found = []
    for _, same in pd.Series(names).groupby(plain, sort=False):
        if len(same) < 2 or not same.iloc[0].strip():
            continue
        exact = same.nunique() < len(same)
        listed = ", ".join(repr(name) for name in same)
        how = "have the same name" if exact else "differ in nothing but case or spaces"
        what = f"{amount(len(same), 'column')} of {survey.name} {how}: {listed}."
        severity: Severity = "fail" if exact else "warn"
        found.append(
            finding(
                "schema.columns", survey.name, same.iloc[0], severity, len(same), 1, what, None, same.tolist(), "form"
            )
        )
    return found


def _renamed(survey: Survey, columns: Sequence[str]) -> dict[str, str]:
    """Find the new names of columns that are gone: the old values stand in them."""
    before = survey.earlier
    if before is None:
        return {}
    gone = [name for name in before.facts if name not in columns]
    new = [name for name in survey.facts if name not in before.facts]
    if not gone or not new:
        return {}
    now, then = earlier.pairs(survey)
    renamed: dict[str, str] = {}
    for old in gone:
        scores = {
            name: _sameness(before.sample[old], survey.sample[name], then, now)
            for name in new
            if name not in renamed.values() and before.facts[old].kind == survey.facts[name].kind
        }
        best = max(scores, key=lambda name: scores[name], default=None)
        if best is not None and scores[best] >= SAME_VALUES:
            renamed[old] = best
    return renamed


def _sameness(old: pd.Series, new: pd.Series, then: np.ndarray, now: np.ndarray) -> float:
    """Say how much two columns hold the same: by row where rows can be paired, else by distribution."""
    if old.notna().sum() == 0 or new.notna().sum() == 0:
        return 0.0
    if len(now) >= 20:
        a, b = old.iloc[then].reset_index(drop=True), new.iloc[now].reset_index(drop=True)
        filled = a.notna() | b.notna()
        return float((a[filled] == b[filled]).mean()) if filled.any() else 0.0
    if pd.api.types.is_numeric_dtype(old) and pd.api.types.is_numeric_dtype(new):
        distance = float(stats.ks_2samp(old.dropna().astype(float), new.dropna().astype(float)).statistic)
        return 1.0 if distance < SAME_DISTRIBUTION else 0.0
    a, b = (column.astype(str).value_counts(normalize=True) for column in (old.dropna(), new.dropna()))
    return 1 - 0.5 * float(a.sub(b, fill_value=0).abs().sum())


def truncated(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find exports that stop early: rows of the earlier extract that are gone, limits of tools, a half last row.

    Parameters
    ----------
    charter
        Not needed.
    survey
        Compared with its earlier extract, where there is one.

    Returns
    -------
    list of Finding or Skip
        A Skip where there is no earlier extract to compare with.
    """
    found: list[Finding | Skip] = [*_at_a_limit(survey), *_half_row(survey)]
    if survey.earlier is None:
        return [*found, Skip("completeness.truncated", survey.name, survey.no_earlier)]
    return [*found, *_rows_gone(survey, survey.earlier)]


def _at_a_limit(survey: Survey) -> list[Finding]:
    rows = survey.rows
    if rows in EXCEL_LIMITS:
        what = f"{survey.name} has {amount(rows, 'row')}, exactly what {EXCEL_LIMITS[rows]} can hold."
        return [finding("completeness.truncated", survey.name, None, "warn", rows, rows, what, rows)]
    if rows in ROUND_LIMITS:
        what = f"{survey.name} has exactly {amount(rows, 'row')}: a limit of the export?"
        return [finding("completeness.truncated", survey.name, None, "info", rows, rows, what, rows)]
    return []


def _half_row(survey: Survey) -> list[Finding]:
    """Find a last row that ends in the middle, in columns that are filled in all other rows."""
    if not survey.complete or survey.rows < 100 or survey.sample.empty:
        return []
    last = survey.sample.iloc[-1].isna().to_numpy()[::-1]
    columns = list(survey.sample.columns)[::-1][: int(np.argmin(last)) if not last.all() else len(last)]
    cut = [column for column in columns if survey.facts[column].nulls == 1]
    if not cut or len(cut) < len(columns):
        return []
    what = f"The last row of {survey.name} is incomplete: nothing from {cut[-1]} on, which all other rows have."
    return [finding("completeness.truncated", survey.name, cut[-1], "warn", 1, 0, what, 1, cut[::-1], "form")]


def _rows_gone(survey: Survey, before: Survey) -> list[Finding]:
    """Hold the rows against those of the earlier extract."""
    name, key = survey.name, survey.key
    fewer = 1 - survey.rows / before.rows
    gone_share, cut, shown = max(0.0, fewer), "", pd.Series(dtype=str)
    number = max(0, before.rows - survey.rows)
    codes = earlier.keys(survey) if survey.complete and before.complete else None
    if codes is not None:
        now, then = codes
        gone = (then >= 0) & ~np.isin(then, now)
        number = max(number, int(gone.sum()))
        shown, cut = before.sample.loc[gone, key], _where_cut(before, gone) if gone.any() else ""
        gone_share = max(gone_share, float(gone.mean()))
    # keys may all be there still, each with fewer rows
    if gone_share < FEW_GONE:
        return []
    said = f"{amount(number, 'row')} of it {agree(number, 'is', 'are')} gone" if number else "keys of it are gone"
    what = (
        f"{name} has {amount(survey.rows, 'row')}, the earlier extract had {before.rows:,}; {said} "
        f"({gone_share:.1%}){cut}."
    )
    severity: Severity = (
        "fail" if cut and gone_share > MANY_GONE else "warn" if cut or gone_share > MANY_GONE else "info"
    )
    return [
        finding("completeness.truncated", name, None, severity, gone_share, FEW_GONE, what, number, shown, "snapshot")
    ]


def _where_cut(before: Survey, gone: np.ndarray) -> str:
    """Say whether the rows that are gone are all those behind one point, and in which order."""
    orders = {"rows": np.arange(len(gone), dtype=float)}
    orders |= {name: values for name, values in before.numbers.items() if name == before.key}
    orders |= dict(before.days)
    if before.key is not None and before.key in before.texts:
        orders[before.key] = before.texts[before.key].rank(method="dense").to_numpy(dtype=float)
    for name, by in orders.items():
        usable = np.flatnonzero(np.isfinite(by))
        ordered = gone[usable[np.argsort(by[usable], kind="stable")]]
        number = int(ordered.sum())
        if number >= 5 and number < len(ordered) and ordered[-number:].mean() >= BEHIND_THE_CUT:
            return (
                ", all of them at the end"
                if name == "rows"
                else f", all of them beyond one point in the order of {name}"
            )
    return ""
