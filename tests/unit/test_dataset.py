"""Data set: which target is known, which class is the positive one, and what the models never see."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from lab2live.data import dataset, splits
from lab2live.eda import overview
from lab2live.errors import UserError
from lab2live.pipeline import hooks


def table(outcome: Any, **more: Any) -> pd.DataFrame:
    rows = len(outcome)
    return pd.DataFrame({"x": np.linspace(0, 1, rows) ** 2, **more, "y": outcome})


@pytest.mark.parametrize(
    ("values", "positive", "found"),
    [
        ([1, 0, 0, 1, 0, 0], 1, "1"),
        ([1, 0, 0, 1, 0, 0], "1", "1"),
        ([1, 0, 0, 1, 0, 0], 1.0, "1"),
        ([1, 0, 0, 1, 0, 0], True, "1"),
        ([1, 0, 0, 1, 0, 0], "yes", "1"),
        ([1.0, 0.0, None, 1.0, 0.0, 0.0], 1, "1"),
        (["1.0", "0.0", "0.0"], 1, "1.0"),
        ([True, False, False], "True", "true"),
        ([True, False, None], 1, "true"),
        (["True", "False", "False"], True, "True"),
        (["TRUE", "FALSE", "FALSE"], "true", "TRUE"),
        (["yes", "no", "no"], "Yes", "yes"),
        (["yes", "no", "no"], True, "yes"),
        (["Y", "N", "N"], "yes", "Y"),
        ([" left", "stayed ", "stayed"], "left", "left"),
        ([Decimal(1), Decimal(0), Decimal(0)], 1, "1"),
        ([1, 0, 0], False, "0"),
        (["a", "A", "a"], "A", "A"),
    ],
)
def test_the_positive_class_is_found_by_any_spelling(charter_of: Any, values: Any, positive: Any, found: str) -> None:
    charter = charter_of(prediction={"positive_class": positive})
    data = dataset.dataset(charter, table(values))
    assert data.classes[1] == found
    known = [value for value in values if value is not None]
    assert data.outcome.tolist() == [int(str(dataset.label(value)) == found) for value in known]


@pytest.mark.parametrize(("values", "positive"), [(["a", "b", "b"], "b"), (["a", "A", "a"], "a"), ([2, 1, 1], 2)])
def test_a_class_as_it_is_written_wins_over_any_other_spelling(charter_of: Any, values: Any, positive: Any) -> None:
    assert dataset.dataset(charter_of(prediction={"positive_class": positive}), table(values)).classes[1] == str(
        positive
    )


@pytest.mark.parametrize(
    ("values", "positive"), [(["a", "b", "b"], "c"), (["a", "A", "a"], "à"), ([2, 1, 1], True + 4)]
)
def test_an_unknown_positive_class_names_the_field_and_the_classes(charter_of: Any, values: Any, positive: Any) -> None:
    charter = charter_of(Path("/target/place"), prediction={"positive_class": positive})
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter, table(values))
    assert caught.value.details["where"].endswith("field `prediction.positive_class`")
    assert "target" not in caught.value.details["where"].rpartition("field")[2]
    assert caught.value.details["found"] == str(positive)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([10, 1, 2, 11], ["1", "2", "10", "11"]),
        ([0.5, -1, 2, -2], ["-2", "-1", "0.5", "2"]),
        (["class 10", "class 9", "class 1"], ["class 1", "class 9", "class 10"]),
        (["b", "a10b", "a2", "7"], ["7", "a2", "a10b", "b"]),
        (["²", "1", "x"], ["1", "x", "²"]),
    ],
)
def test_classes_stand_in_the_order_in_which_people_count(charter_of: Any, values: Any, order: list[str]) -> None:
    assert list(dataset.dataset(charter_of(), table(values * 3)).classes) == order


@given(st.integers(1, 30), st.integers(1, 30))
def test_the_rarer_class_is_the_positive_one_by_default(ones: int, twos: int) -> None:
    from lab2live.charter.schema import Charter

    charter = Charter.model_validate(
        {"prediction": {"problem_type": "classification", "target": "y"}, "sources": [{"name": "s", "uri": "s.csv"}]}
    )
    data = dataset.dataset(charter, table(["b"] * ones + ["a"] * twos))
    assert data.classes == (("a", "b") if ones < twos else ("b", "a"))
    assert data.outcome.sum() == min(ones, twos)


BROKEN: dict[str, tuple[str, list[Any], str]] = {
    "one class": ("classification", ["a"] * 9, "different values: 1,"),
    "too many classes": ("classification", list(range(21)), "different values: 21,"),
    "words": ("regression", ["1", "2", "three"], "'three'"),
    "infinity": ("regression", [1.0, 2.0, np.inf], "inf"),
    "beyond what squares": ("regression", [1.0, 2.0, 1e160], "1e+160"),
    "a constant": ("regression", [3] * 40, "3 in 40 of 40,"),
    "a constant but for rounding": ("regression", [0.1 + 0.2, 0.3] * 20, "from 0.3 to 0.3"),
    "nearly a constant": ("regression", [3.0] * 400 + [4.0] * 9, "3 in 400 of 409, numbers from 3 to 4"),
    "dates": ("regression", list(pd.to_datetime(["2024-01-01", "2024-01-02"])), "Timestamp"),
    "nothing known, classes": ("classification", [None] * 3, "empty in every row (of 3)"),
    "nothing known, numbers": ("regression", [np.nan] * 3, "empty in every row (of 3)"),
}


@pytest.mark.parametrize(
    ("values", "fix"),
    [
        (["a"] * 9, "nothing to tell apart"),
        ([f"kind {number}" for number in range(40)], "fewer classes"),
        ([str(number) for number in range(40)], "problem_type: regression"),
    ],
)
def test_what_is_proposed_for_a_target_without_classes_fits_it(charter_of: Any, values: list[str], fix: str) -> None:
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter_of(), table(values))
    assert fix in caught.value.details["fix"]
    assert ("regression" in caught.value.details["fix"]) is (values[0] == "0")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_target_that_cannot_be_learnt_says_what_was_found(charter_of: Any, kind: str) -> None:
    problem, values, found = BROKEN[kind]
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter_of(prediction={"problem_type": problem}), table(values))
    assert "prediction.target" in caught.value.details["where"]
    assert found in caught.value.details["found"]


def test_a_target_that_is_not_there_lists_the_columns(charter_of: Any) -> None:
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter_of(prediction={"target": "churn"}), table([1, 0]))
    assert caught.value.details["found"] == "churn"
    assert caught.value.details["expected"] == "one of x, y"


@pytest.mark.parametrize("field", ["id_column", "time_column", "group_column"])
def test_a_column_of_the_charter_that_is_not_there_is_not_passed_over_in_silence(charter_of: Any, field: str) -> None:
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter_of(prediction={field: "typo"}), table([1, 0]))
    assert f"prediction.{field}" in caught.value.details["where"]


def test_a_table_with_nothing_to_predict_from_says_why(charter_of: Any) -> None:
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter_of(), pd.DataFrame({"x": [1, 1, 1], "y": [0, 1, 0]}))
    assert caught.value.details["found"] == "x: it has the same value everywhere"


@pytest.mark.parametrize(
    "values",
    [
        ["1.5", "2", "3"],
        [Decimal("1.5"), 2, 3],
        [1.5, 2, 3],
        [True, False, True],
        [0] * 400 + [7.5] * 10,
        [812_345_678 + number / 7 for number in range(20)],
    ],
)
def test_a_regression_takes_any_numbers(charter_of: Any, values: list[Any]) -> None:
    data = dataset.dataset(charter_of(prediction={"problem_type": "regression"}), table(values))
    assert data.problem == "regression"
    assert data.outcome.tolist() == [float(value) for value in values]


def test_a_class_too_rare_to_be_learnt_is_left_out_and_named_and_the_others_are_judged(charter_of: Any) -> None:
    values = [*"abcdef"] * 60 + ["gold"] * 2 + [None] * 3
    data = dataset.dataset(charter_of(), table(values))
    assert data.classes == tuple("abcdef") and data.too_few == {"gold": 2} and data.unlabelled == 3
    assert len(data.raw) == len(dataset.labelled(charter_of(), table(values))) == 360
    said = overview.support(data, "y")
    assert said.value == 60
    assert "gold (2): too rare to be learnt, and left out. In the source, put it together" in said.message
    said = overview.support(dataset.dataset(charter_of(), table([*"abcdef"] * 60 + ["gold"] * 12)), "y")
    assert said.value == 60 and "gold (12): too rare to be judged by." in said.message


@pytest.mark.parametrize(
    "values",
    [
        ["a"] * 100 + ["b"] * 3,  # of two classes none can be left out
        ["a"] * 20 + ["b"] * 20 + ["c"] * 3,  # not as many as 7 % of the rows
    ],
)
def test_a_rare_class_stays_where_it_is_half_of_the_question(charter_of: Any, values: list[str]) -> None:
    data = dataset.dataset(charter_of(), table(values))
    assert len(data.outcome) == len(values) and data.too_few == {}
    assert overview.support(data, "y").value == 3
    with pytest.raises(UserError, match="put a rare class together with another"):
        splits.folds(charter_of(), data, splits.split(charter_of(), data, 0).train, 5, 1, 0)


def test_rows_without_an_outcome_are_left_out_and_counted(charter_of: Any) -> None:
    data = dataset.dataset(charter_of(), table(["a", None, "b", "b", None]))
    assert (len(data.raw), len(data.inputs), len(data.outcome), data.unlabelled) == (3, 3, 3, 2)
    said = overview.support(data, "y")
    assert said.value == 1 and isinstance(said.figure, Figure)
    assert said.message == (
        "3 cases with a known outcome, 1 of them in the rarest class (a). "
        "2 cases have no known outcome and are left out."
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a project's own package; it is forgotten again afterwards."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(**modules: str) -> str:
        folder = tmp_path / "src" / name
        folder.mkdir(parents=True)
        for module, code in {"__init__": "", **modules}.items():
            (folder / f"{module}.py").write_text(code)
        return name

    yield write
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def test_the_target_never_reaches_the_users_features(charter_of: Any, tmp_path: Path, package: Any) -> None:
    code = "def add_features(frame):\n    assert 'y' not in frame\n    return frame.assign(seen=len(frame.columns))\n"
    charter = charter_of(tmp_path, project={"package": package(features=code)})
    data = hooks.dataset(charter, table([1, 0, 1, None]))
    assert data.raw["seen"].tolist() == [1, 1, 1]
    assert "y" not in data.raw and "y" not in data.inputs


def test_features_that_return_nothing_or_drop_rows_are_refused(charter_of: Any, tmp_path: Path, package: Any) -> None:
    code = "def add_features(frame):\n    return frame.head(1) if len(frame) == 2 else None\n"
    charter = charter_of(tmp_path, project={"package": package(features=code)})
    for rows in (2, 3):
        with pytest.raises(UserError, match="add_features"):
            hooks.add_features(charter, table([1] * rows))


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_parts_and_the_picture_name_every_column_and_class(generate: Any, problem: str) -> None:
    _, data = generate(problem)
    assert data.problem == problem
    assert set(overview.parts(data)["column"]) == {"x1", "x2", "x3", "colour"}
    assert isinstance(overview.outcome_chart(data, "y"), Figure)


def test_the_roles_do_not_look_at_the_outcome(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=100), "c": random.choice(["a", "b"], 100)})
    first = dataset.dataset(charter_of(), frame.assign(y=random.permutation([0, 1] * 50)))
    second = dataset.dataset(charter_of(), frame.assign(y=random.permutation([0, 1] * 50)))
    assert first.columns == second.columns
    pd.testing.assert_frame_equal(first.inputs, second.inputs)


def test_gaps_are_shares_the_emptiest_first() -> None:
    table = pd.DataFrame({"a": [1, None], 2: [None, None], "c": [1, 2]})
    assert overview.gaps(table).to_dict() == {"2": 1.0, "a": 0.5, "c": 0.0}
    assert len(overview.gaps(table, most=1)) == 1
    assert overview.headline(overview.gaps(table)) == "2 is missing in 100% of the rows"
    assert overview.headline(overview.gaps(table[["c"]])) == "No value is missing"


def test_a_table_without_anything_to_learn_from_says_what_to_add(charter_of: Any) -> None:
    charter = charter_of(Path("/place"), prediction={"id_column": "id"})
    frame = pd.DataFrame({"id": range(40), "same": "EUR", "y": ["yes", "no"] * 20})
    with pytest.raises(UserError) as caught:
        dataset.dataset(charter, frame)
    assert caught.value.problem == "No column is left to predict from." and "same" in caught.value.details["found"]
    assert caught.value.details["where"].endswith("field `sources`")
    assert "known before the outcome" in caught.value.details["expected"]
    assert "features.py" in caught.value.details["fix"]
