"""The bundle of a project in one go: the steps of the last notebook, for whoever needs only what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lab2live.data import dataset, splits
from lab2live.data.dataset import Dataset
from lab2live.data.sources import tables
from lab2live.data.sources.reading import Readings
from lab2live.data.splits import Split
from lab2live.explainability import explainer
from lab2live.handoff import bundle, cards, contract, export, form
from lab2live.pipeline import hooks
from lab2live.pipeline.context import RunContext
from lab2live.poc.comparison import chosen
from lab2live.poc.comparison.chosen import Chosen


@dataclass(frozen=True)
class Parts:
    """What a bundle is made from.

    Attributes
    ----------
    table, readings
        The joined table, and how the sources were read.
    labelled
        Its cases with a known outcome, without it: the rows of `data`.
    data, split, picked
        What was learnt from, what was held back, and the chosen model.
    """

    table: pd.DataFrame
    readings: Readings
    labelled: pd.DataFrame
    data: Dataset
    split: Split
    picked: Chosen


def parts(run: RunContext) -> Parts:
    """Read the sources, and take the chosen model from the run, or fit it again."""
    readings = tables.read_all(run.charter)
    table = tables.joined_table(run.charter, readings, run.sample, run.seed)
    data = hooks.dataset(run.charter, table)
    split = splits.split(run.charter, data, run.seed)
    labelled, picked = dataset.labelled(run.charter, table), chosen.fitted(run, data, split)
    return Parts(table, tables.kept(run.charter, readings), labelled, data, split, picked)


def core(run: RunContext, made: Parts, folder: Path, rows: int = 10_000) -> None:
    """Write the bundle without what is measured on it afterwards.

    Parameters
    ----------
    run
        Whose charter, seed and results are used.
    made
        See `parts`.
    folder
        Where the bundle goes.
    rows
        On which the exported model is compared.
    """
    data, split, picked = made.data, made.split, made.picked
    kind, content, parity = export.export(picked.model, data, picked.policy.threshold, rows=rows, seed=run.seed)
    agreed = contract.describe(run.charter, data, split, picked.policy)
    asked_of = explainer.learn(run.charter, made.table, data, split, picked, run.seed)
    described = form.describe(run.charter, made.labelled, split.train, picked.out_of_fold, asked_of)
    said = export.evidence(kind, parity).message
    card = cards.model_card(run.charter, data, split, picked.name, run.upstream("poc"), agreed, said)
    explaining = bundle.explaining(asked_of, described, run.charter.is_personal, made.readings)
    code, named = bundle.code_of(run.charter), run.charter.deployment.trusted_types
    bundle.write(folder, kind, content, agreed, code, card, explaining, trusted=named)
