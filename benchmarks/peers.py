"""What other tools find of the same faults: pandera, pointblank, and the alerts of the profile report.

None of them knows the charter. Each gets what it can use in its place: a clean reference, the earlier extract, from
which a schema or limits are taken; and what it reports on the clean data of today already does not count as found. Each
sees every source by itself, and the joined table.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import planted_faults
import worlds

from lab2live.charter import loading as charters
from lab2live.data.sources import tables as sources
from lab2live.errors import UserError
from lab2live.synthesis.faults import KINDS

Frames = Mapping[str, pd.DataFrame]
# One complaint of a tool: table, column, rule.
Complaints = set[tuple[str, str, str]]
JOINED = "joined"
# A column with no more values than these is a category, whose values are fixed by the reference.
CATEGORIES = 40
PROFILED_ROWS = 20_000
INSTALL = "an environment of its own, see benchmarks/README.md"


def with_pandera(reference: Frames) -> Callable[[Frames], Complaints]:
    """Infer a schema from the reference: types, empty values, smallest and largest."""
    import pandera.pandas as pa

    schemas = {name: pa.infer_schema(frame) for name, frame in reference.items()}

    def look(frames: Frames) -> Complaints:
        found: Complaints = set()
        for name, frame in frames.items():
            try:
                schemas[name].validate(frame, lazy=True)
            except pa.errors.SchemaErrors as error:
                cases = error.failure_cases[["column", "check"]].astype(str)
                found |= {(name, *case) for case in cases.itertuples(index=False)}
            except Exception as error:  # it stumbled over the fault: that is a complaint too
                found.add((name, "", type(error).__name__))
        return found

    return look


def with_pointblank(reference: Frames) -> Callable[[Frames], Complaints]:
    """Ask what a careful analyst would: not empty, between, among the known values, unique, the same columns."""
    import pointblank as pb

    def plan(name: str, frame: pd.DataFrame) -> Any:
        known = reference[name]
        checks = pb.Validate(frame).col_exists(columns=list(known.columns)).col_count_match(len(known.columns))
        checks = checks.rows_distinct()
        for column in known.columns:
            values = known[column].dropna()
            if column not in frame:
                continue
            if not known[column].isna().any():
                checks = checks.col_vals_not_null(columns=column)
            if values.is_unique:
                checks = checks.rows_distinct(columns_subset=column)
            elif pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
                # it takes Python's own numbers only
                low, high = values.min(), values.max()
                if pd.api.types.is_numeric_dtype(values):
                    low, high = low.item(), high.item()
                same = frame[column].dtype.kind == values.dtype.kind or frame[column].dtype.kind in "if"
                if same:
                    checks = checks.col_vals_between(columns=column, left=low, right=high, na_pass=True)
            elif values.nunique() <= CATEGORIES:
                checks = checks.col_vals_in_set(columns=column, set=[*values.unique(), None])
        return checks.interrogate()

    def look(frames: Frames) -> Complaints:
        found: Complaints = set()
        for name, frame in frames.items():
            try:
                steps = plan(name, frame).validation_info
            except Exception as error:  # it stumbled over the fault: that is a complaint too
                found.add((name, "", type(error).__name__))
                continue
            found |= {(name, str(step.column), str(step.assertion_type)) for step in steps if not step.all_passed}
        return found

    return look


def with_profile(reference: Frames) -> Callable[[Frames], Complaints]:
    """Take the alerts of the profile; they need no reference."""
    os.environ["YDATA_PROFILING_NO_ANALYTICS"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ydata_profiling import ProfileReport

    def look(frames: Frames) -> Complaints:
        found: Complaints = set()
        for name, frame in frames.items():
            if name == JOINED:  # the sources show the same columns, and each profile takes seconds
                continue
            try:
                report = ProfileReport(frame.head(PROFILED_ROWS), minimal=True, progress_bar=False)
                with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
                    alerts = report.get_description().alerts
            except Exception as error:  # it stumbled over the fault: that is a complaint too
                found.add((name, "", type(error).__name__))
                continue
            found |= {(name, str(alert.column_name), alert.alert_type.name) for alert in alerts}
        return found

    return look


TOOLS = {"pandera": with_pandera, "pointblank": with_pointblank, "profile": with_profile}


def read(world: worlds.World, frames: Frames, folder: Path) -> dict[str, pd.DataFrame]:
    """Write the sources and read them as the product does: every tool starts from what the engine gives."""
    files = {}
    for name, frame in frames.items():
        files[name] = folder / world.files[name]
        worlds.write(frame, files[name], worlds.table_of(world, name))
    charter = charters.read(worlds.write_charter(world, files, {}, set(), folder))
    readings = sources.read_all(charter)
    tables = {reading.source.name: reading.table.to_pandas() for reading in readings if reading.table is not None}
    with contextlib.suppress(UserError):  # a fault can make the join impossible; the sources are still there
        tables[JOINED] = sources.joined_table(charter, readings)
    return tables


def compare(names: Sequence[str], chosen: Sequence[str]) -> None:
    """Print which tool finds which kind: full strength, one seed, each domain."""
    rows: dict[str, dict[str, list[bool]]] = {kind: {tool: [] for tool in TOOLS} for kind in names}
    missing: set[str] = set()
    for domain in chosen:
        world, _, _, _ = planted_faults.world_of(domain, 0)
        with tempfile.TemporaryDirectory() as folder:
            reference = read(world, world.earlier(), Path(folder))
        with tempfile.TemporaryDirectory() as folder:
            today = read(world, world.frames, Path(folder))
        looks = {}
        for tool, make in TOOLS.items():
            try:
                looks[tool] = make(reference)
            except ImportError:
                missing.add(tool)
        usual = {tool: look(today) for tool, look in looks.items()}
        for kind in names:
            frames, _ = planted_faults.planting(world, domain, 0, kind, "full")
            with tempfile.TemporaryDirectory() as folder:
                dirty = read(world, frames, Path(folder))
            changed = {name: table for name, table in dirty.items() if name == JOINED or not table.equals(today[name])}
            for tool, look in looks.items():
                rows[kind][tool].append(bool(look(changed) - usual[tool]))
            print(f"{domain} {kind} " + " ".join(f"{tool}={rows[kind][tool][-1]}" for tool in looks), flush=True)
    print(f"\nFound at full strength, one seed, of {len(chosen)} domains:")
    table = pd.DataFrame(
        [
            {"kind": kind, "check": KINDS[kind].checks[0], **{tool: sum(hits) for tool, hits in of.items() if hits}}
            for kind, of in rows.items()
        ]
    )
    print(table.to_string(index=False))
    tools = [tool for tool in TOOLS if tool in table]
    print({tool: f"{(table[tool] > 0).sum()} kinds of {len(table)} in some domain" for tool in tools})
    if missing:
        print(f"Not installed: {', '.join(sorted(missing))}. How to: {INSTALL}")
