"""Simulated sources that belong together: keys that join, and an outcome that depends on what the charter says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, Source
from lab2live.data.sources.tables import Reading
from lab2live.errors import UserError
from lab2live.synthesis import outcome, resample, synthetic

ROWS = 3000

Frames = dict[str, pd.DataFrame]


def simulate(
    charter: Charter,
    rows: int,
    seed: int,
    samples: Mapping[str, pd.DataFrame] | None = None,
    real: Mapping[str, Reading] | None = None,
) -> tuple[Frames, dict[str, Any]]:
    """Simulate the sources of a charter in one go, so that they join.

    Parameters
    ----------
    charter
        Describes columns, keys, aggregates and effects.
    rows, seed
        Of the base source, when nothing else says how many; and of every draw.
    samples
        Source -> real rows to learn from; the others are drawn from the charter alone.
    real
        Sources that are not simulated: their keys are taken, and effects may name their columns.

    Returns
    -------
    frames
        The simulated sources, in the charter's order.
    truth
        What was declared, and the best score that anybody can reach with these columns.

    Raises
    ------
    UserError
        If a type cannot be drawn, an effect cannot be meant, or an aggregate is no SQL.
    """
    samples, real = samples or {}, real or {}
    given = {name: _given(charter, reading) for name, reading in real.items()}
    frames: Frames = {}
    for source in sorted(charter.sources, key=lambda source: source is not charter.base):
        if source.name not in given:
            everything = {**given, **frames}
            make = _base if source is charter.base else _other
            frames[source.name] = make(charter, source, rows, seed, samples, everything)
    known = synthetic.target_source(charter)
    truth: dict[str, Any] = {"target": charter.prediction.target, "effects": {}}
    if known.name in given:
        note = f"The target is the real one of {known.name}: simulated columns tell nothing about it."
    elif known.name in samples:
        note = "The target comes from the sample, with whatever depends on it there."
    elif charter.prediction.target in known.aggregate:
        note = "The target is an aggregate of columns that depend on nothing: no column tells anything about it."
    else:
        truth |= outcome.draw(charter, known, frames, real, seed)
        note = "The target depends on the effects that the charter declares, and on chance."
        if not truth["effects"]:
            note = (
                "The charter declares no `simulate.effects`: the target is chance, no column tells anything about it."
            )
    return {source.name: frames[source.name] for source in charter.sources if source.name in frames}, truth | {
        "note": note
    }


def _given(charter: Charter, reading: Reading) -> pd.DataFrame:
    """Fetch what others depend on: a real base as it is, and of other real silos the keys."""
    table, on = reading.table, charter.join_keys
    assert table is not None
    if reading.source is charter.base:
        return table.to_pandas()
    return table.select(*on).distinct().order_by(on).to_pandas() if {*on} <= {*table.columns} else pd.DataFrame()


def _base(
    charter: Charter, source: Source, rows: int, seed: int, samples: Mapping[str, pd.DataFrame], given: Frames
) -> pd.DataFrame:
    random = synthetic.stream(seed, source.name, "keys")
    on, named, sample = charter.join_keys, synthetic.identifiers(charter, source), samples.get(source.name)
    own = source.key or charter.prediction.id_column
    if sample is not None:
        keys = resample.new_keys(sample, on, rows, random) if on else pd.DataFrame(index=range(rows))
    else:
        parts = synthetic.parts(charter, source)
        many = own is not None and own not in on
        groups = np.repeat(np.arange(rows), random.poisson(2, rows) + 1)[:rows] if many else np.arange(rows)
        keys = pd.DataFrame({name: _keys(parts[name], name, rows, random).take(groups) for name in on})
        keys = keys.reset_index(drop=True) if on else pd.DataFrame(index=range(rows))
    # somebody else's keys: the rows of a silo that can be read must find their case
    anchor = next((frame[on].dropna().drop_duplicates() for frame in given.values() if on and {*on} <= {*frame}), None)
    if anchor is not None and len(anchor):
        repeated = bool(keys.duplicated().any())
        chosen = random.integers(0, len(anchor), rows) if repeated else random.permutation(len(anchor))
        keys = anchor.take(chosen).reset_index(drop=True)
    if sample is None:
        return _described(parts, keys, len(keys), seed, source, named)
    return resample.like(sample, random, len(keys), named).assign(**{name: keys[name] for name in on})


def _other(
    charter: Charter, source: Source, rows: int, seed: int, samples: Mapping[str, pd.DataFrame], given: Frames
) -> pd.DataFrame:
    random = synthetic.stream(seed, source.name, "keys")
    on, base = charter.join_keys, given[charter.base.name]
    missing = [name for name in on if name not in base]
    if missing:
        raise UserError(
            "A join key is not in the base source.",
            where=f"{charter.file}, field `join.on`",
            found=missing[0],
            expected=f"one of {', '.join(map(str, base.columns))}",
            fix="correct `join.on`",
        )
    parents = base.dropna(subset=on).drop_duplicates(on)
    sample, model = samples.get(source.name), samples.get(charter.base.name, base)
    if sample is not None:
        sample, model = resample.with_equal_keys([sample, model], on)
        named = [*synthetic.identifiers(charter, source), *synthetic.identifiers(charter, charter.base)]
        if not sample.merge(model[on]).empty:
            return resample.children(sample, model, parents, on, random, named)
        drawn = resample.like(sample, random, rows, named)
        return drawn.assign(**parents[on].take(random.integers(0, len(parents), rows)).reset_index(drop=True))
    parts = synthetic.parts(charter, source)
    known = parents[random.random(len(parents)) >= (parts[on[0]].column.missing or 0)]
    shape, scale = synthetic.COUNT_SHAPE, synthetic.COUNT_SCALE
    counts = (
        random.poisson(random.gamma(shape, scale, len(known))) if source.aggregate else np.ones(len(known), dtype=int)
    )
    repeated = known.loc[known.index.repeat(counts)].reset_index(drop=True)
    # what both silos say about a case is the same, as long as each says it once
    same = [name for name in parts if name in on or (name in base and not source.aggregate)]
    return _described(parts, repeated[same], len(repeated), seed, source, synthetic.identifiers(charter, source))


def _keys(part: synthetic.Part, name: str, rows: int, random: np.random.Generator) -> pd.Series:
    whole = part.kind == "integer"
    return pd.Series(synthetic.distinct(rows, random) if whole else synthetic.new_ids(name, rows, random), name=name)


def _described(
    parts: Mapping[str, synthetic.Part], known: pd.DataFrame, rows: int, seed: int, source: Source, named: Sequence[str]
) -> pd.DataFrame:
    """Draw the columns that are not known yet, and leave out the share of values that is said to be missing."""
    drawn: dict[str, Any] = {}
    for name, part in parts.items():
        random = synthetic.stream(seed, source.name, name)
        if name in known:
            drawn[name] = known[name]
            continue
        column = (_keys if name in named else synthetic.draw)(part, name, rows, random)
        drawn[name] = synthetic.with_gaps(column, part.column.missing, random)
    return pd.DataFrame(drawn, index=range(rows))
