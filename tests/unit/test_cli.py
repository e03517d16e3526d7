"""The command line: exit codes, messages instead of tracebacks, and settings that are what they look like."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab2live.charter import gates
from lab2live.charter.gates import CATALOGUE, STAGES
from lab2live.cli import main as cli
from lab2live.cli.main import parse_settings
from lab2live.errors import UserError
from lab2live.pipeline import decision as verdict
from lab2live.pipeline import runner
from lab2live.pipeline.runner import JOURNEY

CHARTER = """\
project: {name: "Tiny [bold]"}
prediction: {problem_type: classification, target: y}
sources: [{name: "table [red]", uri: table.csv}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project.yaml").write_text(CHARTER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAB2LIVE_PROJECT", raising=False)
    return tmp_path


def made_up(folder: Path, status: str = "pass", broke: bool = False) -> Path:
    """Write the verdict of a run that never was."""
    judged = [
        replace(gates.judge(rule.id, None, f"About {rule.id} [b]."), status=status) for rule in CATALOGUE.values()
    ]  # type: ignore[arg-type]
    decision, reasons = verdict.decide(judged)
    error = {"name": "IndexError", "message": "list [/red] is empty", "cell": None, "cell_id": None, "source": ""}
    stages = [
        {
            "stage": node.stage,
            "title": node.title,
            "status": "failed" if broke else "done",
            "error": error if broke else None,
        }
        for node in JOURNEY
    ]
    content = {
        "decision": decision,
        "reasons": reasons,
        "gates": [gate.as_dict() for gate in judged],
        "measures": {},
        "run": {"stages": stages, "project": "Tiny", "demo": False},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(json.dumps(content))
    return folder


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lab2live", *arguments])
    return cli.main()


def as_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lab2live", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("command", [[], ["charter"], ["run"], ["verdict"], ["record"]], ids=str)
def test_every_command_explains_itself(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, *command, "--help") == 0
    said = capsys.readouterr().out
    assert "Usage: lab2live" in said
    assert "--help" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Usage"),
        (["bogus"], "bogus"),
        (["run", "--nonsense"], "--nonsense"),
        (["run", "--stage"], "argument"),
        (["run", "extra"], "extra"),
        (["verdict", "one", "two"], "two"),
        (["charter", "--project"], "argument"),
    ],
    ids=str,
)
def test_a_usage_error_is_an_error_not_a_no_go(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, *arguments) == 1
    said = capsys.readouterr()
    assert says in said.out + said.err


def test_as_a_process_too_a_usage_error_exits_1_without_a_traceback() -> None:
    done = as_process("run", "--nonsense")
    assert done.returncode == 1
    assert "--nonsense" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["charter", "--project", "nowhere"], "There is no project.yaml here."),
        (["run", "--project", "nowhere"], "There is no project.yaml here."),
        (["run", "--stage", "edaa"], "no such stage"),
        (["run", "--set", "eda.seed"], "stage.param=value"),
        (["run", "--run-dir", "project.yaml"], "run folder"),
        (["verdict"], "There is no run yet."),
        (["verdict", "nowhere"], "There is no verdict here."),
        (["verdict", "project.yaml"], "There is no verdict here."),
    ],
    ids=str,
)
def test_a_mistake_is_a_message(
    project: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(monkeypatch, *arguments) == 1
    said = capsys.readouterr().err
    assert "Error:" in said
    assert says in said
    assert not (project / "runs").exists()


def test_as_a_process_too_a_mistake_exits_1_without_a_traceback(tmp_path: Path) -> None:
    done = as_process("charter", "--project", str(tmp_path))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "project.yaml") in done.stderr.replace("\n", "")


def test_the_demos_charter_has_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(monkeypatch, "charter", "--project", "demo") == 0
    said = capsys.readouterr().out
    assert "Every question of the charter is answered." in said
    assert "Telecom churn" in said
    assert "gain / cost" in said


def test_a_minimal_charter_shows_what_is_open(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, "charter") == 0
    said = capsys.readouterr().out
    assert "Tiny [bold]" in said, "names are no markup"
    assert "Who owns the source table [red]?" in " ".join(said.split())
    assert "Open questions (13)" in said
    assert str(project / "project.yaml") in said
    assert "No priority can be computed: the charter has to state build_cost" in said


def test_lessons_of_others_are_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "project.yaml").write_text(CHARTER.replace("project: {", "project: {lessons: [l.yaml], "))
    (project / "l.yaml").write_text("project: fraud\nlessons: ['Ask [early].']")
    assert main(monkeypatch, "charter") == 0
    assert "fraud: Ask [early]." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "broke", "code", "word"),
    [
        ("pass", False, 0, "GO"),
        ("warn", False, 0, "CONDITIONAL"),
        ("skip", False, 0, "CONDITIONAL"),
        ("fail", False, 2, "NO-GO"),
        ("warn", True, 1, "CONDITIONAL"),
        ("fail", True, 1, "NO-GO"),
    ],
)
def test_a_verdict_is_printed_and_gives_the_exit_code(
    project: Path,
    status: str,
    broke: bool,
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(monkeypatch, "verdict", str(made_up(project / "runs" / "one", status, broke))) == code
    said = capsys.readouterr().out
    assert (f"Decision so far, as an error stopped the run: {word}" if broke else f"Decision: {word}") in said
    assert "eda.sources*" in said
    assert ("list [/red] is empty" in said) is broke, "and data is no markup"


def test_a_verdict_as_markdown_is_that_alone_and_gives_the_same_exit_code(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, "verdict", "--markdown", str(made_up(project / "runs" / "one", "fail"))) == 2
    assert capsys.readouterr().out.startswith("## Tiny: NO-GO\n")


def test_without_a_name_the_newest_run_is_meant(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_up(project / "runs" / "one", "fail")
    made_up(project / "runs" / "two", "pass")
    for name, code in (("one", 2), ("two", 0)):
        (project / "runs" / "latest").write_text(name + "\n")
        assert main(monkeypatch, "verdict") == code


def test_a_no_go_exits_2_as_a_process(tmp_path: Path) -> None:
    done = as_process("verdict", str(made_up(tmp_path, "fail")))
    assert done.returncode == 2
    assert done.stderr == ""


def test_run_hands_everything_on_and_prints_the_verdict(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {}

    def pretend(charter: object, *, progress: runner.Progress, **more: Any) -> Path:
        given.update(more)
        node = JOURNEY[0]
        progress.started(node)
        progress.cell(node, 0, 3)
        progress.ended(node, {"status": "done", "seconds": 2.0})
        progress.ended(JOURNEY[1], {"status": "not run", "seconds": None})
        return made_up(project / "run", "fail")

    monkeypatch.setattr(runner, "run", pretend)
    options = ["--stage", "poc", "--smoke", "--force", "--keep-going", "--run-dir", "x", "--set", "poc.folds=3"]
    assert main(monkeypatch, "run", *options) == 2
    assert given == {
        "only": "poc",
        "run_dir": Path("x"),
        "smoke": True,
        "force": True,
        "keep_going": True,
        "overrides": {"poc": {"folds": 3}},
    }
    said = capsys.readouterr()
    assert "Data: done in 2 s" in said.err
    assert "Proof of concept: not run" in said.err
    assert "Decision: NO-GO" in said.out
    assert str(project / "run" / "index.html") in said.out


def test_ctrl_c_is_a_message_and_an_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", stopped)
    assert main(monkeypatch, "run") == 1
    assert "What was finished is kept" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.1", 0.1),
        ("1e-3", 0.001),
        ("true", True),
        ("yes", "yes"),
        ("null", None),
        ("", None),
        ("a=b", "a=b"),
        ("[1, x]", [1, "x"]),
        ("[", "["),
        ("@x", "@x"),
        ("2026-13-45", "2026-13-45"),
    ],
)
def test_a_setting_is_what_it_looks_like(text: str, value: object) -> None:
    (found,) = parse_settings([f"poc.folds={text}"])["poc"].values()
    assert (type(found), found) == (type(value), value)


def test_settings_add_up_and_the_last_one_counts() -> None:
    assert parse_settings(["poc.folds=3", "eda.seed=1", " poc.folds =4", "poc.repeats=2"]) == {
        "poc": {"folds": 4, "repeats": 2},
        "eda": {"seed": 1},
    }


@pytest.mark.parametrize("text", ["", "poc", "poc.folds", "folds=3", "poc.=3", "=3"])
def test_a_setting_that_cannot_be_read_is_a_message(text: str) -> None:
    with pytest.raises(UserError, match=r"stage\.param=value"):
        parse_settings([text])


def test_the_help_names_the_stages_that_there_are() -> None:
    assert tuple(node.stage for node in JOURNEY) == STAGES


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no such bundle") as told:
        cli._bundle(tmp_path / "bundle.zip", None)
    assert "bundle.zip" in str(told.value)


@pytest.mark.parametrize("status", ["done", "kept", "not run", "failed"])
def test_the_bundle_of_an_earlier_model_is_not_offered(project: Path, status: str) -> None:
    """A run takes over what the one before it had; its bundle is its own once it has come to its handoff."""
    run = made_up(project / "runs" / "1")
    inside = run / "artefacts" / "bundle"
    inside.mkdir(parents=True)
    content = verdict.read(run)
    handoff = next(stage for stage in content["run"]["stages"] if stage["stage"] == "handoff")
    handoff["status"] = status
    (run / verdict.FILE).write_text(json.dumps(content))
    if status in ("done", "kept"):
        assert cli._bundle(run, None) == inside
        return
    with pytest.raises(UserError, match="an earlier model") as told:
        cli._bundle(run, None)
    assert "lab2live run" in str(told.value)
    assert cli._bundle(inside, None) == inside, "who names it knows what it is"


@pytest.mark.parametrize(
    ("called", "proposed"),
    [("{cwd}/.venv/bin/lab2live", ".venv/bin/lab2live"), ("/elsewhere/lab2live", "/elsewhere/lab2live"),
     ("{cwd}/lab2live/__main__.py", "python -m lab2live")],
)  # fmt: skip
def test_what_is_proposed_can_be_typed_as_this_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, called: str, proposed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called.format(cwd=tmp_path)])
    assert cli.typed() == proposed
    monkeypatch.setattr("shutil.which", lambda name: str(Path(called.format(cwd=tmp_path))))
    assert cli.typed() == ("python -m lab2live" if "__main__" in called else "lab2live")
