"""A file of cases is answered as each of them alone, in pieces, and continued where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from lab2live.cli import main
from lab2live.errors import UserError
from lab2live.handoff import batch, bundle
from lab2live.handoff.deciding import Deciding
from lab2live.monitoring import reading, running


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
    empty: dict[str, list[str]] = {"answer": [""], "output": [""]}
    return pd.read_csv(
        path, dtype={"detail": str}, float_precision="round_trip", keep_default_na=False, na_values=empty
    )


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(("given", "wanted"), [("csv", "parquet"), ("parquet", "csv"), ("csv", "csv")])
def test_a_file_is_answered_as_each_case_alone(
    bundled: Any, tmp_path: Path, small: None, problem: str, given: str, wanted: str
) -> None:
    made = bundled(problem)
    table = written(made, tmp_path / f"in.{given}")
    seen: list[int] = []
    done = batch.score(made.folder, tmp_path / f"in.{given}", tmp_path / f"out.{wanted}", seen.append)
    found = read(tmp_path / f"out.{wanted}")
    loaded = bundle.load(made.folder)
    alone = Deciding.of(loaded).decide(table)
    assert list(found["row"]) == list(range(200)) and list(found["id"]) == list(table["id"])
    assert "secret" not in found and "bill" not in found
    assert np.allclose(found["answer"], alone["answer"], rtol=1e-12)
    for name in ("source", "reason", "detail"):
        assert list(found[name]) == list(alone[name]), name
    assert found["output"].isna().equals(alone["output"].isna().reset_index(drop=True))
    assert list(found["output"].dropna()) == list(alone["output"].dropna())
    assert done.cases == 200 and done.by == alone["source"].value_counts().to_dict() and seen == [60, 120, 180, 200]
    assert not list(tmp_path.glob("*.parts")) and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(("problem", "kind"), [("regression", "double"), ("binary", "string")])
def test_outputs_are_of_one_type_also_where_a_person_decides_all_cases_of_a_piece(
    bundled: Any, tmp_path: Path, small: None, problem: str, kind: str
) -> None:
    made = bundled(problem)
    table = made.table.iloc[:100].astype({"bill": object})
    table.iloc[:70, table.columns.get_loc("bill")] = "a lot"
    table.to_csv(tmp_path / "in.csv", index=False)
    batch.score(made.folder, tmp_path / "in.csv", tmp_path / "out.parquet", quiet)
    found = parquet.read_table(tmp_path / "out.parquet")
    assert str(found.schema.field("output").type) == kind and found["output"][:70].null_count == 70
    assert found["output"][70:].null_count < 30


def test_what_was_stopped_goes_on_and_ends_the_same(bundled: Any, tmp_path: Path, small: None) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")
    batch.score(made.folder, tmp_path / "in.csv", tmp_path / "whole.csv", quiet)

    def pulled(rows: int) -> None:
        if rows >= 120:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.score(made.folder, tmp_path / "in.csv", tmp_path / "out.csv", pulled)
    assert not (tmp_path / "out.csv").exists()
    asked = []
    original = Deciding.decide

    def counted(self: Deciding, rows: pd.DataFrame) -> pd.DataFrame:
        asked.append(len(rows))
        return original(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Deciding, "decide", counted)
        done = batch.score(made.folder, tmp_path / "in.csv", tmp_path / "out.csv", quiet)
    assert done.kept == 2 and asked == [60, 20]
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("change", ["input", "bundle", "broken"])
def test_pieces_of_something_else_are_not_kept(bundled: Any, tmp_path: Path, small: None, change: str) -> None:
    made = bundled("binary")
    written(made, tmp_path / "in.csv")

    def pulled(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.score(made.folder, tmp_path / "in.csv", tmp_path / "out.csv", pulled)
    folder = made.folder
    if change == "input":
        written(made, tmp_path / "in.csv", 190)
    elif change == "bundle":
        folder = bundled("binary", personal=True).folder
    else:
        (tmp_path / "out.csv.parts" / "input.json").write_text("{")
    assert batch.score(folder, tmp_path / "in.csv", tmp_path / "out.csv", quiet).kept == 0


def test_bad_rows_are_listed_with_their_numbers_and_nothing_of_them(bundled: Any, tmp_path: Path, small: None) -> None:
    made = bundled("binary")
    table = made.table.iloc[:200].astype({"bill": object, "lines": object})
    table.loc[table.index[7], "bill"] = "Ada Lovelace"
    table.loc[table.index[130], "lines"] = None
    table.loc[table.index[150], "id"] = "=cmd()"
    table.loc[table.index[150], "bill"] = -1
    table.to_csv(tmp_path / "in.csv", index=False)
    done = batch.score(made.folder, tmp_path / "in.csv", tmp_path / "out.csv", quiet)
    bad = pd.read_csv(tmp_path / "out.csv.invalid.csv")
    assert list(bad["row"]) == [7, 130, 150] and done.invalid == 3 and "3 cases broke the contract" in done.sentence
    assert list(bad["detail"].str.split(":").str[0]) == ["bill", "lines", "bill"]
    assert bad["id"].iloc[2] == "'=cmd()" and set(bad["source"]) == {"review"}
    everything = (tmp_path / "out.csv").read_text() + (tmp_path / "out.csv.invalid.csv").read_text()
    assert "Lovelace" not in everything and len(read(tmp_path / "out.csv")) == 200
    written(made, tmp_path / "in.csv")
    batch.score(made.folder, tmp_path / "in.csv", tmp_path / "out.csv", quiet)
    assert not (tmp_path / "out.csv.invalid.csv").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("in.xlsx", b"x", "Only CSV and Parquet"),
        ("none.csv", None, "There is nothing to score"),
        ("in.csv", b"", "cannot be read"),
        ("in.csv", b"other,columns\n1,2\n", "none of the fields"),
        ("in.csv", b"bill,lines\n", "no case in the file"),
        ("in.csv", b"bill,lines\n1,2,3\n", "cannot be read"),
        ("in.parquet", b"PAR1", "cannot be read"),
        ("in.csv", b"PK\x03\x04\x14\x00,bill\n", "This is no text file"),
        ("in.csv", b"PAR1\x15\x04,bill\n", "This is no text file"),
    ],
)
def test_what_cannot_be_scored_is_said(
    bundled: Any, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says):
        batch.score(bundled("binary").folder, tmp_path / name, tmp_path / "out.csv", quiet)
    assert not (tmp_path / "out.csv").exists()


def test_a_spreadsheet_called_csv_is_no_batch_for_the_monitoring_either(tmp_path: Path) -> None:
    batch_file = tmp_path / "in.csv"
    batch_file.write_bytes(b"PK\x03\x04\x14\x00,bill\n")
    nothing: Any = None
    with pytest.raises(UserError, match="no text file"):
        reading.read(batch_file, nothing, nothing, None, 0)
    with pytest.raises(UserError, match="no text file"):
        running.run(tmp_path, batch_file, tmp_path / "out", None, None, lambda *_: None)


def test_nothing_is_printed_before_an_error_that_comes_before_the_first_case(
    bundled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="nothing to score"):
        main.score(bundled("binary").folder, tmp_path / "none.csv", tmp_path / "out.csv")
    assert capsys.readouterr() == ("", "")


def test_the_command_says_what_was_done(bundled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = bundled("regression")
    written(made, tmp_path / "in.parquet")
    main.score(made.folder, tmp_path / "in.parquet", tmp_path / "out.parquet")
    printed = capsys.readouterr()
    assert "200 cases answered" in printed.out and "out.parquet" in printed.out and "200 cases" in printed.err
