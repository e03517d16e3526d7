"""What a running service counts about itself, read from its metrics and judged."""

from __future__ import annotations

import http.client
import math
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from lab2live.data.intervals import wilson
from lab2live.errors import UserError
from lab2live.handoff import alerts
from lab2live.handoff.alerts import MORE_HANDED_ON, OF_SERVICE, Judged
from lab2live.monitoring.baseline import Baseline
from lab2live.reporting.formatting import amount, short

# Seconds until a service counts as down, and bytes that its metrics may have.
PATIENCE, LARGEST = 10, 5_000_000
LOCAL = ("127.0.0.1", "localhost", "::1")
# Share of slow requests, and of failed ones, from which on somebody has to look; requests from which that is told.
SLOW, FAILED, FEWEST = 0.05, 0.01, 20
# What asks the model; the others only look.
PATHS = ("/predict", "/predict/batch")

Samples = dict[str, list[tuple[dict[str, str], float]]]


def read(place: str | None) -> Samples | None:
    """Read the metrics of a service.

    Parameters
    ----------
    place
        A file with what `GET /metrics` gave, or the address of a service on this machine; `None` for none.

    Returns
    -------
    dict or None
        Name -> labels and value of each sample; `None` without a place, empty where the service does not answer.

    Raises
    ------
    UserError
        If it is neither, or no text that Prometheus reads.
    """
    from prometheus_client.parser import text_string_to_metric_families

    if place is None:
        return None
    text = _fetched(place) if "://" in place else _stored(Path(place))
    found: Samples = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not math.isfinite(sample.value) or (sample.name.endswith("_bucket") and "le" not in sample.labels):
                    continue  # nothing of ours
                found.setdefault(sample.name, []).append((dict(sample.labels), float(sample.value)))
    except ValueError as error:
        raise UserError(
            "These are no metrics of a service.",
            where=place,
            found=str(error)[:100],
            expected="the text of GET /metrics",
        ) from None
    return found


def _stored(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except OSError as error:
        raise UserError("The metrics cannot be read.", where=path, found=error, fix="check the path") from None


def _fetched(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in LOCAL:
        raise UserError(
            "Metrics are read from a service on this machine only.",
            where=address,
            expected="http://127.0.0.1:8000",
            fix="fetch them yourself, and give the file: curl .../metrics > metrics.txt",
        )
    whole = address if parts.path.strip("/") else f"{address.rstrip('/')}/metrics"
    asked = urllib.request.Request(whole, headers={"X-API-Key": os.environ.get("LAB2LIVE_API_KEY", "")})
    try:
        # no proxy stands between this machine and itself, and nothing there sends us elsewhere
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)
        with opener.open(asked, timeout=PATIENCE) as answer:
            return str(answer.read(LARGEST).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        raise UserError(
            "The service does not show its metrics.",
            where=whole,
            found=f"status {error.code}",
            fix="set LAB2LIVE_API_KEY to the key of the service, or check the address",
        ) from None
    except (OSError, http.client.HTTPException):
        return ""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def judge(base: Baseline, found: Samples | None) -> list[Judged]:
    """Judge a service by its metrics, as counted since it was started."""
    if found is None:
        return [alerts.skipped(name, 0, "No metrics of a service were given.") for name in OF_SERVICE]
    down = "lab2live_bundle_intact" not in found
    says = "The service does not answer, or not with its metrics." if down else "The service answers."
    first = alerts.found("service_down", float(down), 0, 0, says, down)
    if down:
        return [first, *(alerts.skipped(name, 0, "The service does not answer.") for name in OF_SERVICE[1:])]
    judged = [first]
    for name, (metric, bad, good_text, bad_text) in _GAUGES.items():
        gauge = sum(value for _, value in found.get(metric, []))
        judged.append(alerts.found(name, gauge, None, 0, bad_text if gauge == bad else good_text, gauge == bad))
    return [*judged, _latency(base, found), _errors(found), _fallback(base, found)]


# Alert -> metric, the value that is bad, and what either says.
_GAUGES = {
    "bundle_intact": (
        "lab2live_bundle_intact",
        0.0,
        "All files of the bundle are as they were handed over.",
        "A file of the bundle is missing or was changed.",
    ),
    "model_silent": ("lab2live_model_answers", 0.0, "The model answers.", "Only the fallback answers."),
    "drift_declared": (
        "lab2live_drift_declared",
        1.0,
        "No drift is declared.",
        "Drift is declared: the fallback answers.",
    ),
}


def _latency(base: Baseline, found: Samples) -> Judged:
    allowed = base.charter.deployment.latency_ms
    steps: dict[float, float] = {}
    for labels, value in found.get("lab2live_request_seconds_bucket", []):
        if labels.get("path") in PATHS:
            end = float(labels["le"])
            steps[end] = steps.get(end, 0.0) + value
    total = steps.get(math.inf, 0.0)
    if allowed is None:
        return alerts.skipped("latency", int(total), "The charter allows any latency (deployment.latency_ms).")
    if total < FEWEST:
        return alerts.skipped("latency", int(total), f"{amount(int(total), 'request')} so far; it takes {FEWEST}.")
    # the counters know steps only: what is surely slower than allowed lies above the next step
    inside = [end for end in steps if end * 1000 >= allowed]
    slow = 1 - steps[min(inside)] / total
    step = min(inside) * 1000
    message = (
        f"{slow:.1%} of {amount(int(total), 'request')} took longer than {short(step)} ms; "
        f"the charter allows 95 of 100 to take {short(allowed)} ms."
    )
    return alerts.found("latency", slow, SLOW, int(total), message, slow > SLOW)


def _errors(found: Samples) -> Judged:
    by = found.get("lab2live_requests_total", [])
    total = int(sum(value for _, value in by))
    failed = sum(value for labels, value in by if labels.get("status", "").startswith("5"))
    if total < FEWEST:
        return alerts.skipped("server_errors", total, f"{amount(total, 'request')} so far; it takes {FEWEST}.")
    message = f"{failed / total:.1%} of {amount(total, 'request')} ended in an error of the service."
    return alerts.found("server_errors", failed / total, FAILED, total, message, failed / total > FAILED)


def _fallback(base: Baseline, found: Samples) -> Judged:
    by = found.get("lab2live_cases_total", [])
    total = int(sum(value for _, value in by))
    if total < FEWEST:
        return alerts.skipped("service_fallback", total, f"{amount(total, 'case')} so far; it takes {FEWEST}.")
    away = sum(value for labels, value in by if labels.get("reason"))
    usual = sum(base.triggers.values()) / base.cases
    surely = float(wilson(np.array(away), np.array(total), 0.98)[0])  # one in a hundred by chance
    limit = usual + MORE_HANDED_ON
    message = (
        f"{away / total:.1%} of {amount(total, 'case')} were not the model's to decide; {usual:.1%} when it was tested."
    )
    return alerts.found(
        "service_fallback", away / total, limit, total, message, surely > usual and away / total > limit
    )
