"""A project with pieces of its own: models that compete, a gate that decides, a check, a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.journey.conftest import call, newest_run, read

pytestmark = pytest.mark.slow  # a whole journey
CLI = (sys.executable, "-m", "lab2live")

MODELS = '''"""Candidates of our own."""

from lightgbm import LGBMClassifier
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures


def encoder(numbers="passthrough"):
    texts = OneHotEncoder(handle_unknown="ignore")
    return make_column_transformer(
        (texts, make_column_selector(dtype_include=["object"])),
        (numbers, make_column_selector(dtype_include=["number"])),
    )


def candidates(seed):
    products = PolynomialFeatures(3, interaction_only=True)
    trees = ExtraTreesClassifier(30, min_samples_leaf=10, random_state=seed)
    stack = StackingClassifier([("linear", LogisticRegression(max_iter=2000)), ("trees", trees)], cv=3)
    return {
        "LightGBM on products": make_pipeline(
            encoder(products), LGBMClassifier(n_estimators=40, random_state=seed, verbose=-1, n_jobs=1)
        ),
        "extra trees": make_pipeline(encoder(), trees),
        "stack": make_pipeline(encoder(), stack),
        "broken": LogisticRegression,
    }
'''
GATES = '''"""Gates of our own."""

from lab2live import Gate

GATES = [
    Gate(
        id="own.contacts",
        requirement="B3",
        title="Contacts",
        question="Can the team call everybody the model picks?",
        better="lower",
        fail=5,
        unit="contacts",
        must_pass=True,
    )
]
'''
CHECKS = '''"""Checks of our own."""

from lab2live import Finding, check


@check("own.large_a", requirement="L4b", needs=("a",))
def large_a(source):
    rows = int((source.sample["a"] > 3.5).sum())
    return Finding(value=rows, message=f"{rows} rows have a large a.", column="a", severity="warn", rows=rows)


@check("own.needs_more", needs=("not_there",))
def needs_more(source):
    return None


@check("own.breaks")
def breaks(source):
    raise ValueError("this check is broken")
'''


def table(path: Path, rows: int = 1500) -> None:
    """Write a table whose outcome depends on a product of three columns: nothing built in finds that."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["kind"] = random.choice(["new", "old"], rows)
    likely = 1 / (1 + np.exp(-4 * frame["a"] * frame["b"] * frame["c"]))
    frame["bought"] = np.where(random.random(rows) < likely, "yes", "no")
    frame.loc[:4, "a"] = 4.0
    frame.insert(0, "number", [f"n{row}" for row in range(rows)])
    frame.to_csv(path, index=False)


@pytest.fixture(scope="module")
def project(bake: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    table(folder / "sales.csv")
    answers = {"data_source": "file", "data_path": folder / "sales.csv", "target": "bought", "id_column": "number"}
    made = bake(folder, project_name="Own pieces", positive_class="yes", environment="pip", ci="none", **answers)
    package = made / "src" / "own_pieces"
    for name, text in (("models", MODELS), ("gates", GATES), ("checks", CHECKS)):
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    notebook = made / "notebooks" / "06_own_analysis.ipynb"
    content = read(notebook)
    content["cells"] = [one for one in content["cells"] if "own.rows" not in "".join(one["source"])]
    cell = next(one for one in reversed(content["cells"]) if "run.close()" in "".join(one["source"]))
    cell["source"] = [
        "from lab2live import Evidence\n",
        "contacts = int((predictions['prediction'] == 'yes').sum())\n",
        "run.show('own.contacts', Evidence(contacts, f'The model picks {contacts:,} rows.'))\n",
        "run.close()",
    ]
    notebook.write_text(json.dumps(content), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def run(project: Path) -> Path:
    call(*CLI, "run", "--keep-going", "--set", "poc.budget=2", "--set", "poc.resamples=100", cwd=project, expect=2)
    return newest_run(project)


def test_own_candidates_are_compared_and_one_wins(run: Path) -> None:
    ladder = read(run / "results" / "poc.json")["ladder"]
    names = {rung["name"] for rung in ladder["rungs"]}
    assert {"LightGBM on products", "extra trees", "stack"} <= names
    assert "broken" not in names, "what is no estimator is left out"
    assert ladder["chosen"] == "LightGBM on products"
    problems = read(run / "verdict.json")["run"]["problems"]
    assert any("models.py" in text and "broken" in text for text in problems)


def test_the_winner_is_explained_exported_and_served(project: Path, run: Path) -> None:
    gates = {gate["id"]: gate for gate in read(run / "verdict.json")["gates"]}
    assert gates["handoff.parity"]["status"] == "warn" and "skops" in gates["handoff.parity"]["message"]
    for name in ("explainability.additivity", "handoff.reload", "handoff.row_invariance"):
        assert gates[name]["status"] == "pass", gates[name]["message"]
    bundle = run / "artefacts" / "bundle"
    trusted = read(bundle / "manifest.json")["trusted_types"]
    assert any(name.startswith("lightgbm.") for name in trusted)
    predictions = pd.read_parquet(run / "artefacts" / "predictions.parquet").set_index("id")
    answers = project / "answers.csv"
    call(*CLI, "score", run, project.parent / "sales.csv", answers, cwd=project)
    scored = pd.read_csv(answers).set_index("number")
    assert len(scored) == len(predictions)
    column = "score" if "score" in scored else "output"
    assert scored[column].notna().all()
    monitored = project / "monitoring"
    call(*CLI, "monitor", run, project.parent / "sales.csv", "--out", monitored, cwd=project)
    assert read(monitored / "monitoring.json")["looked_at"] > 0
    serving = subprocess.Popen([*CLI, "serve", str(run), "--port", "0"], cwd=project, stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None
        address = serving.stdout.readline().removeprefix("Open this page:").strip()
        with urllib.request.urlopen(f"{address}ready", timeout=60) as answer:
            assert answer.status == 200
    finally:
        serving.terminate()
        serving.wait(30)


def test_the_own_gate_turns_the_verdict_and_the_own_notebook_is_a_stage(run: Path) -> None:
    verdict = read(run / "verdict.json")
    gate = next(gate for gate in verdict["gates"] if gate["id"] == "own.contacts")
    known = (gate["status"], gate["stage"], gate["unit"], gate["must_pass"])
    assert known == ("fail", "own_analysis", "contacts", True)
    assert verdict["decision"] == "no-go"
    index = (run / "index.html").read_text(encoding="utf-8")
    assert "06_own_analysis.html" in index and "Contacts" in index


def test_own_checks_find_skip_and_break_beside_the_others(run: Path) -> None:
    found = read(run / "results" / "eda.json")
    (own,) = [finding for finding in found["findings"] if finding["check"] == "own.large_a"]
    assert (own["witness"], own["severity"], own["rows"], own["column"]) == ("own", "warn", 5, "a")
    skipped = {skip["check"]: skip["reason"] for skip in found["skipped"]}
    assert "not_there" in skipped["own.needs_more"]
    assert "this check is broken" in skipped["own.breaks"]
    outliers = next(gate for gate in found["gates"] if gate["id"] == "eda.outliers")
    assert outliers["status"] == "warn"


def test_the_own_notebook_is_recorded_and_compared(project: Path, run: Path) -> None:
    call(*CLI, "record", cwd=project)
    reference = project / "tests" / "reference" / "06_own_analysis.ipynb"
    assert any(cell.get("outputs") for cell in read(reference)["cells"])
    options = ("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "120", "-p", "no:cacheprovider")
    call(sys.executable, "-m", "pytest", "-q", *options, reference, cwd=project)
