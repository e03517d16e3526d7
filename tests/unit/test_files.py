"""Files of a run: whole or not at all, and JSON that any reader takes."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live import files
from lab2live.errors import UserError


def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files.write_text(tmp_path / "result.json", "old")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = files.write_json(tmp_path / "result.json", {"old": 1})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(RecursionError):
        files.write_json(path, loop)
    assert files.read_json(path) == {"old": 1}


def test_folders_on_the_way_are_made_and_others_may_read(tmp_path: Path) -> None:
    path = files.write_bytes(tmp_path / "a" / "b" / "c.bin", b"\x00\r\n")
    assert path.read_bytes() == b"\x00\r\n"
    assert path.stat().st_mode & 0o444 == 0o444


def test_line_ends_are_the_same_everywhere(tmp_path: Path) -> None:
    assert files.write_text(tmp_path / "t", "a\nü\n").read_bytes() == "a\nü\n".encode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.5, np.inf]), [1.5, None]),
        (np.datetime64("2026-01-02T03:04:05", "ns"), "2026-01-02T03:04:05"),
        (np.array(["2026-01-02", "NaT"], "datetime64[ns]"), ["2026-01-02T00:00:00", None]),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"),
        (pd.Series([1, None]), [1.0, None]),
        (pd.Series(["2026-01-02", None], dtype="datetime64[ns]"), ["2026-01-02T00:00:00", None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (Path("a") / "b", str(Path("a") / "b")),
        (Decimal("1.10"), "1.10"),
        (dt.timedelta(days=1), "P1D"),
        (b"\xff", "_w=="),
        ([pd.NaT, pd.NA, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)], [None, None, "2026-01-02T00:00:00+00:00"]),
        ((1, {2}), [1, [2]]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({1}), [1]),
        ({1: {None: math.nan}}, {"1": {"None": None}}),
        (True, True),
        (None, None),
    ],
)
def test_anything_a_notebook_finds_becomes_json(tmp_path: Path, value: Any, written: Any) -> None:
    assert files.read_json(files.write_json(tmp_path / "r.json", value)) == written


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text() | st.dates(), st.lists, max_leaves=8))
def test_whatever_is_written_any_reader_takes(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = files.write_json(tmp_path_factory.getbasetemp() / "any.json", {"value": value})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(path.read_bytes(), parse_constant=refuse).keys() == {"value"}


def test_half_a_character_does_not_stop_a_run(tmp_path: Path) -> None:
    assert files.read_json(files.write_json(tmp_path / "r.json", "a\udc80b")) == "a?b"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        files.read_json(tmp_path / "r.json")
    assert caught.value.details["where"] == str(tmp_path / "r.json")


def test_a_message_has_its_parts_in_order_and_only_those_it_has() -> None:
    error = UserError("It is wrong.", where="here", found=0, fix="mend it")
    assert str(error).splitlines() == ["It is wrong.", "  where:    here", "  found:    0", "  fix:      mend it"]
    assert error._render_traceback_() == [f"UserError: {error}"]


def test_a_table_for_a_spreadsheet_holds_no_formulas(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"=cmd": ["=1+1", "+49", "@x", "plain"], "n": [-1, 2, 3, 4], "text": ["-", "é,;", None, "a\tb"]}
    )
    path = files.write_csv(tmp_path / "review.csv", frame)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "'=cmd,n,text", "'=1+1,-1,'-", "'+49,2,\"é,;\"", "'@x,3,", "plain,4,a\tb",
    ]  # fmt: skip
