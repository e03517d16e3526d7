"""Data quality (L4): every check, on every source and across them; one that breaks is a skip, never a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab2live.charter.schema import Charter
from lab2live.data.sources.errors import NO_ROWS
from lab2live.data.sources.tables import Reading
from lab2live.eda.checks import (
    agreement,
    arrival,
    combinations,
    copies,
    coverage,
    date_order,
    encoding,
    formats,
    gaps,
    history,
    keys,
    misaligned,
    missing,
    outliers,
    registry,
    shifts,
    spelling,
    timezone,
    together,
    units,
    zeros,
)
from lab2live.eda.checks.findings import ALL_SOURCES, Finding, Found, Skip, collect
from lab2live.eda.checks.survey import Survey, survey_all
from lab2live.pipeline.evidence import Evidence

Results = list[Finding | Skip]

# What looks at one source by itself.
OF_A_SOURCE: dict[str, Callable[[Charter, Survey], Results]] = {
    "missing.critical": missing.critical,
    "missing.sentinel": missing.sentinels,
    "missing.placeholder": missing.tokens,
    "outlier.univariate": outliers.univariate,
    "outlier.multivariate": together.multivariate,
    "drift.change_point": shifts.level_shift,
    "validity.constant": outliers.constant,
    "validity.range": outliers.impossible,
    "completeness.category": coverage.entity,
    "completeness.combination": combinations.combination,
    "completeness.time_gap": gaps.time_gap,
    "consistency.unit": units.unit,
    "consistency.row_shift": misaligned.misaligned,
    "consistency.spelling": spelling.spelling,
    "consistency.encoding": encoding.encoding,
    "consistency.date_order": date_order.date_order,
    "consistency.timezone": timezone.timezone,
    "consistency.decimal_comma": formats.decimal_comma,
    "consistency.leading_zeros": zeros.leading_zeros,
    "schema.dtype": formats.dtype,
    "schema.columns": history.schema,
    "completeness.truncated": history.truncated,
    "timeliness.incomplete_period": arrival.late,
    "timeliness.stale": arrival.stale,
    "integration.duplicate_keys": keys.duplicates,
    "duplicate.rows": copies.copies,
}
# What holds several sources against each other.
ACROSS: dict[str, Callable[[Charter, Sequence[Survey]], Results]] = {
    "integration.orphan_keys": keys.orphans,
    "integration.fan_out": keys.fan_out,
    "consistency.conflict": agreement.conflict,
    "consistency.unit": units.unit_across,
    "consistency.row_shift": misaligned.misaligned_across,
    "consistency.timezone": agreement.timezone_across,
    "consistency.leading_zeros": zeros.leading_zeros_across,
    "timeliness.stale": arrival.stale_across,
}


def check(charter: Charter, readings: Sequence[Reading], seed: int = 0) -> tuple[Found, list[Survey]]:
    """Look at every source by itself and at all of them together, with the project's own checks beside.

    Parameters
    ----------
    charter
        Declares what should be: limits, keys, expected values, snapshots.
    readings
        Sources that could not be read become findings; the others are still checked.
    seed
        Of the samples drawn from large sources.

    Returns
    -------
    found
        The worst findings first.
    surveys
        What was measured of the sources that could be read.
    """
    surveys, unreadable = survey_all(charter, readings, seed)
    unread = [reading.source.name for reading in unreadable]
    found: Results = [_unreadable(reading) for reading in unreadable]
    found += [Skip(check, name, f"{name} could not be read.") for name in unread for check in OF_A_SOURCE]
    for measured in surveys:
        for name, look in OF_A_SOURCE.items():
            found += _guarded(name, measured.name, lambda: look(charter, measured))  # noqa: B023  called at once
    for name, compare in ACROSS.items():
        found += _guarded(name, ALL_SOURCES, lambda: compare(charter, surveys))  # noqa: B023  called at once
    own = registry.run(charter, surveys, unread)
    names = [measured.name for measured in surveys]
    return collect(charter, found + own.found, names, unread, own.known, own.problems), surveys


def no_copies(charter: Charter) -> Evidence:
    """Say what it means that no key was found twice; a skip when there is no key by which to tell."""
    if not charter.identifiers and not any(source.key for source in charter.sources):
        return Evidence(None, "The charter names no key (prediction.id_column): cases cannot be told apart.")
    return Evidence(0, "Every key stands for one row.")


def _guarded(name: str, source: str, look: Callable[[], Results]) -> Results:
    """Keep what breaks one check from taking the others with it."""
    try:
        return look()
    except Exception as error:  # data are hostile, and so are engines: whatever it is, it is said
        reason = " ".join(str(error).split())[:200]
        return [Skip(name, source, f"It could not be computed: {type(error).__name__}: {reason}")]


def _unreadable(reading: Reading) -> Finding:
    """Turn a source that nobody could read into a finding: how to get it is in its problem."""
    empty = reading.problem == NO_ROWS
    check = "completeness.truncated" if empty else "schema.columns"
    why = "Whatever it knows is missing in every case, and the model cannot learn it."
    what = f"{reading.source.name}: {reading.problem} {why}"
    return Finding(
        1, what, severity="fail", rows=0, check=check, source=reading.source.name, witness="declared", threshold=0
    )
