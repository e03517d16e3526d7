"""The notebooks as a graph: which there are, what each needs, and which parameters it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab2live.charter.gates import STAGES
from lab2live.charter.loading import PACKAGE_FOLDER
from lab2live.charter.schema import Charter, nearest
from lab2live.errors import UserError
from lab2live.pipeline.notebooks import declared_parameters


@dataclass(frozen=True)
class Node:
    """One notebook of the graph."""

    stage: str
    notebook: str
    title: str
    needs: tuple[str, ...] = ()
    smoke: Mapping[str, Any] = field(default_factory=dict)


SMOKE_ROWS = 2500
SMOKE_POC = {"sample": SMOKE_ROWS, "folds": 3, "repeats": 1, "budget": 6, "resamples": 100}

JOURNEY = (
    Node("eda", "01_eda.ipynb", "Data", (), {"sample": SMOKE_ROWS}),
    Node("poc", "02_poc.ipynb", "Proof of concept", ("eda",), SMOKE_POC),
    Node("explainability", "03_explainability.ipynb", "Trust", ("eda", "poc"), {"sample": SMOKE_ROWS}),
    Node("handoff", "04_handoff.ipynb", "Handoff", ("eda", "poc", "explainability"), {"sample": SMOKE_ROWS}),
)


def notebooks_of(charter: Charter) -> Path:
    """Find the notebooks of a project: its own, or, for the embedded demo, those beside this package."""
    for folder in (charter.folder / "notebooks", PACKAGE_FOLDER.parents[1] / "notebooks"):
        if all((folder / node.notebook).is_file() for node in JOURNEY):
            return folder
    raise UserError(
        "The notebooks are not where they should be.",
        where=charter.folder / "notebooks",
        expected=", ".join(node.notebook for node in JOURNEY),
        fix="restore them: git checkout notebooks",
    )


def parameters(home: Path, smoke: bool, overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give every notebook's parameters: its own defaults, then the smoke values, then the overrides.

    Raises
    ------
    UserError
        For a stage or a parameter that is not there, which papermill would only warn about.
    """
    for name in overrides:
        if name not in STAGES:
            raise UserError(
                "There is no such stage.", found=name, expected=", ".join(STAGES), fix="--set stage.name=value"
            )
    return {node.stage: _parameters(node, home, smoke, overrides.get(node.stage, {})) for node in JOURNEY}


def _parameters(node: Node, home: Path, smoke: bool, overrides: Mapping[str, Any]) -> dict[str, Any]:
    defaults = declared_parameters(home / node.notebook)
    for name in overrides:
        if name not in defaults:
            raise UserError(
                f"The notebook of stage `{node.stage}` has no such parameter.",
                where=home / node.notebook,
                found=name,
                fix=f"use one of its own{nearest(name, defaults)}",
            )
        if name in ("project", "run_dir"):
            raise UserError(
                f"`{name}` is set by the run itself.",
                found=f"{node.stage}.{name}",
                fix=f"use --{name.replace('_', '-')}",
            )
    known = {name: value for name, value in node.smoke.items() if smoke and name in defaults}
    return {**defaults, **known, **overrides}
