"""Derived columns: computed as the charter says, and never run as code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.errors import UserError
from lab2live.explainability import derived

KNOWN = ("a", "b", "class", "bill per line", "naïve", 'say "hi"', "it's", "🙂", "e3")


def computed(expression: str, **numbers: Any) -> Any:
    one = derived.formula("d", expression, KNOWN, "project.yaml")
    named = {"bill": "bill per line", "smile": "🙂", "quoted": 'say "hi"'}
    values = {named.get(name, name): np.atleast_1d(np.array(value, dtype=float)) for name, value in numbers.items()}
    return one.compute(values).tolist()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("12 * a", 36.0),
        ("a / b", 1.5),
        ("-a + +b", -1.0),
        ("(a + b) * 2", 10.0),
        ("a ** b", 9.0),
        ("a // b", 1.0),
        ("a % b", 1.0),
        ("1e3*a", 3000.0),
        ("a*.5", 1.5),
        (" a\t+ 1 ", 4.0),
    ],
)
def test_arithmetic_is_pythons(expression: str, expected: float) -> None:
    assert computed(expression, a=3, b=2) == [expected]


def test_names_that_are_no_plain_words_stand_in_backticks_or_quotes() -> None:
    assert computed("`bill per line` + 1", bill=2) == [3]
    assert computed("'bill per line' + \"bill per line\"", bill=2) == [4]
    assert computed('`say "hi"` * 2 + `🙂` + class + naïve', quoted=1, smile=10, **{"class": 100, "naïve": 1000}) == [
        1112
    ]
    assert computed("1e3 + e3", e3=7) == [1007]


def test_what_is_no_finite_number_is_missing() -> None:
    assert np.isnan(computed("a / b", a=[1, np.nan, 0], b=[0, 1, 0])).all()
    assert np.isnan(computed("a ** 9 ** 9 ** 9", a=[3])).all()  # at once, not digit by digit


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "a.real",
        "a[0]",
        "a if b else a",
        "a and b",
        "a < b",
        "[a for a in b]",
        "lambda: a",
        "a @ b",
        "f'{a}'",
        "a := 1",
        "a; b",
        "a +",
        "",
        "a b",
        "a, b",
        "1j * a",
        "a\nb",
        "a + 'unclosed",
        "(" * 400 + "a" + ")" * 400,
        "a" + "+a" * 600,
    ],
)
def test_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(UserError) as caught:
        derived.formula("d", expression, ("a", "b", "os", "true"), "project.yaml")
    assert caught.value.details["where"] == "project.yaml, field `prediction.derived.d`"
    assert {"found", "expected", "fix"} <= caught.value.details.keys()


@given(st.text(max_size=40))
def test_no_text_breaks_it(expression: str) -> None:
    try:
        one = derived.formula("d", expression, KNOWN, "project.yaml")
    except UserError:
        return
    found = one.compute({source: np.array([1.0, np.nan]) for source in one.sources})
    assert not np.isinf(found).any()


def test_an_unknown_column_is_named_with_what_it_could_be() -> None:
    with pytest.raises(UserError, match="did you mean `class`"):
        derived.formula("d", "12 * clas", KNOWN, "project.yaml")


def test_derived_columns_may_build_on_each_other_but_not_in_a_circle() -> None:
    found = derived.formulas({"z": "y + 1", "y": "x * 2"}, ("x", "y", "z"), "project.yaml")
    assert [one.column for one in found] == ["y", "z"]
    with pytest.raises(UserError, match="in a circle"):
        derived.formulas({"z": "y + 1", "y": "z * 2"}, ("x", "y", "z"), "project.yaml")
    with pytest.raises(UserError, match="in a circle"):
        derived.formulas({"y": "y * 2"}, ("y",), "project.yaml")


def test_days_are_read_as_numbers_so_that_they_can_be_subtracted() -> None:
    frame = pd.DataFrame({"first": ["2024-01-01", None], "last": pd.to_datetime(["2024-03-01", "2024-03-01"])})
    one = derived.formula("d", "last - first", tuple(frame), "project.yaml")
    found = one.compute({source: derived.reading(frame[source]) for source in one.sources})
    assert found[0] == 60
    assert np.isnan(found[1])


def test_it_is_said_where_a_formula_does_not_hold() -> None:
    bill = np.linspace(10, 90, 100)
    frame = pd.DataFrame({"bill": bill, "year": (12 * bill).round(1), "wrong": np.where(bill < 50, 12 * bill, 0)})
    read = derived.formulas({"year": "12 * bill", "wrong": "12 * bill"}, tuple(frame), "project.yaml")
    assert derived.holds(frame, read) == {"year": 1.0, "wrong": 0.5}
    assert np.isnan(derived.holds(frame.assign(year=np.nan), read)["year"])
