"""The parts of the monitoring: counts, tests on counts, scores without outcomes, what a service says."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as known_metrics

from lab2live.errors import UserError
from lab2live.handoff import alerts
from lab2live.monitoring import drift, performing, served, shape, telling, window
from lab2live.monitoring.performing import Judge
from lab2live.poc.worth.value import Policy
from lab2live.serving.metrics import Metrics


def test_values_fall_into_the_counts_they_were_learnt_from() -> None:
    values = np.array([0.0] * 50 + [1, 2, 3] * 50 + [np.nan] * 7)
    found = shape.learn("x", values)
    assert found.ends == (0.0, 1.0, 2.0, 3.0) and found.counts == (50, 50, 50, 50, 0) and found.missing == 7
    assert found.codes(np.array([-5, 0, 0.5, 99, np.nan])).tolist() == [0, 0, 1, 4, 5]
    texts = np.array(["a"] * 30 + ["b"] * 25 + ["rare"] * 3 + [None] * 2, dtype=object)
    levels = shape.learn("c", texts)
    assert levels.levels == ("a", "b") and levels.counts == (30, 25, 3) and levels.missing == 2
    assert levels.codes(np.array(["b", "new", None], dtype=object)).tolist() == [1, 2, 3]
    assert shape.Shape.from_dict(levels.to_dict()) == levels


def test_a_column_without_any_value_is_described_too() -> None:
    empty = shape.learn("x", np.full(30, np.nan))
    assert empty.counts == (0,) and empty.missing == 30
    now = drift.counted(empty, empty.codes(np.full((1, 20), 5.0)))
    then = np.array([[*empty.counts, empty.missing]])
    moved = drift.moved(empty, then, now)
    assert moved.distance[0] == 0 and moved.gone[0] == -1 and moved.p[0] < 1e-6


def test_the_tests_agree_with_scipys() -> None:
    random = np.random.default_rng(0)
    old, new = random.normal(size=2000), random.normal(0.1, 1, 900)
    found = shape.learn("x", np.round(old))  # few values, so that the ends of the parts are all there is
    then = np.array([[*found.counts, found.missing]])
    moved = drift.moved(found, then, drift.counted(found, found.codes(np.round(new))[None]))
    theirs = stats.ks_2samp(np.round(old), np.round(new), method="asymp")
    assert moved.distance[0] == pytest.approx(theirs.statistic)
    assert moved.p[0] == pytest.approx(theirs.pvalue, rel=0.15)
    abc = np.array(list("abc"), dtype=object)
    letters = [abc[random.choice(3, 900, p=[0.5, 0.3, 0.2])], abc[random.choice(3, 400, p=[0.4, 0.4, 0.2])]]
    levels = shape.learn("c", letters[0])
    now = drift.counted(levels, levels.codes(letters[1])[None])
    table = np.array([levels.counts[:3], now[0][:3]])
    assert drift.moved(levels, np.array([[*levels.counts, 0]]), now).p[0] == pytest.approx(
        stats.chi2_contingency(table, correction=False).pvalue
    )
    assert drift.share_p(np.array(3), np.array(500), np.array(9), np.array(300), upwards=True)[0] == pytest.approx(
        stats.fisher_exact([[9, 291], [3, 497]], alternative="greater").pvalue
    )


def test_dates_count_before_the_time_of_a_case_and_the_time_itself_is_not_compared() -> None:
    day = np.array(["2026-01-10", "2026-02-10"], dtype="datetime64[us]")
    since = np.array(["2026-01-01", "2026-02-01"], dtype="datetime64[us]")
    fields = [{"name": "seen"}, {"name": "since"}]
    found = shape.as_compared({"seen": day, "since": since}, fields, "seen")
    assert list(found) == ["since"] and found["since"].tolist() == [9, 9]
    assert shape.as_compared({"since": since}, fields, None)["since"].tolist() == [9497, 9528]


@pytest.mark.parametrize(
    ("metric", "theirs"),
    [("roc_auc", known_metrics.roc_auc_score), ("average_precision", known_metrics.average_precision_score)],
)
def test_what_is_expected_is_the_score_when_the_outcomes_are_sure(charter_of: Any, metric: str, theirs: Any) -> None:
    random = np.random.default_rng(0)
    known = random.integers(0, 2, 300)
    answers = random.normal(size=300) + known
    assert performing._EXPECTED[metric](known.astype(float), answers, 0.5) == pytest.approx(theirs(known, answers))


def test_what_is_expected_of_probabilities_comes_true_on_average(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    answers = random.beta(1, 3, 3000)
    for metric in ("roc_auc", "average_precision", "balanced_accuracy"):
        judge = Judge(charter_of(prediction={"metric": metric}), "binary", Policy("binary"))
        real = [judge.score((random.random(3000) < answers).astype(int), answers) for _ in range(30)]
        assert judge.expected_score(answers) == pytest.approx(np.mean(real), abs=4 * np.std(real) / np.sqrt(30)), metric


def test_outcomes_are_read_as_files_write_them() -> None:
    column = pd.Series(["yes", " no ", None, "maybe", ""], dtype=object)
    wanted = [1, 0, np.nan, np.inf, np.nan]
    assert np.array_equal(window.outcomes(column, "binary", ("no", "yes")), wanted, equal_nan=True)
    assert window.outcomes(pd.Series(["1.0", "0"]), "binary", ("0", "1")).tolist() == [1, 0]
    assert window.outcomes(pd.Series([True, False]), "binary", ("false", "true")).tolist() == [1, 0]
    numbers = pd.Series(["1.5", "x", None, " "])
    assert np.array_equal(window.outcomes(numbers, "regression", ()), [1.5, np.inf, np.nan, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    "written", [["YES", "NO"], ["1", "0"], ["1.0", "0.0"], [1, 0], [True, False], ["True", "False"], ["y", "n"]]
)
def test_outcomes_are_read_as_the_charter_reads_its_positive_class(written: list[Any]) -> None:
    for classes in (("no", "yes"), ("false", "true"), ("0", "1"), ("NO", "YES")):
        assert window.outcomes(pd.Series(written), "binary", classes).tolist() == [1, 0], classes
    assert np.isinf(window.outcomes(pd.Series(["Ja", "Nein"]), "binary", ("no", "yes"))).all()
    assert window.outcomes(pd.Series(["HIGH", "low", 3]), "multiclass", ("High", "low", "3")).tolist() == [0, 1, 2]


# -- a service --------------------------------------------------------------------------------------------------------


def counting(
    slow: int = 0, failed: int = 0, handed_on: int = 0, intact: int = 1, drifted: int = 0, model: int = 1
) -> str:
    counters = Metrics()
    counters.intact.set(intact)
    counters.drifted.set(drifted)
    counters.by_model.set(model)
    for number in range(200):
        counters.request("/predict", 500 if number < failed else 200, 0.2 if number < slow else 0.002)
        counters.case("review" if number < handed_on else "model", "low_confidence" if number < handed_on else "")
    return counters.written().decode()


FAULTS: dict[str, dict[str, int]] = {
    "bundle_intact": {"intact": 0},
    "model_silent": {"model": 0},
    "drift_declared": {"drifted": 1},
    "latency": {"slow": 30},
    "server_errors": {"failed": 20},
    "service_fallback": {"handed_on": 60},
}


def base(charter_of: Any) -> Any:
    from types import SimpleNamespace

    charter = charter_of(deployment={"latency_ms": 50})
    return SimpleNamespace(charter=charter, triggers={"low_confidence": 10}, cases=100)


@pytest.mark.parametrize("name", FAULTS)
def test_every_alert_on_a_service_fires_on_its_fault_and_on_no_other(
    charter_of: Any, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "metrics.txt"
    file.write_text(counting(**FAULTS[name]))
    found = served.judge(base(charter_of), served.read(str(file)))
    assert [one.id for one in found] == list(alerts.OF_SERVICE)
    assert [one.id for one in found if one.fires] == [name]


def test_a_service_in_order_raises_nothing_and_one_unasked_is_skipped(charter_of: Any, tmp_path: Path) -> None:
    file = tmp_path / "metrics.txt"
    file.write_text(counting(slow=5, handed_on=20))
    assert {one.status for one in served.judge(base(charter_of), served.read(str(file)))} == {"ok"}
    assert {one.status for one in served.judge(base(charter_of), None)} == {"skip"}


def test_a_service_that_does_not_answer_is_down(charter_of: Any) -> None:
    found = served.judge(base(charter_of), served.read("http://127.0.0.1:9"))
    assert found[0].id == "service_down" and found[0].status == "page"
    assert {one.status for one in found[1:]} == {"skip"}


def test_a_running_service_is_asked_itself(charter_of: Any) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(counting().encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = served.judge(base(charter_of), served.read(f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
    assert {one.status for one in found} == {"ok"}


@pytest.mark.parametrize(
    "place", ["http://example.com/metrics", "file:///etc/passwd", "https://127.0.0.1", "nowhere.txt"]
)
def test_metrics_come_from_a_file_or_this_machine(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        served.read(place)


def test_a_file_that_holds_no_metrics_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.txt").write_text("<html>{{{</html>")
    with pytest.raises(UserError, match="no metrics"):
        served.read(str(tmp_path / "metrics.txt"))


def test_tables_keep_hostile_names_apart() -> None:
    from lab2live.reporting import display

    hostile = alerts.found("input_drift", 1, 0, 9, "<script>alert(1)</script> has drifted", True)
    for rows in (telling.overview([hostile]), telling.to_do([hostile])):
        assert "<script>" not in display.table(rows).html
