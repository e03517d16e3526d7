"""Hostile and broken sources: each says in plain words what is wrong and what to do, and the others are still read."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import re
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from lab2live.charter.schema import Source
from lab2live.data.sources import errors, tables
from lab2live.eda import overview
from lab2live.eda.checks import survey
from lab2live.errors import UserError

FRAME = pd.DataFrame({"id": range(60), "x": [n * 1.5 for n in range(60)], "name": ["ä€b"] * 60})
TEXT = FRAME.to_csv(index=False)
LINES = "".join(f'{number},"a{number}"\n' for number in range(300))


@pytest.fixture
def both(charter_of: Any, tmp_path: Path) -> Any:
    """Read a source that may be broken beside one that is not, and give the first one's reading."""

    def read(uri: Any, **more: Any) -> tables.Reading:
        (tmp_path / "good.csv").write_text("id,z\n1,2\n")
        entries = [{"name": "silo", "uri": str(uri), **more}, {"name": "good", "uri": "good.csv"}]
        charter = charter_of(tmp_path, sources=entries, join={"base": "good", "on": "id"})
        started = time.monotonic()
        silo, good = tables.read_all(charter)
        assert time.monotonic() - started < 20
        assert good.rows == 1 and len(tables.joined_table(charter, [good])) == 1
        return silo

    return read


def refused(reading: tables.Reading, *said: str) -> bool:
    """See that a problem is said in plain words, says what to do, and is one short paragraph; true if it is one."""
    problem = reading.problem
    for words in said:
        assert words in problem, problem
    assert re.search(
        r"\. (Ask|Correct|Copy|Check|Close|Wait|Set|Save|Export|Give|Keep|Name|Let|Install|Run)\b", problem
    )
    assert "\n" not in problem and "`" not in problem and "Traceback" not in problem and "  " not in problem
    assert not re.match(r"\w*(Error|Exception)\b", problem), "an exception's name comes before any word"
    assert len(problem) < 700
    return reading.table is None


def without_ends(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def parquet(frame: pd.DataFrame = FRAME) -> bytes:
    return frame.to_parquet(index=False)  # type: ignore[return-value]


def excel() -> bytes:
    import io

    FRAME.to_excel(buffer := io.BytesIO(), index=False)
    return buffer.getvalue()


def zipped() -> bytes:
    import io

    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as file:
        file.writestr("a.txt", "x")
    return buffer.getvalue()


def database(rows: int = 3000) -> bytes:
    connection = sqlite3.connect(":memory:")
    pd.DataFrame({"id": range(rows), "x": ["a" * 50] * rows}).to_sql("t", connection, index=False)
    return connection.serialize()


def scrambled(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[: middle - 4000] + bytes(range(1, 251)) * 32 + content[middle + 4000 :]


BROKEN: dict[str, tuple[str, Callable[[], bytes | str], str]] = {
    "empty": ("a.csv", lambda: "", "holds no rows"),
    "empty lines": ("a.csv", lambda: "\n \n\n", "holds no rows"),
    "header only": ("a.csv", lambda: "id,x\n", "holds no rows"),
    "only zeros": ("a.csv", lambda: b"\0" * 5000, "no text"),
    "random bytes": ("a.csv", lambda: os.urandom(20_000), "no text"),
    "excel, called csv": ("a.csv", excel, "Excel"),
    "parquet, called csv": ("a.csv", parquet, "Parquet"),
    "sqlite, called csv": ("a.csv", database, "SQLite"),
    "compressed, called csv": ("a.csv", lambda: gzip.compress(TEXT.encode()), ".gz"),
    "a page that asks to log in": ("a.csv", lambda: "<!DOCTYPE html><html>Log in</html>", "web page"),
    "json": ("a.csv", lambda: '{"a": 1}\n{"a": 2}\n', "JSON"),
    "not compressed": ("a.csv.gz", lambda: TEXT, "compressed file is damaged"),
    "compressed and cut off": ("a.csv.gz", lambda: gzip.compress(TEXT.encode())[:-40], "ends too early"),
    "a quote never closed": ("a.csv", lambda: "id,x\n" + LINES + '7,"open\n' + LINES, "never closed"),
    "a quote never closed in the first line": (
        "a.csv",
        lambda: 'id,x\n7,"open\n' + LINES.replace('"', ""),
        "never closed",
    ),
    "more values in some lines": ("a.csv", lambda: "id,x\n1,2\n2,3,4\n3\n" + LINES, "number of values"),
    "more values in the last line": (
        "a.csv",
        lambda: "id,x\n" + LINES.replace('"', "") + "1,2,3,4\n",
        "number of values",
    ),
    "more values far down": (
        "a.csv",
        lambda: "id,x\n" + LINES.replace('"', "") * 100 + "1,2,3,4\n",
        "more values than others",
    ),
    "an unknown delimiter": ("a.csv", lambda: FRAME.to_csv(index=False, sep="~"), "found ~"),
    "an unknown control character": ("a.csv", lambda: FRAME.to_csv(index=False, sep="\x01"), "\\x01"),
    "one endless line": ("a.csv", lambda: b"x" * 5_000_000, "endless line"),
    "an endless second line": ("a.csv", lambda: b"a,b\n" + b"1," * 3_000_000, "endless line"),
    "cut off parquet": ("a.parquet", lambda: without_ends(parquet()), "not a Parquet file"),
    "empty parquet": ("a.parquet", lambda: "", "not a Parquet file"),
    "parquet without rows": ("a.parquet", lambda: parquet(FRAME.head(0)), "holds no rows"),
    "damaged sqlite": ("a.sqlite", lambda: scrambled(database()), "damaged"),
    "cut off sqlite": ("a.sqlite", lambda: without_ends(database()), "damaged"),
    "empty sqlite": ("a.sqlite", lambda: "", "database is empty"),
    "text, called sqlite": ("a.sqlite", lambda: TEXT * 100, "not a database"),
    "cut off excel": ("a.xlsx", lambda: without_ends(excel()), "no Excel file, or damaged"),
    "empty excel": ("a.xlsx", lambda: "", "no Excel file, or damaged"),
    "zip, called excel": ("a.xlsx", zipped, "no Excel file, or damaged"),
    "encrypted excel": ("a.xlsx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000), "protected by a password"),
    "cut off duckdb": ("a.duckdb", lambda: bytes(8) + b"DUCK" + bytes(100), "damaged"),
    "old excel": ("a.xls", lambda: "", "nobody here can read"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_says_what_is_wrong_and_what_to_do(both: Any, tmp_path: Path, kind: str) -> None:
    name, content, said = BROKEN[kind]
    written = content()
    (tmp_path / name).write_bytes(written.encode() if isinstance(written, str) else written)
    assert refused(both(name), said)


READABLE: dict[str, bytes] = {
    "utf-16": TEXT.encode("utf-16"),
    "utf-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "utf-16 without a mark": TEXT.encode("utf-16-le"),
    "windows": TEXT.encode("cp1252"),
    "a mark in front": TEXT.encode("utf-8-sig"),
    "windows in a single line": TEXT.encode() + "60,90.0,ä€b\n".encode("cp1252"),
}


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_csv_is_read_in_whatever_letters_it_is_written(both: Any, tmp_path: Path, kind: str, suffix: str) -> None:
    content = READABLE[kind]
    (tmp_path / f"a.{suffix}").write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    reading = both(f"a.{suffix}")
    assert reading.columns == ("id", "x", "name"), reading.problem
    assert set(reading.table.to_pandas()["name"]) == {"ä€b"}


def test_a_csv_that_has_changed_is_read_again(both: Any, tmp_path: Path) -> None:
    for value in ("1", "2"):
        (tmp_path / "a.csv").write_text(f"id,x\n1,{value}\n")
        os.utime(tmp_path / "a.csv", (1, int(value)))
        assert both("a.csv").table.to_pandas()["x"].tolist() == [int(value)]


def test_letters_are_recognised_far_down_the_file(both: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id,name\n" + b"1,a\n" * 600_000 + "2,Köln\n".encode("latin-1"))
    assert both("a.csv").table.to_pandas()["name"].iloc[-1] == "Köln"


def test_a_title_above_the_table_is_left_out_and_no_row_is(both: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Report of sales\nmade on 2024-01-01\n\nid,x\n" + "1,2\n#2,3\n" * 5)
    assert (both("a.csv").columns, both("a.csv").rows) == (("id", "x"), 10)


def test_zeros_in_a_text_and_quotes_in_plain_values_are_no_reason_to_refuse_it(both: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'id,x\n1,a\x00b\n2,5" pipe\n3,"c"\n')
    assert both("a.csv").table.to_pandas()["x"].tolist()[:2] == ["a\x00b", '5" pipe']


def test_duplicate_names_are_told_apart(both: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x,x\n1,2,3\n")
    pd.DataFrame([[1, 2, 3]], columns=["id", "x", "x"]).to_excel(tmp_path / "a.xlsx", index=False)
    for name in ("a.csv", "a.xlsx"):
        assert len(set(both(name).columns)) == 3


def test_three_thousand_columns_take_seconds(both: Any, tmp_path: Path) -> None:
    line = ",".join(["1.5"] * 3000)
    (tmp_path / "a.csv").write_text("\n".join([",".join(f"c{n}" for n in range(3000)), *[line] * 200]))
    reading = both("a.csv")
    assert (len(reading.columns), reading.rows) == (3000, 200)


OTHER = FRAME.drop(columns="name")
FOLDERS: dict[str, tuple[dict[str, pd.DataFrame], str]] = {
    "a column is missing": ({"a.parquet": FRAME, "b.parquet": OTHER}, "b.parquet without name"),
    "a column is new": ({"a.parquet": OTHER, "b.parquet": FRAME}, "b.parquet with name besides"),
    "another type": (
        {"a.parquet": FRAME, "b.parquet": FRAME.assign(x="one")},
        "numbers in a.parquet, text in b.parquet",
    ),
    "a column of a csv is missing": ({"a.csv": FRAME, "b.csv": OTHER}, "b.csv without name"),
    "csv and parquet": ({"a.csv": FRAME, "b.parquet": FRAME}, "Parquet and CSV"),
    "nothing": ({}, "no CSV or Parquet files"),
}


def fill(folder: Path, files: dict[str, pd.DataFrame]) -> None:
    folder.mkdir()
    for name, frame in files.items():
        frame.to_csv(folder / name, index=False) if name.endswith("csv") else frame.to_parquet(folder / name)


@pytest.mark.parametrize("kind", FOLDERS)
def test_files_of_a_folder_have_to_agree(both: Any, tmp_path: Path, kind: str) -> None:
    files, said = FOLDERS[kind]
    fill(tmp_path / "parts.csv", files)
    assert refused(both("parts.csv"), said)


def test_files_of_a_folder_may_differ_in_the_order_of_columns_and_in_fractions(both: Any, tmp_path: Path) -> None:
    turned = FRAME[["name", "x", "id"]]
    empty = FRAME.assign(name=None)
    fill(tmp_path / "csv", {"a.csv": FRAME, "b.csv": turned, "c.csv": FRAME})
    fill(tmp_path / "parquet", {"a.parquet": FRAME.assign(x=1), "b.parquet": turned, "c.parquet": empty})
    (tmp_path / "csv" / "empty.csv").write_text("")
    for name in ("csv", "parquet"):
        table = both(name).table.to_pandas()
        assert table["id"].tolist() == list(range(60)) * 3
        assert table["x"].iloc[60:120].tolist() == FRAME["x"].tolist()


@pytest.mark.parametrize(
    ("name", "said"), [("gone.csv", "is not where the charter says"), ("pipe", "neither"), ("circle.csv", "circle")]
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_a_place_where_there_is_no_file_is_no_hang(both: Any, tmp_path: Path, name: str, said: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    assert refused(both(name), said)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.sqlite", "a.xlsx"])
def test_a_file_that_nobody_lets_us_read(charter_of: Any, tmp_path_factory: Any, name: str) -> None:
    folder = tmp_path_factory.mktemp("closed")
    (folder / name).write_bytes(b"anything")
    (folder / name).chmod(0)
    charter = charter_of(folder, sources=[{"name": "silo", "uri": name, "owner": "Ada"}])
    if root := os.geteuid() == 0:
        os.seteuid(65534)  # no right stops root
    try:
        (reading,) = tables.read_all(charter)
    finally:
        if root:
            os.seteuid(0)
    assert refused(reading, "no right to read it", "Ask its owner (Ada)")


LOCKS = {
    "a.sqlite": "import sqlite3; c = sqlite3.connect({path!r}, isolation_level=None); c.execute('begin exclusive')",
    "a.duckdb": "import duckdb; c = duckdb.connect({path!r})",
}


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Keep a database file locked from another process."""
    others: list[subprocess.Popen[str]] = []

    def lock(name: str) -> None:
        code = LOCKS[name].format(path=str(tmp_path / name)) + "; print(flush=True); input()"
        other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        others.append(other)
        assert other.stdout is not None and other.stdout.readline()

    yield lock
    for other in others:
        other.communicate("\n")


@pytest.mark.parametrize("name", LOCKS)
def test_a_file_that_another_program_has_locked_is_no_hang(both: Any, tmp_path: Path, locked: Any, name: str) -> None:
    if name == "a.sqlite":
        (tmp_path / name).write_bytes(database())
    else:
        with duckdb.connect(str(tmp_path / name)) as connection:
            connection.execute("create table t as select 1 as id")
    locked(name)
    assert refused(both(name), "Another program has the database file locked", "Close it there")


def test_bytes_that_are_no_text_break_no_column_of_sqlite(both: Any, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("create table t (id integer, name text)")
        connection.execute("insert into t values (1, cast(x'4bf66c6e' as text))")
    connection.close()
    assert both("a.sqlite").table.to_pandas()["name"].tolist() == ["K\ufffdln"]


AS_STORED: dict[str, tuple[str, list[Any], str, list[Any]]] = {
    "as declared": ("integer", [1, 2, None], "number", [1, 2, None]),
    "fractions": ("integer", [1, 2.5, None], "number", [1, 2.5, None]),
    "a word among numbers": ("integer", [1, 2, "five"], "text", ["1", "2", "five"]),
    "a word among fractions": ("real", [1.5, 2, "n/a"], "text", ["1.5", "2.0", "n/a"]),
    "decimals": ("decimal(10, 2)", [1.25, 3, None], "number", [1.25, 3, None]),
    "a word among decimals": ("decimal(10, 2)", [1.25, 3, "n/a"], "text", ["1.25", "3", "n/a"]),
    "a word among booleans": ("boolean", [1, 0, "yes"], "text", ["1", "0", "yes"]),
    "dates": ("date", ["2024-05-06", None, "9999-12-31"], "date", ["2024-05-06", None, "9999-12-31"]),
    "moments": ("timestamp", ["2024-05-06 10:00:00", None], "date", ["2024-05-06 10:00:00", None]),
    "another kind of date": ("date", ["2024-05-06", "31.12.2024"], "text", ["2024-05-06", "31.12.2024"]),
    "a day that cannot be": ("date", ["2024-05-06", "2024-13-45"], "text", ["2024-05-06", "2024-13-45"]),
    "a word among moments": (
        "datetime",
        ["2024-05-06 10:00:00", "unknown"],
        "text",
        ["2024-05-06 10:00:00", "unknown"],
    ),
    "seconds instead of moments": ("timestamp", [1700000000, 1700000001], "number", [1700000000, 1700000001]),
    "bytes in a text": ("varchar(5)", ["a", b"\xff"], "text", ["a", "\ufffd"]),
    "nothing declared": ("", [1, "five", 2.5], "text", ["1", "five", "2.5"]),
}


@pytest.mark.parametrize("kind", AS_STORED)
def test_sqlite_columns_are_read_as_what_is_in_them(charter_of: Any, tmp_path: Path, kind: str) -> None:
    declared, values, read_as, expected = AS_STORED[kind]
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute(f'create table "a ""t""" (id integer, "x ""y""" {declared})')
        connection.executemany('insert into "a ""t""" values (?, ?)', enumerate(values))
    connection.close()
    charter = charter_of(tmp_path, sources=[{"name": "silo", "uri": "a.sqlite"}])
    (measured,), unreadable = survey.survey_all(charter, tables.read_all(charter))
    assert unreadable == [] and measured.facts['x "y"'].kind == read_as
    found = [None if pd.isna(value) else value for value in measured.sample['x "y"']]
    if read_as == "date":
        found = [value and str(value)[: len(str(values[0]))] for value in found]
    assert found == expected


def test_wide_sqlite_tables_are_read(both: Any, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute(f"create table t ({', '.join(f'c{n} integer' for n in range(900))})")
        connection.execute(f"insert into t values ({', '.join(['7'] * 899)}, 'word')")
    connection.close()
    reading = both("a.sqlite")
    assert len(reading.columns) == 900 and reading.table.to_pandas()["c899"].tolist() == ["word"]


@pytest.mark.parametrize("secret", ["hunter2", "a/b@c:d%e#f?g", "ö ä+&="])
def test_a_password_stands_in_no_message_whatever_characters_it_has(
    both: Any, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("L2L_PASSWORD", secret)
    monkeypatch.setenv("L2L_ADDRESS", f"postgresql://me:{secret}@127.0.0.1:9/db")
    for uri in (
        "postgresql://me:${L2L_PASSWORD}@127.0.0.1:9/db",
        "${L2L_ADDRESS}",
        "unknown://me:${L2L_PASSWORD}@host/db",
        f"postgresql://me:{secret}@127.0.0.1:9/db",
    ):
        problem = both(uri).problem
        assert problem
        for part in (secret, secret.split("/")[0] + "'", "hunter", "c:d"):
            assert part not in problem


def test_an_address_that_cannot_be_read_shows_the_right_form_and_no_part_of_the_password(both: Any) -> None:
    reading = both("postgresql://me:geheim/nis@host/db")
    assert refused(reading, "address cannot be read", "${VARIABLE}")
    assert "geheim" not in reading.problem


def test_an_unset_variable_is_named(both: Any) -> None:
    assert refused(both("postgresql://me:${L2L_UNSET}@host/db"), "L2L_UNSET", "Set it before you start")


def test_what_is_not_known_is_said_as_it_was_said() -> None:
    source = Source(name="silo", uri="a.csv", owner="Ada")
    words = errors.in_words(RuntimeError("\n the flux is weak\nand more"), source)
    assert words == (
        "It could not be read. Correct the source's uri, or ask its owner (Ada) for it in another form. "
        "(the flux is weak)"
    )
    assert errors.in_words(RuntimeError(), source).endswith("(RuntimeError)")


def test_a_message_for_people_becomes_a_sentence_and_its_fix() -> None:
    error = UserError("It is `so`.", where="here", found="a", expected="b", fix="turn `it` round")
    assert errors.in_words(error, Source(name="s", uri="a")) == "It is so (found a, expected b). Turn it round."


def board(charter_of: Any, folder: Path, today: str = "2026-02-01", **source: Any) -> dict[str, Any]:
    charter = charter_of(folder, sources=[{"name": "silo", "uri": "a.csv", **source}])
    (line,) = overview.board(charter, tables.read_all(charter), dt.date.fromisoformat(today)).to_dict("records")
    return line


@pytest.mark.parametrize(
    ("days", "newest"),
    [
        (["2026-01-30", "2026-01-02", "9999-12-31"], "2026-01-30"),
        (["2026-01-30 10:00:00", "2026-01-02 11:00:00"], "2026-01-30"),
        (["30.1.2026", "31.12.2025", "unknown"], "2026-01-30"),
        (["2026-01-30T23:59:00+02:00", "n/a!", ""], "2026-01-30"),
        (["2027-01-30", "2028-01-02"], None),
        (["a", "b"], None),
        (["1", "2"], None),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "sqlite", "parquet"])
def test_the_board_says_how_new_a_source_is(
    charter_of: Any, tmp_path: Path, kind: str, days: list[str], newest: str | None
) -> None:
    frame = pd.DataFrame({"id": range(len(days)), "when": days})
    if kind == "csv":
        frame.to_csv(tmp_path / "a.csv", index=False)
    elif kind == "parquet":
        frame.to_parquet(tmp_path / "a.parquet")
    else:
        with sqlite3.connect(tmp_path / "a.sqlite") as connection:
            frame.to_sql("t", connection, index=False)
        connection.close()
    line = board(charter_of, tmp_path, uri=f"a.{kind}", date_column="when", fresh_within_days=1, owner="Ada")
    assert (line["newest"], line["days old"]) == (newest, 2 if newest else None)
    assert line["fresh"] == ("no, limit 1 day" if newest else "not said")
    assert line["chase"] == ("Ada: not fresh" if newest else None)


def test_the_board_names_whom_to_chase_and_what_is_said_of_personal_data(charter_of: Any, tmp_path: Path) -> None:
    FRAME.assign(d="2026-01-30").to_csv(tmp_path / "a.csv", index=False)
    asked = {"owner": "Ada", "requested_on": dt.date(2026, 1, 1)}
    line = board(charter_of, tmp_path, **asked, access="refused", personal_data=True, stand_in="a.csv", date_column="d")
    assert (line["access"], line["days waited"], line["chase"]) == ("stand-in (file)", 31, "Ada: access refused")
    assert (line["personal data"], line["newest"], line["days old"], line["fresh"]) == (
        "yes",
        "2026-01-30",
        None,
        "not said",
    )
    line = board(charter_of, tmp_path, date_column="d", fresh_within_days=7, personal_data=False)
    assert (line["access"], line["chase"], line["fresh"], line["rows"]) == ("granted", None, "yes", 60)
    assert line["personal data"] == "no"
    line = board(charter_of, tmp_path, uri="gone.csv", date_column="d")
    assert (line["chase"], line["personal data"], line["engine"]) == (
        "find an owner: cannot be read",
        "not said",
        "unreadable",
    )


@pytest.mark.parametrize(
    ("stand_in", "kind"),
    [("simulated://", "simulated"), ("demo://telecom/crm.csv", "simulated"), ("public://iris", "public")],
)
def test_the_board_says_what_kind_of_stand_in_is_read(
    charter_of: Any, tmp_path: Path, stand_in: str, kind: str
) -> None:
    charter = charter_of(
        tmp_path, sources=[{"name": "silo", "uri": "a.csv", "stand_in": stand_in, "access": "requested"}]
    )
    table = overview.board(charter, [tables.Reading(charter.sources[0])])
    assert table["access"].tolist() == [f"stand-in ({kind})"]
