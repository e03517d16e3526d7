"""Lost leading zeros: found by widths, earlier extracts, other sources and declared types; counters are no codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.eda.checks.zeros import leading_zeros, leading_zeros_across

RANDOM = np.random.default_rng(5)
CODES = np.array([f"{number:05d}" for number in RANDOM.integers(0, 100_000, 250)])[RANDOM.integers(0, 250, 1000)]


def _stripped(share: float) -> list[str]:
    lost = np.random.default_rng(1).random(len(CODES)) < share
    return [code.lstrip("0") or "0" if yes else code for code, yes in zip(CODES, lost, strict=True)]


@pytest.mark.parametrize("file", ["csv", "parquet", "sqlite"])
def test_codes_in_part_without_their_zeros(surveyed: Any, file: str) -> None:
    codes = _stripped(0.5)
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(1000), "zip": codes})}, file=file)
    (found,) = leading_zeros(charter, survey)
    short = [code for code in codes if len(code) < 5]
    assert (found.check, found.source, found.column) == ("consistency.leading_zeros", "base", "zip")
    assert (found.severity, found.rows) == ("warn", len(short))
    assert set(found.examples) <= set(short)


def test_codes_all_without_their_zeros(surveyed: Any) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(1000), "zip": _stripped(1)})})
    (found,) = leading_zeros(charter, survey)
    assert (found.column, found.severity) == ("zip", "warn")


@pytest.mark.parametrize(
    "values",
    [
        CODES,
        [str(number) for number in range(500, 1500)],
        [str(number) for number in RANDOM.lognormal(7, 1, 1000).astype(int)],
        [str(number) for number in RANDOM.poisson(9, 1000)],
        [f"A{number}" for number in range(1000)],
        RANDOM.integers(0, 100_000, 1000),
    ],
)
@pytest.mark.parametrize("file", ["csv", "parquet"])
def test_whole_codes_counters_and_amounts_are_left_alone(surveyed: Any, values: Any, file: str) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(1000), "x": values})}, file=file)
    assert leading_zeros(charter, survey) == []


def test_declared_as_text_and_read_as_numbers(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": range(1000), "zip": CODES.astype(int)})
    charter, (survey,) = surveyed({"base": frame}, columns={"zip": {"type": "text"}, "id": {"type": "number"}})
    (found,) = leading_zeros(charter, survey)
    assert found.column == "zip" and found.severity == "warn"


def test_the_earlier_extract_still_has_them(surveyed: Any) -> None:
    before = pd.DataFrame({"id": range(1000), "zip": CODES})
    charter, (survey,) = surveyed({"base": before.astype({"zip": int})}, earlier={"base": before})
    (found,) = leading_zeros(charter, survey)
    assert (found.column, found.rows) == ("zip", sum(code[0] == "0" for code in CODES))


def test_another_source_still_has_them(surveyed: Any) -> None:
    keys = [f"{number:06d}" for number in range(500, 200_000, 700)]
    base, other = pd.DataFrame({"id": keys}), pd.DataFrame({"id": [int(key) for key in keys], "x": 1.5})
    charter, surveys = surveyed({"base": base, "other": other})
    (found,) = leading_zeros_across(charter, surveys)
    assert (found.source, found.column, found.rows) == ("other", "id", sum(key[0] == "0" for key in keys))
    charter, surveys = surveyed({"base": base, "other": base.assign(x=1.5)})
    assert leading_zeros_across(charter, surveys) == []
