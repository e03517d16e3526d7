"""What can be said of a simulation before anything is drawn: what cannot be meant, and what has to be invented."""

from __future__ import annotations

from collections.abc import Collection

from lab2live.charter.schema import SIMULATED_SCHEME, Charter, did_you_mean
from lab2live.errors import UserError
from lab2live.synthesis import synthetic
from lab2live.synthesis.faults import KINDS
from lab2live.synthesis.outcome import class_shares


def drawn(charter: Charter) -> list[str]:
    """Name the sources that the journey draws from the charter alone."""
    found = [source.name for source in charter.sources if source.address.startswith(SIMULATED_SCHEME)]
    return [name for name in found if name not in charter.simulate.sample]


def check(charter: Charter, alone: Collection[str] | None = None) -> None:
    """Refuse faults and a target that cannot be meant.

    Parameters
    ----------
    charter
        Its `simulate.faults`, and the target if every source is drawn from the charter.
    alone
        Names of the sources that have no other columns than those the charter names; by default `drawn`.

    Raises
    ------
    UserError
        If a kind of fault is unknown, its column is not declared, or no source declares the target.
    """
    alone = drawn(charter) if alone is None else alone
    target = charter.prediction.target
    everything = len(drawn(charter)) == len(charter.sources) and all(source.columns for source in charter.sources)
    if everything and not any(target in synthetic.mentioned(source) for source in charter.sources):
        known = [name for source in charter.sources for name in synthetic.mentioned(source)]
        raise UserError(
            "No source declares the target.",
            where=f"{charter.file}, field `prediction.target`",
            found=target,
            expected="a column that a source declares: all of them are simulated, so nothing else can hold it",
            fix=f"declare it under `columns` of the source that knows it, or correct it{did_you_mean(target, known)}",
        )
    for number, fault in enumerate(charter.simulate.faults):
        where = f"{charter.file}, field `simulate.faults[{number}]"
        if fault.kind not in KINDS:
            raise UserError(
                "There is no such kind of fault.",
                where=f"{where}.kind`",
                found=fault.kind,
                expected=", ".join(KINDS),
                fix=f"correct it, or leave the fault out{did_you_mean(fault.kind, KINDS)}",
            )
        source = next(source for source in charter.sources if source.name == fault.source)
        names = list(synthetic.parts(charter, source)) if source.name in alone else []
        if names and fault.column is not None and fault.column not in names and KINDS[fault.kind].takes != "new":
            raise UserError(
                f"A fault names a column that the charter does not declare for {source.name}.",
                where=f"{where}.column`",
                found=fault.column,
                expected=", ".join(names),
                fix=f"correct it, or declare the column{did_you_mean(fault.column, names)}",
            )


def invented(charter: Charter, alone: Collection[str]) -> list[str]:
    """Say which columns are made up because the charter names them and says nothing else about them.

    Parameters
    ----------
    charter
        Describes columns.
    alone
        Names of the sources that are drawn from it alone.

    Returns
    -------
    list of str
        A sentence for each source of which anything is made up.
    """
    said = []
    for source in charter.sources:
        if source.name not in alone:
            continue
        parts = synthetic.parts(charter, source)
        made = [f"{name} ({_as_what(charter, name, part)})" for name, part in parts.items() if not part.described]
        none = f"The charter describes no columns of {source.name}. " if not source.columns else ""
        if made:
            said.append(f"{none}Invented in {source.name}, as nothing is said about them: {', '.join(made)}.")
        elif none:
            said.append(f"{none}It has only those that are named elsewhere: {', '.join(parts)}.")
    return said


def _as_what(charter: Charter, name: str, part: synthetic.Part) -> str:
    column, prediction = part.column, charter.prediction
    if part.kind == "category":
        of_target = name in (prediction.target, *prediction.annotators)
        levels, _ = class_shares(charter, part) if of_target else synthetic.levels_of(column)
        return f"one of {', '.join(map(str, levels))}"
    if part.kind in ("number", "integer"):
        limits = "" if column.min is None else f" from {column.min:g}"
        limits += "" if column.max is None else f" to {column.max:g}"
        return (
            ("whole numbers" if part.kind == "integer" else "numbers")
            + limits
            + f" around {synthetic.centre(column)[0]:g}"
        )
    return {
        "date": f"days in the {synthetic.DAYS} up to {synthetic.LAST_DAY}",
        "boolean": "true or false",
        "text": "made-up words",
        "id": "made-up names of groups",
    }[part.kind]
