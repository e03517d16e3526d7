"""The simulated target: drawn from the effects that the charter declares, with the best score anybody can reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, Source, nearest
from lab2live.data.encoding import label
from lab2live.data.feature_types import as_days, as_numbers, storable
from lab2live.data.sources.tables import Reading, joined_table
from lab2live.errors import UserError
from lab2live.synthesis import resample, synthetic
from lab2live.synthesis.demo_silos import expected_auc

BASE_RATE = 0.25
# People who label the same cases disagree about this share of them.
DISAGREEMENT = 0.08
ROW = "lab2live row"
# The normal distribution of what no column tells, as points of equal weight.
POINTS = 41

Frames = dict[str, pd.DataFrame]


def draw(charter: Charter, known: Source, frames: Frames, real: Mapping[str, Reading], seed: int) -> dict[str, Any]:
    """Draw the target given everything else, put it into its source, and say how well it can be known."""
    plan, prediction = charter.simulate, charter.prediction
    frame = frames[known.name]
    signal = np.zeros(len(frame))
    if plan.effects:
        table = _cases(charter, frames, real)
        total = sum(_effect(charter, table, frames, name, size) for name, size in plan.effects.items())
        by = (
            [ROW]
            if known is charter.base and ROW in table
            else charter.join_keys or synthetic.identifiers(charter, known)
        )
        table, place = resample.with_equal_keys([table, frame.assign(**{ROW: range(len(frame))})], by)
        each = table[by].assign(signal=np.asarray(total)).drop_duplicates(by)
        signal = place[by].merge(each, on=by, how="left")["signal"].fillna(0).to_numpy()
    random = synthetic.stream(seed, known.name, prediction.target, "outcome")
    part = synthetic.parts(charter, known)[prediction.target]
    draw = _classes if prediction.problem_type == "classification" else _number
    outcome, truth = draw(charter, part, signal, random)
    frame[prediction.target] = synthetic.with_gaps(outcome, part.column.missing, random)
    for annotator in [name for name in prediction.annotators if name in frame]:
        other = outcome.sample(frac=1, random_state=int(random.integers(2**31))).set_axis(outcome.index)
        frame[annotator] = outcome.where(random.random(len(outcome)) >= DISAGREEMENT, other)
    return {"effects": _written(plan.effects), "noise": plan.noise, **truth}


def _written(effects: Mapping[str, Any]) -> dict[str, Any]:
    """Write levels as they stand in the files."""
    return {
        name: {label(level): size for level, size in effect.items()} if isinstance(effect, dict) else effect
        for name, effect in effects.items()
    }


def _cases(charter: Charter, frames: Frames, real: Mapping[str, Reading]) -> pd.DataFrame:
    """Join the sources exactly as the journey will: effects are those of the columns that it will see."""
    import ibis
    import pyarrow as pa

    connection, readings = ibis.duckdb.connect(), []
    for number, source in enumerate(charter.sources):
        if source.name in real:
            readings.append(real[source.name])
            continue
        frame = storable(frames[source.name])
        if source is charter.base:
            frame = frame.assign(**{ROW: range(len(frame))})
        connection.con.register(f"source{number}", pa.Table.from_pandas(frame, preserve_index=False))
        table = connection.table(f"source{number}")
        readings.append(Reading(source, table, "duckdb", len(frame), dict.fromkeys(map(str, frame), 0)))
    left = charter.join and charter.join.model_copy(update={"how": "left"})
    return joined_table(charter.model_copy(update={"join": left}), readings)


def _effect(charter: Charter, table: pd.DataFrame, frames: Frames, name: str, size: Any) -> np.ndarray:
    """Give what one column adds for every case: nothing where it is missing."""
    where = f"{charter.file}, field `simulate.effects.{name}`"
    column = table[name] if name in table else _mean_per_key(charter, table, frames, name)
    if column is None:
        known = [*table.drop(columns=ROW, errors="ignore"), *(column for frame in frames.values() for column in frame)]
        raise UserError(
            "An effect names a column that no source has.",
            where=where,
            found=name,
            expected="a column of a source, an aggregate, or source.column",
            fix="correct the name" + nearest(name, map(str, known)),
        )
    if isinstance(size, dict):
        texts = column.map(label, na_action="ignore")
        sizes = {label(level): effect for level, effect in size.items()}
        unknown = [level for level in sizes if level not in set(texts)]
        if unknown:
            raise UserError(
                "An effect names a value that does not occur.",
                where=where,
                found=unknown[0],
                expected=", ".join(sorted(set(texts.dropna()))[:20]),
                fix="correct it, or declare it in the column's `values`",
            )
        return texts.map(sizes).fillna(0).to_numpy(dtype=float)
    date = pd.api.types.is_datetime64_any_dtype(column)
    numbers = as_days(column) if date else as_numbers(column)
    if not np.isfinite(numbers).any() and column.notna().any():
        raise UserError(
            "One number cannot be the effect of a column that holds words.",
            where=where,
            found=size,
            expected="{value: effect}",
            fix=f"{name}: {{{label(column.dropna().iloc[0])}: {size}}}",
        )
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    middle, spread = (float(np.nanmean(numbers)), float(np.nanstd(numbers))) if np.isfinite(numbers).any() else (0, 0)
    return np.nan_to_num((numbers - middle) / spread) * size if spread else np.zeros(len(column))


def _mean_per_key(charter: Charter, table: pd.DataFrame, frames: Frames, name: str) -> pd.Series | None:
    """Find a column in one of the other silos, also as source.column, and average it for every case."""
    source, _, inner = name.rpartition(".")
    for other, frame in frames.items():
        column = inner if source == other else name
        if column in frame and set(charter.join_keys) <= {*frame, *table}:
            means = as_numbers(frame[column])
            if charter.join_keys:
                table, frame = resample.with_equal_keys([table, frame], charter.join_keys)
                grouped = frame[charter.join_keys].assign(mean=means).groupby(charter.join_keys, as_index=False).mean()
                return table[charter.join_keys].merge(grouped, on=charter.join_keys, how="left")["mean"]
            return table.get(column)
    return None


def _classes(
    charter: Charter, part: synthetic.Part, signal: np.ndarray, random: np.random.Generator
) -> tuple[pd.Series, dict[str, Any]]:
    """Draw classes in proportional odds: cut points in the signal such that each class has its share."""
    levels, shares = class_shares(charter, part)
    spread = charter.simulate.noise or 0.0
    hidden = np.zeros(1)
    if spread:
        from scipy.stats import norm

        hidden = spread * norm.ppf((np.arange(POINTS) + 0.5) / POINTS)

    def below(cut: float) -> np.ndarray:
        return np.mean([1 / (1 + np.exp(np.clip(signal + shift - cut, -500, 500))) for shift in hidden], axis=0)

    cuts = [_cut(below, share) for share in np.cumsum(shares)[:-1]]
    upto = np.column_stack([below(cut) for cut in cuts] + [np.ones(len(signal))])
    drawn = (random.random(len(signal))[:, None] > upto[:, :-1]).sum(axis=1)
    each = np.diff(upto, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = [expected_auc(each[:, number]) for number in range(len(levels))]
    truth = {
        "bayes_roc_auc": float(np.mean(scores)),
        "shares": {label(level): float(share) for level, share in zip(levels, each.mean(axis=0), strict=True)},
    }
    return pd.Series(levels.to_numpy()[drawn]), truth


def _cut(below: Any, share: float) -> float:
    low, high = -400.0, 400.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(below(middle)) < share else (low, middle)
    return (low + high) / 2


def class_shares(charter: Charter, part: synthetic.Part) -> tuple[pd.Series, np.ndarray]:
    """Give the classes and their shares; of two, the positive one is last and has the base rate."""
    positive, rate = charter.prediction.positive_class, charter.simulate.base_rate
    column = part.column
    if column.values is None:
        word = label(positive) if positive is not None else "yes"
        other = {"1": 0, "true": False, "yes": "no", "Yes": "No", "no": "yes"}.get(word, f"not {word}")
        column = column.model_copy(update={"values": [other, "yes" if positive is None else positive]})
    levels, shares = synthetic.levels_of(column)
    if len(levels) != 2:
        return levels, shares
    last = [label(level) for level in levels].index(label(positive)) if label(positive) in map(label, levels) else 1
    if rate is None:
        rate = shares[last] if isinstance(column.values, dict) else BASE_RATE
    return levels.take([1 - last, last]), np.array([1 - rate, rate])


def _number(
    charter: Charter, part: synthetic.Part, signal: np.ndarray, random: np.random.Generator
) -> tuple[pd.Series, dict[str, Any]]:
    """Draw numbers around the signal; without a declared noise, as much of it as fills the target's spread."""
    told = float(np.var(signal)) if len(signal) else 0.0
    noise = charter.simulate.noise if charter.simulate.noise is not None else float(np.sqrt(max(1 - told, 0.01)))
    middle, spread = synthetic.centre(part.column)
    values = middle + spread * (signal + noise * random.normal(size=len(signal)))
    drawn = pd.Series(synthetic.tidy(part.column, values, spread, part.kind == "integer"))
    return drawn, {"bayes_r2": told / (told + noise**2) if told + noise**2 else None}
