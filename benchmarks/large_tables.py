"""What do the checks of the data cost on large tables, in time and memory?

Ten million rows in Parquet against DuckDB's own SUMMARIZE of the same files, and a million rows in PostgreSQL. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS = 10_000_000
POSTGRES_ROWS = 1_000_000
# The bars: seconds per second of SUMMARIZE, and megabytes at the peak.
MOST_TIME = 2.5
MOST_MEMORY = 3_000
MOST_CLIENT_MEMORY = 400
# Files of another version of this script are written again.
VERSION = 5
CACHE = Path(tempfile.gettempdir()) / "lab2live-large-tables"
SERVER = Path(__file__).parents[1] / "tests" / "databases" / "conftest.py"

# Every column depends on the row's number alone, so that both engines are given the same and it repeats.
CUSTOMERS = """
SELECT n AS id,
       floor(100 * exp(2.5 + 0.8 * sqrt(-2 * ln({u1})) * cos(6.283185307 * {u2}))) / 100 AS amount,
       -20 * ln({u3}) AS minutes,
       CAST(18 + 70 * {u4} * {u5} AS INTEGER) AS age,
       CAST(-3 * ln({u6}) AS INTEGER) AS visits,
       CASE WHEN {u7} < 0.03 THEN NULL ELSE floor(1000 * {u8}) / 10 END AS score,
       'region ' || CAST(floor(8 * {u9} * {u9}) AS INTEGER) AS region,
       'tariff ' || CAST(floor(5 * {u10}) AS INTEGER) AS tariff,
       'city ' || CAST(floor(300 * {u11}) AS INTEGER) AS city,
       DATE '2019-01-01' + CAST(floor(2190 * {u12}) AS INTEGER) AS joined_on,
       'called about ' || CAST(floor(90000 * {u13} * {u14}) AS INTEGER) || ' on the phone' AS note,
       CASE WHEN {u3} + {u8} + {u15} < 1 THEN 'yes' ELSE 'no' END AS y
FROM {numbers}
"""
BALANCES = "SELECT n AS id, floor(100000 * {u1} * {u2}) / 100 AS balance FROM {numbers}"
NUMBERS = {"duckdb": "range(1, {rows} + 1) t(n)", "postgres": "generate_series(1, {rows}) t(n)"}
# Uniform between 0 and 1, a different one for every number: the fraction of a large sine.
UNIFORM = "(0.0000001 + 0.9999998 * abs(sin(n * {a} + {b}) * 43758.5453 - trunc(sin(n * {a} + {b}) * 43758.5453)))"


def query(template: str, engine: str, rows: int) -> str:
    """Fill in the uniform numbers and where the rows come from."""
    random = {f"u{k}": UNIFORM.format(a=12.9898 + 7.123 * k, b=0.37 * k) for k in range(1, 16)}
    return template.format(numbers=NUMBERS[engine].format(rows=rows), **random)


def files(rows: int) -> list[Path]:
    """Write the two Parquet files, unless they are there from last time."""
    import duckdb

    folder = CACHE / f"{VERSION}-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, template in (("customers", CUSTOMERS), ("balances", BALANCES)):
        path = folder / f"{name}.parquet"
        if not path.exists():
            print(f"writing {path}", flush=True)
            duckdb.sql(f"COPY ({query(template, 'duckdb', rows)}) TO '{path}.part' (FORMAT parquet)")
            path.with_name(f"{path.name}.part").rename(path)
        made.append(path)
    return made


def check(addresses: list[str], tables: list[str | None]) -> dict[str, Any]:
    """Run all checks of notebook 01 on sources that share the key `id`; say how long which of them took."""
    from lab2live.charter.schema import Charter
    from lab2live.data.sources import tables as sources
    from lab2live.eda.checks import quality, survey

    spent: Counter[str] = Counter()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*given)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    for checks in (quality.OF_A_SOURCE, quality.ACROSS):
        checks.update({name: timed(name, function) for name, function in checks.items()})
    quality.survey_all = timed("survey", survey.survey_all)
    names = ["customers", "balances"][: len(addresses)]
    charter = Charter.model_validate(
        {
            "prediction": {"problem_type": "classification", "target": "y", "id_column": "id"},
            "sources": [
                {"name": name, "uri": address, "table": table, "key": "id"}
                for name, address, table in zip(names, addresses, tables, strict=True)
            ],
            "join": {"base": names[0], "on": "id"} if len(names) > 1 else None,
        }
    )
    started = time.perf_counter()
    readings = timed("read", sources.read_all)(charter)
    found, _ = quality.check(charter, readings)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "rows": [reading.rows for reading in readings],
        "spent": dict(spent.most_common()),
        "findings": [f"{one.check} {one.source} {one.column} {one.severity}: {one.value:g}" for one in found.findings],
        "broken": [f"{one.check} {one.source}: {one.reason}" for one in found.skipped if "computed" in one.reason],
    }


def summarize(paths: list[str]) -> dict[str, Any]:
    """Let DuckDB summarise the files, with the memory that the checks may use."""
    import duckdb

    from lab2live.data.sources.engine import MEMORY

    connection = duckdb.connect(config={"memory_limit": MEMORY})
    started = time.perf_counter()
    for path in paths:
        connection.execute(f"SUMMARIZE FROM read_parquet('{path}')").fetchall()
    return {"seconds": time.perf_counter() - started}


def fresh(task: str, *arguments: str) -> dict[str, Any]:
    """Do a task in a process of its own, and measure its memory at the peak, in megabytes."""
    command = [sys.executable, __file__, "--task", task, *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{task} failed")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return {**json.loads(printed), "memory": usage.ru_maxrss / scale}


def bar(what: str, value: float, limit: float, unit: str) -> bool:
    """Print a number against its limit."""
    kept = value <= limit
    print(f"{'PASS' if kept else 'FAIL'}  {what}: {value:,.2f}{unit} (limit {limit:,g}{unit})")
    return kept


def tell(result: dict[str, Any], slowest: int) -> None:
    for name, seconds in list(result["spent"].items())[:slowest]:
        print(f"    {seconds:7.2f} s  {name}")
    for kind in ("findings", "broken"):
        for line in result[kind]:
            print(f"    {kind}: {line}")


def large_files(rows: int, slowest: int) -> bool:
    """Hold the checks of two Parquet files against SUMMARIZE."""
    paths = [str(path) for path in files(rows)]
    # before and after, since a machine that others use changes; the faster one counts
    first, ours, last = fresh("summarize", *paths), fresh("check", *paths), fresh("summarize", *paths)
    theirs = min((first, last), key=lambda one: float(one["seconds"]))
    print(f"{rows:,} rows in Parquet, {os.cpu_count()} processors")
    print(f"    {theirs['seconds']:7.2f} s  {theirs['memory']:,.0f} MB  SUMMARIZE")
    print(f"    {ours['seconds']:7.2f} s  {ours['memory']:,.0f} MB  all checks")
    tell(ours, slowest)
    ratio = ours["seconds"] / theirs["seconds"]
    kept = [
        bar("time of all checks / SUMMARIZE", ratio, MOST_TIME, "x"),
        bar("memory", ours["memory"], MOST_MEMORY, " MB"),
    ]
    return all(kept) and not ours["broken"]


def large_database(rows: int, slowest: int) -> bool:
    """Measure the memory of a client that checks two tables of a PostgreSQL server of our own."""
    specification = importlib.util.spec_from_file_location("databases", SERVER)
    assert specification is not None and specification.loader is not None
    databases = importlib.util.module_from_spec(specification)
    sys.modules["databases"] = databases
    specification.loader.exec_module(databases)
    with databases.running() as server:
        for name, template in (("customers", CUSTOMERS), ("balances", BALANCES)):
            made = query(template, "postgres", rows)
            server.run(f"CREATE TABLE {name} AS {made}", f"ANALYZE {name}")
        os.environ[databases.VARIABLE] = databases.PASSWORD
        ours = fresh("check", *[f"{server.address()}#{name}" for name in ("customers", "balances")])
    print(f"{rows:,} rows in PostgreSQL")
    print(f"    {ours['seconds']:7.2f} s  {ours['memory']:,.0f} MB  all checks, in the client")
    tell(ours, slowest)
    return bar("memory of the client", ours["memory"], MOST_CLIENT_MEMORY, " MB") and not ours["broken"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="of the Parquet files (default 10 million)")
    parser.add_argument("--postgres-rows", type=int, default=POSTGRES_ROWS, help="of the tables (default 1 million)")
    parser.add_argument("--only", choices=("parquet", "postgres"), help="measure one of the two")
    parser.add_argument("--slowest", type=int, default=8, help="checks to be listed with their time")
    parser.add_argument("--task", choices=("check", "summarize"), help=argparse.SUPPRESS)
    parser.add_argument("sources", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task == "summarize":
        print(json.dumps(summarize(given.sources)))
        return 0
    if given.task:
        parts = [source.partition("#") for source in given.sources]
        print(json.dumps(check([address for address, _, _ in parts], [table or None for _, _, table in parts])))
        return 0
    kept = []
    if given.only != "postgres":
        kept.append(large_files(given.rows, given.slowest))
    if given.only != "parquet":
        kept.append(large_database(given.postgres_rows, given.slowest))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
