"""Spellings: the same thing written otherwise is found, different things that look alike are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.eda.checks.spelling import _typing_errors, _variants, spelling

LEVELS = {"Basic": 400, "Comfort": 300, "Premium": 200, "one year": 100}


def _column(levels: dict[str, int]) -> pd.DataFrame:
    return pd.DataFrame({"id": range(sum(levels.values())), "plan": np.repeat(list(levels), list(levels.values()))})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("basic", "Basic"),
        (" Basic", "Basic"),
        ("COMFORT", "Comfort"),
        ("one  year", "one year"),
        ("one-year", "one year"),
        ("one_year", "one year"),
        ("Basíc", "Basic"),
        ("Baisc", "Basic"),
        ("Premum", "Premium"),
        ("Commfort", "Comfort"),
        ("Comfirt", "Comfort"),
        ("Prem.", "Premium"),
    ],
)
def test_another_spelling_is_found_with_its_rows(surveyed: Any, wrong: str, right: str) -> None:
    charter, (survey,) = surveyed({"base": _column({**LEVELS, wrong: 10})})
    (found,) = spelling(charter, survey)
    assert (found.check, found.source, found.column) == ("consistency.spelling", "base", "plan")
    assert (found.severity, found.rows, found.value) == ("warn", 10, pytest.approx(10 / 1010))
    shown = repr(wrong) if wrong != " ".join(wrong.split()) else wrong
    assert found.examples == (f"{shown} -> {right}",)


@pytest.mark.parametrize(
    "levels",
    [
        {"one year": 500, "two years": 40, "monthly": 400, "yearly": 20},
        {"A1": 500, "A2": 20, "B-1": 9, "1-1": 40, "11": 30},
        {"type 1": 500, "type 2": 9, "Type II": 9, "Type III": 400},
        {"North": 500, "South": 20, "Northeast": 20, "East": 9, "West": 90},
        {"Zambia": 500, "Gambia": 9, "Austria": 500, "Australia": 20},
        {"typical": 500, "atypical": 9, "phone": 500, "phones": 9},
        {"shirts": 500, "skirts": 200, "shorts": 150, "socks": 9},
        {"BBB": 500, "BBB+": 90, "BBB-": 50, "BB": 9, "AAA": 4, "A": 30, "A+": 5},
        {"<30": 500, ">30": 100, "30": 9},
        {"か": 300, "が": 20},
    ],
)
def test_different_things_are_not_one(levels: dict[str, int]) -> None:
    assert _variants(levels) == {}


def test_cities_and_names_are_no_typing_errors(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    syllables = ["ba", "be", "bi", "da", "de", "di", "la", "le", "li", "na", "ne", "ni"]
    names = ["".join(part).title() for part in random.choice(syllables, (400, 3))]
    weight = 1 / np.arange(1, 401) ** 1.3
    column = random.choice(names, 5000, p=weight / weight.sum())
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(5000), "city": column})})
    assert spelling(charter, survey) == []


def test_keys_free_text_and_tokens_are_left_to_others(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": ["a1", "A1", "b2", "c3"] * 30, "status": ["n/a", "N/A", "ok", "Unknown"] * 30})
    frame["note"] = [f"Long text about case {number % 7}, {'x' * 80}".swapcase() for number in range(120)]
    charter, (survey,) = surveyed({"base": frame}, key="id")
    assert spelling(charter, survey) == []


def test_a_large_share_fails(surveyed: Any) -> None:
    charter, (survey,) = surveyed({"base": _column({"Basic": 60, "basic": 40})})
    (found,) = spelling(charter, survey)
    assert (found.severity, found.rows) == ("fail", 40)


@given(st.dictionaries(st.text(max_size=12), st.integers(1, 1000), max_size=30))
def test_no_levels_break_it(levels: dict[str, int]) -> None:
    meant = _variants(levels)
    assert all(level in levels and level != right for level, right in meant.items())
    assert set(_typing_errors(levels)) <= set(levels)


PLANS = {"columns": {"plan": {"values": ["A", "B", "yes"]}}}


@pytest.mark.parametrize("declared", [PLANS, {"expected": {"plan": ["A", "B", "yes"]}}], ids=["values", "expected"])
@pytest.mark.parametrize("wrong", ["AA", "A "])
def test_half_of_the_rows_in_a_spelling_that_is_not_declared_are_found(
    surveyed: Any, wrong: str, declared: Any
) -> None:
    charter, (survey,) = surveyed({"base": _column({"A": 500, wrong: 501, "B": 300, "yes": 100})}, **declared)
    (found,) = spelling(charter, survey)
    assert (found.column, found.severity, found.rows) == ("plan", "fail", 501)
    assert found.examples == (f"{wrong if wrong.strip() == wrong else repr(wrong)} -> A",)
    assert "501 rows (35.8%) are in another spelling" in found.message


def test_what_the_charter_declares_is_no_error_however_close(surveyed: Any) -> None:
    frame = _column({"Comfort": 900, "Comfirt": 20, "basic": 400, "Premium": 300, "Premiums": 9})
    assert [one.rows for one in spelling(*_first(surveyed({"base": frame})))] == [20]
    declared = {"columns": {"plan": {"values": ["Comfort", "Comfirt", "Basic", "Premium"]}}}
    # all rows in the same case, which is only not the charter's, and another word are no spellings
    assert spelling(*_first(surveyed({"base": frame}, **declared))) == []


def _first(both: Any) -> tuple[Any, Any]:
    return both[0], both[1][0]
