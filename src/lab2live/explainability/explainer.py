"""All answers about one case: what the model says, why, how sure that is, what would flip it, and what is strange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import dataset as cases
from lab2live.data import models
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import Columns
from lab2live.data.feature_types import prepare
from lab2live.data.splits import Split
from lab2live.explainability import sides
from lab2live.explainability.confidence import telling_sure
from lab2live.explainability.confidence.telling_sure import Sure
from lab2live.explainability.failures import unfamiliar
from lab2live.explainability.failures.unfamiliar import Familiar
from lab2live.explainability.flips.asking import predictor
from lab2live.explainability.flips.changes import Changes
from lab2live.explainability.flips.moves import Predict, Space
from lab2live.explainability.flips.search import NOTHING, Flips, search
from lab2live.explainability.flips.space import joined, recompute, space
from lab2live.explainability.why import reasons, telling
from lab2live.explainability.why.contributions import Background
from lab2live.explainability.why.families import Family, families
from lab2live.explainability.why.reasons import Reasoner
from lab2live.explainability.why.telling import Scale
from lab2live.files import plain
from lab2live.pipeline import hooks
from lab2live.poc.comparison.chosen import Chosen

# Stands in for a text that nobody gives.
STAND_IN = "(not asked)"

AddFeatures = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Explained:
    """What there is to say about one case.

    Attributes
    ----------
    row
        The case as the joined table would hold it, derived columns computed.
    answer
        What the model says, see `models.answer`: a number, or one per class.
    output
        What that means: a class, or the number in words.
    reasons
        In the scale of the answer.
    sure
        Sentences on how far it can be trusted.
    single
        Whether one outcome alone is left that cannot be ruled out; in a regression whether anything can be ruled out.
    flips
        What would change the output.
    strange
        What the model has never seen of it; empty if it is familiar.
    """

    row: Mapping[str, Any]
    answer: Any
    output: str
    reasons: telling.Case
    sure: tuple[str, ...]
    single: bool
    flips: Flips
    strange: tuple[str, ...]


@dataclass(frozen=True)
class Explainer:
    """All that is needed to answer questions about a case: it travels with the model.

    Attributes
    ----------
    model
        A fitted pipeline of `models`.
    columns
        What it sees.
    add_features
        The project's own derived columns.
    background, space, sure, familiar
        See there.
    derived
        As in the charter: whose reasons are told together.
    units
        By column, the target's as well.
    target
        What is predicted.
    unasked
        Columns that describe no case, such as a name or free text, and what stands in for them where nobody gives
        them: the project's features may look whether there is something in them.
    """

    model: Any
    columns: Columns
    add_features: AddFeatures
    background: Background
    space: Space
    sure: Sure
    familiar: Familiar
    derived: Mapping[str, str]
    units: Mapping[str, str]
    target: str
    unasked: Mapping[str, Any]

    @cached_property
    def reasoner(self) -> Reasoner:
        return reasons.reasoner(self.model, self.columns, self.background)

    @cached_property
    def families(self) -> tuple[Family, ...]:
        return families(reasons.names(self.model, self.columns), self.derived)

    @cached_property
    def predict(self) -> Predict:
        return predictor(self.add_features, self.columns, self.model)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.space.sides.classes

    @property
    def scale(self) -> Scale:
        return telling.Scale(100, "points") if self.classes else telling.Scale(1, self.units.get(self.target, ""))

    def row(self, case: Mapping[str, Any]) -> pd.DataFrame:
        """Write a case as a row of the joined table: what describes it is missing where it is not given."""
        row, _ = Changes.of(self.space, {**self.unasked, **case}).apply(NOTHING)
        return recompute(row, self.space.derived)

    def table(self, cases: pd.DataFrame) -> pd.DataFrame:
        """Write many cases as rows of the joined table, see `row`."""
        return joined(self.space, self.unasked, cases)

    def inputs(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Give what the model sees of rows of the joined table."""
        return models.taken(self.model, self.add_features(rows), self.columns)

    def most(self, wanted: int) -> int:
        """Say how many rows a page explains: fewer where each one takes long."""
        return min(wanted, self.reasoner.most or wanted)

    def importance(self, rows: pd.DataFrame) -> dict[str, float]:
        """Give the mean size of the reasons of every column of the model over some rows of the joined table."""
        found = self.reasoner.explain(self.inputs(rows.iloc[: self.most(len(rows))]))
        return {str(name): float(size) for name, size in found.points.abs().mean().items()}

    def explain(self, case: Mapping[str, Any]) -> Explained:
        """Answer everything about one case.

        Parameters
        ----------
        case
            Column of the joined table -> value.
        """
        row = self.row(case)
        featured = self.add_features(row)
        inputs = prepare(featured, self.columns)
        answer = self.predict(row)[0]
        own = {str(name): row[name].iloc[0] for name in row}
        taken = models.taken(self.model, featured, self.columns)
        found = self.reasoner.explain(taken).of_families(self.families)
        told = telling.case(found, 0, self.families, featured.iloc[0].to_dict(), self.units, self.scale, self.classes)
        single = bool(self.sure.single(np.asarray(answer)[None])[0])
        return Explained(
            own,
            answer,
            self.space.sides.named(answer),
            told,
            tuple(self.sure.words(answer, self.scale.unit if not self.classes else "")),
            single,
            search(self.space, self.predict, own),
            tuple(unfamiliar.strange(self.familiar, inputs)[0]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give all of it but the model and the features as JSON can hold it."""
        return {
            "columns": {
                "kinds": dict(self.columns.kinds),
                "levels": {k: list(v) for k, v in self.columns.levels.items()},
            },
            "background": plain(self.background),
            "space": self.space.to_dict(),
            "sure": self.sure.to_dict(),
            "familiar": self.familiar.to_dict(),
            "derived": dict(self.derived),
            "units": dict(self.units),
            "target": self.target,
            "unasked": plain(self.unasked),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], model: Any, add_features: AddFeatures) -> Explainer:
        """Read what `to_dict` gave, and put the model and the features behind it."""
        levels = {name: tuple(values) for name, values in kept["columns"]["levels"].items()}
        return cls(
            model,
            Columns(kept["columns"]["kinds"], levels),
            add_features,
            Background(**{**kept["background"], "centre": tuple(kept["background"]["centre"])}),
            Space.from_dict(kept["space"]),
            Sure.from_dict(kept["sure"]),
            Familiar.from_dict(kept["familiar"]),
            kept["derived"],
            kept["units"],
            kept["target"],
            kept["unasked"],
        )


def learn(charter: Charter, table: pd.DataFrame, data: Dataset, split: Split, picked: Chosen, seed: int) -> Explainer:
    """Learn all that is needed to answer questions about a case from the training part.

    Parameters
    ----------
    charter
        What may change, what follows from what, units, money.
    table
        The joined table.
    data, split
        The cases of it with a known outcome, and those that were learnt from.
    picked
        The chosen model with its answers out of fold.
    seed
        Of everything that is drawn.
    """
    add_features = partial(hooks.add_features, charter)
    decides = sides.sides(charter, data, picked.policy)
    predict = predictor(add_features, data.columns, picked.model)
    inputs, labelled = data.inputs.iloc[split.train], cases.labelled(charter, table)
    room = space(charter, labelled, data, split.train, predict, decides, seed)
    return Explainer(
        picked.model,
        data.columns,
        add_features,
        reasons.background(picked.model, models.inputs_of(picked.model, data).iloc[split.train]),
        room,
        telling_sure.sure(decides, data.outcome[split.train], picked.out_of_fold),
        # that time goes on is no news: every case to come lies beyond what was learnt from
        unfamiliar.learn(inputs, data.columns.without(charter.prediction.time_column), seed),
        charter.prediction.derived,
        telling.units(charter),
        charter.prediction.target,
        _unasked(labelled.iloc[split.train], room, data.columns),
    )


def _unasked(known: pd.DataFrame, space: Space, columns: Columns) -> dict[str, Any]:
    """Choose what stands in for columns that describe no case: nothing that belongs to a single one."""
    asked = {move.column for move in space.moves} | {*space.context, *columns.kinds}
    asked |= {one.column for one in space.derived}
    found: dict[str, Any] = {}
    for name in space.dtypes:
        present = known[name].dropna()
        if name in asked or len(present) < len(known) / 2:
            continue
        if present.map(str).nunique() == 1:
            found[name] = present.iloc[0]
        elif pd.api.types.is_numeric_dtype(present):
            found[name] = 0
        elif not pd.api.types.is_datetime64_any_dtype(present):
            found[name] = STAND_IN
    return found
