"""How close simulated data come to the sample they were learnt from: columns, pairs, whole cases, and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, Source
from lab2live.data.encoding import label
from lab2live.data.models import quiet_threads
from lab2live.reporting import display
from lab2live.reporting.formatting import amount
from lab2live.synthesis import resample, silos, synthetic

# Rows compared at most: enough for an interval of two hundredths, in seconds.
ROWS = 4000
# A third of the cases is kept from the simulation, so that copying them could not look like closeness.
HELD_BACK = 1 / 3
LEVELS = 8
FOLDS = 5
FEWEST = 60

Frames = Mapping[str, pd.DataFrame]


def compare(charter: Charter, samples: Frames, frames: Frames, seed: int) -> dict[str, Any]:
    """Compare simulated sources with the samples.

    Parameters
    ----------
    charter
        Says how the sources join, and what is predicted.
    samples
        Real rows per source.
    frames
        The simulated sources.
    seed
        Of the draws.

    Returns
    -------
    dict
        For JSON and `page`: per source columns and pairs of the files as they are; and from a second simulation that
        saw two thirds of the cases, compared with the third: how well a classifier tells real cases from simulated
        ones, and how well a model trained on simulated cases predicts real ones.
    """
    found: dict[str, Any] = {"simulated": True, "anonymous": False, "sources": {}}
    for name, real in samples.items():
        made = frames[name]
        named = synthetic.identifiers(charter, _source(charter, name))
        numbers = _numbers(real, [real, made], named)
        found["sources"][name] = {
            "rows": {"real": len(real), "simulated": len(made)},
            "columns": [_column(str(column), real[column], made[column], named) for column in real],
            "pairs": _pairs(*numbers),
        }
    base = charter.base.name
    if base not in samples or len(samples[base]) < FEWEST:
        return found | {"cases": None, "model": None}
    random = synthetic.stream(seed, "closeness")
    held = random.random(len(samples[base])) < HELD_BACK
    learnt, kept = (_part_of(charter, samples, samples[base][mask]) for mask in (~held, held))
    again, _ = silos.simulate(
        charter.model_copy(update={"simulate": charter.simulate}), int((~held).sum()), seed, learnt
    )
    cases = [_cases(charter, part, samples) for part in (learnt, kept, {name: again[name] for name in samples})]
    named = [*synthetic.identifiers(charter, charter.base)]
    learnt_x, kept_x, made_x = _numbers(cases[0], cases, named)
    shuffled = learnt_x.apply(lambda column: random.permutation(column.to_numpy()))
    with quiet_threads(len(learnt_x)):
        alone = _told_apart(kept_x, shuffled, random)["auc"]
        found["cases"] = _told_apart(kept_x, made_x, random) | {"independent": alone}
        found["model"] = _trained(charter, cases, (learnt_x, kept_x, made_x))
    return found


def _source(charter: Charter, name: str) -> Source:
    return next(source for source in charter.sources if source.name == name)


def _part_of(charter: Charter, samples: Frames, base: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Give some of the cases, and the rows of the other sources that belong to them."""
    on = charter.join_keys
    others = {name: frame for name, frame in samples.items() if name != charter.base.name}
    return {charter.base.name: base} | {name: frame.merge(base[on].drop_duplicates()) for name, frame in others.items()}


def _cases(charter: Charter, part: Frames, samples: Frames) -> pd.DataFrame:
    """Put what the other sources say about a case beside it: how many rows, and the mean of their numbers."""
    base, on = part[charter.base.name], charter.join_keys
    for name, sample in samples.items():
        if name == charter.base.name:
            continue
        numbers = _numbers(sample, [part[name]], synthetic.identifiers(charter, _source(charter, name)))[0]
        groups = part[name][on].join(numbers.add_prefix(f"{name}: ")).groupby(on)
        summary = groups.mean().join(groups.size().rename(f"{name}: rows")).reset_index()
        base = base.merge(summary, on=on, how="left")
        base[f"{name}: rows"] = base[f"{name}: rows"].fillna(0)
    return base


def _numbers(real: pd.DataFrame, frames: Sequence[pd.DataFrame], named: Sequence[str]) -> list[pd.DataFrame]:
    """Bring tables into numbers that say the same in each: measures, and the commonest levels of categories."""
    made: list[dict[str, np.ndarray]] = [{} for _ in frames]
    for name in real:
        if name in named or resample.names_something(real[name]):
            continue
        if np.isfinite(resample.measure(real[name])).any():
            for table, frame in zip(made, frames, strict=True):
                table[str(name)] = resample.measure(frame[name])
            continue
        for level in real[name].dropna().map(label).value_counts().index[:LEVELS]:
            for table, frame in zip(made, frames, strict=True):
                table[f"{name} = {level}"] = (frame[name].map(label, na_action="ignore") == level).to_numpy(dtype=float)
    return [pd.DataFrame(table, index=frame.index) for table, frame in zip(made, frames, strict=True)]


def _column(name: str, real: pd.Series, made: pd.Series, named: Sequence[str]) -> dict[str, Any]:
    """Measure how far two columns are apart: the largest gap between their distributions, and between their gaps."""
    entry = {"column": str(name), "missing_real": real.isna().mean(), "missing_simulated": made.isna().mean()}
    if name in named or resample.names_something(real):
        return entry | {"measure": "made up anew", "distance": None}
    first, second = (resample.measure(column) for column in (real, made))
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    if len(first) and len(second):
        from scipy.stats import ks_2samp

        return entry | {"measure": "KS", "distance": float(ks_2samp(first, second).statistic)}
    shares = [column.dropna().map(label).value_counts(normalize=True) for column in (real, made)]
    return entry | {
        "measure": "total variation",
        "distance": float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2),
    }


def _pairs(real: pd.DataFrame, made: pd.DataFrame) -> dict[str, Any]:
    """Compare the rank correlations of all pairs of columns; levels of one column are no pair."""
    first, second = (frame.corr("spearman").to_numpy() for frame in (real, made))
    names = [str(name) for name in real]
    both = [
        (abs(first[a, b] - second[a, b]), names[a], names[b])
        for a, b in combinations(range(len(names)), 2)
        if names[a].split(" = ")[0] != names[b].split(" = ")[0] and np.isfinite(first[a, b] - second[a, b])
    ]
    if not both:
        return {"number": 0, "mean": None, "largest": None, "where": None}
    largest, one, other = max(both)
    return {"number": len(both), "mean": np.mean([pair[0] for pair in both]), "largest": largest, "where": [one, other]}


def _told_apart(real: pd.DataFrame, made: pd.DataFrame, random: np.random.Generator) -> dict[str, float]:
    """Let a classifier tell real cases from simulated ones, and say how sure that is (Hanley and McNeil 1982)."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    size = min(len(real), len(made), ROWS)
    x = pd.concat([frame.sample(size, random_state=int(random.integers(2**31))) for frame in (real, made)])
    y = np.repeat([0, 1], size)
    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    auc = float(roc_auc_score(y, cross_val_predict(model, x.to_numpy(), y, cv=folds, method="predict_proba")[:, 1]))
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    error = 1.96 * np.sqrt((auc * (1 - auc) + (size - 1) * (q1 + q2 - 2 * auc**2)) / size**2)
    return {"auc": auc, "low": max(0.0, auc - error), "high": min(1.0, auc + error)}


def _trained(charter: Charter, cases: Sequence[pd.DataFrame], inputs: Sequence[pd.DataFrame]) -> dict[str, Any] | None:
    """Train the same model on real and on simulated cases, and score both on real cases that neither has seen."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.metrics import r2_score, roc_auc_score

    target, regression = charter.prediction.target, charter.prediction.problem_type == "regression"
    if any(target not in part for part in cases):
        return None
    keep = [name for name in map(str, inputs[0]) if name != target and not name.startswith(f"{target} = ")]
    y = [part[target].map(label, na_action="ignore") for part in cases]
    if regression:
        y = [pd.Series(resample.measure(part[target]), index=part.index) for part in cases]
    filled = [column.notna().to_numpy() for column in y]
    classes = set(y[0].dropna()) & set(y[2].dropna())
    if not regression and (len(classes) < 2 or not set(y[1].dropna()) <= classes):
        return None
    scores: dict[str, float | None] = {}
    for who, number in (("real", 0), ("simulated", 2)):
        kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        model = kind(max_iter=60, max_leaf_nodes=8, random_state=0)
        model.fit(inputs[number].loc[filled[number], keep].to_numpy(), y[number][filled[number]])
        x, outcome = inputs[1].loc[filled[1], keep].to_numpy(), y[1][filled[1]]
        if regression:
            scores[who] = float(r2_score(outcome, model.predict(x)))
        else:
            chance = model.predict_proba(x)
            each = [
                roc_auc_score(outcome == level, chance[:, place])
                for place, level in enumerate(model.classes_)
                if 0 < (outcome == level).sum() < len(outcome)
            ]
            scores[who] = float(np.mean(each)) if each else None
    return {
        "score": "r2" if regression else "roc_auc",
        "trained_on": scores,
        "tested_on_real_cases": int(filled[1].sum()),
    }


def page(found: Mapping[str, Any]) -> str:
    """Tell it in plain words, as a page of its own."""
    pieces = [
        display.banner(
            "Simulated data, and not anonymous",
            "The simulated rows are no observations. Their cells are real ones in new combinations; names are new.",
            "warn",
        )
    ]
    cases, model = found["cases"], found["model"]
    if cases is None:
        pieces.append(display.say("The sample of the base source has too few cases to compare whole cases."))
    else:
        pieces.append(
            display.say(
                f"Can a classifier tell simulated cases from real ones that the simulation has not seen? It scores "
                f"{cases['auc']:.2f} (between {cases['low']:.2f} and {cases['high']:.2f}), where 0.50 means that it "
                f"cannot, and 1.00 that it always can. With every column drawn on its own it would score "
                f"{cases['independent']:.2f}."
            )
        )
    if model is not None:
        real, made = (model["trained_on"][who] for who in ("real", "simulated"))
        pieces.append(
            display.say(
                f"What would a model learn? Trained on simulated cases it scores {made:.2f} on real ones, trained on "
                f"real cases {real:.2f} ({'R2' if model['score'] == 'r2' else 'ROC AUC'}, on "
                f"{amount(model['tested_on_real_cases'], 'real case')} that neither has seen). The nearer they are, "
                f"the more of what is found on the simulated data should hold on real ones."
            )
        )
    for name, source in found["sources"].items():
        pairs, rows = source["pairs"], source["rows"]
        pieces.append(
            display.table(
                pd.DataFrame(source["columns"]),
                f"{name}: {amount(rows['simulated'], 'simulated row')} from {amount(rows['real'], 'real one')}. "
                "Distance: the largest gap between the two distributions, 0 for none and 1 for nothing in common",
            )
        )
        if pairs["number"]:
            pieces.append(
                display.say(
                    f"Of {amount(pairs['number'], 'pair')} of columns in {name}, the correlations differ on "
                    f"average by {pairs['mean']:.2f}, "
                    f"most between {pairs['where'][0]} and {pairs['where'][1]}: by {pairs['largest']:.2f}."
                )
            )
    css = "".join((display.HERE / name).read_text(encoding="utf-8") for name in ("page.css", "report.css"))
    safe = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    title = "How close the simulated data come"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{safe}'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f'<style>{css}</style></head>\n<body><main id="main" class="notebook"><h1>{title}</h1>\n'
        + "\n".join(str(piece.html) for piece in pieces)
        + "\n</main></body></html>\n"
    )
