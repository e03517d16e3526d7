"""The verdict of a run: all gates, and the decision that follows from them by a fixed rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lab2live import files
from lab2live.charter import gates
from lab2live.charter.gates import Gate, GateResult
from lab2live.charter.schema import MEASURES, Charter
from lab2live.charter.yaml import write_yaml
from lab2live.errors import UserError
from lab2live.reporting.formatting import is_broken

Decision = Literal["go", "conditional", "no-go"]
Results = Mapping[str, Mapping[str, Any]]

FILE = "verdict.json"
LESSONS = "lessons.yaml"


def decide(
    found: Sequence[GateResult],
    *,
    stand_ins: Sequence[str] = (),
    demo: bool = False,
    sampled: bool = False,
    problems: Sequence[str] = (),
) -> tuple[Decision, list[str]]:
    """Apply the decision rule.

    Parameters
    ----------
    found
        All gates of the journey, those of stages that did not run included (as `skip`).
    stand_ins
        Sources that are not the real thing.
    demo
        Whether the numbers are about the embedded demo.
    sampled
        Whether this was a smoke run, or a stage saw a sample only.
    problems
        Pieces of the project's own that could not be used.

    Returns
    -------
    decision, reasons
        `no-go` when a must-pass gate failed; `conditional` when anything else failed or warned, a must-pass gate was
        skipped, or the evidence is not about the real and whole data; else `go`.
    """
    blocking = [gate for gate in found if gate.must_pass and gate.status == "fail"]
    if blocking:
        return "no-go", list(map(_reason, blocking))
    reasons = [_reason(gate) for gate in found if gate.status == "fail"]
    reasons += [_reason(gate) for gate in found if gate.must_pass and gate.status == "skip"]
    reasons += [_reason(gate) for gate in found if gate.status == "warn"]
    reasons += [" ".join(problem.split()) for problem in problems]
    if demo:
        reasons.append("The numbers are about the simulated demo, not about your business.")
    if stand_ins:
        reasons.append(f"Not the real data: {', '.join(stand_ins)} is on a stand-in.")
    if sampled:
        reasons.append("Computed on a sample with few repetitions (--smoke or `sample`).")
    return ("conditional", reasons) if reasons else ("go", ["Every gate that matters has passed."])


def _reason(gate: GateResult) -> str:
    return f"{gate.title}: {gate.message}"


def collect(
    charter: Charter, results: Results, why_not: Mapping[str, str], own: Iterable[Gate] = ()
) -> list[GateResult]:
    """Gather the gates of all stages in the order of the catalogue, then the project's own.

    Parameters
    ----------
    charter
        For the limits of gates that were not judged.
    results
        What each finished stage wrote, by stage.
    why_not
        For stages without results, the reason in words.
    own
        The project's own gates.

    Returns
    -------
    list of GateResult
        A gate nobody judged is `skip` with the reason.
    """
    judged = {item["id"]: GateResult(**item) for result in results.values() for item in result["gates"]}
    missing = "The stage did not get to this question."
    return [
        judged.get(gate.id) or gates.judge(gate, None, why_not.get(gate.stage, missing), overrides=charter.gates)
        for gate in gates.CATALOGUE.values()
    ] + [judged.get(gate.id) or gates.judge(gate, None, "No notebook of this run showed it.") for gate in own]


def compose(
    charter: Charter,
    results: Results,
    why_not: Mapping[str, str],
    run: Mapping[str, Any],
    own: Iterable[Gate] = (),
    problems: Sequence[str] = (),
) -> dict[str, Any]:
    """Build the content of `verdict.json`: decision, reasons, gates, measures and the facts of the run."""
    found = collect(charter, results, why_not, own)
    sampled = bool(run.get("smoke")) or any(result["parameters"].get("sample") for result in results.values())
    problems = list(dict.fromkeys([*problems, *(text for result in results.values() for text in result["problems"])]))
    decision, reasons = decide(
        found, stand_ins=charter.stand_ins, demo=charter.is_demo, sampled=sampled, problems=problems
    )
    reasons = [
        f"{record['title']} broke ({record['error']['name']}): not everything was judged."
        for record in run.get("stages", ())
        if record["error"]
    ] + reasons
    measures = {name: value for result in results.values() for name, value in result["measures"].items()}
    accepted = [
        {name: finding[name] for name in ("check", "source", "column", "message")} | finding["accepted"]
        for result in results.values()
        for finding in result.get("findings", ())
        if finding.get("accepted")
    ]
    money = charter.business.value.model_dump(mode="json")  # a charter that says otherwise later makes the run stale
    facts = {"demo": charter.is_demo, "stand_ins": charter.stand_ins, "problems": problems, "accepted": accepted}
    return {
        "decision": decision,
        "reasons": reasons,
        "gates": [gate.as_dict() for gate in found],
        "measures": {**dict.fromkeys(MEASURES), **measures},
        "run": {**run, **facts, "money": money},
    }


def lessons(verdict: Mapping[str, Any], learnt: Sequence[str] = ()) -> str:
    """Write what other projects can learn from this one (G3), as the YAML that their charters name.

    Parameters
    ----------
    verdict
        Its gates that fail or warn are lessons.
    learnt
        What else the stages found worth telling, whatever was decided.
    """
    said = {
        gate["id"]: f"{gate['requirement']} {gate['title']}: {gate['message']}"
        for gate in verdict["gates"]
        if gate["status"] in ("fail", "warn")
    }
    content = {
        "project": verdict["run"]["project"],
        "decision": verdict["decision"],
        "lessons": [*said.values(), *learnt],
        "gates": list(said),  # which the first lessons are about, in their order
    }
    return write_yaml(content)


def read(run: Path) -> dict[str, Any]:
    """Read the verdict of a run folder.

    Raises
    ------
    UserError
        If the folder holds no run, or its verdict cannot be read.
    """
    path = run / FILE
    if not path.is_file():
        expected, fix = (
            "the folder of a run, e.g. runs/20260301-101500",
            "name one of those under runs/, or start one: lab2live run",
        )
        raise UserError("There is no verdict here.", where=path, expected=expected, fix=fix)
    content = files.read_json(path)
    if not (isinstance(content, dict) and content.keys() >= {"decision", "reasons", "gates", "measures", "run"}):
        expected, fix = "decision, reasons, gates, measures and run", "run the journey again: lab2live run"
        raise UserError("This is not the verdict of a run.", where=path, expected=expected, fix=fix)
    return content


def exit_code(verdict: Mapping[str, Any]) -> int:
    """0 for go and conditional, 2 for no-go, 1 when a stage broke."""
    return 1 if is_broken(verdict) else 2 if verdict["decision"] == "no-go" else 0
