"""SQLite keeps any value in any column, whatever the column is declared to be: columns are read as what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What SQLite can store a value as; nothing else.
STORED = ("integer", "real", "text", "blob")
# A text in a column of dates that is none: SQLite itself has to understand it, and years come first.
NO_DATE = "typeof({0}) = 'text' AND NOT ({0} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' AND date({0}) NOTNULL)"
# Columns asked about at once: a result has 2,000 at most.
AT_ONCE = 300


def table_as_stored(connection: Any, name: str) -> ir.Table:
    """Open a table, with columns as text where their values do not fit what they are declared to be.

    Parameters
    ----------
    connection
        The ibis backend of an SQLite file.
    name
        Of the table.

    Returns
    -------
    ibis table
        The table itself where everything is as declared.
    """
    table = connection.table(name)
    types = table.schema()
    counted = _counted(connection, name, list(types))
    read_as = {column: _read_as(kind, counted[column]) for column, kind in types.items()}
    if not any(read_as.values()):
        return table
    casts = {"string": "TEXT", "float64": "REAL", "int64": "INTEGER"}
    parts = [
        f"CAST({_quoted(column)} AS {casts[other]}) AS {_quoted(column)}" if other else _quoted(column)
        for column, other in read_as.items()
    ]
    schema = {column: read_as[column] or kind for column, kind in types.items()}
    return connection.sql(f"SELECT {', '.join(parts)} FROM {_quoted(name)}", schema=schema)


def _counted(connection: Any, name: str, columns: list[str]) -> dict[str, dict[str, int]]:
    """Count for every column how its values are stored, and how many texts in it are no date."""
    questions = {stored: f"typeof({{0}}) = '{stored}'" for stored in STORED} | {"no date": NO_DATE}
    counted: dict[str, dict[str, int]] = {}
    for start in range(0, len(columns), AT_ONCE):
        some = columns[start : start + AT_ONCE]
        asked = [f"total({question.format(_quoted(column))})" for column in some for question in questions.values()]
        answers = iter(connection.con.execute(f"SELECT {', '.join(asked)} FROM {_quoted(name)}").fetchone())
        counted |= {column: {question: int(next(answers)) for question in questions} for column in some}
    return counted


def _read_as(kind: Any, stored: dict[str, int]) -> str | None:
    """Say as what a column is read instead of what it is declared to be; `None` if that is right."""
    numbers, words = stored["integer"] + stored["real"], stored["text"] + stored["blob"]
    if kind.is_date() or kind.is_timestamp():
        if numbers and not words:
            return "float64" if stored["real"] else "int64"
        return "string" if numbers or stored["blob"] or stored["no date"] else None
    if kind.is_string():
        return "string" if numbers or stored["blob"] else None
    if not (kind.is_numeric() or kind.is_boolean()):
        return None
    if words:
        return "string"
    return "float64" if kind.is_decimal() or (stored["real"] and not kind.is_floating()) else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
