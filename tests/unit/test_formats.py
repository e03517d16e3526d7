"""How numbers are written: two decimal separators, words among numbers, types that are not as declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab2live.eda.checks import date_order, encoding, formats, spelling, timezone, zeros
from lab2live.eda.checks.formats import decimal_comma, dtype

RANDOM = np.random.default_rng(3)


def _numbers(rows: int = 400) -> list[str]:
    return [f"{value:.2f}" for value in np.random.default_rng(3).lognormal(3, 1, rows)]


def _with(texts: list[str], words: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": range(len(texts)), "amount": [*words, *texts[len(words) :]]})


@pytest.mark.parametrize("file", ["csv", "parquet", "sqlite"])
def test_commas_beside_points_are_found(surveyed: Any, file: str) -> None:
    commas = ["39,22", "1.234,56", "7,5", *(text.replace(".", ",") for text in _numbers()[3:20])]
    charter, (survey,) = surveyed({"base": _with(_numbers(), commas)}, file=file)
    (found,) = decimal_comma(charter, survey)
    assert (found.check, found.source, found.column) == ("consistency.decimal_comma", "base", "amount")
    assert (found.severity, found.rows, found.value) == ("warn", 20, pytest.approx(0.05))
    assert set(found.examples) <= set(commas) and len(found.examples) == 3
    assert dtype(charter, survey) == []


def test_commas_throughout_are_worth_a_remark(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": range(400), "amount": [text.replace(".", ",") for text in _numbers()]})
    charter, (survey,) = surveyed({"base": frame}, file="csv")
    (found,) = decimal_comma(charter, survey)
    assert (found.severity, found.rows) == ("info", 0)


def test_lists_and_words_with_commas_are_no_numbers(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": range(90), "tags": ["a, b", "c", "1,2,3"] * 30, "amount": _numbers(90)})
    charter, (survey,) = surveyed({"base": frame}, file="csv")
    assert decimal_comma(charter, survey) == []


@pytest.mark.parametrize("file", ["csv", "parquet", "sqlite"])
def test_words_among_numbers_are_found(surveyed: Any, file: str) -> None:
    charter, (survey,) = surveyed({"base": _with(_numbers(), ["12 EUR", "ca. 40", "twelve", "N/A", "-"])}, file=file)
    (found,) = dtype(charter, survey)
    assert (found.check, found.source, found.column, found.severity) == ("schema.dtype", "base", "amount", "warn")
    assert (found.rows, set(found.examples)) == (3, {"12 EUR", "ca. 40", "twelve"})


def test_words_among_few_numbers_are_found_and_levels_are_not(surveyed: Any) -> None:
    counts = [str(number % 5) for number in range(400)]
    frame = pd.DataFrame({"id": range(400), "calls": ["see file"] * 8 + counts[8:], "band": ["5+"] * 8 + counts[8:]})
    frame["rating"] = ["other"] * 8 + counts[8:]
    frame["house"] = [f"{number}a" if number % 9 == 0 else str(number) for number in range(400)]
    charter, (survey,) = surveyed({"base": frame})
    assert [(one.column, one.rows) for one in dtype(charter, survey)] == [("calls", 8)]


@pytest.mark.parametrize(
    ("declared", "values", "rows"),
    [
        ("number", ["1", "2.5"] * 50, 100),
        ("number", ["1", "2.5"] * 49 + ["many", "few"], 2),
        ("integer", [1.0, 2.5] * 50, 50),
        ("date", [20240101, 20240102] * 50, 100),
        ("date", ["soon", "2024-01-01"] * 50, 50),
        ("boolean", ["yes", "no", "maybe", "yes"] * 25, 100),
        ("number", [1.5, 2.0] * 50, None),
        ("integer", [1.0, np.nan] * 50, None),
        ("date", ["2024-01-01", "31/12/2024"] * 50, None),
        ("category", [1, 2] * 50, None),
        ("boolean", ["yes", "no"] * 50, None),
        ("something", ["x", "1.5"] * 50, None),
    ],
)
def test_what_differs_from_the_declared_type(surveyed: Any, declared: str, values: list[Any], rows: int | None) -> None:
    frame = pd.DataFrame({"id": range(100), "x": values})
    charter, (survey,) = surveyed({"base": frame}, columns={"x": {"type": declared}})
    assert [(one.column, one.rows) for one in dtype(charter, survey)] == ([] if rows is None else [("x", rows)])


def test_numbers_that_became_text_are_found_by_the_earlier_extract(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": range(300), "age": RANDOM.integers(18, 90, 300)})
    charter, (survey,) = surveyed({"base": frame.astype({"age": str})}, earlier={"base": frame})
    (found,) = dtype(charter, survey)
    assert (found.column, found.severity, found.rows) == ("age", "warn", 300)
    charter, (survey,) = surveyed({"base": frame}, earlier={"base": frame})
    assert dtype(charter, survey) == []


VALUES = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(["1", "2,5", "3.5", "007", "01/02/2024", "2024-01-31", "ä", "12 EUR"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=40))
def test_no_texts_break_any_check_of_texts(surveyed: Any, values: list[Any]) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"“x” y": pd.Series(values, dtype=object)})})
    for check in (
        formats.decimal_comma,
        formats.dtype,
        spelling.spelling,
        encoding.encoding,
        date_order.date_order,
        timezone.timezone,
        zeros.leading_zeros,
    ):
        check(charter, survey)
