"""What the ladder shows, in words, as a table and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live import files
from lab2live.charter import metrics
from lab2live.charter.schema import DEMO_SCHEME, Charter
from lab2live.data.intervals import interval
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.comparison.ladder import Climb, Ladder, Rung, required_score
from lab2live.poc.comparison.tuning import Tuning
from lab2live.poc.worth import telling_money
from lab2live.poc.worth.returns import Returns
from lab2live.reporting import plots
from lab2live.reporting.formatting import minus, score_text
from lab2live.synthesis import demo_silos

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scores_table(ladder: Ladder) -> pd.DataFrame:
    """Show the ladder, simplest rung first."""
    return pd.DataFrame(
        [
            {
                "candidate": rung.title + (" (chosen)" if rung.name == ladder.chosen else ""),
                "cross-validated": rung.mean,
                "from": rung.low,
                "to": rung.high,
                "test part": rung.test,
                "test from": rung.test_low,
                "test to": rung.test_high,
            }
            for rung in ladder.rungs
        ]
    )


def costs_table(climb: Climb) -> pd.DataFrame:
    """Show what each rung takes. Times are of this machine, and of this run only."""
    titles = {rung.name: rung.title for rung in climb.ladder.rungs}
    return pd.DataFrame(
        [
            {
                "candidate": titles[cost.name],
                "seconds to fit": round(cost.fit_seconds, 2),
                "milliseconds a case": round(cost.latency_ms, 1),
                "explained by": cost.explained,
            }
            for cost in climb.costs
        ]
    )


def tuning_sentence(tuning: Tuning) -> str:
    """Say what was tried to make boosting better."""
    if not tuning.fits:
        return "Boosting stands on its usual settings: nothing was tuned."
    better = (tuning.usual - tuning.loss) / tuning.usual if tuning.usual else 0.0
    return (
        f"Boosting was tuned with {tuning.fits} fits inside the training part; its loss on held-out cases fell by "
        f"{better:.1%} against the usual settings."
    )


def complexity_sentence(ladder: Ladder, chosen: Returns, best: Returns | None) -> str:
    """Say what more complexity than that of the chosen rung would have brought, in score and in money.

    If the chosen rung has the highest score, money has no say: the next best of the more complex ones is told.
    """
    top, own = ladder.rung(ladder.best), ladder.rung(ladder.chosen)
    models = [rung for rung in ladder.rungs if rung.learns]
    higher = models[models.index(own) + 1 :]
    if not higher:
        simpler = "" if own is models[0] else f" It scores {_more(own, models[models.index(own) - 1], ladder)}."
        return f"{own.title} is the most complex model that was tried.{simpler}"
    if top is own:
        tried = max(higher, key=lambda rung: rung.mean)
        return f"More complexity was tried and is no better: {tried.title} scores {_more(tried, own, ladder)}."
    text = f"{top.title} scores {_more(top, own, ladder)}, too little to be chosen"
    if best is None or chosen.gain_per_month is None or best.gain_per_month is None:
        return f"{text}; what that is worth cannot be said without money and volumes in the charter."
    middle = (best.gain_per_month.middle or 0.0) - (chosen.gain_per_month.middle or 0.0)
    width = (best.gain_per_month.high or 0.0) - (best.gain_per_month.low or 0.0)
    money = minus(f"{telling_money.rounded(middle, width):+,.0f}")
    return f"{text}; in money {money} {chosen.currency} a month."


def _more(one: Rung, other: Rung, ladder: Ladder) -> str:
    """Write by how much one rung scores more than another, on the same cases, with the 95 % interval."""
    found = interval(np.array(one.scores) - np.array(other.scores), ladder.ratio)
    return f"{score_text(*found[:3], sign='+')} against '{other.title}'"


def sentence(ladder: Ladder) -> str:
    """Say what the ladder shows."""
    chosen, label = ladder.rung(ladder.chosen), metrics.METRICS[ladder.metric].label
    best = ladder.rung(ladder.best)
    text = f"{chosen.title}: {label} {score_text(chosen.mean, chosen.low, chosen.high)}."
    if best is chosen:
        text = f"{text} No other candidate scores higher."
    else:
        text = f"{text} {best.title} scores {score_text(best.mean)}, which is no more than one standard error better."
    return f"{text} {ladder.drawn}".strip()


def beats_baseline(ladder: Ladder) -> Evidence:
    """Say by how much the model beats what needs no learning."""
    chosen, baseline = ladder.rung(ladder.chosen).title, ladder.rung(ladder.baseline).title
    sure = "above 99.9%" if ladder.confidence > 0.999 else f"{ladder.confidence:.1%}"
    gain = score_text(ladder.gain, ladder.gain_low, ladder.gain_high, sign="+")
    says = (
        f"{chosen} scores {gain} against '{baseline}'; cross-validated; confidence that this is no "
        f"accident {sure}. {ladder.no_rule}"
    )
    return Evidence(ladder.confidence, says.strip())


def required(charter: Charter, ladder: Ladder) -> Evidence:
    """Say whether the score is reached that the charter asks for."""
    needed, chosen = required_score(charter, ladder.metric), ladder.rung(ladder.chosen)
    if needed is None:
        return Evidence(None, "The charter states no required score (prediction.required_score).")
    shown = score_text(chosen.test, chosen.test_low, chosen.test_high)
    return Evidence(
        ladder.reached,
        f"{minus(f'{needed:g}')} is needed; the held-back part shows {shown}, and "
        f"{ladder.reached:.0%} of its resamples reach it.",
    )


def generalization_gap(ladder: Ladder) -> Evidence:
    """Say how the held-back part compares with the cross-validation."""
    chosen = ladder.rung(ladder.chosen)
    return Evidence(
        ladder.optimism,
        f"Cross-validated {score_text(chosen.mean)}, on the held-back part {score_text(chosen.test)}: "
        f"{abs(ladder.optimism):.1f} standard errors {'lower' if ladder.optimism > 0 else 'higher'}.",
    )


def chart(charter: Charter, ladder: Ladder) -> Figure:
    """Draw the ladder with its intervals, and the limit of what is reachable where it is known."""
    rungs = ladder.rungs
    return plots.intervals(
        [rung.title for rung in rungs],
        [rung.mean for rung in rungs],
        [rung.low for rung in rungs],
        [rung.high for rung in rungs],
        _headline(ladder),
        f"{metrics.METRICS[ladder.metric].label}, cross-validated, 95 % interval",
        chosen=ladder.rung(ladder.chosen).title,
        reference=known_limit(charter, ladder.metric),
        reference_label="nobody can do better with these columns",
    )


def _headline(ladder: Ladder) -> str:
    if ladder.gain_low <= 0:
        return f"No model clearly beats '{ladder.rung(ladder.baseline).title}'"
    return f"{ladder.rung(ladder.chosen).title} is the simplest model as good as the best"


def known_limit(charter: Charter, metric: str) -> float | None:
    """Give the best score that these columns allow, where it is known: for the simulated demo and its own metric."""
    if not charter.is_demo or metric != "roc_auc":
        return None
    truth = demo_silos.demo_file(f"{DEMO_SCHEME}telecom/{demo_silos.TRUTH}", charter.folder)
    return float(files.read_json(truth)["bayes_roc_auc"])
