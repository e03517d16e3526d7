"""Opening a table of a database: found by its name, with limits to waiting, in types that every check can read."""

from __future__ import annotations

import datetime as dt
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab2live.charter.schema import Source
from lab2live.data.sources.engine import MEMORY
from lab2live.data.sources.reading import EXACT
from lab2live.data.sources.sqlite_types import table_as_stored
from lab2live.errors import UserError

if TYPE_CHECKING:
    import ibis.expr.types as ir

_CONNECTIONS: dict[str, Any] = {}
POSTGRES = ("postgres", "postgresql")
# Seconds to wait for a machine that does not answer.
PATIENCE = 30
# Milliseconds: somebody else's lock, and a question that the database cannot answer in reasonable time.
LOCK_PATIENCE = 5_000
ANSWER_PATIENCE = 600_000
# Types of PostgreSQL that all checks read as they are, and how the others are asked for. Whatever is not named is asked
# for as text. Numbers of any length become floating point, as they would in every model.
PLAIN = {"int2", "int4", "int8", "float4", "float8", "bool", "text", "varchar", "date", "timestamp", "timestamptz"}
CASTS = {
    "numeric": "{}::float8",
    "money": "{}::numeric::float8",
    "interval": "(extract(epoch from {}) / 86400)::float8",
    # what a picture or a document begins with: nobody fetches all of it to look at a table
    "bytea": "substring({} from 1 for 32)::text",
}
# What ibis calls the types that the casts above give; a domain is called what it is based on.
NAMES = {
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "float4": "float32",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp('UTC')",
    **dict.fromkeys(("float8", "numeric", "money", "interval"), "float64"),
}
# By number, so that schemas, views, foreign and partitioned tables are all found the same way.
COLUMNS = """
SELECT a.attname, coalesce(b.typname, t.typname), t.typtype <> 'd'
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
WHERE a.attrelid = %(number)s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
TABLES = """
SELECT c.oid, n.nspname, c.relname, n.nspname = ANY(current_schemas(false))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY array_position(current_schemas(false), n.nspname), n.nspname, c.relname
"""


def open_database(address: str, source: Source) -> tuple[ir.Table, str]:
    """Open a table behind an address such as `postgresql://user:password@host/database`.

    Parameters
    ----------
    address
        With everything filled in that the charter only names.
    source
        Its `table` may carry a schema: `sales.invoices`.

    Returns
    -------
    table, engine
        The lazy table and the name of the engine that holds it.

    Raises
    ------
    UserError
        If the address cannot be read or is of a scheme that ibis does not know, or the table is not there.
    """
    import ibis

    try:
        kind, _ = (parts := urllib.parse.urlsplit(address)).scheme, parts.port
    except ValueError:
        # not what urllib says: it would quote a part of the password
        raise UserError(
            "The database's address cannot be read.",
            where=f"sources ({source.name}).uri",
            expected="postgresql://user:${VARIABLE}@host:5432/database",
            fix="let a variable hold the password alone, or write @ : / ? # % in it as %40 %3A %2F %3F %23 %25",
        ) from None
    if kind in POSTGRES:
        connection = _postgres(address)
        return _postgres_table(connection, source), connection.name
    if kind not in {backend.name for backend in ibis.util.backend_entry_points()}:
        raise UserError(
            f"Addresses that begin with {kind}:// are not supported.",
            where=f"sources ({source.name}).uri",
            expected="a file, a folder, http(s)://, or a database that ibis knows, such as postgresql:// or mysql://",
            fix="copy the files to this machine or mount their storage as a folder, and give that path as the uri",
        )
    connection = ibis.connect(address)
    return connection.table(table_name(source, connection.list_tables())), connection.name


def open_sqlite(place: Path, source: Source) -> tuple[ir.Table, str]:
    """Open a table of an SQLite file; bytes that are no UTF-8 show as such instead of breaking the column."""
    import ibis

    connection = ibis.sqlite.connect(place)
    connection.con.text_factory = lambda text: text.decode(errors="replace")
    return table_as_stored(connection, table_name(source, connection.list_tables())), "sqlite"


def open_duckdb(place: Path, source: Source) -> tuple[ir.Table, str]:
    """Open a table of a DuckDB file."""
    import ibis

    connection = ibis.duckdb.connect(place, read_only=True, memory_limit=MEMORY)
    return connection.table(table_name(source, connection.list_tables())), "duckdb"


def table_name(source: Source, known: Sequence[str]) -> str:
    """Say which of the tables that a database has is meant: the one named, or the only one.

    Raises
    ------
    UserError
        If it has none of this name, or several and none is named.
    """
    if source.table is not None and source.table in known:
        return source.table
    if source.table is None and len(known) == 1:
        return known[0]
    if not known:
        raise UserError(
            "The database is empty, or shows us no tables.",
            where=f"sources ({source.name}).uri",
            fix="correct the source's `uri`, or ask its owner for the right to read the table",
        )
    raise UserError(
        f"It is not clear which table of source `{source.name}` is meant.",
        where=f"sources ({source.name}).table",
        found=source.table or "nothing",
        expected=f"one of {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}",
        fix="set the source's `table`",
    )


def _postgres(address: str) -> Any:
    """Connect once to a database: tables behind one connection are held against each other where they lie."""
    import ibis
    from psycopg import OperationalError

    connection = _CONNECTIONS.get(address)
    if connection is not None:
        try:
            connection.con.execute("SELECT 1")
            return connection
        except OperationalError:  # it was away in between
            del _CONNECTIONS[address]
    given = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)
    waiting = {} if "connect_timeout" in given else {"connect_timeout": PATIENCE}
    connection = ibis.connect(address, **waiting)
    _never_wait_or_fail(connection.con)
    _CONNECTIONS[address] = connection
    return connection


def _postgres_table(connection: Any, source: Source) -> ir.Table:
    """Find a table of PostgreSQL, by its name alone or with its schema, and ask for plain types."""
    with connection.con.cursor() as cursor:
        found = cursor.execute(TABLES).fetchall()
        # those in the schemas that are searched go by their name, the first schema first
        by_name = {f"{schema}.{name}": (number, schema, name) for number, schema, name, _ in found}
        for number, schema, name, searched in found:
            if searched:
                by_name.setdefault(name, (number, schema, name))
        short = [name if searched else f"{schema}.{name}" for _, schema, name, searched in found]
        wanted = source.table if source.table in by_name else table_name(source, list(dict.fromkeys(short)))
        number, schema, name = by_name[wanted]
        columns = cursor.execute(COLUMNS, {"number": number}).fetchall()
        columns = _with_long_numbers_as_text(cursor, columns, f"{_quoted(schema)}.{_quoted(name)}")
    if all(kind in PLAIN and plain for _, kind, plain in columns):
        return connection.table(name, database=schema)
    return _in_plain_types(connection, columns, f"{_quoted(schema)}.{_quoted(name)}")


def _with_long_numbers_as_text(
    cursor: Any, columns: Sequence[tuple[str, str, bool]], table: str
) -> list[tuple[str, str, bool]]:
    """Let whole numbers of any length that no float can tell apart be asked for as text: they name something."""
    exact = [name for name, kind, _ in columns if kind == "numeric"]
    long = dict.fromkeys(exact, False)
    if exact:
        asked = ", ".join(f"bool_or(abs({_quoted(name)}) > {EXACT} AND {_quoted(name)} % 1 = 0)" for name in exact)
        long = dict(zip(exact, cursor.execute(f"SELECT {asked} FROM {table}").fetchone(), strict=True))
    return [(name, "text", False) if long.get(name) else (name, kind, plain) for name, kind, plain in columns]


def select(table: ir.Table, name: str, query: str) -> ir.Table:
    """Ask the engine of a table in its own SQL.

    Parameters
    ----------
    table
        What the query calls `name`.
    query
        From the charter: whatever is wrong with it, the engine says.
    """
    connection = table.get_backend()
    if connection.name != "postgres":
        return table.alias(name).sql(query)
    # asked for no rows first: ibis would create a view to learn the types, which not everybody may
    asked = f"WITH {_quoted(name)} AS ({connection.compile(table)}) {query}"
    with connection.con.cursor() as cursor:
        described = cursor.execute(f"SELECT * FROM ({asked}) t LIMIT 0").description or ()
        numbers = [column.type_code for column in described]
        known = dict(cursor.execute("SELECT oid, typname FROM pg_catalog.pg_type WHERE oid = ANY(%s)", (numbers,)))
    columns = [(column.name, known[column.type_code], True) for column in described]
    return _in_plain_types(connection, columns, f"({asked}) t")


def _in_plain_types(connection: Any, columns: Sequence[tuple[str, str, bool]], table: str) -> ir.Table:
    parts, types = [], {}
    for name, kind, plain in columns:
        cast = "{}" if kind in PLAIN and plain else CASTS.get(kind, "{}::" + (kind if kind in NAMES else "text"))
        parts.append(f"{cast.format(_quoted(name))} AS {_quoted(name)}")
        types[name] = NAMES.get(kind, "string")
    return connection.sql(f"SELECT {', '.join(parts)} FROM {table}", schema=types)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _never_wait_or_fail(connection: Any) -> None:
    """Set limits to waiting, and read days beyond the year 9999 ("infinity") as its last one."""
    from psycopg import DataError
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    limits = {"date": dt.date, "timestamp": dt.datetime, "timestamptz": dt.datetime}
    for (name, kind), base in zip(limits.items(), (DateLoader, TimestampLoader, TimestamptzLoader), strict=True):
        zone = {"tzinfo": dt.UTC} if name == "timestamptz" else {}

        def load(self: Any, data: Any, base: Any = base, kind: Any = kind, zone: Any = zone) -> Any:
            try:
                return base.load(self, data)
            except DataError:
                early = bytes(data).startswith(b"-") or bytes(data).endswith(b"BC")
                return kind(1, 1, 1, **zone) if early else kind(9999, 12, 31, **zone)

        connection.adapters.register_loader(name, type(f"Any{base.__name__}", (base,), {"load": load}))
    connection.execute(f"SET lock_timeout = {LOCK_PATIENCE}")
    connection.execute(f"SET statement_timeout = {ANSWER_PATIENCE}")
