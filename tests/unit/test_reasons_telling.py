"""Reasons in words: the user's own values and units, and sums that a reader can check."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab2live.data import dataset, models
from lab2live.explainability.why import effects, families, importance, reasons, telling
from lab2live.reporting import plots

PROBLEMS = ("binary", "multiclass", "regression")


def found(generate: Any, problem: str, rows: np.ndarray) -> tuple[Any, Any, reasons.Reasons]:
    charter, data = generate(problem, 300)
    model = models.fit(models.linear(data), data, np.arange(200))
    background = reasons.background(model, data.inputs.iloc[:200])
    return charter, data, reasons.explain(model, data.columns, data.inputs.iloc[rows], background)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_telling_cases_are_extreme_and_what_is_shown_adds_up(generate: Any, problem: str) -> None:
    rows = np.arange(200, 300)
    charter, data, explained = found(generate, problem, rows)
    scale, groups = telling.scale(charter, data), families.families(explained.columns, {})
    picked = telling.telling(explained, data)
    if problem == "multiclass":  # codes of classes have no highest and lowest
        assert list(picked) == [f"A case predicted {name}" for name in data.classes]
        assert [explained.output[number] for number in picked.values()] == [0, 1, 2]
    else:
        high, middle, low = (explained.answer[number] for number in picked.values())
        assert (high, low) == (explained.answer.max(), explained.answer.min()) and low <= middle <= high
    for title, number in picked.items():
        row = data.raw.iloc[rows[number]]
        case = telling.case(explained, number, groups, row, {}, scale, data.classes, title=title, top=2)
        assert len(case.reasons) == 3 and case.reasons[-1][0] == "2 others"
        assert case.start + sum(value for _, value in case.reasons) == pytest.approx(case.answer)
        said = telling.sentence(case, scale)
        # the reader adds up what is written
        answer, start, *parts = (float(one.replace(",", "").replace("−", "-").replace("±", ""))
                                 for one in re.findall(r"(?:^|from |: )([+−±]?[\d,.]*\d)", said))  # fmt: skip
        assert start + sum(parts) == pytest.approx(answer, abs=1e-9)
        assert ("points" in said) == (problem != "regression")
        assert isinstance(telling.case_chart(case, scale), Figure)
        assert title in plots.heading(telling.case_chart(case, scale))


def test_a_sentence_names_values_in_their_units(generate: Any) -> None:
    *_, explained = found(generate, "binary", np.array([200]))
    groups = families.families(explained.columns, {"x3": "x1 * 2"})
    row = {"x1": 95.0, "x2": None, "x3": 190.0, "colour": "red"}
    units = {"x1": "EUR", "x3": "EUR"}
    said = [telling.fact(group, row, units) for group in groups]
    assert said == ["x1 is 95 EUR (with x3)", "x2 is not known", "colour is 'red'"]
    scale = telling.Scale(100, "points")
    case = telling.Case("t", 13, 92, "yes", (("contract is 'monthly'", 60.0), ("age is 3", -3.0), ("1 other", 22.0)), 0)
    assert telling.sentence(case, scale, most=2) == (
        "92 % yes, from 13 % when nothing is known: contract is 'monthly': +60 points; age is 3: −3 points; "
        "all else: +22 points."
    )


def test_units_come_from_the_charter_wherever_they_are_stated(charter_of: Any, generate: Any) -> None:
    sources = [
        {"name": "a", "uri": "a.csv", "columns": {"bill": {"unit": "EUR"}, "age": {"type": "number"}}},
        {"name": "b", "uri": "b.csv", "columns": {"y": {"unit": "kWh"}}},
    ]
    charter = charter_of(sources=sources, join={"base": "a", "on": "id"}, prediction={"problem_type": "regression"})
    assert telling.units(charter) == {"bill": "EUR", "y": "kWh"}
    scale = telling.scale(charter, generate("regression", 50)[1])
    assert (scale.reason(-1234.4, 0), scale.answer(-7.0, 1), scale.measured) == ("−1,234 kWh", "−7.0 kWh", "in kWh")
    assert telling.Scale(1, "").measured == "in the unit of the target"
    scale = telling.scale(charter, generate("multiclass", 50)[1])
    assert (scale.reason(0.04, 1), scale.reason(0.04, 2), scale.answer(9.5, 1)) == (
        "±0.0 points", "+0.04 points", "9.5 %",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "EUR", "not known"),
        (np.nan, "", "not known"),
        (pd.NaT, "", "not known"),
        (pd.Timestamp("2024-05-06 10:00"), "", "2024-05-06"),
        ("x" * 50, "", f"'{'x' * 37}...'"),
        (3.0, "months", "3 months"),
        (-1234.5, "", "−1,234"),
        (True, "", "yes"),
        ("red", "", "'red'"),
    ],
)
def test_a_value_is_shown_the_way_a_person_says_it(value: object, unit: str, text: str) -> None:
    assert telling.shown(value, unit) == text


def test_hostile_tables_are_told_without_a_word_of_python(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(60, 300)), columns=[f"column {number}" for number in range(300)])
    frame['it\'s "quoted" 💶 $x_1$'] = random.choice(["<b>", "a, b: c", None], 60)
    frame["when"] = pd.date_range("2020-01-01", periods=60)[random.permutation(60)]
    frame["empty nearly"] = [1.5, 2.5] + [None] * 58
    frame["flag"] = random.choice([True, False], 60)
    frame["y"] = random.choice(["no", "yes"], 60)
    charter = charter_of(prediction={"derived": {"column 1": "`column 2` + log(`column 3`)", "gone": "1 +"}})
    data = dataset.dataset(charter, frame)
    groups, scale = families.families(data.columns.kinds, charter.prediction.derived), telling.scale(charter, data)
    for make in (models.linear(data), models.boosting(data, 0)):
        model = models.fit(make, data, np.arange(40))
        rows = np.arange(40, 60)
        background = reasons.background(model, data.inputs.iloc[:40])
        explained = reasons.explain(model, data.columns, data.inputs.iloc[rows], background).of_families(groups)
        assert explained.additivity_error <= 1e-6
        ranking = importance.importance(explained)
        assert importance.sentence(ranking, scale) and isinstance(importance.chart(ranking, scale), Figure)
        for number in telling.telling(explained, data).values():
            row = data.raw.iloc[rows[number]]
            case = telling.case(explained, number, groups, row, {}, scale, data.classes)
            assert telling.sentence(case, scale) and isinstance(telling.case_chart(case, scale), Figure)
        for group in groups[-5:]:
            found = effects.effect(
                explained, group, data.inputs.iloc[rows], data.raw.iloc[rows], data.columns, scale, ""
            )
            assert effects.sentence(found, scale) and isinstance(effects.chart(found, scale), Figure)


def test_what_was_rounded_to_sure_is_not_called_sure() -> None:
    scale = telling.Scale(100, "points")
    assert [scale.answer(*one) for one in ((100, 0), (0, 0), (100, 1), (99, 0))] == [
        "more than 99 %", "less than 1 %", "more than 99.9 %", "99 %",
    ]  # fmt: skip
    assert scale.reason(1.0, 0) == "+1 point" and scale.reason(-2.0, 0) == "−2 points"
    case = telling.Case("The highest answer", 50, 100, "yes", (("a is 1", 42.0), ("b is 2", 8.0)), 0)
    assert telling.sentence(case, scale).startswith("more than 99 % yes, from 50 % when")
    figure = telling.case_chart(case, scale)
    assert plots.heading(figure) == "The highest answer: more than 99 % yes"
    assert "From the average 50 %" in plots.alt(figure) and "this prediction more than 99 %" in plots.alt(figure)


def test_large_reasons_do_not_round_a_probability_to_tens() -> None:
    points = np.array([[1.2, -0.76]])
    made: Any = SimpleNamespace(
        points=pd.DataFrame(points, columns=["a", "b"]), start=np.array([0.52]), answer=np.array([0.96]), output=[1]
    )
    groups: Any = families.families(["a", "b"], {})
    case = telling.case(made, 0, groups, {"a": 1, "b": 2}, {}, telling.Scale(100, "points"), ("no", "yes"))
    assert telling.answered(case, telling.Scale(100, "points")) == "96 % yes"


@pytest.mark.parametrize(("first", "noted"), [(60.0, True), (-60.0, True), (40.0, False), (50.0, False)])
def test_a_waterfall_that_leaves_the_probabilities_says_how_to_read_it(first: float, noted: bool) -> None:
    case = telling.Case("t", 50, 60, "yes", (("a", first), ("b", 10 - first)), 0)
    assert (telling.BEYOND in plots.alt(telling.case_chart(case, telling.Scale(100, "points")))) == noted
    assert telling.BEYOND not in plots.alt(telling.case_chart(case, telling.Scale(1, "EUR")))
