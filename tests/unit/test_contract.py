"""The contract: what goes in and what comes out, taken from the training part alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live import files
from lab2live.data import splits
from lab2live.data.splits import Split
from lab2live.handoff import contract
from lab2live.pipeline import hooks
from lab2live.poc.worth.value import Policy


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_contract_names_problem_classes_line_and_baseline(generate: Any, problem: str) -> None:
    charter, data = generate(problem, 200)
    split = splits.split(charter, data, 0)
    found = contract.describe(charter, data, split, Policy(data.problem, 0.3))
    known = data.outcome[split.train]
    assert found["problem"] == problem and found["target"] == "y" and found["classes"] == list(data.classes)
    assert found["threshold"] == (0.3 if problem == "binary" else None)
    assert found["baseline"] == (np.bincount(known).argmax() if problem == "multiclass" else known.mean())
    assert json.loads(json.dumps(files.plain(found)))["inputs"][0]["name"] == "x1"
    by_name = {entry["name"]: entry for entry in found["inputs"]}
    assert by_name["x1"]["nullable"] and by_name["colour"]["nullable"] and not by_name["x2"]["nullable"]
    assert by_name["colour"]["categories"] == ["blue", "green", "red"]
    seen = data.inputs["x2"].iloc[split.train]
    assert (by_name["x2"]["min"], by_name["x2"]["max"]) == (seen.min(), seen.max())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("frame.assign(twice=2 * frame['x'])", {"twice"}),
        ("frame.assign(x=frame['x'].fillna(0), twice=1.0 * frame['x'].isna())", {"twice"}),
        ("frame.reindex(columns=['x', 'z']).assign(twice=2 * frame.get('x', 0))", {"twice"}),  # all it misses is empty
        ("frame.assign(z=frame.get('z', 5.0), twice=2 * frame['x'])", {"twice"}),  # the charter states z
    ],
)
def test_what_the_projects_features_make_is_found_whatever_they_do_to_the_rest(
    charter_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: set[str]
) -> None:
    package = f"own_{tmp_path.name}"  # Python remembers what it has imported under a name
    home = tmp_path / "src" / package
    home.mkdir(parents=True)
    (home / "__init__.py").touch()
    (home / "rules.py").write_text("def score(frame):\n    return frame['z']\n")
    (home / "features.py").write_text(f"def add_features(frame):\n    return {code}\n")
    monkeypatch.setattr("sys.path", [*sys.path])
    frame = pd.DataFrame({"x": [1.5, 2.5, None, 4.0] * 10, "z": [3.0, 1.0] * 20, "y": ["a", "b"] * 20})
    sources = [{"name": "s", "uri": "never-read.csv", "columns": {"z": {"type": "number"}}}]
    charter = charter_of(tmp_path, project={"name": "P", "package": package}, sources=sources)
    data = hooks.dataset(charter, frame)
    found = contract.describe(charter, data, Split(np.arange(20), np.arange(20, 40), ""), Policy(data.problem, 0.5))
    assert {entry["name"] for entry in found["inputs"] if entry["computed"]} == expected


def test_dates_are_shown_as_dates_and_what_was_never_seen_as_nothing(charter_of: Any) -> None:
    rows = 40
    frame = pd.DataFrame(
        {
            "since": pd.to_datetime("2024-01-01") + pd.to_timedelta(range(rows), unit="D"),
            "until": ["9999-12-31", "2024-05-06"] * (rows // 2),
            "late": [None] * (rows // 2) + ["2024-01-01", "2024-02-01"] * (rows // 4),
            "late number": [None] * (rows // 2) + [1.5, 2.5] * (rows // 4),
            "y": ["a", "b"] * (rows // 2),
        }
    )
    charter = charter_of()
    data = hooks.dataset(charter, frame)
    assert set(data.columns.kinds.values()) == {"date", "number"}
    found = contract.describe(charter, data, Split(np.arange(20), np.arange(20, 40), ""), Policy(data.problem, 0.5))
    for agreed in (found, files.plain(found)):  # in memory, and as it is read back
        table = contract.table(agreed).set_index("column")
        assert table.loc["since", ["from", "to"]].tolist() == ["2024-01-01", "2024-01-20"]
        assert table.loc["until", ["from", "to"]].tolist() == ["2024-05-06", "9999-12-31"]
        assert set(table.loc["late", ["from", "to"]]) <= {"", "–"}
        assert set(table.loc["late number", ["from", "to"]]) <= {"", "–"}
