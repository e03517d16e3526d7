"""The sheet that is signed: who consents to what exactly, bound to the hashes of what was decided on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab2live import files
from lab2live.errors import UserError
from lab2live.handoff.people import roles
from lab2live.handoff.people.brief import notes, stands
from lab2live.handoff.people.findings import Findings
from lab2live.handoff.people.printing import printed
from lab2live.pipeline.store import read_result
from lab2live.reporting.formatting import amount

VERSION = 1
SHEET, PAGE = "artefacts/sign_off.json", "artefacts/sign_off.html"
# What a signature is about, as far as it is there. The results of the stage that writes the sheet change behind it: of
# these the answers to its questions count, see `answered`.
BOUND = {
    "artefacts/bundle/manifest.json": "the bundle: every file of it stands in here with its hash",
    "artefacts/bundle.zip": "the bundle in one file",
    "artefacts/brief.html": "the brief",
    "results/eda.json": "what was found about the data",
    "results/poc.json": "what was found about the model and its worth",
    "results/explainability.json": "what was found about its answers",
}
GATES = "the answers of the last stage"


def sheet(found: Findings, folder: Path) -> dict[str, Any]:
    """Describe the sheet, as `artefacts/sign_off.json` holds it.

    Parameters
    ----------
    found
        What the run knows.
    folder
        Of the run: what is signed has to be written already.
    """
    decision, _ = found.decision()
    own = [gate.id for gate in found.gates.values() if gate.stage == "handoff" and found.computed(gate.id)]
    hashed = {name: _hash(folder / name) for name in BOUND}
    return {
        "version": VERSION,
        "project": found.charter.project.name,
        "decision_so_far": decision,
        "notes": [f"{title}: {text}" for title, text in notes(found)],
        "trusted_types": found.charter.deployment.trusted_types,
        "files": {name: digest for name, digest in hashed.items() if digest},
        "gates": own,
        "gates_sha256": answered(found.results["handoff"]["gates"], own),
        "signers": [
            {"role": role, "who": who, "owns": roles.OWNS.get(role, "")}
            for role, who in roles.signers(found.charter)
        ],
    }  # fmt: skip


def page(described: Mapping[str, Any]) -> str:
    """Write the sheet as one page to be printed: what it is bound to, and a place for every signature."""
    lines = [{"what": BOUND[name], "file": name, "hash": digest} for name, digest in described["files"].items()]
    lines.append({"what": GATES, "file": "results/handoff.json: gates", "hash": described["gates_sha256"]})
    missing = [text for name, text in BOUND.items() if name not in described["files"]]
    view = stands(described["decision_so_far"])
    signing = [{**one, "title": roles.title(one["role"])} for one in described["signers"]]
    return printed(
        "handoff/people/sign_off.html.j2",
        title=f"To sign: {described['project']}",
        project=described["project"],
        decision=described["decision_so_far"],
        stands=f"{view.symbol} {view.word}",
        notes=described["notes"],
        lines=lines,
        missing=missing,
        trusted=described["trusted_types"],
        signers=signing,
    )


def write(found: Findings, folder: Path) -> tuple[Path, Path]:
    """Write the sheet for people and for programs into the run; the brief and the bundle have to be there already.

    Returns
    -------
    page, sheet
        Where they are.
    """
    described = sheet(found, folder)
    files.write_json(folder / SHEET, described)
    files.write_text(folder / PAGE, page(described))
    return folder / PAGE, folder / SHEET


def answered(gates: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> str:
    """Hash what was answered to some questions, whatever else the results hold."""
    judged = {gate["id"]: gate for gate in gates}
    content = [judged.get(name) for name in sorted(ids)]
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def changed(folder: Path) -> list[str]:
    """Name what is no longer as it was when the sheet was written; empty where everything still is.

    Raises
    ------
    UserError
        If the run has no sheet, or one that cannot be read.
    """
    found = read(folder)
    root = folder.resolve()
    other = [
        name
        for name, digest in found["files"].items()
        if not (root / name).resolve().is_relative_to(root) or _hash(root / name) != digest
    ]
    other += [name for name in _changed_in_bundle(root) if name not in other]
    result = read_result(folder, "handoff")
    if result is None or answered(result["gates"], found["gates"]) != found["gates_sha256"]:
        other.append(f"results/handoff.json ({GATES})")
    return other


def check(folder: Path) -> str:
    """Say that the sheet of a run still fits.

    Raises
    ------
    UserError
        If anything that is signed has changed, or there is no sheet.
    """
    other = changed(folder)
    if other:
        raise UserError(
            "What was signed is no longer what lies here.",
            where=folder,
            found=f"changed or missing: {', '.join(other)}",
            expected=f"the hashes in {SHEET}",
            fix="take these files again from the run that was signed, or run the last stage again and sign anew",
        )
    found = read(folder)
    return f"The sheet still fits: {amount(len(found['files']), 'file')}, the bundle and the last stage's answers."


def read(folder: Path) -> dict[str, Any]:
    """Read the sheet of a run."""
    path = folder / SHEET
    if not path.is_file():
        raise UserError(
            "There is no sheet to sign here.",
            where=path,
            expected="the folder of a run whose last stage has ended",
            fix="name the folder of a run, or let it come to its end: lab2live run",
        )
    content = files.read_json(path)
    sound = isinstance(content, dict) and content.get("version") == VERSION
    if not sound or not all(isinstance(content.get(key), kind) for key, kind in _KINDS.items()):
        raise UserError(
            "This is not a sheet that can be read here.",
            where=path,
            expected=f"version {VERSION}, with {', '.join(_KINDS)}",
            fix="run the last stage again: lab2live run --stage handoff",
        )
    return content


_KINDS = {"files": dict, "gates": list, "gates_sha256": str, "signers": list}


def _changed_in_bundle(root: Path) -> list[str]:
    """Name files of the bundle that are not as its manifest says: the sheet holds the manifest's hash alone."""
    bundle = root / "artefacts" / "bundle"
    try:
        listed = files.read_json(bundle / "manifest.json")["files"]
        return [f"artefacts/bundle/{name}" for name, digest in listed.items() if _hash(bundle / name) != digest]
    except (UserError, KeyError, TypeError, AttributeError):
        return ["artefacts/bundle/manifest.json"]


def _hash(path: Path) -> str:
    """Give the SHA-256 of a file; empty if it is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
