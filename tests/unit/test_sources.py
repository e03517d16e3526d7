"""Sources: whatever kind of silo it is, it is read, or a message says why not and the others are read all the same."""

from __future__ import annotations

import datetime as dt
import functools
import gzip
import http.server
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from lab2live.data.sources import schemes
from lab2live.data.sources import tables as sources
from lab2live.eda import overview
from lab2live.errors import UserError


@pytest.fixture
def read(charter_of: Any, tmp_path: Path) -> Any:
    def _read(uri: Any, **more: Any) -> sources.Reading:
        charter = charter_of(tmp_path, sources=[{"name": "silo", "uri": str(uri), **more}])
        (reading,) = sources.read_all(charter)
        return reading

    return _read


def rows(reading: sources.Reading) -> list[list[Any]]:
    assert reading.table is not None, reading.problem
    frame = reading.table.to_pandas()
    return frame.astype(object).where(frame.notna(), None).values.tolist()


CSV: dict[str, tuple[bytes, tuple[str, ...], list[list[Any]]]] = {
    "plain": (b"id,x\n1,a\n2,b\n", ("id", "x"), [[1, "a"], [2, "b"]]),
    "utf-8": ("id,größe\n1,ü\n2,é\n".encode(), ("id", "größe"), [[1, "ü"], [2, "é"]]),
    "latin-1": ("id,größe\n1,ü\n2,é\n".encode("latin-1"), ("id", "größe"), [[1, "ü"], [2, "é"]]),
    "byte order mark": ("id,x\n1,a\n2,b\n".encode("utf-8-sig"), ("id", "x"), [[1, "a"], [2, "b"]]),
    "semicolons": (b"id;x\n1;2.5\n2;3.5\n", ("id", "x"), [[1, 2.5], [2, 3.5]]),
    "decimal commas": (
        b"id;x;y\n1;2,5;a,b\n2;-3,25;1,5\n3;;\n",
        ("id", "x", "y"),
        [[1, 2.5, "a,b"], [2, -3.25, "1,5"], [3, None, None]],
    ),
    "a decimal comma beside points": (
        b'id,x,y\n1,"2,5",1.5\n2,"3,5",2.5\n',
        ("id", "x", "y"),
        [[1, 2.5, 1.5], [2, 3.5, 2.5]],
    ),
    "quoted decimal commas": (b'id,x\n1,"2,5"\n2,"3,5"\n', ("id", "x"), [[1, 2.5], [2, 3.5]]),
    "tabs": (b"id\tx\n1\ta\n2\tb\n", ("id", "x"), [[1, "a"], [2, "b"]]),
    "windows line ends": (b"id,x\r\n1,a\r\n2,b\r\n", ("id", "x"), [[1, "a"], [2, "b"]]),
    "quoted line breaks": (b'id,x\n1,"a\nb"\n2,"c,""d"""\n', ("id", "x"), [[1, "a\nb"], [2, 'c,"d"']]),
    "nothing written in many ways": (
        b"id,x,y\n1,NA,1.5\n2,null,\n3,b,N/A\n",
        ("id", "x", "y"),
        [[1, "NA", 1.5], [2, "null", None], [3, "b", None]],
    ),
    "yes and no": (b"id,x,y\n1,yes,true\n2,no,false\n", ("id", "x", "y"), [[1, "yes", "true"], [2, "no", "false"]]),
    "leading zeros": (b"id,x\n1,007\n2,010\n", ("id", "x"), [[1, "007"], [2, "010"]]),
    "ambiguous dates": (b"id,x\n1,03/04/2024\n2,04/04/2024\n", ("id", "x"), [[1, "03/04/2024"], [2, "04/04/2024"]]),
    "moments": (b"id,x\n1,2024-04-03 10:00:00\n", ("id", "x"), [[1, pd.Timestamp("2024-04-03 10:00")]]),
    "ambiguous moments": (b"id,x\n1,03/04/2024 10:00\n", ("id", "x"), [[1, "03/04/2024 10:00"]]),
    "dates": (b"id,x\n1,2024-04-03\n", ("id", "x"), [[1, pd.Timestamp("2024-04-03")]]),
    "duplicate and blank names": (b"a,a,,A\n1,2,3,4\n", ("a", "a_1", "column2", "A_2"), [[1, 2, 3, 4]]),
    "quotes in names": (b'id,"the ""x"", in %"\n1,2\n3,4\n', ("id", 'the "x", in %'), [[1, 2], [3, 4]]),
    "very long names": (b"id," + b"x" * 3000 + b"\n1,2\n", ("id", "x" * 3000), [[1, 2]]),
    "one column": (b"name\nanna\nbob\n", ("name",), [["anna"], ["bob"]]),
    "words late": (b"x,y\n" + b"1,2\n" * 30_000 + b"one,2\n", ("x", "y"), [["1", 2]] * 30_000 + [["one", 2]]),
    "only words": (b"name,city\nanna,rome\nbob,paris\n", ("name", "city"), [["anna", "rome"], ["bob", "paris"]]),
}


@pytest.mark.parametrize("kind", CSV)
def test_a_csv_is_read_as_it_stands(read: Any, tmp_path: Path, kind: str) -> None:
    content, columns, values = CSV[kind]
    (tmp_path / "data.csv").write_bytes(content)
    reading = read("data.csv")
    assert reading.problem == ""
    assert reading.columns == columns
    assert (reading.rows, reading.engine) == (len(values), "duckdb")
    assert rows(reading) == values
    assert list(reading.nulls.values()) == [sum(line[at] is None for line in values) for at in range(len(columns))]


def test_dates_at_the_end_of_time_are_read(read: Any, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("id,d\n1,9999-12-31\n2,1500-01-01\n")
    assert [str(line[1])[:10] for line in rows(read("data.csv"))] == ["9999-12-31", "1500-01-01"]


@pytest.mark.parametrize(
    "name", ["da[1].csv", "x*.csv", "with space.csv", "it's.csv", "größe.csv", "DATA.CSV", "data.txt"]
)
def test_a_file_may_be_called_anything(read: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "x1.csv").write_text("other,columns\n0,0\n")
    (tmp_path / name).write_text("id,x\n1,2\n")
    assert rows(read(name)) == [[1, 2]]


def test_thousands_of_columns_are_counted_in_seconds(read: Any, tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(2500)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *[",".join("1" * len(names))] * 3]))
    reading = read("wide.csv")
    assert (reading.problem, len(reading.columns), reading.rows) == ("", 2500, 3)


@pytest.mark.parametrize(("content", "problem"), [("a,b\n", "no rows"), ("", "no rows")])
def test_a_csv_without_rows_says_so(read: Any, tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "data.csv").write_text(content)
    assert problem in read("data.csv").problem


FRAME = pd.DataFrame(
    {"id": [1, 2], "x": [1.5, None], "name": ["ä", None], "day": pd.to_datetime(["2024-05-06", None])},
).astype({"name": object})


def same(reading: sources.Reading) -> bool:
    assert reading.table is not None, reading.problem
    found = reading.table.to_pandas()
    assert list(found["id"]) == [1, 2] and found["x"].iloc[0] == 1.5 and found["name"].iloc[0] == "ä"
    assert str(found["day"].iloc[0])[:10] == "2024-05-06"
    assert found.drop(columns="id").iloc[1].isna().all()
    return dict(reading.nulls or {}) == {"id": 0, "x": 1, "name": 1, "day": 1}


def test_a_compressed_csv_is_read(read: Any, tmp_path: Path) -> None:
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(FRAME.to_csv(index=False).encode()))
    assert same(read("data.csv.gz"))


def test_a_parquet_file_and_a_folder_of_them_are_read(read: Any, tmp_path: Path) -> None:
    folder = tmp_path / "parts [1]" / "year=2024"
    folder.mkdir(parents=True)
    FRAME.to_parquet(tmp_path / "data.parquet")
    FRAME.head(1).to_parquet(folder / "a.parquet")
    FRAME.tail(1).to_parquet(folder / "b.parquet")
    (folder / "_SUCCESS").write_text("")
    assert same(read("data.parquet"))
    reading = read("parts [1]")
    assert (reading.problem, reading.rows) == ("", 2)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_a_folder_of_csv_files_is_one_table(read: Any, tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in (1, 2):
        content = f"id\tx\n{number}\t5\n".encode()
        (folder / f"{number}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    (folder / ".hidden.csv").write_text("nonsense")
    assert sorted(rows(read("parts"))) == [[1, 5], [2, 5]]


def test_a_sheet_of_excel_is_read_whatever_is_mixed_in_it(read: Any, tmp_path: Path) -> None:
    mixed = pd.DataFrame({"m": [1, "one", None, True], 2024: [1, 2, 3, 4], "t": [dt.time(3), None, None, None]})
    with pd.ExcelWriter(tmp_path / "book.xlsx") as book:
        FRAME.to_excel(book, sheet_name="first", index=False)
        mixed.to_excel(book, sheet_name="second", index=False)
    assert same(read("book.xlsx"))
    reading = read("book.xlsx", table="second")
    assert reading.columns == ("m", "2024", "t")
    assert [line[0] for line in rows(reading)][:3] == ["1", "one", None]
    assert "third" in read("book.xlsx", table="third").problem


def sqlite(path: Path, *tables: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table if not exists dropped (x)")
        connection.execute("drop table dropped")
        for table in tables:
            FRAME.to_sql(table, connection, index=False)
    connection.close()


@pytest.mark.parametrize("suffix", [".sqlite", ".db"])
def test_the_only_table_of_a_sqlite_file_is_found_by_itself(read: Any, tmp_path: Path, suffix: str) -> None:
    sqlite(tmp_path / f"data{suffix}", "only")
    reading = read(f"data{suffix}")
    assert same(reading) and reading.engine == "sqlite"


def test_of_several_tables_the_charter_has_to_name_one(read: Any, tmp_path: Path) -> None:
    sqlite(tmp_path / "data.sqlite", "one", "it's two")
    sqlite(tmp_path / "empty.sqlite")
    assert same(read("data.sqlite", table="it's two"))
    for table in (None, "three"):
        assert "one of " in (problem := read("data.sqlite", table=table).problem) and "it's two" in problem
    assert "The database is empty" in read("empty.sqlite").problem


def test_a_duckdb_file_is_read_and_not_locked(read: Any, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "data.duckdb")) as connection:
        connection.register("frame", FRAME)
        connection.execute("create table one as select * from frame")
    assert same(read("data.duckdb")) and same(read("data.duckdb", table="one"))
    assert "one" in read("data.duckdb", table="two").problem


BROKEN: dict[str, tuple[str, str]] = {
    "missing": ("nowhere.csv", "is not where the charter says"),
    "unknown kind": ("data.xyz", ".xyz"),
    "no kind": ("data", "no file extension"),
    "empty folder": ("folder", "holds no CSV or Parquet files"),
    "not a database": ("text.sqlite", "not a database"),
    "not parquet": ("text.parquet", "parquet"),
    "not excel": ("text.xlsx", "Excel"),
    "not duckdb": ("text.duckdb", "DuckDB"),
    "no server": ("postgres://me:s3cret@127.0.0.1:9/db", "onnection"),
    "no web server": ("http://127.0.0.1:9/data.csv", "refused"),
    "unknown scheme": ("oracle8://me:s3cret@host/db", "oracle8"),
    "unset variable": ("postgres://${L2L_UNSET}/db", "L2L_UNSET"),
    "half a scheme": ("postgres://", ""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_source_that_cannot_be_read_says_why_and_the_others_are_read(
    charter_of: Any, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("data", "data.xyz", "text.sqlite", "text.parquet", "text.xlsx", "text.duckdb"):
        (tmp_path / name).write_text("this is only text, and quite a lot of it " * 40)
    (tmp_path / "folder").mkdir()
    (tmp_path / "good.csv").write_text("id,x\n1,2\n")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    uri, said = BROKEN[kind]
    both = [{"name": "bad", "uri": uri}, {"name": "good", "uri": "good.csv"}]
    charter = charter_of(tmp_path, sources=both, join={"base": "good", "on": "id"})
    started = time.monotonic()
    bad, good = sources.read_all(charter)
    assert time.monotonic() - started < 20
    assert bad.table is None and said in bad.problem and bad.problem
    assert "s3cret" not in bad.problem
    assert good.rows == 1
    said = overview.readable([bad, good])
    assert said.value == 1 and said.message.startswith("bad: ")
    assert len(sources.joined_table(charter, [bad, good])) == 1
    board = overview.board(charter, [bad, good])
    assert board["engine"].tolist() == ["unreadable", "duckdb"]


@pytest.mark.parametrize("scheme", ["s3", "gs", "abfs", "hdfs", "ftp"])
def test_a_scheme_nobody_registered_is_refused_by_name_with_the_way_round(read: Any, scheme: str) -> None:
    problem = read(f"{scheme}://bucket/data.parquet").problem
    assert problem.startswith(f"Addresses that begin with {scheme}:// are not supported (")
    assert "postgresql://" in problem and "copy the files to this machine" in problem.lower()


def test_a_registered_scheme_is_read_from_the_file_it_stands_for(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copy.csv").write_text("id,x\n1,a\n")
    monkeypatch.setattr(schemes, "FILES", dict(schemes.FILES))
    schemes.register("lake", lambda charter, source: charter.folder / source.address.replace("lake://", "copy."))
    assert rows(read("lake://csv")) == [[1, "a"]]


def test_the_command_starts_light_and_knows_the_schemes_of_its_own() -> None:
    code = (
        "import sys; from lab2live.cli import main; from lab2live.data.sources import schemes;"
        "assert set(schemes.FILES) == {'demo', 'simulated', 'public'};"
        "assert not {'pandas', 'sklearn', 'ibis', 'matplotlib'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_secret_from_the_environment_never_stands_in_a_message(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2L_SECRET", "hunter2")
    for uri in ("unknown://x:${L2L_SECRET}@host", "unknown://${L2L_SECRET}", "postgres://${L2L_SECRET}@127.0.0.1:9/db"):
        problem = read(uri).problem
        assert problem and "hunter2" not in problem


def test_a_locked_database_is_a_problem_and_no_hang(read: Any, tmp_path: Path) -> None:
    sqlite(tmp_path / "data.sqlite", "only")
    other = sqlite3.connect(tmp_path / "data.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    try:
        started = time.monotonic()
        assert "locked" in read("data.sqlite").problem
        assert time.monotonic() - started < 20
    finally:
        other.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "web").mkdir()
    handler = functools.partial(_Quiet, directory=str(tmp_path / "web"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_on_the_web_is_read_like_one_on_disk(read: Any, web: str, tmp_path: Path) -> None:
    (tmp_path / "web" / "export").write_bytes("id;größe\n1;yes\n2;no\n".encode("latin-1"))
    FRAME.to_parquet(tmp_path / "web" / "data.parquet")
    reading = read(f"{web}/export?format=csv")
    assert reading.columns == ("id", "größe") and rows(reading) == [[1, "yes"], [2, "no"]]
    assert same(read(f"{web}/data.parquet"))
    assert "404" in read(f"{web}/nothing.csv").problem


@pytest.fixture
def joined(charter_of: Any, tmp_path: Path) -> Any:
    """Write each frame to the engine its name starts with, join them, and give charter, readings and table."""

    def _joined(
        how: str = "left", on: Any = "id", settings: Any = None, sample: int | None = None, **frames: Any
    ) -> Any:
        found = []
        for name, frame in frames.items():
            kind = name.partition("_")[0]
            path = tmp_path / f"{name}.{kind}"
            if kind == "sqlite":
                with sqlite3.connect(path) as connection:
                    frame.to_sql("rows", connection, index=False)
                connection.close()
            elif kind == "parquet":
                frame.to_parquet(path)
            else:
                frame.to_csv(path, index=False)
            found.append({"name": name, "uri": path.name, **(settings or {}).get(name, {})})
        base = next(iter(frames))
        join = {"base": base, "on": on, "how": how} if len(frames) > 1 else None
        charter = charter_of(tmp_path, sources=found, join=join)
        return sources.joined_table(charter, sources.read_all(charter), sample)

    return _joined


@pytest.mark.parametrize(
    ("left", "right", "matched"),
    [
        ([7, 8, 9], ["7", "8", "9"], [1, 2, 3]),
        (["7", "8", "9"], [7, 8, 9], [1, 2, 3]),
        ([7.0, None, 9.0], [7, 8, 9], [1, None, 3]),
        ([7, 8, 9], [7.0, None, 9.0], [1, None, 3]),
        ([7.0, None, 9.0], ["7", "8", "9"], [1, None, 3]),
        (["007", "8", "9"], [7, 8, 9], [None, 2, 3]),
        (["a", None, "c"], ["a", None, "c"], [1, None, 3]),
        (["ä b", "'", '"'], ["ä b", "'", '"'], [1, 2, 3]),
    ],
)
@pytest.mark.parametrize("other", ["sqlite", "parquet"])
def test_keys_are_compared_by_what_they_say(joined: Any, left: Any, right: Any, matched: Any, other: str) -> None:
    table = joined(
        parquet_base=pd.DataFrame({"id": left, "x": [1, 2, 3]}),
        **{other: pd.DataFrame({"id": right, "found": [1, 2, 3]})},
    )
    assert table["x"].tolist() == [1, 2, 3]
    assert [None if pd.isna(value) else value for value in table["found"]] == matched


def test_shared_columns_say_where_they_come_from_and_the_order_is_that_of_the_base(joined: Any) -> None:
    table = joined(
        csv_base=pd.DataFrame({"id": [3, 1, 2], "x": [1, 2, 3]}),
        sqlite_b=pd.DataFrame({"id": [1, 2, 3], "x": [4, 5, 6]}),
        parquet_c=pd.DataFrame({"x": [7, 8], "id": [3, 4]}),
    )
    assert list(table.columns) == ["id", "x", "x (sqlite_b)", "x (parquet_c)"]
    assert table["id"].tolist() == [3, 1, 2] and table["x (sqlite_b)"].tolist() == [6, 4, 5]


def test_an_inner_join_keeps_what_is_everywhere_and_several_keys_count_together(joined: Any) -> None:
    base = pd.DataFrame({"id": [1, 1, 2], "month": ["a", "b", "a"], "x": [1, 2, 3]})
    other = pd.DataFrame({"id": [1, 1, 3], "month": ["a", "b", "a"], "z": [5, 6, 7]})
    table = joined("inner", ["id", "month"], csv_base=base, sqlite=other)
    assert table[["x", "z"]].values.tolist() == [[1, 5], [2, 6]]
    with pytest.raises(UserError, match="no rows"):
        joined("inner", csv_base=base, sqlite_2=other.assign(id=9))


def test_a_key_that_a_source_does_not_have_is_named(joined: Any) -> None:
    with pytest.raises(UserError) as caught:
        joined(csv_base=pd.DataFrame({"id": [1]}), csv_b=pd.DataFrame({"nr": [1]}))
    assert caught.value.details["where"] == "join.on, source `csv_b`"


@pytest.mark.parametrize("kind", ["sqlite", "parquet", "csv"])
def test_aggregates_run_inside_the_engine_whatever_the_names(joined: Any, kind: str) -> None:
    many = pd.DataFrame({'the "id"': [1, 1, 2, None], "a mount": [1.0, 3.0, 5.0, 100.0], "silo": [1, 1, 1, 1]})
    settings = {
        kind: {"key": 'the "id"', "aggregate": {'mean "a"': 'avg("a mount")', "n": "count(*)", "x y": "max(silo)"}}
    }
    table = joined(
        on='the "id"',
        settings=settings,
        csv_base=pd.DataFrame({'the "id"': [1, 2, 3], "x": [1, 2, 3]}),
        **{kind: many},
    )
    assert list(table.columns) == ['the "id"', "x", 'mean "a"', "n", "x y"]
    assert table['mean "a"'].fillna(-1).tolist() == [2.0, 5.0, -1.0]
    assert table["n"].fillna(0).tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "settings", [{"key": "id", "aggregate": {"n": "count(("}}, {"key": "nr", "aggregate": {"n": "count(*)"}}]
)
def test_aggregates_that_do_not_work_name_the_source(joined: Any, settings: Any) -> None:
    frame = pd.DataFrame({"id": [1], "x": [1]})
    with pytest.raises(UserError) as caught:
        joined(settings={"sqlite": settings}, csv_base=frame, sqlite=frame)
    assert caught.value.details["where"] == "sources (sqlite).aggregate"


def test_a_base_that_is_aggregated_is_in_the_order_of_its_key_every_time(joined: Any) -> None:
    frame = pd.DataFrame({"id": list(range(5000)) * 2, "x": 1})
    settings = {"parquet": {"key": "id", "aggregate": {"n": "count(*)"}}}
    table = joined(settings=settings, parquet=frame.sample(frac=1, random_state=0))
    assert table["id"].tolist() == list(range(5000)) and set(table["n"]) == {2}


def test_a_sample_is_drawn_from_the_base_and_repeats(joined: Any) -> None:
    base = pd.DataFrame({"id": range(500), "x": range(500)})
    other = pd.DataFrame({"id": range(500), "z": range(500)})
    first, again = (joined(sample=50, csv_base=base, parquet=other) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert len(first) == 50 and first["id"].is_monotonic_increasing and (first["z"] == first["x"]).all()
    assert len(joined(sample=9999, csv_base=base)) == 500


@pytest.mark.parametrize("at", ["base", "joined"])
def test_a_sample_keeps_the_rare_class(joined: Any, at: str) -> None:
    base = pd.DataFrame({"id": range(6000), "x": range(6000)})
    target = np.where(np.arange(6000) % 1000 == 7, "yes", np.where(np.arange(6000) % 10 == 0, None, "no"))
    other = pd.DataFrame({"id": range(6000), "z": 1})
    (base if at == "base" else other)["y"] = target
    table = joined(sample=600, csv_base=base, parquet=other)
    assert len(table) == 600 and table["id"].is_monotonic_increasing
    assert (table["y"] == "yes").sum() == 6 and 30 < table["y"].isna().sum() < 90
    few = joined(sample=8, csv_base=base, parquet=other)
    assert len(few) == 8 and set(few["y"]) == {"yes", "no"}


def test_words_in_a_column_of_numbers_are_explained(charter_of: Any, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "data.sqlite") as connection:
        connection.execute("create table t (id integer, x integer)")
        connection.executemany("insert into t values (?, ?)", [(1, 5), (2, "five")])
    connection.close()
    charter = charter_of(tmp_path, sources=[{"name": "silo", "uri": "data.sqlite"}])
    readings = sources.read_all(charter)
    assert readings[0].rows == 2
    try:
        assert len(sources.joined_table(charter, readings)) == 2
    except UserError as error:
        assert "silo" in error.problem


def test_the_board_names_owner_access_and_waiting_time(charter_of: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n1,2\n")
    waited = {"requested_on": dt.date(2026, 1, 1)}
    entries = [
        {"name": "a", "uri": "a.csv", "owner": "Ada", **waited, "granted_on": dt.date(2026, 1, 11)},
        {"name": "b", "uri": "b.csv", "stand_in": "a.csv", "access": "requested", **waited},
        {"name": "c", "uri": "a.csv", "access": "simulated"},
    ]
    charter = charter_of(tmp_path, sources=entries, join={"base": "a", "on": "id"})
    board = overview.board(charter, sources.read_all(charter), dt.date(2026, 1, 31))
    assert board["owner"].tolist() == ["Ada", "nobody named", "nobody named"]
    assert board["access"].tolist() == ["granted", "stand-in (file)", "simulated"]
    assert board["days waited"].fillna(-1).tolist() == [10, 30, -1]
    said = overview.not_granted(charter)
    assert said.value == 2
    assert said.message == "Not granted: b (requested; chase its owner), c (simulated; chase its owner)."


def test_a_sqlite_address_without_a_file_is_a_message_and_creates_none(read: Any, tmp_path: Path) -> None:
    reading = read(f"sqlite:///{tmp_path}/gone.sqlite")
    assert "not where the charter says" in reading.problem
    assert not (tmp_path / "gone.sqlite").exists()


def test_a_sqlite_address_counts_from_the_charter(read: Any, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "here.db") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id")
    connection.close()
    assert read("sqlite:///here.db").rows == 1
