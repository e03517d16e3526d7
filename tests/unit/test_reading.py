"""Tables as people have them: each is read with the values that stand there, or says what cannot be known."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.data.sources import csv, reading, tables


@pytest.fixture
def read(charter_of: Any, tmp_path: Path) -> Any:
    def _read(content: bytes | str, name: str = "a.csv", **more: Any) -> tables.Reading:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        charter = charter_of(tmp_path, sources=[{"name": "silo", "uri": name, **more}])
        (found,) = tables.read_all(charter)
        assert found.problem == "", found.problem
        return found

    return _read


def column(found: tables.Reading, name: str = "x") -> list[Any]:
    assert found.table is not None
    values = found.table.to_pandas()[name]
    return [None if pd.isna(value) else value for value in values.tolist()]


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


VALUES: dict[str, tuple[str, list[Any], str]] = {
    "levels called NA and None": ("id,x\n1,NA\n2,None\n3,b\n4,\n", ["NA", "None", "b", None], "text"),
    "nothing but NA": ("id,x\n1,NA\n2,\n", [None, None], "text"),
    "numbers with NA among them": ("id,x\n1,NA\n2,1.5\n3,\n", [None, 1.5, None], "number"),
    "dotted dates": ("id,x\n1,31.12.2024\n2,1.2.2024\n", [day("2024-12-31"), day("2024-02-01")], "date"),
    "months": ("id,x\n1,2022-08\n2,2023-01\n", [day("2022-08-01"), day("2023-01-01")], "date"),
    "American dates": ("id,x\n1,7/26/2022\n2,3/4/2022\n", [day("2022-07-26"), day("2022-03-04")], "date"),
    "European dates": ("id,x\n1,26/07/2022\n2,03/04/2022\n", [day("2022-07-26"), day("2022-04-03")], "date"),
    "named months": ("id,x\n1,26-Jul-2022\n2,03-AUG-2022\n", [day("2022-07-26"), day("2022-08-03")], "date"),
    "dates that could be both": ("id,x\n1,03/04/2022\n2,05/06/2022\n", ["03/04/2022", "05/06/2022"], "text"),
    "dates that could be both, but for the last": (
        "id,x\n" + "1,03/04/2022\n" * 3000 + "2,25/06/2022\n",
        [day("2022-04-03")] * 3000 + [day("2022-06-25")],
        "date",
    ),
    "times with an offset": (
        "id,x\n1,2024-08-31T23:30-05:00\n2,2024-08-31 10:00:00Z\n",
        [day("2024-09-01 04:30"), day("2024-08-31 10:00")],
        "moment",
    ),
    "half past three in the afternoon": ("id,x\n1,7/26/2022 3:30 PM\n", [day("2022-07-26 15:30")], "moment"),
    "thousands in quotes": ('id,x\n1,"204,303"\n2,"1,204,303"\n3,17\n', [204303, 1204303, 17], "integer"),
    "thousands and decimals": ('id,x\n1,"1,234.56"\n2,3.5\n', [1234.56, 3.5], "number"),
    "the same with the marks the other way": ("id;x\n1;1.234,56\n2;3,5\n", [1234.56, 3.5], "number"),
    "thousands with points in a file of commas": ("id;x;y\n1;1.234;2,5\n2;12;3,5\n", [1234, 12], "integer"),
    "thousands with blanks": ("id;x\n1;1 234,5\n2;12\n", [1234.5, 12.0], "number"),
    "points mean decimals in a plain file": ("id,x\n1,1.234\n2,2.500\n", [1.234, 2.5], "number"),
    "commas late in the file": ("id;x\n" + "1;12\n" * 3000 + "2;1,5\n", [12.0] * 3000 + [1.5], "number"),
    "both marks in one column": ('id,x\n1,"1,5"\n2,1.5\n', ["1,5", "1.5"], "text"),
    "22 digits": (f"id,x\n1,{10**21 + 1}\n2,{10**21 + 2}\n", [str(10**21 + 1), str(10**21 + 2)], "text"),
    "19 digits and a blank": (f"id,x\n1,{10**18 + 1}\n2, {10**18 + 2}\n", [str(10**18 + 1), f" {10**18 + 2}"], "text"),
    "16 digits that floats hold": ("id,x\n1,9007199254740991\n2,\n", [9007199254740991.0, None], "integer"),
    "leading zeros": ("id,x\n1,0007\n2,0010\n", ["0007", "0010"], "text"),
    "no number": ("id,x\n1,1_000\n2,2\n", ["1_000", "2"], "text"),
    "a line above the header": ("Report of 2024\nid,x\n1,2\n3,4\n", [2, 4], "integer"),
    "a comment above the header": ("# made by hand, yesterday\nid,x\n1,2\n3,4\n", [2, 4], "integer"),
    "what Excel writes in front": ("sep=;\nid;x\n1;2,5\n", [2.5], "number"),
    "blanks after the commas": ("id, x\n1, a\n2, b\n", [" a", " b"], "text"),
    "mixed line ends": ("id,x\r\n1,2\n3,4\r\n5,6\n", [2, 4, 6], "integer"),
    "no value anywhere in the first rows": ("id,x\n" + "1,\n" * 3000 + "2,7.5\n", [None] * 3000 + [7.5], "number"),
    "infinity": ("id,x\n1,inf\n2,1.5\n", [float("inf"), 1.5], "number"),
    "versions": ("id,x\n1,1.2.10\n2,1.10.2\n", ["1.2.10", "1.10.2"], "text"),
    "apostrophes for quotes": ("id,x\n1,'a,b'\n2,'c'\n", ["a,b", "c"], "text"),
    "quotes escaped by a backslash": ('id,x\n1,"a \\"b\\" c"\n2,d\n', ['a "b" c', "d"], "text"),
}  # fmt: skip


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_is_read_as_what_it_says(read: Any, kind: str) -> None:
    content, values, type_ = VALUES[kind]
    found = read(content)
    assert column(found) == values
    assert found.read_as["x"].type == type_


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "cp1251", "cp1253"])
def test_letters_of_any_code_page_are_read(read: Any, encoding: str) -> None:
    word = {"cp1251": "Москва", "cp1253": "Αθήνα"}.get(encoding, "Zürich")
    found = read(f"Stadt;x\n{word};1,5\n{word};2,5\n".encode(encoding))
    assert column(found, "Stadt") == [word, word]
    assert column(found) == [1.5, 2.5]


def test_a_header_one_column_short_belongs_to_the_columns_behind_the_first(read: Any) -> None:
    found = read("x,y\n1,2,3\n4,5,6\n")
    assert (found.columns, column(found)) == (("column0", "x", "y"), [2, 5])


def test_narrower_first_rows_are_the_true_cause(charter_of: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x,y\n" + "1,2,3\n" * 5 + "1,2,3,4\n" * 30)
    (found,) = tables.read_all(charter_of(tmp_path, sources=[{"name": "silo", "uri": "a.csv"}]))
    assert "line 7: 4" in found.problem and "3, as in the header" in found.problem


@pytest.mark.parametrize(
    ("names", "told_apart"),
    [
        (["age", " job", "income "], ["age", "job", "income"]),
        (["Age", "age"], ["Age", "age_1"]),
        (["a", "a_1", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "", "A"], ["a", "a_1", "column2", "A_2"]),
    ],
)
def test_names_are_stripped_and_told_apart_by_one_rule(read: Any, names: list[str], told_apart: list[str]) -> None:
    assert csv.unique_names(names) == told_apart
    assert list(read(",".join(names) + "\n" + ",".join("1" * len(names)) + "\n").columns) == told_apart


@given(st.lists(st.text("aAbB_1 ", max_size=3), min_size=1, max_size=8))
def test_no_two_names_differ_in_case_only(names: list[str]) -> None:
    found = [name.casefold() for name in csv.unique_names(names)]
    assert len(set(found)) == len(names) and all(found)


def test_what_could_be_meant_otherwise_is_said(read: Any) -> None:
    assert "204,303" in read('id,x\n1,"204,303"\n').read_as["x"].note
    assert "%d/%m/%Y or %m/%d/%Y" in read("id,x\n1,03/04/2022\n").read_as["x"].note
    assert read("id,x\n1,1.234\n").read_as["x"].note == ""


@pytest.mark.parametrize(
    ("content", "said", "values"),
    [
        ('id,x\n1,"204,303"\n', {"decimal": ","}, [204.303]),
        ("id,x\n1,03/04/2022\n", {"columns": {"x": "%m/%d/%Y"}}, [day("2022-03-04")]),
        ("id,x\n1,17\n", {"columns": {"x": "text"}}, ["17"]),
        ("id,x\n1,NA\n2,b\n", {"nulls": ["NA"]}, [None, "b"]),
        ("id~x\n1~2\n", {"delimiter": "~"}, [2]),
        ("id,x\n1,Привет\n".encode("koi8_r"), {"encoding": "koi8_r"}, ["Привет"]),
    ],
)
def test_the_charter_has_the_last_word(
    read: Any, content: bytes | str, said: dict[str, Any], values: list[Any]
) -> None:
    assert column(read(content, reading=said)) == values


def test_a_declared_encoding_that_nobody_knows_is_a_message(charter_of: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n1,2\n")
    sources = [{"name": "silo", "uri": "a.csv", "reading": {"encoding": "utf-9"}}]
    (found,) = tables.read_all(charter_of(tmp_path, sources=sources))
    assert "encoding" in found.problem and "utf-9" in found.problem


def write(path: Path, columns: dict[str, pa.Array]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


PLAIN: dict[str, tuple[pa.Array, list[Any], str]] = {
    "booleans": (pa.array([True, None]), [True, None], "boolean"),
    "small": (pa.array([1, 2], pa.int8()), [1, 2], "integer"),
    "unsigned": (pa.array([1, 2**40], pa.uint64()), [1, 2**40], "integer"),
    "ids": (pa.array([2**60 + 1, 2**60 + 2], pa.int64()), [str(2**60 + 1), str(2**60 + 2)], "text"),
    "very long ids": (pa.array([Decimal(10**21 + 1), None], pa.decimal128(38, 0)), [str(10**21 + 1), None], "text"),
    "money": (pa.array([Decimal("1.25"), None], pa.decimal128(10, 2)), [1.25, None], "number"),
    "short floats": (pa.array([1.5, None], pa.float32()), [1.5, None], "number"),
    "days": (pa.array([dt.date(2024, 12, 31), None], pa.date32()), [day("2024-12-31"), None], "date"),
    "moments": (pa.array([dt.datetime(2024, 1, 2, 3)] * 2), [day("2024-01-02 03:00")] * 2, "moment"),
    "durations": (pa.array([dt.timedelta(days=200), None], pa.duration("ns")), [200.0, None], "number"),
    "words": (pa.array(["NA", None]), ["NA", None], "text"),
    "long words": (pa.array(["a" * 230, "[b]"], pa.large_string()), ["a" * 230, "[b]"], "text"),
    "a dictionary": (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"], "text"),
    "words that are days": (pa.array(["26/07/2022", "03/04/2022"]), [day("2022-07-26"), day("2022-04-03")], "date"),
    "words that are digits": (pa.array(["0007", "12"]), ["0007", "12"], "text"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLAIN)
def test_a_type_of_parquet_keeps_its_meaning(read: Any, tmp_path: Path, kind: str) -> None:
    values, expected, type_ = PLAIN[kind]
    content = write(tmp_path / "b.parquet", {"id": pa.array([1, 2]), "x": values}).read_bytes()
    found = read(content, "a.parquet")
    assert found.read_as["x"].type == type_
    assert column(found) == expected


@pytest.mark.parametrize(
    "values",
    [pa.array([[1], [2]]), pa.array([{"a": 1}, {"a": 2}]), pa.array([dt.time(3), None]), pa.array([b"a", b"b"])],
    ids=["lists", "structs", "times of day", "bytes"],
)
def test_what_no_model_takes_is_left_out_with_the_reason(read: Any, tmp_path: Path, values: pa.Array) -> None:
    content = write(tmp_path / "b.parquet", {"id": pa.array([1, 2]), "x": values}).read_bytes()
    found = read(content, "a.parquet")
    assert found.columns == ("id",)
    assert "no model takes" in found.left_out["x"]


def test_excel_keeps_levels_called_na(read: Any, tmp_path: Path) -> None:
    pd.DataFrame({"id": [1, 2, 3], "x": ["NA", "b", None]}).to_excel(tmp_path / "b.xlsx", index=False)
    assert column(read((tmp_path / "b.xlsx").read_bytes(), "a.xlsx")) == ["NA", "b", None]


def test_a_reading_is_kept_as_it_is() -> None:
    how = reading.ColumnReading("number", decimal=",", thousands=".", nulls=("", "NA"), note="`1.234` may be both")
    readings = reading.Readings({"x": how}, {"silo": {"y": how}})
    assert reading.Readings.from_dict(json.loads(json.dumps(readings.as_dict()))) == readings
    assert how.words == "number, decimals after `,`, thousands apart by `.`"
