"""PostgreSQL for real: read, checked, joined and run; what goes wrong with it is said, and no password ever is."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import pandas as pd
import pytest

from lab2live.charter.schema import Charter
from lab2live.charter.yaml import write_yaml
from lab2live.data.feature_types import as_days, as_numbers
from lab2live.data.sources import tables as sources
from lab2live.eda import overview
from lab2live.eda.checks import quality, survey

ROWS = 2000


@pytest.fixture(scope="session")
def tables(postgres: Any) -> Any:
    """Fill the database: customers and invoices with what every silo has, and a table of every type."""
    postgres.run(
        "create schema sales",
        f"""create table customers as
            select n as id, (array['North', 'South', 'East', 'West'])[1 + n % 4] as region,
                   (20 + n % 60)::int2 as age, (10 + (n * 37 % 500) / 10.0)::numeric(10, 2) as fee,
                   timestamptz '2025-01-01 00:00+00' + n * interval '3 hours' as joined_at,
                   case when n * 7919 % 10 < 3 then 'yes' else 'no' end as y
            from generate_series(1, {ROWS}) n""",
        "update customers set region = null where id % 20 = 0",
        f"""create table sales.invoices as
            select 1 + n % {ROWS} as id, (5 + n % 90)::numeric as amount, date '2025-01-01' + (n % 300)::int as day
            from generate_series(1, {ROWS * 3}) n""",
        "create view customers_view as select id, age, y from customers",
        "create materialized view customers_kept as select id, age, y from customers",
        "create type mood as enum ('sad', 'glad')",
        "create domain positive as int check (value > 0)",
        """create table kinds (id uuid primary key, "Capital" int, "with ""quote" int, "with space %" text, "%s" int,
             n numeric, huge numeric(30, 0), paid money, at timestamptz, local timestamp, day date, clock time,
             lasts interval, flag bool, doc json, docb jsonb, list int[], raw bytea, feeling mood, count positive,
             host inet, fixed char(5), span int4range, place point, page xml)""",
        """insert into kinds select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, n, n, 'a', n, n / 4.0,
             12345678901234567890, 5, timestamptz '2025-01-01 12:00+02', timestamp '2025-01-01 12:00',
             date '2025-01-01', '10:00', interval '36 hours', true, '{"a": 1}', '{"a": 1}', '{1,2}', '\\x00ff', 'glad',
             n, '10.0.0.1', 'ab', '[1,5)', '(1,2)', '<a/>' from generate_series(1, 50) n""",
        "insert into kinds (id, day, local, at) values "
        "('00000000-0000-0000-0000-000000000099', 'infinity', '-infinity', 'infinity'), "
        "('00000000-0000-0000-0000-000000000098', '10000-01-01', '0044-03-15 BC', '9999-12-31 23:59:59+00')",
        "create table secret as select 1 as id",
        "create table empty (id int, y text)",
        "create role guest login password 'guest'",
        "grant select on customers to guest",
    )
    return postgres


@pytest.fixture
def silos(tables: Any, charter_on: Any, tmp_path: Path) -> Any:
    """Make a charter over PostgreSQL, a CSV and an SQLite file, with aggregates in the server."""
    random = np.random.default_rng(0)
    keys = np.arange(1, ROWS + 1)
    calls = pd.DataFrame({"id": random.choice(keys, ROWS), "minutes": random.gamma(2, 5, ROWS).round(1)})
    calls.to_csv(tmp_path / "calls.csv", index=False)
    with sqlite3.connect(tmp_path / "tickets.sqlite") as connection:
        pd.DataFrame({"id": random.choice(keys, 900), "hours": random.poisson(9, 900)}).to_sql(
            "t", connection, index=False
        )
    connection.close()
    return charter_on(
        "customers",
        {
            "name": "invoices",
            "uri": tables.address(),
            "table": "sales.invoices",
            "key": "id",
            "aggregate": {"bills": "count(*)", "mean bill": "avg(amount)"},
            "date_column": "day",
            "fresh_within_days": 10_000,
        },
        {"name": "calls", "uri": "calls.csv", "key": "id", "aggregate": {"minutes": "sum(minutes)"}},
        {"name": "tickets", "uri": "tickets.sqlite", "key": "id", "aggregate": {"tickets": "count(*)"}},
        first={"key": "id", "critical": ["region"], "date_column": "joined_at", "personal_data": True},
        prediction={"id_column": "id", "positive_class": "yes"},
    )


def test_a_project_over_three_engines_is_read_joined_and_described(silos: Any) -> None:
    readings = sources.read_all(silos)
    assert [(reading.engine, reading.rows, reading.problem) for reading in readings] == [
        ("postgres", ROWS, ""),
        ("postgres", ROWS * 3, ""),
        ("duckdb", ROWS, ""),
        ("sqlite", 900, ""),
    ]
    assert readings[0].nulls == {"id": 0, "region": ROWS // 20, "age": 0, "fee": 0, "joined_at": 0, "y": 0}
    table = sources.joined_table(silos, readings)
    assert len(table) == ROWS and {"region", "bills", "mean bill", "minutes", "tickets"} <= set(table)
    assert (table["bills"] == 3).all() and table["mean bill"].between(5, 95).all()
    board = overview.board(silos, readings).set_index("source")
    assert board.loc["invoices", "newest"] == "2025-10-27" and board.loc["invoices", "fresh"] == "yes"
    assert board.loc["silo", "newest"].startswith("2025-09")


def broken(found: Any) -> list[str]:
    return [f"{skip.check}: {skip.reason}" for skip in found.skipped if "could not be computed" in skip.reason]


def test_every_check_runs_on_every_engine_and_finds_what_is_missing(silos: Any) -> None:
    found, surveys = quality.check(silos, sources.read_all(silos))
    assert [measured.name for measured in surveys] == ["silo", "invoices", "calls", "tickets"]
    assert broken(found) == []
    (missing,) = [one for one in found.findings if one.check == "missing.critical" and one.severity != "info"]
    assert (missing.source, missing.column, missing.value) == ("silo", "region", 0.05)


def test_counts_over_all_rows_are_asked_of_the_server(silos: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source larger than the sample goes other ways through the checks: they have to compile everywhere."""
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 300)
    found, surveys = quality.check(silos, sources.read_all(silos))
    assert not any(measured.complete for measured in surveys)
    assert all(150 < len(measured.sample) < 600 for measured in surveys)
    assert broken(found) == []


def faulty(rows: int = 3000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw two tables with one of nearly everything wrong, so that checks go all their ways."""
    random = np.random.default_rng(1)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(random.integers(0, 400 * 24, rows)), unit="h")
    base = pd.DataFrame(
        {
            "id": [f"K{number:06d}" for number in range(rows)],
            "amount": random.gamma(2, 50, rows).round(2),
            "score": np.where(random.random(rows) < 0.05, -999.0, random.normal(600, 40, rows).round(1)),
            "city": random.choice(
                ["Köln", "Bonn", "bonn ", "KÃ¶ln", "N/A", "Ulm"], rows, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]
            ),
            "zip": [f"{number:05d}" for number in random.integers(100, 99_999, rows)],
            "made_at": days,
            "written_on": [f"{day:%d.%m.%Y}" if at % 3 else f"{day:%Y-%m-%d}" for at, day in enumerate(days)],
            "price": [
                f"{price:.2f}".replace(".", "," if at % 7 == 0 else ".")
                for at, price in enumerate(random.gamma(3, 9, rows))
            ],
            "paid": random.random(rows) < 0.7,
            "same": "x",
            "empty": np.full(rows, np.nan),
            "y": random.choice(["yes", "no"], rows),
        }
    )
    base = pd.concat([base, base.head(90)], ignore_index=True)
    keys = [*random.choice(base["id"], rows), *(f"X{number}" for number in range(400))]
    other = pd.DataFrame({"id": keys, "city": random.choice(["Köln", "Bonn", "Ulm"], len(keys))})
    other["amount"] = random.gamma(2, 50, len(keys)).round(2)
    other["seen_at"] = pd.Timestamp("2025-03-01") + pd.to_timedelta(random.integers(0, 9000, len(keys)), unit="h")
    return base, other


@pytest.mark.parametrize(
    "engines", ["postgres", "sqlite", "duckdb", "postgres sqlite", "parquet postgres", "sqlite csv"]
)
@pytest.mark.parametrize("sample", [200, 100_000])
def test_every_check_compiles_on_every_engine(
    tables: Any, charter_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engines: str, sample: int
) -> None:
    kinds = (engines.split() * 2)[:2]
    entries = []
    for name, kind, frame in zip(("base", "other"), kinds, faulty(), strict=True):
        uri, table = f"{name}.{kind}", "t"
        if kind == "postgres":
            uri, table = tables.address(), f"faulty_{name}"
            tables.load(table, frame)
        elif kind == "sqlite":
            with sqlite3.connect(tmp_path / uri) as connection:
                frame.to_sql("t", connection, index=False)
            connection.close()
        elif kind == "duckdb":
            with duckdb.connect(str(tmp_path / uri)) as connection:
                connection.execute("create table t as select * from frame")
        else:
            frame.to_parquet(tmp_path / uri) if kind == "parquet" else frame.to_csv(tmp_path / uri, index=False)
        entries.append({"name": name, "uri": uri, "table": table, "key": "id"})
    about = {"critical": ["score"], "expected": {"city": ["Köln", "Bonn", "Ulm", "Trier"]}, "fresh_within_days": 9}
    about |= {"columns": {"amount": {"min": 0, "max": 300}}, "date_column": "made_at"}
    charter = Charter.model_validate(
        {
            "prediction": {
                "problem_type": "classification",
                "target": "y",
                "id_column": "id",
                "time_column": "made_at",
            },
            "sources": [entries[0] | about, entries[1]],
            "join": {"base": "base", "on": "id"},
            "folder": tmp_path,
        }
    )
    monkeypatch.setattr(survey, "SAMPLE_ROWS", sample)
    found, _ = quality.check(charter, sources.read_all(charter))
    assert broken(found) == []
    said = {(one.check, one.source) for one in found.findings if one.severity != "info"}
    assert {("integration.orphan_keys", "other"), ("integration.duplicate_keys", "base")} <= said
    assert {("duplicate.rows", "base"), ("missing.sentinel", "base"), ("validity.constant", "base")} <= said


@pytest.mark.parametrize("table", ["customers_view", "customers_kept", "sales.invoices", "public.customers"])
def test_views_and_tables_with_their_schema_are_found(tables: Any, charter_on: Any, table: str) -> None:
    (reading,) = sources.read_all(charter_on(table))
    assert reading.rows in (ROWS, ROWS * 3), reading.problem


def test_every_type_is_read_as_something_that_checks_understand(tables: Any, charter_on: Any) -> None:
    charter = charter_on("kinds", prediction={"target": "flag"})
    (reading,) = sources.read_all(charter)
    assert reading.rows == 52, reading.problem
    frame = sources.joined_table(charter, [reading])
    row = frame.iloc[0]
    for name in ("Capital", 'with "quote', "%s", "count"):
        assert row[name] == 1
    for name in ("n", "paid", "lasts"):
        assert frame[name].dtype == float
    assert (row["n"], row["paid"], row["lasts"]) == (0.25, 5, 1.5)
    assert row["huge"] == "12345678901234567890", "a float would have lost its last digits"
    texts = {"id": "00000000-0000-0000-0000-000000000001", "with space %": "a", "clock": "10:00:00", "doc": '{"a": 1}'}
    texts |= {
        "list": "{1,2}",
        "raw": "\\x00ff",
        "feeling": "glad",
        "host": "10.0.0.1/32",
        "fixed": "ab",
        "span": "[1,5)",
    }
    assert {name: row[name] for name in texts} == texts
    assert as_days(frame["at"])[0] == pytest.approx(as_days(pd.Series(["2025-01-01T10:00:00"]))[0])
    assert as_numbers(frame["flag"])[0] == 1
    assert [str(value)[:4] for value in frame["day"].tail(2)] == ["9999", "9999"]
    (measured,), unreadable = survey.survey_all(charter, [reading])
    assert unreadable == [] and measured.facts["id"].kind == "text" and measured.facts["n"].kind == "number"
    found, _ = quality.check(charter, [reading])
    assert broken(found) == []


def refused(reading: Any, *said: str) -> None:
    assert reading.table is None and "\n" not in reading.problem
    for words in said:
        assert words in reading.problem


def test_what_is_wrong_with_an_address_is_said_with_its_fix(
    tables: Any, charter_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(table: str | None = "customers", **more: Any) -> Any:
        return sources.read_all(charter_on(table, first={"owner": "Ada"}, **more))[0]

    monkeypatch.setenv("WRONG", "Wr0ng:pass/word")
    refused(read(uri=tables.address(variable="WRONG")), "does not accept the user or the password", "its owner (Ada)")
    refused(read(uri=tables.address("nowhere")), "no database of this name", '"nowhere"')
    refused(
        read(uri=tables.address().replace(str(tables.port), "9")), "The server does not answer", "Check host and port"
    )
    refused(read(uri="postgresql://me@no-such-host.invalid/db"), "The server does not answer")
    refused(read("custmers"), "found custmers", "customers", "sales.invoices", "Set the source's table")
    refused(read(None), "found nothing", "expected one of")
    refused(read("empty"), "It holds no rows.")
    monkeypatch.setenv("GUEST", "guest")
    refused(
        read("secret", uri=tables.address(user="guest", variable="GUEST")), "no right to read it", "its owner (Ada)"
    )
    assert read(uri=tables.address(user="guest", variable="GUEST")).rows == ROWS
    assert read(uri=tables.address() + "?application_name=lab2live&connect_timeout=5").rows == ROWS


def test_a_locked_table_is_no_hang_and_the_others_are_checked(silos: Any, tables: Any) -> None:
    with tables.connect() as other, other.transaction():
        other.execute("lock table sales.invoices in access exclusive mode")
        started = time.monotonic()
        readings = sources.read_all(silos)
        found, surveys = quality.check(silos, readings)
        assert time.monotonic() - started < 30
    refused(readings[1], "Another program keeps the table locked", "run again")
    assert [measured.name for measured in surveys] == ["silo", "calls", "tickets"]
    (about,) = [one for one in found.findings if one.source == "invoices"]
    assert (about.check, about.severity) == ("schema.columns", "fail") and "locked" in about.message
    assert len(sources.joined_table(silos, readings)) == ROWS


def test_a_run_without_a_screen_marks_stand_ins_and_never_writes_the_password(
    silos: Any, tables: Any, tmp_path: Path
) -> None:
    content = silos.model_dump(mode="json", exclude_defaults=True)
    closed = {"uri": tables.address(user="guest"), "table": "customers", "owner": "Ada", "key": "id"}
    instead = {"access": "requested", "stand_in": "calls.csv", "aggregate": {"all minutes": "sum(minutes)"}}
    content["sources"] += [{"name": "closed", **closed}, {"name": "waiting", **closed, **instead}]
    (tmp_path / "project.yaml").write_text(write_yaml(content), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lab2live", "run", "--project", ".", "--stage", "eda", "--smoke", "--run-dir", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 2, done.stdout[-3000:]  # a source that cannot be read is a no-go
    results = (tmp_path / "run" / "results" / "eda.json").read_text(encoding="utf-8")
    assert '"missing.critical"' in results and "does not accept the user or the password" in results

    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["run"]["stand_ins"] == ["waiting"] and verdict["decision"] == "no-go"
    for page in ("01_eda.html", "index.html"):
        assert "Stand-in data" in (tmp_path / "run" / page).read_text(encoding="utf-8")
    captions = re.findall("<caption>(.*?)</caption>", (tmp_path / "run" / "01_eda.html").read_text(encoding="utf-8"))
    assert len(captions) > 3 and all("(on stand-in data: " in caption for caption in captions)
    password = os.environ["PGPASS_FOR_TEST"]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 5
    for secret in (password, quote(password, safe=""), password.split("/")[0]):
        assert secret not in done.stdout
        assert [path for path in written if secret.encode() in path.read_bytes()] == []
