"""What a charter can say about the columns of its sources, told from the data where they lie.

Whoever cannot reach the data, such as a CI server, draws stand-ins from this description. It holds names and types, and
of all values only the classes of the target: it is committed, and must not say anything about anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lab2live.charter.schema import SIMULATED_SCHEME, Charter
from lab2live.data.encoding import label
from lab2live.data.sources.tables import Reading, case_rows

if TYPE_CHECKING:
    import ibis.expr.types as ir

# With more different values than this, a text is no category, and a target has no classes.
MOST_CATEGORIES = 20


def describe(charter: Charter, readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Describe the columns of every source that could be read.

    Parameters
    ----------
    charter
        What it says about a column already is kept.
    readings
        What came of opening its sources.

    Returns
    -------
    list of dict
        `name` and `columns` of each source, as they stand under `sources` in a charter. Sources that are simulated
        are left out: they are what the charter says already.
    """
    return [
        {"name": reading.source.name, "columns": _columns(charter, reading)}
        for reading in readings
        if reading.table is not None and not reading.source.address.startswith(SIMULATED_SCHEME)
    ]


def _columns(charter: Charter, reading: Reading) -> dict[str, dict[str, Any]]:
    source, table = reading.source, case_rows(reading)
    texts = [name for name in table.columns if table[name].type().is_string()]
    few = _few_values(table, texts)
    keys = {*charter.identifiers, source.key}
    found: dict[str, dict[str, Any]] = {}
    for name in table.columns:
        if name == charter.prediction.target:
            found[name] = _target(charter, table)
        else:
            found[name] = {"type": "id" if name in keys else _kind(table[name].type(), name in few)}
        if name in source.columns:
            found[name] |= source.columns[name].model_dump(exclude_defaults=True)
    return found


def _kind(stored: Any, few: bool) -> str:
    """Give the charter's word for the type in which an engine holds a column."""
    if stored.is_boolean():
        return "boolean"
    if stored.is_integer():
        return "integer"
    if stored.is_numeric():
        return "number"
    if stored.is_date() or stored.is_timestamp():
        return "date"
    return "category" if few else "text"


def _few_values(table: ir.Table, names: Sequence[str]) -> set[str]:
    """Count inside the engine; by position, as two columns may differ in case only."""
    if not names:
        return set()
    counts = table.aggregate([table[name].nunique().name(f"n{place}") for place, name in enumerate(names)])
    return {
        name
        for name, count in zip(names, counts.to_pyarrow().to_pylist()[0].values(), strict=True)
        if 0 < count <= MOST_CATEGORIES
    }


def _target(charter: Charter, table: ir.Table) -> dict[str, Any]:
    if charter.prediction.problem_type == "regression":
        return {"type": "number"}
    column = table[charter.prediction.target]
    values = table.filter(column.notnull()).select(column).distinct().limit(MOST_CATEGORIES + 1)
    classes = values.to_pyarrow().column(0).to_pylist()
    if not 2 <= len(classes) <= MOST_CATEGORIES:
        return {"type": "category"}
    plain = [value if isinstance(value, str | bool | int | float) else label(value) for value in classes]
    return {"type": "category", "values": sorted(plain)}
