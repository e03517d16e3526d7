"""Every alert there is: what it means, what to look at first, what to do, and who does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["page", "ticket"]
Status = Literal["ok", "ticket", "page", "skip"]

# Of windows in which nothing has changed, the share that may raise an alert of that level all the same.
RATES: dict[Level, float] = {"ticket": 1 / 20, "page": 1 / 100}
# What has to have moved beyond being sure: with many cases the smallest change is sure, and matters to nobody.
MOVED, MOVED_FAR = 0.05, 0.1  # share of the cases that another distribution would have put elsewhere
BROKEN, GONE = 0.5, 0.2  # such a share of one column; rise of the share without a known value
MORE_REFUSED, MORE_HANDED_ON = 0.01, 0.05  # rise of the share of cases


@dataclass(frozen=True)
class Alert:
    """One thing that is watched.

    Attributes
    ----------
    id
        As in `monitoring.json` and in the runbook.
    level
        `page`: somebody has to look now. `ticket`: within days.
    means, first_check, action
        In plain words.
    owner
        A role of the charter's `team`.
    """

    id: str
    level: Level
    means: str
    first_check: str
    action: str
    owner: str


@dataclass(frozen=True)
class Judged:
    """What came of one alert in one batch.

    Attributes
    ----------
    id
        See `Alert`.
    status
        `ok`, the level of the alert where it fires, or `skip` where it could not be computed.
    value, limit
        What was measured, and from where on it fires; `None` where there is no such number.
    window
        How many cases it was computed on.
    message
        What was found, or why nothing could be.
    """

    id: str
    status: Status
    value: float | None
    limit: float | None
    window: int
    message: str

    @property
    def alert(self) -> Alert:
        return CATALOGUE[self.id]

    @property
    def fires(self) -> bool:
        return self.status in ("ticket", "page")


ALERTS = (
    Alert(
        "input_drift",
        "ticket",
        "A column is distributed otherwise than in the cases the model was tested on.",
        "Is the change real (a campaign, a season, new customers), or was the source changed?",
        "Real: watch the performance until outcomes arrive. Not real: mend the source.",
        "data_scientist",
    ),
    Alert(
        "input_broken",
        "page",
        "A column is gone, holds unknown values, or has all but lost its shape: a source was changed.",
        "Compare today's extract with an earlier one: name, unit, codes and join of that column.",
        "Mend the source and score the batch again. Do not retrain on it.",
        "mlops_engineer",
    ),
    Alert(
        "prediction_drift",
        "page",
        "The model's answers are distributed otherwise than on the cases it was tested on.",
        "Which columns drifted as well? Did the version of the bundle change?",
        "Tell whoever acts on the answers that their number changes; hold the batch back if a source is broken.",
        "mlops_engineer",
    ),
    Alert(
        "invalid_rate",
        "page",
        "More cases than before break the contract and are answered without the model.",
        "Which field, and which message? lab2live score lists them in <output>.rejected.csv.",
        "Mend what sends the cases.",
        "mlops_engineer",
    ),
    Alert(
        "fallback_rate",
        "ticket",
        "More cases than before are handed to the fallback: strange ones, or ones the model is not sure of.",
        "Which trigger, and which columns drifted?",
        "Plan for the cases a person has to decide; retrain once there are outcomes of the new cases.",
        "data_scientist",
    ),
    Alert(
        "model_errors",
        "page",
        "The model, or the project's own features, fail on some cases.",
        "Ask the service about one of these cases; read its log.",
        "Roll back to the bundle before, then mend it.",
        "mlops_engineer",
    ),
    Alert(
        "estimated_performance",
        "ticket",
        "By the model's own probabilities it should do worse on these cases than on those it was tested on.",
        "Are there outcomes yet? The estimate is blind where the world itself has changed.",
        "Ask for outcomes of some of these cases early.",
        "data_scientist",
    ),
    Alert(
        "realised_performance",
        "page",
        "Outcomes arrived, and the model does worse than when it was tested.",
        "Are the outcomes complete and right? Which columns drifted?",
        "Retrain on newer cases; let the fallback answer until then if the rule does better.",
        "data_scientist",
    ),
    Alert(
        "realised_value",
        "page",
        "Outcomes arrived, and the model's decisions bring less money than when it was tested.",
        "Is it the model, or did the share of cases change for which there is something to gain?",
        "Retrain, or stop acting on the model: the product manager decides.",
        "product_manager",
    ),
    Alert(
        "staleness",
        "ticket",
        "The cases lie further from those the model was tested on than these span.",
        "When was the model trained, and what has changed since?",
        "Retrain, even if nothing else is found.",
        "data_scientist",
    ),
    Alert(
        "service_down",
        "page",
        "The service's metrics cannot be read.",
        "GET /health; is the process there, does the port answer?",
        "Restart it; the bundle is checked at every start.",
        "mlops_engineer",
    ),
    Alert(
        "bundle_intact",
        "page",
        "A file of the served bundle is missing or was changed.",
        "Compare the files with manifest.json; who wrote into the folder?",
        "Put the bundle back as it was and POST /reload.",
        "mlops_engineer",
    ),
    Alert(
        "model_silent",
        "page",
        "The model does not answer: the fallback answers every case.",
        "GET /ready; was a bundle taken up that is not whole?",
        "POST /rollback, or put the bundle back and POST /reload.",
        "mlops_engineer",
    ),
    Alert(
        "drift_declared",
        "ticket",
        "Drift is declared in the service: the fallback answers until it is taken back.",
        "Who declared it, and is the reason still there?",
        'POST /drift {"declared": false} once it is over.',
        "mlops_engineer",
    ),
    Alert(
        "latency",
        "page",
        "Of 100 requests more than 5 take longer than the charter allows.",
        "How busy is the machine, and how many requests arrive?",
        "Start another instance; the measured limits are in the runbook.",
        "mlops_engineer",
    ),
    Alert(
        "server_errors",
        "page",
        "Requests end in an error of the service instead of an answer.",
        "The service's log: lines with a status of 500 and more.",
        "POST /rollback if it began with a new bundle.",
        "mlops_engineer",
    ),
    Alert(
        "service_fallback",
        "ticket",
        "The service hands more cases to the fallback than were handed on when the model was tested.",
        "Which reason? lab2live_cases_total by reason.",
        "As for fallback_rate; with `time_out` as for latency.",
        "mlops_engineer",
    ),
)
CATALOGUE: dict[str, Alert] = {alert.id: alert for alert in ALERTS}
# Judged from a running service, where its metrics are given.
OF_SERVICE = tuple(alert.id for alert in ALERTS[[alert.id for alert in ALERTS].index("service_down") :])


def found(id: str, value: float | None, limit: float | None, window: int, message: str, fires: bool) -> Judged:
    """Judge one alert that could be computed."""
    return Judged(id, CATALOGUE[id].level if fires else "ok", value, limit, window, message)


def skipped(id: str, window: int, why: str) -> Judged:
    """Say why one alert could not be computed."""
    return Judged(id, "skip", None, None, window, why)
