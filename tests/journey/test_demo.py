"""One journey end to end: the demo generated, installed into an environment of its own, run, recorded and compared."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from .conftest import asked, call, newest_run, read

STAGES = ("eda", "poc", "explainability", "handoff")
FIELDS = {"id", "requirement", "stage", "must_pass", "status", "value", "threshold", "unit", "message"}
BIN = "Scripts" if os.name == "nt" else "bin"


def git(project: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return call("git", *identity, *arguments, cwd=project)


@pytest.fixture(scope="module")
def project(bake, environment):
    """The demo in a git repository, with an environment of its own."""
    project = bake()
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "baked")
    environment(project)
    return project


@pytest.fixture(scope="module")
def lab2live(project):
    def lab2live(*arguments: object, expect: int = 0, cwd: Path = project) -> str:
        return call(project / ".venv" / BIN / "lab2live", *arguments, cwd=cwd, expect=expect)

    return lab2live


@pytest.fixture(scope="module")
def run(project, lab2live):
    """The whole journey on the whole demo, and what the command printed."""
    printed = lab2live("run")
    folder = newest_run(project)
    return folder, printed


def test_the_journey_ends_in_a_conditional_verdict_because_it_is_the_demo(run):
    folder, printed = run
    verdict = read(folder / "verdict.json")
    assert verdict["decision"] == "conditional"
    assert verdict["run"]["demo"] is True
    assert any("simulated demo" in reason for reason in verdict["reasons"])
    assert [stage["status"] for stage in verdict["run"]["stages"]] == ["done"] * 5
    assert not [gate["id"] for gate in verdict["gates"] if gate["status"] in ("fail", "skip")]
    assert "CONDITIONAL" in printed
    assert str(folder / "index.html") in printed


def test_every_gate_carries_the_fields_of_the_contract(run):
    for gate in read(run[0] / "verdict.json")["gates"]:
        assert set(gate) >= FIELDS
        assert gate["stage"] in (*STAGES, "own_analysis")
        assert re.fullmatch(r"[BPLGT]\d[a-d]?", gate["requirement"])


def test_the_run_folder_holds_notebooks_pages_results_and_artefacts(run):
    folder = run[0]
    for number, stage in enumerate(STAGES, start=1):
        notebook = folder / f"0{number}_{stage}.ipynb"
        assert notebook.stat().st_size < 300_000
        assert notebook.with_suffix(".html").stat().st_size < 3_000_000
        result = read(folder / "results" / f"{stage}.json")
        assert result["finished"] is True
        assert result["version"] == 2
    assert (folder / "index.html").is_file()
    assert (folder / "artefacts" / "profile.html").stat().st_size < 3_000_000
    assert (folder / "artefacts" / "bundle" / "manifest.json").is_file()


def test_pages_show_no_code_and_ask_for_nothing_from_outside(run):
    for page in run[0].glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "context.begin(" not in text, f"{page.name} shows code"
        assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text), f"{page.name} refers to another server"


def test_the_findings_are_the_faults_that_the_simulator_planted(run, project):
    truth = read(project / "data" / "demo" / "truth.json")
    findings = {(f["check"], f["source"], f["column"]): f for f in read(run[0] / "results" / "eda.json")["findings"]}
    missing = findings["missing.critical", "crm", "tariff"]
    assert missing["value"] == pytest.approx(truth["missing_tariff"], abs=0.005)
    assert missing["severity"] == "warn"
    orphans = findings["integration.orphan_keys", "billing", "customer_id"]
    assert orphans["rows"] > 0
    assert all(key.startswith("X") for key in orphans["examples"]), "strangers have keys that begin with X"


def hashes(artefacts: Path) -> dict[str, str]:
    """Give the hash of every file of the bundle, of the bundle in one file, and of what was measured of it."""
    files = [artefacts / "bundle.zip", artefacts / "measured.json", *(artefacts / "bundle").rglob("*")]
    return {str(path.relative_to(artefacts)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            if path.is_file()}  # fmt: skip


def test_no_model_beats_the_limit_that_the_generator_knows(run, project):
    limit = read(project / "data" / "demo" / "truth.json")["bayes_roc_auc"]
    rungs = read(run[0] / "results" / "poc.json")["ladder"]["rungs"]
    assert all(rung["mean"] < limit for rung in rungs)
    best = max(rungs, key=lambda rung: rung["mean"])
    assert best["mean"] > limit - 0.06, "the models should come near what is reachable"


def test_every_file_of_the_bundle_has_the_hash_that_its_manifest_says(run):
    bundle = run[0] / "artefacts" / "bundle"
    files = read(bundle / "manifest.json")["files"]
    assert {"model.onnx", "contract.json", "model_card.md", "code/features.py", "code/rules.py"} <= set(files)
    for name, expected in files.items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == expected


def test_the_sheet_to_sign_notices_a_changed_byte(run, lab2live, tmp_path):
    signed = shutil.copytree(run[0], tmp_path / "signed")
    assert "still fits" in lab2live("sign-off", signed)
    brief = signed / "artefacts" / "brief.html"
    brief.write_bytes(brief.read_bytes() + b" ")
    assert "artefacts/brief.html" in lab2live("sign-off", signed, expect=1)


def test_anybody_can_ask_the_model_of_the_newest_run(run, project):
    high, middle, low = asked(project / ".venv" / BIN / "lab2live", cwd=project)
    assert high["answer"]["share"] > middle["answer"]["share"] > low["answer"]["share"]
    assert high["answer"]["output"] == "'yes'" and low["answer"]["output"] == "'no'"
    for answer in (high, middle, low):
        assert answer["flips"]["options"] and "Of 100 cases like this" in answer["confidence"]["words"]
        assert not answer["unfamiliar"]


def test_running_again_gives_the_finished_run_back_and_a_stage_runs_again_in_a_new_one(run, lab2live, project):
    folder = run[0]
    before, told = hashes(folder / "artefacts"), (folder / "verdict.json").read_bytes()
    lab2live("run")
    assert newest_run(project) == folder
    lab2live("run", "--stage", "handoff", "--force")
    again = newest_run(project)
    assert again != folder and (folder / "verdict.json").read_bytes() == told
    after = hashes(again / "artefacts")  # what was measured is taken over, and not measured again
    assert [name for name in before if after.get(name) != before[name]] == [], "not the same to the last byte"
    statuses = [stage["status"] for stage in read(again / "verdict.json")["run"]["stages"]]
    assert statuses == ["kept"] * 3 + ["done", "kept"]


def test_verdict_prints_the_gates_of_the_newest_run(run, lab2live):
    printed = lab2live("verdict")
    assert "eda.sources" in printed
    assert "CONDITIONAL" in printed


def test_charter_says_that_the_demo_leaves_nothing_open(lab2live):
    assert "Every question of the charter is answered" in lab2live("charter")


def test_the_projects_own_tests_pass(project):
    assert " passed" in call(project / ".venv" / BIN / "python", "-m", "pytest", "-q", cwd=project)


def test_a_notebook_runs_by_papermill_from_any_directory(project, tmp_path):
    papermill = project / ".venv" / BIN / "papermill"
    source, target = project / "notebooks" / "01_eda.ipynb", tmp_path / "out.ipynb"
    call(papermill, "-k", "python3", "--no-progress-bar", source, target, cwd=tmp_path)
    assert read(project / "runs" / "interactive" / "results" / "eda.json")["finished"] is True
    executed = nbformat.read(target, as_version=4)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")


@pytest.mark.slow
def test_recording_again_changes_no_byte_of_the_references(run, project, lab2live):
    lab2live("record")
    new = "?? tests/reference/06_own_analysis.ipynb\n"
    assert git(project, "status", "--porcelain") == new, "runs, data and recordings must not dirty git"
