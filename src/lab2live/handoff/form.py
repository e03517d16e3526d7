"""What a person fills in about one case: the fields, and typical cases to start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import models
from lab2live.data.encoding import MISSING, day, days, label
from lab2live.data.feature_types import as_days, as_numbers, roles
from lab2live.explainability.explainer import Explainer
from lab2live.explainability.flips.moves import Space
from lab2live.files import plain
from lab2live.handoff.checking import A_VALUE, LONGEST_TEXT, arrays, check, is_value, strangers
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import amount

# Cases by which it is told which columns matter most.
WEIGHED = 500
# Share of the cases that a typical one is made of.
TENTH = 0.1
# Digits of a number in them.
DIGITS = 4
# Answers that differ by less are the same, see `models.gaps`.
SAME = 1e-6
# Categories offered in a list.
MOST_CHOICES = 200


def describe(
    charter: Charter, labelled: pd.DataFrame, train: np.ndarray, answers: np.ndarray, explainer: Explainer
) -> dict[str, Any]:
    """Describe the form.

    Parameters
    ----------
    charter
        Names, limits and units.
    labelled
        The joined table, without the outcome: what is missing in some row may be missing.
    train
        The rows of it that the model learnt from.
    answers
        What the model says of these cases, out of fold; NaN where it was not asked.
    explainer
        Says which columns describe a case, and which may change.

    Returns
    -------
    dict
        `title`, `question`, `target`, `notice`, `identifiers`, `fields` and `cases`, as JSON can hold them.
    """
    fields, table = _fields(charter, labelled, train, explainer), labelled.iloc[train]
    notice = "Simulated demo data: no real case, not for any decision." if charter.is_demo else ""
    if charter.stand_ins:
        notice = f"Made on stand-in data: {', '.join(charter.stand_ins)}."
    described: dict[str, Any] = plain(
        {
            "title": charter.project.name,
            "question": charter.project.description,
            "target": charter.prediction.target,
            "notice": notice,
            "identifiers": charter.identifiers,
            "fields": fields,
            "cases": _typical(table, answers, fields, explainer),
        }
    )
    return described


def sentence(form: Mapping[str, Any], personal: bool) -> str:
    """Say what is asked of a case, and whether real cases travel with the bundle."""
    fields, made_up = amount(len(form["fields"]), "field"), amount(len(form["cases"]), "typical case")
    real = "no real case is kept" if personal else "the nearest real case is shown too"
    return f"A case has {fields}; there are {made_up} to start from, made up of usual values; {real}."


def _fields(charter: Charter, labelled: pd.DataFrame, train: np.ndarray, explainer: Explainer) -> list[dict[str, Any]]:
    space, columns, table = explainer.space, explainer.columns, labelled.iloc[train]
    free = [move.column for move in space.moves]
    derived = {one.column: one.expression for one in space.derived}
    seen = [name for name in columns.kinds if name in table]  # also those of which a single level is told apart
    names = list(dict.fromkeys([*free, *space.context, *derived, *seen]))
    parts = roles(table[names])
    limits = {name: column for source in charter.sources for name, column in source.columns.items()}
    sizes = explainer.importance(table.iloc[:: max(1, len(table) // WEIGHED)])
    fields = []
    for name in sorted(names, key=lambda name: -sizes.get(name, 0.0)):  # what matters most first
        column, kind = table[name], parts.kinds.get(name) or columns.kinds.get(name)
        if kind is None:  # nothing to tell cases apart by
            continue
        field: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "unit": explainer.units.get(name, ""),
            "optional": bool(labelled[name].isna().any()),
            "locked": "" if name in free or name in derived else space.fixed.get(name, ""),
        }
        if name in derived:
            field["derived"] = derived[name]
        if kind == "category":
            field["choices"] = [level for level in parts.levels.get(name) or columns.levels[name] if level != MISSING][
                :MOST_CHOICES
            ]
            # a text of which the model has seen longer ones is no mistake
            field["longest"] = max(LONGEST_TEXT, 2 * int(column.dropna().map(label).str.len().max()))
        elif kind == "date":
            told = as_days(column)
            field["low"], field["high"] = day(np.nanmin(told)), day(np.nanmax(told))
        else:
            numbers = as_numbers(column)
            known = numbers[np.isfinite(numbers)]
            field |= {
                "low": float(known.min()),
                "high": float(known.max()),
                "whole": bool((known == known.round()).all()),
            }
            field |= _possible(limits.get(name))
            if pd.api.types.infer_dtype(column, skipna=True) == "boolean":
                field["boolean"] = True
        fields.append(field)
    return fields


def _possible(limits: Any) -> dict[str, float]:
    """Give what the charter says a number cannot be below or above."""
    found = {} if limits is None else {"least": limits.min, "most": limits.max}
    return {name: float(value) for name, value in found.items() if value is not None}


def _typical(
    table: pd.DataFrame, answers: np.ndarray, fields: Sequence[Mapping[str, Any]], explainer: Explainer
) -> list[dict[str, Any]]:
    """Make up typical cases: of every column what is usual among the tenth of cases with such an answer.

    They are nobody's: no real case travels with the model for this.
    """
    told = np.flatnonzero(~np.isnan(answers).reshape(len(answers), -1).any(axis=1))
    if answers.ndim == 2:
        groups = {
            f"A typical case predicted {name}": told[np.argsort(-answers[told, code], kind="stable")]
            for code, name in enumerate(explainer.classes)
        }
        tenth = max(1, round(TENTH * len(told)))
        groups = {title: rows[:tenth] for title, rows in groups.items()}
    else:
        ordered = told[np.argsort(answers[told], kind="stable")]
        tenth, middle = max(1, round(TENTH * len(ordered))), len(ordered) // 2
        groups = {
            "A typical case with a high answer": ordered[-tenth:],
            "A typical case in the middle": ordered[max(0, middle - tenth // 2) :][:tenth],
            "A typical case with a low answer": ordered[:tenth],
        }
    return [{"title": title, "values": {f["name"]: _usual(table[f["name"]].iloc[rows], f) for f in fields}}
            for title, rows in groups.items()]  # fmt: skip


def _usual(column: pd.Series, field: Mapping[str, Any]) -> Any:
    if column.isna().mean() > 0.5:
        return None
    present = column.dropna()
    if field["kind"] == "category":
        labels = present.map(label)
        known = labels[labels.isin(field["choices"])]
        return None if known.empty else known.value_counts().index[0]
    numbers = as_days(present) if field["kind"] == "date" else as_numbers(present)
    place = int(np.argsort(numbers, kind="stable")[(len(numbers) - 1) // 2])
    usual = written(present.iloc[place], field)
    return float(f"{usual:.{DIGITS}g}") if field["kind"] == "number" and not field["whole"] else usual


def written(value: Any, field: Mapping[str, Any]) -> Any:
    """Write a value of the joined table the way the form takes it; nothing for what is not known."""
    if value is None or pd.isna(value):
        return None
    if field["kind"] == "category":
        return label(value)
    if field["kind"] == "date":
        return day(days(value))
    return float(as_numbers(pd.Series([value], dtype=object))[0])


def read(
    form: Mapping[str, Any], explainer: Explainer, values: Mapping[str, Any]
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Read what was filled in about one case.

    Parameters
    ----------
    form
        See `describe`.
    explainer
        Knows how the joined table holds each column.
    values
        Field -> value; what is missing or null is not known. Derived columns are computed and not read.

    Returns
    -------
    case, problems
        Column -> value as the joined table holds it, and per problem its `field` and a `message`, see `checking`.
    """
    names = {field["name"] for field in form["fields"]}
    derived = [field["name"] for field in form["fields"] if "derived" in field]
    found, wrong = check(form["fields"], {name: [value] for name, value in values.items()}, 1)
    said = strangers(values, names) + [(name, A_VALUE) for name in derived if not is_value(values.get(name))]
    said += [(name, message) for _, name, message in wrong]
    problems = [{"field": name, "message": message} for name, message in said]
    case = {
        str(name): value for name, value in as_joined(explainer.space, pd.DataFrame(found, index=[0])).iloc[0].items()
    }
    return case, problems


def _moment(value: Any) -> str | None:
    """Write a moment the way tables of text do: as a day, if it has no time."""
    if pd.isna(value):
        return None
    return value.date().isoformat() if value == value.normalize() else value.isoformat(sep=" ")


def as_joined(space: Space, found: pd.DataFrame) -> pd.DataFrame:
    """Write what was read the way the joined table holds it: its spellings, and its dates as text where they are."""
    spellings = {move.column: {label(value): value for value in move.values} for move in space.moves}
    written = {}
    for name in found:
        column, dtype = found[name], space.dtypes[str(name)]
        if pd.api.types.is_datetime64_any_dtype(column):
            if not dtype.startswith("datetime"):
                column = pd.Series([_moment(value) for value in column], index=found.index, dtype=object)
        elif column.dtype == object:
            known = spellings.get(str(name), {})
            column = pd.Series([known.get(value, value) for value in column], index=found.index, dtype=object)
        written[str(name)] = column
    return pd.DataFrame(written, index=found.index)


def agreement(form: Mapping[str, Any], explainer: Explainer, rows: pd.DataFrame, tested: np.ndarray) -> Evidence:
    """Ask the model about the test set by way of the form, and compare with the answers that were tested.

    They differ where the project's features use something that the form does not ask for.

    Parameters
    ----------
    rows
        Of the joined table: those of the test set.
    tested
        What the tested model says of them, see `models.answer`.

    Returns
    -------
    Evidence
        The number of rows with another answer.
    """
    read, problems = check(form["fields"], arrays(rows), len(rows))
    accepted = np.setdiff1d(np.arange(len(rows)), [row for row, *_ in problems])
    if not len(accepted):
        return Evidence(None, "No row of the test set keeps the contract of the form.")
    given = explainer.table(as_joined(explainer.space, pd.DataFrame(read, index=rows.index))).iloc[accepted]
    answers, wanted = explainer.predict(given), tested[accepted]
    other = ~(models.gaps(wanted, answers, tested, explainer.classes) <= SAME)
    refused = f" {amount(len(rows) - len(accepted), 'case')} would be refused." if len(accepted) < len(rows) else ""
    if not other.any():
        all_rows = f"All {amount(len(accepted), 'row')} of the test set"
        return Evidence(0, f"{all_rows} get the tested answer by way of the form.{refused}")
    seen, known = (explainer.inputs(frame) for frame in (given, rows.iloc[accepted]))
    if models.is_own(explainer.model):
        seen, known = (explainer.model[0].transform(frame) for frame in (seen, known))
    names = [
        str(name)
        for name in known
        if not np.array_equal(known[name].to_numpy(), seen[name].to_numpy(), equal_nan=known[name].dtype != object)
    ]
    why = f"{', '.join(names)} cannot be made from what it asks for" if names else "from the same inputs"
    of = f"{other.sum():,} of {amount(len(accepted), 'row')} of the test set"
    return Evidence(int(other.sum()), f"{of} get another answer by way of the form: {why}.{refused}")
