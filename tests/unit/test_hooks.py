"""The project's own package: held to its promises, and its mistakes told as its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.pipeline import hooks

TABLE = pd.DataFrame({"age": [30, 40, 50], "name": ["a", "b", None]})
Paths = Iterator[None]


@pytest.fixture(autouse=True)
def _forget_the_package() -> Paths:
    path, known = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if name.partition(".")[0] == "mine":
            del sys.modules[name]


def project(
    folder: Path, features: str | None = None, rules: str | None = None, package: str | None = "mine"
) -> Charter:
    home = folder / "src" / "mine"
    home.mkdir(parents=True)
    (home / "__init__.py").touch()
    for name, code in (("features", features), ("rules", rules)):
        if code is not None:
            (home / f"{name}.py").write_text(code)
    return Charter.model_validate(
        {
            "project": {"package": package},
            "prediction": {"problem_type": "regression", "target": "y"},
            "sources": [{"name": "s", "uri": "s.csv"}],
            "folder": folder,
            "file": folder / "project.yaml",
        }
    )


def test_without_a_package_the_table_stays_as_it_is_and_there_is_no_rule(tmp_path: Path) -> None:
    charter = project(tmp_path, package=None)
    assert hooks.add_features(charter, TABLE) is TABLE
    assert hooks.rule(charter) is None


def test_features_and_rule_are_found_beside_the_charter(tmp_path: Path) -> None:
    charter = project(
        tmp_path,
        "def add_features(frame):\n    return frame.assign(old=frame['age'] > 35)",
        "def score(frame):\n    return frame['age'] / 100",
    )
    assert hooks.add_features(charter, TABLE)["old"].tolist() == [False, True, True]
    rule = hooks.rule(charter)
    assert rule is not None
    assert rule(TABLE).tolist() == [0.3, 0.4, 0.5]
    assert isinstance(rule(TABLE), np.ndarray)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return frame.dropna()", "2 rows for 3"),
        ("return pd.concat([frame, frame])", "6 rows for 3"),
        ("return frame.sort_values('age', ascending=False)", "another order"),
        ("frame.sort_values('age', ascending=False, inplace=True); return frame", "another order"),
        ("return frame.set_index('age')", "another order or index"),
        ("frame['new'] = 1", "NoneType"),
        ("return frame['age']", "Series"),
        ("return frame['agge']", "KeyError: 'agge'"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_features_are_held_to_their_promise(tmp_path: Path, body: str, says: str) -> None:
    charter = project(tmp_path, f"import pandas as pd\ndef add_features(frame):\n    {body}")
    with pytest.raises(UserError) as caught:
        hooks.add_features(charter, TABLE)
    assert says in caught.value.details["found"]
    assert "features.py" in caught.value.details["where"]
    assert caught.value.details["fix"]


def test_what_the_package_changes_in_place_is_its_own_business(tmp_path: Path) -> None:
    charter = project(
        tmp_path,
        "def add_features(frame):\n    frame['age'] = 0\n    return frame",
        "def score(frame):\n    frame['age'] = 0\n    return frame['age']",
    )
    table = TABLE.copy()
    assert hooks.add_features(charter, table)["age"].tolist() == [0, 0, 0]
    rule = hooks.rule(charter)
    assert rule is not None
    rule(table)
    pd.testing.assert_frame_equal(table, TABLE)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("[0.1, 0.2]", "shape (2,)"),
        ("0.5", "shape ()"),
        ("frame[['age']]", "shape (3, 1)"),
        ("[0.1, None, 0.2]", "1 missing"),
        ("frame['age'].where(frame['age'] > 30)", "1 missing"),
        ("None", "1 missing"),
        ("1 / 0", "ZeroDivisionError"),
        ("frame['agge']", "KeyError"),
    ],
)
def test_the_rule_has_to_answer_every_row(tmp_path: Path, answer: str, says: str) -> None:
    rule = hooks.rule(project(tmp_path, rules=f"def score(frame):\n    return {answer}"))
    assert rule is not None
    with pytest.raises(UserError) as caught:
        rule(TABLE)
    assert says in caught.value.details["found"]
    assert "rules.py" in caught.value.details["where"]


def test_a_rule_may_name_classes(tmp_path: Path) -> None:
    rule = hooks.rule(project(tmp_path, rules="def score(frame):\n    return ['yes', 'no', 'yes']"))
    assert rule is not None
    assert rule(TABLE).tolist() == ["yes", "no", "yes"]


@pytest.mark.parametrize("code", [None, "def add_features(frame)", "import no_such_module", "raise SystemExit(1)"])
def test_a_module_that_cannot_be_imported_is_named(tmp_path: Path, code: str | None) -> None:
    with pytest.raises(UserError, match=r"mine.features") as caught:
        hooks.module(project(tmp_path, code), "features")
    file = tmp_path / "src" / "mine" / "features.py"
    where = f"{tmp_path / 'project.yaml'}, field `project.package`" if code is None else str(file)
    assert caught.value.details["where"] == where


@pytest.mark.parametrize("package", ["no_such_package", "..", "../mine", "mine.deeper", ""])
def test_a_package_that_is_not_there_is_a_message_or_no_package(tmp_path: Path, package: str) -> None:
    charter = project(tmp_path, "", package=package)
    if not package:
        assert hooks.module(charter, "features") is None
        return
    with pytest.raises(UserError, match="cannot be imported"):
        hooks.module(charter, "features")


def test_a_function_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="add_features"):
        hooks.add_features(project(tmp_path, "x = 1"), TABLE)


def test_another_projects_package_of_the_same_name_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    hooks.module(project(tmp_path / "one", "x = 1"), "features")
    with pytest.raises(UserError, match="Another package has the name") as caught:
        hooks.module(project(tmp_path / "two", "x = 2"), "features")
    assert caught.value.details["expected"] == str(tmp_path / "two" / "src" / "mine")


def test_a_rule_that_came_with_the_template_is_known_as_an_example(tmp_path: Path) -> None:
    charter = project(tmp_path / "a", "", "EXAMPLE = True\ndef score(frame):\n    return frame['age']")
    assert hooks.rule_is_example(charter)
