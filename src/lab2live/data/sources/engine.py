"""The one embedded engine of this process, and the folder in which its copies lie."""

from __future__ import annotations

import functools
import itertools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What the engine may use; a database of its own has limits of its own.
MEMORY = "2GB"
# Rows moved at once.
AT_ONCE = 50_000
# Of the temporary tables in it.
_NUMBERS = itertools.count()


@functools.cache
def duckdb() -> Any:
    """Give the embedded engine: it reads all files, and spills to disk before memory runs out."""
    import ibis

    return ibis.duckdb.connect(memory_limit=MEMORY, temp_directory=_copies().name)


def embedded_copy(table: ir.Table) -> ir.Table:
    """Move the rows of a table, batch by batch, into a temporary table of the embedded engine.

    Two sources in two engines meet there; only what is moved leaves them. What lies in it stays where it is.
    """
    engine = duckdb()
    if table.get_backend() is engine:  # it would wait for itself
        return table
    name = f"lab2live_copy_{next(_NUMBERS)}"
    with table.to_pyarrow_batches(chunk_size=AT_ONCE) as batches:
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
