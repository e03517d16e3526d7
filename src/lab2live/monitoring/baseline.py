"""What the bundle carries to hold new cases against: counts, scores and levels of the held-back cases, and no case."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset, Problem
from lab2live.data.splits import Split
from lab2live.errors import UserError
from lab2live.files import plain
from lab2live.handoff.alerts import RATES
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.checking import arrays
from lab2live.handoff.deciding import Deciding
from lab2live.handoff.fallback import TRIGGERS
from lab2live.monitoring import clean, performing, shape, window
from lab2live.monitoring.clean import Levels, Reference
from lab2live.monitoring.performing import Judge, Measured
from lab2live.monitoring.shape import Shape
from lab2live.monitoring.window import Window
from lab2live.poc.worth.value import Policy

FILE = "monitoring/baseline.json"
VERSION = 1


@dataclass(frozen=True)
class Baseline:
    """What new cases are held against.

    Attributes
    ----------
    judge
        Metric, money and policy; its charter is what the bundle keeps of the project's own.
    classes
        Of the outcome.
    cases
        How many were held back.
    inputs, said
        The columns, and what the model says, see `Window.said`.
    triggers
        Trigger of the fallback -> cases.
    score, money, estimate
        On the held-back cases: from their outcomes, and from the answers alone; `None` where there is no such number.
    unscored
        Why there is no score; empty where there is one.
    levels
        See `clean.Levels`.
    seen
        Days since 2000-01-01 of the earliest and the latest held-back case; `None` without a time column.
    mark
        What all that is computed with it has to say of itself, see `stage.mark_of`.
    demo
        Whether it is about the simulated demo.
    """

    judge: Judge
    classes: tuple[str, ...]
    cases: int
    inputs: tuple[Shape, ...]
    said: tuple[Shape, ...]
    triggers: Mapping[str, int]
    score: Measured | None
    money: Measured | None
    estimate: Measured | None
    unscored: str
    levels: Levels
    seen: tuple[float, float] | None
    mark: str
    demo: bool

    @property
    def charter(self) -> Charter:
        return self.judge.charter

    @property
    def problem(self) -> Problem:
        return self.judge.problem

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it."""
        judge = self.judge
        policy = {**asdict(judge.policy), "line": str(judge.policy.line)}  # JSON knows no infinity
        kept: dict[str, Any] = plain(
            {
                "version": VERSION,
                "rates": RATES,
                "charter": judge.charter.model_dump(mode="json", exclude_none=True),
                "mark": self.mark,
                "demo": self.demo,
                "policy": policy,
                "classes": self.classes,
                "cases": self.cases,
                "seen": self.seen,
                "inputs": [one.to_dict() for one in self.inputs],
                "said": [one.to_dict() for one in self.said],
                "triggers": self.triggers,
                "score": self.score and self.score.to_dict(),
                "money": self.money and self.money.to_dict(),
                "estimate": self.estimate and self.estimate.to_dict(),
                "unscored": self.unscored,
                "mended": judge.mended,
                "losses": judge.losses,
                "levels": asdict(self.levels),
            }
        )
        return kept

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Baseline:
        """Read what `to_dict` gave."""
        policy = {**kept["policy"], "line": float(kept["policy"]["line"])}
        policy["costs"] = policy["costs"] and tuple(map(tuple, policy["costs"]))
        said = tuple(map(Shape.from_dict, kept["said"]))
        judge = Judge(
            Charter.model_validate(kept["charter"]),
            policy["problem"],
            Policy(**policy),
            (kept["mended"][0], kept["mended"][1]),
            said[0],
            tuple(map(tuple, kept["losses"])),
        )
        measured = {name: kept[name] and Measured(**kept[name]) for name in ("score", "money", "estimate")}
        return cls(
            judge,
            tuple(kept["classes"]),
            kept["cases"],
            tuple(map(Shape.from_dict, kept["inputs"])),
            said,
            kept["triggers"],
            **measured,
            unscored=kept["unscored"],
            levels=Levels(**{name: tuple(one) for name, one in kept["levels"].items()}),
            seen=None if kept["seen"] is None else (kept["seen"][0], kept["seen"][1]),
            mark=kept["mark"],
            demo=kept["demo"],
        )


def learn(
    charter: Charter, data: Dataset, split: Split, policy: Policy, core: Bundle, held_back: pd.DataFrame, seed: int
) -> dict[str, Any]:
    """Learn the baseline from the cases that were held back, as the bundle itself reads and answers them.

    Parameters
    ----------
    charter, data, split, policy
        The project, and how its answers become decisions.
    core
        The bundle, with what explains its answers.
    held_back
        The test part of the joined table, `cases.labelled(...).iloc[split.test]`.
    seed
        Of the windows that are drawn.

    Returns
    -------
    dict
        As JSON can hold it, for `monitoring/baseline.json`.
    """
    seen = window_of(charter, data, split, core, held_back)
    return of(charter, data, policy, seen, splits.groups(charter, data, split.test), seed).to_dict()


def window_of(charter: Charter, data: Dataset, split: Split, core: Bundle, held_back: pd.DataFrame) -> Window:
    """Read the held-back cases as a window whose outcomes are known."""
    known = data.outcome[split.test].astype(float)
    return window.of(Deciding.of(core), charter, arrays(held_back), len(held_back), known)


def of(
    charter: Charter,
    data: Dataset,
    policy: Policy,
    seen: Window,
    groups: np.ndarray | None,
    seed: int,
    sizes: tuple[int, ...] = clean.SIZES,
) -> Baseline:
    """Learn the baseline from a window with outcomes; see `learn`."""
    from lab2live.pipeline.context import mark_of

    inputs = tuple(shape.learn(name, values) for name, values in seen.values.items())
    said = tuple(shape.learn(name, values) for name, values in seen.said().items())
    there = seen.answered
    assert seen.known is not None
    known, answers = seen.known[there], seen.answers[there]
    if data.classes:
        known = known.astype(int)
    judge = performing.learn(_kept(charter), policy, known, answers, said[0])
    inside = None if groups is None else groups[there]
    unscored = performing.too_few(judge.problem, known)
    score, money = (None, None) if unscored else performing.realised(judge, known, answers, seed, inside)
    estimate = None if unscored else performing.estimated(judge, answers, seed, inside)
    judged = sum(one is not None for one in (score, money))
    reference = referred(seen, inputs, said, groups)
    return Baseline(
        judge,
        data.classes,
        seen.rows,
        inputs,
        said,
        {trigger: seen.count(trigger) for trigger in TRIGGERS},
        score,
        money,
        estimate,
        unscored,
        clean.levels(reference, seed, estimate is not None, judged, sizes),
        None if seen.times is None else (float(np.nanmin(seen.times)), float(np.nanmax(seen.times))),
        mark_of(charter),
        charter.is_demo,
    )


def referred(
    seen: Window, inputs: tuple[Shape, ...], said: tuple[Shape, ...], groups: np.ndarray | None = None
) -> Reference:
    """Write a window as places among the counts of a baseline."""
    answers = seen.said()
    codes = [one.codes(seen.values[one.name]) for one in inputs] + [one.codes(answers[one.name]) for one in said]
    return Reference(inputs, said, np.stack(codes), seen.reasons, groups)


def _kept(charter: Charter) -> Charter:
    """Keep of the charter what judging takes: what is predicted, what it is worth, and how fast an answer has to be."""
    kept = {
        "project": {"name": charter.project.name, "description": charter.project.description},
        "prediction": charter.prediction.model_dump(exclude_none=True),
        "business": {"value": charter.business.value.model_dump(exclude_none=True)},
        "deployment": charter.deployment.model_dump(exclude_none=True),
        "sources": [{"name": "batch", "uri": "batch"}],
    }
    return Charter.model_validate(kept)


def read(bundle: Bundle) -> Baseline:
    """Give the baseline of a bundle.

    Raises
    ------
    UserError
        If it was written without one, or by another version.
    """
    content = bundle.contents.get(FILE)
    kept = None if content is None else json.loads(content)
    if not isinstance(kept, dict) or kept.get("version") != VERSION:
        raise UserError(
            "This bundle has no baseline that new cases can be held against.",
            where=bundle.folder / FILE,
            found="no such file" if kept is None else f"version {kept.get('version')}",
            expected=f"version {VERSION}",
            fix="write the bundle again with this lab2live: lab2live run --stage handoff",
        )
    return Baseline.from_dict(kept)


def as_file(kept: Mapping[str, Any]) -> bytes:
    """Write a baseline as the file of a bundle."""
    return (json.dumps(plain(dict(kept)), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def share(count: int, of: int) -> float:
    """Give a share of cases; NaN of none."""
    return count / of if of else math.nan
