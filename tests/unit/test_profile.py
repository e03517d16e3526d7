"""The profile report: made beside the other work, whatever the columns are called."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pandas as pd
import pytest

from lab2live.eda import profile
from lab2live.eda.checks.findings import finding
from lab2live.errors import UserError

HOSTILE = "</title><script>alert(1)</script>"


def test_a_report_is_made_of_a_hostile_table(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            HOSTILE: [HOSTILE, "b", None] * 20,
            "mixed": [1, "one", None] * 20,
            "empty": [None] * 60,
            "constant": [7] * 60,
            2024: range(60),
            "größe": pd.to_datetime(["2024-01-01", None, "2024-02-01"] * 20),
        }
    )
    started = time.monotonic()
    job = profile.start(table, tmp_path / "deep" / "profile.html", HOSTILE)
    assert time.monotonic() - started < 5
    remarks = profile.finish(job)
    page = job.html.read_text(encoding="utf-8")
    # inside an attribute's quotes it is only text
    assert not re.findall(r'[^"]<script>alert|<title>[^<]*<script', re.sub(r'"[^"]*"', '""', page))
    assert "größe" in page and "2024" in page
    assert {remark.severity for remark in remarks} == {"info"} and len(remarks) >= 2
    assert ("profile.constant", "constant") in {(remark.check, remark.column) for remark in remarks}
    assert HOSTILE in {remark.column for remark in remarks}  # named as it is, escaped where it is shown
    assert not Path(job.work.name).exists()


def test_of_a_very_wide_table_the_first_columns_are_described_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "WIDEST", 3)
    table = pd.DataFrame({f"column{number}": range(30) for number in range(5)})
    job = profile.start(table, tmp_path / "profile.html", "wide")
    profile.finish(job)
    page = job.html.read_text(encoding="utf-8")
    assert "column2" in page and "column3" not in page
    assert job.note == " (the first 3 of 5 columns)"
    assert profile.start(table[["column0"]], tmp_path / "one.html", "narrow").note == ""


def test_alerts_that_a_finding_has_already_said_are_left_out() -> None:
    remarks = [profile._remark("constant", "a"), profile._remark("constant", "b"), profile._remark("skewed", "a")]
    known = [finding("validity.constant", "crm", "a", "warn", 1, 1, "a never changes.")]
    left = profile.beside(remarks, known)
    assert [(remark.check, remark.column) for remark in left] == [("profile.constant", "b"), ("profile.skewed", "a")]
    assert [list(line.values()) for line in profile.counts(left)] == [["always the same", 1], ["very lopsided", 1]]


def test_a_report_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))  # no Python starts like this
    job = profile.start(pd.DataFrame({"x": [1]}), tmp_path / "profile.html", "title")
    with pytest.raises(UserError, match="profile report") as caught:
        profile.finish(job)
    assert caught.value.details["found"]
    assert not job.html.exists()


def test_a_report_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    job = profile.start(pd.DataFrame({"x": range(100)}), tmp_path / "profile.html", "title")
    with pytest.raises(UserError):
        profile.finish(job, timeout=0.01)
    assert job.process.poll() is not None
    assert not Path(job.work.name).exists()
