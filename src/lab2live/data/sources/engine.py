"""The one embedded engine of this process, and the folder in which its copies lie."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What the engine may use; a database of its own has limits of its own.
MEMORY = "2GB"
# Rows moved at once.
BATCH = 50_000
# Columns that the engine is asked about at once; with more than `WIDE` it needs too much memory to write them; and rows
# of such a table that are kept together.
AT_ONCE, WIDE, FEW = 40, 300, 2048
# Of the temporary tables in it.
_NUMBERS = itertools.count()


@functools.cache
def duckdb() -> Any:
    """Give the embedded engine: it reads all files, and spills to disk before memory runs out."""
    import ibis

    connection = ibis.duckdb.connect(memory_limit=MEMORY, temp_directory=_copies().name)
    connection.raw_sql("SET TimeZone = 'UTC'")  # moments mean the same wherever this runs
    return connection


def written(parts: Sequence[str], rows: str, at_once: int = AT_ONCE) -> Path:
    """Write columns as Parquet: whoever asks twice would compute them twice.

    Parameters
    ----------
    parts
        The columns as SQL.
    rows
        What they are selected from.
    at_once
        Columns that are computed in one question; each reads the rows again.
    """
    copy, engine = new_file(".parquet"), duckdb().con
    if len(parts) <= WIDE:
        engine.execute(f"COPY (SELECT {', '.join(parts)} FROM {rows}) TO '{copy}' (FORMAT parquet)")
        return copy
    import pyarrow as pa
    import pyarrow.parquet as parquet

    # with very many, the engine plans for minutes, and needs too much memory to write them
    asked = [", ".join(parts[start : start + at_once]) for start in range(0, len(parts), at_once)]
    pieces = [engine.execute(f"SELECT {some} FROM {rows}").to_arrow_table() for some in asked]
    columns = {name: piece[name] for piece in pieces for name in piece.column_names}
    parquet.write_table(pa.table(columns), copy, row_group_size=FEW)
    return copy


def embedded_copy(table: ir.Table) -> ir.Table:
    """Move the rows of a table, batch by batch, into a temporary table of the embedded engine.

    Two sources in two engines meet there; only what is moved leaves them. What lies in it stays where it is.
    """
    engine = duckdb()
    if table.get_backend() is engine:  # it would wait for itself
        return table
    name = f"lab2live_copy_{next(_NUMBERS)}"
    with table.to_pyarrow_batches(chunk_size=BATCH) as batches:
        engine.con.register(f"{name}_batches", batches)
        engine.raw_sql(f"CREATE TEMP TABLE {name} AS SELECT * FROM {name}_batches")
        engine.con.unregister(f"{name}_batches")
    return engine.table(name)


@functools.cache
def _copies() -> tempfile.TemporaryDirectory[str]:
    """Give the folder in which copies lie as long as this process lives: the engine reads them later."""
    return tempfile.TemporaryDirectory(prefix="lab2live-copies-")


def new_file(suffix: str) -> Path:
    """Make an empty file that lives as long as this process."""
    handle, name = tempfile.mkstemp(suffix, dir=_copies().name)
    os.close(handle)
    return Path(name)
