"""What the stopped projects teach: which of their lessons meet a project that is still going on (G3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab2live.charter.gates import CATALOGUE
from lab2live.portfolio.reading import Project

# How the same gate stands in a project that a lesson may help, the most urgent first.
MEETS = {"fail": "failed", "warn": "warned", "skip": "open"}


@dataclass(frozen=True)
class Lesson:
    """A lesson of one stopped project.

    Attributes
    ----------
    gate
        The question that it is about.
    learnt_in, found
        The stopped project, and what was found there.
    applies
        Live project -> how the same gate stands there: `failed`, `warned` or `open`; empty if it helps nobody now.
    """

    gate: str
    learnt_in: str
    found: str
    applies: dict[str, str]


def lessons(projects: Sequence[Project]) -> list[Lesson]:
    """Match the lessons of the stopped projects with the gates of the live ones.

    Returns
    -------
    list of Lesson
        Those that stopped a project first, then by the number of projects they meet. Free remarks in `lessons.yaml`
        belong to no gate and are left out; see `remarks`.
    """
    found = []
    for stopped in (project for project in projects if project.state == "stopped"):
        for gate, text in stopped.lessons:
            if gate is not None:
                meets = {project.name: _stands(project, gate) for project in projects}
                applies = {name: word for name, word in meets.items() if word}
                found.append((_ended_it(stopped, gate), Lesson(gate, stopped.name, text, applies)))
    return [lesson for _, lesson in sorted(found, key=lambda pair: (not pair[0], -len(pair[1].applies)))]


def remarks(projects: Sequence[Project]) -> dict[str, int]:
    """Count what stopped projects wrote down besides their gates: it has to be read by somebody."""
    counts = {
        project.name: sum(gate is None for gate, _ in project.lessons)
        for project in projects
        if project.state == "stopped"
    }
    return {name: count for name, count in counts.items() if count}


def _ended_it(project: Project, gate: str) -> bool:
    return (project.gates or {}).get(gate) == "fail" and CATALOGUE[gate].must_pass


def _stands(project: Project, gate: str) -> str:
    """Say how a gate stands in a project that still goes on; empty where the lesson is not needed."""
    if project.state == "not started":
        return MEETS["skip"]
    if project.state != "live":
        return ""
    return MEETS.get((project.gates or {}).get(gate, "skip"), "")
