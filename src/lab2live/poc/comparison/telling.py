"""What the ladder shows, in words, as a table and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lab2live import charts, files, metrics
from lab2live.eda.simulation import demo_silos
from lab2live.poc.comparison.ladder import Climb, Ladder, required_score
from lab2live.poc.comparison.tuning import Tuning
from lab2live.poc.worth import telling_money
from lab2live.poc.worth.returns import Returns
from lab2live.schema import DEMO_SCHEME, Charter

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
    """Say what the best rung would have brought beyond the chosen one, in score and in money."""
    top, own = ladder.rung(ladder.best), ladder.rung(ladder.chosen)
    if top is own:
        return f"{own.title} is the best there is here: more complexity was not on offer."
    text = f"{top.title} instead of {own.title[0].lower()}{own.title[1:]} would add {top.mean - own.mean:+.3f}"
    if best is None or chosen.gain_per_month is None or best.gain_per_month is None:
        return f"{text}; what that is worth cannot be said without money and volumes in the charter."
    middle = (best.gain_per_month.middle or 0.0) - (chosen.gain_per_month.middle or 0.0)
    width = (best.gain_per_month.high or 0.0) - (best.gain_per_month.low or 0.0)
    return f"{text}, or {telling_money.rounded(middle, width):+,.0f} {chosen.currency} a month."


def sentence(ladder: Ladder) -> str:
    """Say what the ladder shows."""
    chosen, label = ladder.rung(ladder.chosen), metrics.METRICS[ladder.metric].label
    best = ladder.rung(ladder.best)
    text = f"{chosen.title}: {label} {chosen.mean:.3f} ({chosen.low:.3f} to {chosen.high:.3f})."
    if best is chosen:
        text = f"{text} No other candidate scores higher."
    else:
        text = f"{text} {best.title} scores {best.mean:.3f}, which is no more than one standard error better."
    return f"{text} {ladder.drawn}".strip()


def gain_sentence(ladder: Ladder) -> str:
    """Say by how much the model beats what needs no learning."""
    chosen, baseline = ladder.rung(ladder.chosen).title, ladder.rung(ladder.baseline).title
    sure = "above 99.9%" if ladder.confidence > 0.999 else f"{ladder.confidence:.1%}"
    return (
        f"{chosen} scores {ladder.gain:+.3f} ({ladder.gain_low:+.3f} to {ladder.gain_high:+.3f}) against "
        f"'{baseline}'; cross-validated; confidence that this is no accident {sure}. {ladder.no_rule}"
    ).strip()


def required(charter: Charter, ladder: Ladder) -> tuple[float | None, str]:
    """Say whether the score is reached that the charter asks for."""
    score, chosen = required_score(charter, ladder.metric), ladder.rung(ladder.chosen)
    if score is None:
        return None, "The charter states no required score (prediction.required_score)."
    return ladder.reached, (
        f"{score:g} is needed; the held-back part shows {chosen.test:.3f} ({chosen.test_low:.3f} to "
        f"{chosen.test_high:.3f}), and {ladder.reached:.0%} of its resamples reach it."
    )


def optimism_sentence(ladder: Ladder) -> str:
    """Say how the held-back part compares with the cross-validation."""
    chosen = ladder.rung(ladder.chosen)
    return (
        f"Cross-validated {chosen.mean:.3f}, on the held-back part {chosen.test:.3f}: {abs(ladder.optimism):.1f} "
        f"standard errors {'lower' if ladder.optimism > 0 else 'higher'}."
    )


def chart(charter: Charter, ladder: Ladder) -> Figure:
    """Draw the ladder with its intervals, and the limit of what is reachable where it is known."""
    rungs = ladder.rungs
    return charts.intervals(
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
