"""A file of cases is answered as each of them alone, in pieces, and continued where it was stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from lab2live.cli import main
from lab2live.data.sources.reading import NULLS, ColumnReading, Readings
from lab2live.errors import UserError
from lab2live.handoff import batch, bundle
from lab2live.handoff.deciding import Deciding

from .conftest import plain


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "PIECE", 60)


def quiet(_: int) -> None:
    """Show no progress."""


def written(made: Any, path: Path, rows: int = 200) -> pd.DataFrame:
    table: pd.DataFrame = made.table.iloc[:rows].assign(secret="not to be carried along")
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)
    return table


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, keep_default_na=False, na_values={"score": [""]}, float_precision="round_trip")


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(("given", "wanted"), [("csv", "parquet"), ("parquet", "csv"), ("csv", "csv")])
def test_a_file_is_answered_as_each_case_alone(
    bundled: Any, tmp_path: Path, small: None, problem: str, given: str, wanted: str
) -> None:
    made = bundled(problem)
    table = written(made, tmp_path / f"in.{given}")
    seen: list[int] = []
    done = batch.score(made.folder, str(tmp_path / f"in.{given}"), tmp_path / f"out.{wanted}", seen.append)
    found = read(tmp_path / f"out.{wanted}")
    loaded = bundle.load(made.folder)
    alone = Deciding.of(loaded).decide(table)
    assert list(found) == ["id", "score", "prediction", "served_by", "reason"]
    assert list(found["id"]) == list(table["id"])
    assert np.allclose(found["score"], alone["score"], rtol=1e-12)
    for name in ("prediction", "served_by", "reason"):
        assert list(found[name].fillna("")) == list(alone[name].fillna("")), name
    assert done.cases == 200 and done.by == alone["served_by"].value_counts().to_dict() and seen == [60, 120, 180, 200]
    assert not list(tmp_path.glob("*.parts")) and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(("problem", "kind"), [("regression", "double"), ("binary", "string")])
def test_outputs_are_of_one_type_also_where_a_person_decides_all_cases_of_a_piece(
    bundled: Any, tmp_path: Path, small: None, problem: str, kind: str
) -> None:
    made = bundled(problem)
    table = made.table.iloc[:100].astype({"bill": object})
    table.iloc[:70, table.columns.get_loc("bill")] = "a lot"
    table.to_csv(tmp_path / "in.csv", index=False)
    batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.parquet", quiet)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert str(found.schema.field("prediction").type) == kind and found["prediction"][:70].null_count == 70
    assert found["prediction"][70:].null_count < 30


def test_what_was_stopped_goes_on_and_ends_the_same(bundled: Any, tmp_path: Path, small: None) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")
    batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "whole.csv", quiet)

    def pulled(rows: int) -> None:
        if rows >= 120:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", pulled)
    assert not (tmp_path / "out.csv").exists()
    asked = []
    original = Deciding.decide

    def counted(self: Deciding, rows: pd.DataFrame) -> pd.DataFrame:
        asked.append(len(rows))
        return original(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deciding, "decide", counted)
        done = batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert done.kept == 2 and asked == [60, 20]
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("change", ["input", "bundle", "broken"])
def test_pieces_of_something_else_are_not_kept(bundled: Any, tmp_path: Path, small: None, change: str) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")

    def pulled(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", pulled)
    folder = made.folder
    if change == "input":
        written(made, tmp_path / "in.csv", 190)
    elif change == "bundle":
        folder = bundled("binary", personal=True).folder
    else:
        (tmp_path / "out.csv.parts" / "input.json").write_text("{")
    assert batch.score(folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet).kept == 0


def test_bad_rows_are_listed_with_their_numbers_and_nothing_of_them(bundled: Any, tmp_path: Path, small: None) -> None:
    made = bundled("binary")
    table = made.table.iloc[:200].astype({"bill": object, "lines": object})
    table.loc[table.index[7], "bill"] = "Ada Lovelace"
    table.loc[table.index[130], "lines"] = None
    table.loc[table.index[150], "id"] = "=cmd()"
    table.loc[table.index[150], "bill"] = -1
    table.to_csv(tmp_path / "in.csv", index=False)
    done = batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    bad = pd.read_csv(tmp_path / "out.csv.rejected.csv")
    assert list(bad["row"]) == [7, 130, 150] and done.invalid == 3 and "3 cases broke the contract" in done.sentence
    assert list(bad["reason"].str.split(":").str[0]) == ["bill", "lines", "bill"]
    answered = read(tmp_path / "out.csv")
    assert answered["id"].iloc[150] == "'=cmd()" and set(answered["served_by"].iloc[[7, 130, 150]]) == {"review"}
    everything = (tmp_path / "out.csv").read_text() + (tmp_path / "out.csv.rejected.csv").read_text()
    assert "Lovelace" not in everything and len(answered) == 200
    written(made, tmp_path / "in.csv")
    batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert not (tmp_path / "out.csv.rejected.csv").exists()


def test_lines_that_cannot_be_divided_are_rejected_alone(bundled: Any, tmp_path: Path, small: None) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")
    lines = (tmp_path / "in.csv").read_text().splitlines()
    (tmp_path / "in.csv").write_text("\n".join([*lines[:90], lines[90] + ",one,more", *lines[91:]]) + "\n")
    done = batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert (done.cases, done.refused) == (199, 1) and "1 line could not be divided" in done.sentence
    assert list(pd.read_csv(tmp_path / "out.csv.rejected.csv")["line"]) == [91]


def test_a_case_without_a_name_has_the_number_of_its_row(bundled: Any, tmp_path: Path) -> None:
    made = bundled("binary")
    made.table.iloc[:5].drop(columns="id").to_csv(tmp_path / "in.csv", index=False)
    batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert list(read(tmp_path / "out.csv")["row"]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda table: table.rename(columns={"bill": "Bill"}), "did you mean `Bill`"),
        (lambda table: table.drop(columns="age"), "has to be known"),
        (lambda table: table[["id"]], "none of the columns"),
    ],
)
def test_a_column_that_is_missing_or_renamed_is_said_before_anything_is_scored(
    bundled: Any, tmp_path: Path, given: Any, says: str
) -> None:
    made = bundled("binary")
    given(made.table.iloc[:20]).to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(UserError, match=says):
        batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert not list(tmp_path.glob("out*"))


def test_a_column_that_may_be_missing_is_said_loudly(bundled: Any, tmp_path: Path) -> None:
    made = bundled("binary")
    made.table.iloc[:20].drop(columns="bill").to_csv(tmp_path / "in.csv", index=False)
    done = batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert "Not in the file, and so missing in every case: bill" in done.sentence


WAYS: dict[str, Any] = {
    "semicolons": lambda table, path: table.to_csv(path / "in.csv", index=False, sep=";", decimal=","),
    "tabs, cp1252": lambda table, path: table.to_csv(path / "in.csv", index=False, sep="\t", encoding="cp1252"),
    "utf-16": lambda table, path: table.to_csv(path / "in.csv", index=False, encoding="utf-16"),
    "excel": lambda table, path: table.to_excel(path / "in.xlsx", index=False),
    "sqlite": lambda table, path: table.to_sql("cases", sqlite3.connect(path / "in.sqlite"), index=False),
    "parquet": lambda table, path: table.to_parquet(path / "in.parquet"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_cases_get_the_same_answers_whatever_they_come_in(bundled: Any, tmp_path: Path, way: str) -> None:
    made = bundled("binary")
    table = made.table.iloc[:60].rename(columns={})
    table = table if "semicolon" not in way else table.assign(bill=table["bill"])
    WAYS[way](table, tmp_path)
    (source,) = tmp_path.glob("in.*")
    if "semicolon" in way:  # how it was read where the model learnt is how it is read now
        how = {**plain(made.table), "bill": ColumnReading("number", decimal=",", nulls=NULLS)}
        folder = tmp_path / "bundle"
        shutil.copytree(made.folder, folder)
        reread(folder, how)
    else:
        folder = made.folder
    batch.score(folder, str(source), tmp_path / "out.parquet", quiet)
    alone = Deciding.of(bundle.load(made.folder)).decide(table)
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert np.allclose(found["score"], alone["score"], rtol=1e-12, equal_nan=True)
    assert list(found["served_by"]) == list(alone["served_by"])


def reread(folder: Path, how: dict[str, ColumnReading]) -> None:
    """Let a bundle say that its columns were read otherwise."""
    content = json.dumps(Readings(how).as_dict()).encode()
    (folder / bundle.READINGS).write_bytes(content)
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    manifest["files"][bundle.READINGS] = hashlib.sha256(content).hexdigest()
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("target", ["in.csv", "folder"])
def test_nothing_that_is_there_is_overwritten(bundled: Any, tmp_path: Path, target: str) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")
    (tmp_path / "folder.csv").mkdir()
    before = (tmp_path / "in.csv").read_bytes()
    name = target if target == "in.csv" else "folder.csv"
    with pytest.raises(UserError, match="overwritten"):
        batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / name, quiet)
    assert (tmp_path / "in.csv").read_bytes() == before


def test_a_folder_that_somebody_else_made_is_left_alone(bundled: Any, tmp_path: Path) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")
    (tmp_path / "out.csv.parts").mkdir()
    (tmp_path / "out.csv.parts" / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="is not ours"):
        batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)
    assert (tmp_path / "out.csv.parts" / "mine.txt").read_text() == "precious"


def test_two_at_once_do_not_write_into_one_file(bundled: Any, tmp_path: Path, small: None) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")

    def meanwhile(rows: int) -> None:
        if rows == 60:
            with pytest.raises(UserError, match="Another process"):
                batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", quiet)

    assert batch.score(made.folder, str(tmp_path / "in.csv"), tmp_path / "out.csv", meanwhile).cases == 200


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("in.xlsx", b"x", "no Excel file"),
        ("none.csv", None, "no such file"),
        ("in.csv", b"", "holds no rows"),
        ("in.csv", b"other,columns\n1,2\n", "none of the columns"),
        ("in.csv", b"bill,lines,contract,since,age\n", "no case in the file"),
        ("in.parquet", b"PAR1", "not a Parquet file"),
        ("in.csv", b"PK\x03\x04\x14\x00,bill\n", "an Excel or ZIP file"),
        ("in.csv", b"PAR1\x15\x04,bill\n", "a Parquet file"),
        ("in.doc", b"x", "nobody here can read"),
    ],
)
def test_what_cannot_be_scored_is_said(
    bundled: Any, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        batch.score(bundled("binary").folder, str(tmp_path / name), tmp_path / "out.csv", quiet)
    assert says in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


def test_nothing_is_printed_before_an_error_that_comes_before_the_first_case(
    bundled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="no such file"):
        main.score(bundled("binary").folder, str(tmp_path / "none.csv"), tmp_path / "out.csv")
    assert capsys.readouterr() == ("", "")


def test_the_command_says_what_was_done(bundled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = bundled("regression")
    written(made, tmp_path / "in.parquet")
    main.score(made.folder, str(tmp_path / "in.parquet"), tmp_path / "out.parquet")
    printed = capsys.readouterr()
    assert "200 cases answered" in printed.out and "out.parquet" in printed.out and "200 cases" in printed.err
