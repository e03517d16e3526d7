"""What the service counts, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Seconds: from a fast answer to one that a person notices.
STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The counters of one service.

    Attributes
    ----------
    requests, seconds
        By path and status; how long requests took, by path.
    cases
        By who answered (`source`) and why (`reason`, empty where nothing speaks against the model).
    intact, drifted, by_model
        1 or 0: whether the files of the bundle are as its manifest says, whether drift is declared, and whether the
        model answers at all.
    reloads, reviews
        Bundles loaded since the start; cases that wait for a person.
    """

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        self.requests = Counter("lab2live_requests", "Requests answered.", ["path", "status"], registry=own)
        self.seconds = Histogram(
            "lab2live_request_seconds", "How long requests took.", ["path"], buckets=STEPS, registry=own
        )
        self.cases = Counter("lab2live_cases", "Cases answered.", ["source", "reason"], registry=own)
        self.intact = Gauge("lab2live_bundle_intact", "1 if every file is as the manifest says.", registry=own)
        self.drifted = Gauge(
            "lab2live_drift_declared", "1 if drift is declared, and the fallback answers.", registry=own
        )
        self.by_model = Gauge(
            "lab2live_model_answers", "1 if the model answers, 0 if only the fallback does.", registry=own
        )
        self.reloads = Counter("lab2live_reloads", "Bundles loaded since the start.", ["whole"], registry=own)
        self.reviews = Gauge("lab2live_reviews_waiting", "Cases that wait for a person.", registry=own)
        # looking up a counter by its labels takes longer than counting
        self._answered: dict[tuple[str, str], Counter] = {}
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = self._known.get((path, status))
        if known is None:
            known = self.requests.labels(path, str(status)), self.seconds.labels(path)
            self._known[path, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def case(self, source: str, reason: str) -> None:
        """Count an answered case."""
        known = self._answered.get((source, reason))
        if known is None:
            known = self._answered[source, reason] = self.cases.labels(source, reason)
        known.inc()

    def written(self) -> bytes:
        """Write all of them in Prometheus' text format."""
        return generate_latest(self.registry)
