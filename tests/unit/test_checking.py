"""What keeps the contract is read, what breaks it is named: the same for one case and for a column."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.handoff import checking

NUMBER = {"name": "bill", "kind": "number", "optional": True, "least": 0.0, "most": 100.0}
TEXT = {"name": "colour", "kind": "category", "optional": True}
DATE = {"name": "since", "kind": "date", "optional": True}


def one(field: dict[str, Any], value: Any) -> tuple[Any, list[str]]:
    read, problems = checking.check([field], {field["name"]: [value]}, 1)
    return read[field["name"]][0], [message for *_, message in problems]


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        (NUMBER, 3, 3.0),
        (NUMBER, np.float32(0.5), 0.5),
        (TEXT, "red", "red"),
        (DATE, "2024-02-29", pd.Timestamp("2024-02-29")),
        (DATE, "2024-02-29 13:05:00", pd.Timestamp("2024-02-29 13:05")),
        (DATE, dt.datetime(2024, 1, 2, 3), pd.Timestamp("2024-01-02 03:00")),
        (DATE, dt.date(2024, 1, 2), pd.Timestamp("2024-01-02")),
        (DATE, pd.Timestamp("2024-08-31 23:30", tz="America/New_York"), pd.Timestamp("2024-09-01 03:30")),
        (DATE, "31.12.2024", pd.Timestamp("2024-12-31")),
        (DATE, "1.2.2024", pd.Timestamp("2024-02-01")),
        (DATE, "2022-08", pd.Timestamp("2022-08-01")),
    ],
)
def test_what_keeps_the_contract_is_read(field: dict[str, Any], value: Any, wanted: Any) -> None:
    assert one(field, value) == (wanted, [])


@pytest.mark.parametrize(("field", "value"), [(NUMBER, None), (TEXT, None), (DATE, None), (TEXT, "")])
def test_what_is_not_known_may_be_missing_only_where_it_was(field: dict[str, Any], value: Any) -> None:
    found, problems = one(field, value)
    assert pd.isna(found) and not problems
    assert one({**field, "optional": False}, value)[1] == [checking.KNOWN]
    assert checking.check([{**field, "optional": False}], {}, 1)[1] == [(0, field["name"], checking.KNOWN)]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        *[(NUMBER, value, checking.A_NUMBER) for value in ("", "3", True, np.nan, np.inf, 10**400, [1], {})],
        *[(NUMBER, value, "This cannot be: not below 0 and not above 100.") for value in (-0.1, 100.5)],
        *[(TEXT, value, checking.A_TEXT.format(200)) for value in (7, True, "x" * 201, "\ud800", ["red"])],
        *[
            (DATE, value, checking.A_DATE)
            for value in ("", "tomorrow", "2024-02-30", "1700-01-01", 20240101, "20240101", "1/2/2024", "2200-01-01")
        ],
    ],
)
def test_what_breaks_the_contract_is_named_and_not_used(field: dict[str, Any], value: Any, message: str) -> None:
    found, problems = one(field, value)
    assert pd.isna(found) and problems == [message]


def test_a_column_of_numbers_is_read_as_its_values_one_by_one() -> None:
    values = [1.0, np.nan, -3.0, 101.0, 1e16, np.inf, 99.0]
    read, problems = checking.check([NUMBER], {"bill": np.array(values)}, len(values))
    assert np.array_equal(read["bill"], [1.0, np.nan, np.nan, np.nan, np.nan, np.nan, 99.0], equal_nan=True)
    assert [row for row, *_ in problems] == [2, 3, 4, 5]
    whole, none = checking.check(
        [NUMBER], checking.arrays(pd.DataFrame({"bill": pd.array([1, None, 7], dtype="Int64")})), 3
    )
    assert np.array_equal(whole["bill"], [1.0, np.nan, 7.0], equal_nan=True) and not none


def test_a_column_of_moments_is_read_as_its_values_one_by_one() -> None:
    values = pd.Series([pd.Timestamp("2024-01-02 03:00"), pd.NaT, pd.Timestamp("2250-01-01")])
    read, problems = checking.check([DATE], checking.arrays(pd.DataFrame({"since": values})), 3)
    assert list(read["since"])[:1] == [pd.Timestamp("2024-01-02 03:00")] and np.isnat(read["since"][1:]).all()
    assert problems == [(2, "since", checking.A_DATE)]
    text = values.dt.tz_localize("Europe/Berlin").astype(str).where(values.notna(), None)
    again = checking.check([DATE], checking.arrays(pd.DataFrame({"since": text})), 3)
    assert again[0]["since"][0] == pd.Timestamp("2024-01-02 02:00") and again[1] == problems
    zoned = pd.DataFrame({"since": values.dt.tz_localize("Europe/Berlin")})
    assert checking.check([DATE], checking.arrays(zoned), 3)[0]["since"][0] == pd.Timestamp("2024-01-02 02:00")


def test_derived_columns_and_strangers_are_not_read() -> None:
    read, problems = checking.check([{**NUMBER, "derived": "2 * x"}, TEXT], {"bill": ["?"], "other": [1]}, 1)
    assert list(read) == ["colour"] and not problems


@given(st.sampled_from([NUMBER, TEXT, DATE]), st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(),
       st.binary(), st.lists(st.integers()), st.dictionaries(st.text(), st.integers())))  # fmt: skip
def test_nothing_that_json_can_hold_breaks_it(field: dict[str, Any], value: Any) -> None:
    found, problems = one(field, value)
    assert len(problems) <= 1 and (not problems or pd.isna(found))
