"""`lab2live monitor`, typed the way an engineer does it who has the bundle and a batch, and no project."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter.yaml import write_yaml
from lab2live.handoff import bundle, making
from lab2live.handoff.deciding import Deciding
from lab2live.monitoring import alarms, baseline, reading
from lab2live.pipeline import context

from .conftest import call

HOSTILE = "<script>alert(1)</script>"


def monitor(*arguments: object, cwd: Path, expect: int = 0) -> str:
    return call(sys.executable, "-m", "lab2live", "monitor", *arguments, cwd=cwd, expect=expect)


def drawn(rows: int, seed: int, first: str = "2026-01-01") -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": [f"c{seed}-{number}" for number in range(rows)],
            "seen": pd.Timestamp(first) + pd.to_timedelta(np.sort(random.integers(0, 100, rows)), unit="D"),
            "bill": np.round(random.gamma(8, 8, rows), 2),
            "calls": random.poisson(2, rows),
            HOSTILE: random.choice(["a", "b"], rows),
        }
    )
    frame["since"] = frame["seen"] - pd.to_timedelta(random.integers(10, 900, rows), unit="D")
    margin = (frame["bill"] - 64) / 15 + 0.5 * frame["calls"] - 1.5
    return frame.assign(left=np.where(random.logistic(size=rows) < margin, "yes", "no"))


CHARTER = {
    "project": {"name": f"Who leaves? {HOSTILE}"},
    "business": {
        "value": {"per_case": {"true_positive": 9, "false_positive": -3, "false_negative": 0, "true_negative": 0}}
    },
    "prediction": {
        "problem_type": "classification",
        "target": "left",
        "positive_class": "yes",
        "id_column": "id",
        "time_column": "seen",
        "label_delay_days": 30,
    },
    "sources": [{"name": "cases", "uri": "cases.csv", "personal_data": True}],
    "deployment": {"latency_ms": 50},
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with its baseline, and nothing of the project beside it."""
    project = tmp_path_factory.mktemp("project")
    drawn(2500, 0).to_csv(project / "cases.csv", index=False)
    (project / "project.yaml").write_text(write_yaml(CHARTER), encoding="utf-8")
    run = context.begin("handoff", str(project), str(project / "run"))
    parts = making.parts(run)
    core = project / "core"
    making.core(run, parts, core, rows=200)
    loaded = bundle.load(core)
    held_back = parts.labelled.iloc[parts.split.test]
    kept = baseline.learn(run.charter, parts.data, parts.split, parts.picked.policy, loaded, held_back, 0)
    answer = alarms.verdict(kept, run.charter, parts.data, parts.split, loaded, held_back, 0)
    value, message = answer.value, answer.message
    assert value is not None and value < 2, message
    elsewhere = tmp_path_factory.mktemp("another {machine}")
    explaining = {name: content for name, content in loaded.contents.items() if name.startswith("explain/")}
    model = next(core.glob("model.*"))
    bundle.write(
        elsewhere / "bundle",
        model.suffix[1:],
        model.read_bytes(),
        loaded.contract,
        None,
        "# card\n",
        {**explaining, baseline.FILE: baseline.as_file(kept)},
    )
    text = (elsewhere / "bundle" / baseline.FILE).read_text(encoding="utf-8")
    assert "c0-1" not in text
    return elsewhere


def read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "monitoring.json").read_text(encoding="utf-8"))
    return content


def statuses(content: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["status"] for one in content["alerts"]}


def test_a_clean_batch_is_in_order_and_the_page_is_safe(work: Path) -> None:
    drawn(500, 1, "2026-03-01").to_csv(work / "clean.csv", index=False)
    printed = monitor("bundle", "clean.csv", "--out", "clean", cwd=work)
    content = read(work / "clean")
    found = statuses(content)
    assert content["status"] == "ok" and content["advice"]["id"] == "nothing", printed
    assert all(found[name] == "ok" for name in ("input_drift", "realised_performance", "realised_value", "staleness"))
    assert found["latency"] == "skip"
    assert {path.name for path in (work / "clean").iterdir()} == {
        "05_monitoring.ipynb",
        "05_monitoring.html",
        "monitoring.json",
        "figures",
    }
    page = (work / "clean" / "05_monitoring.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page and str(work) not in page
    assert "Nothing to do" in printed and "Open this page:" in printed


def test_the_same_batch_gives_the_same_file(work: Path) -> None:
    drawn(300, 2, "2026-03-01").to_parquet(work / "same.parquet", index=False)
    for name in ("first", "second"):
        monitor("bundle", "same.parquet", "--out", name, cwd=work)
    assert (work / "first" / "monitoring.json").read_bytes() == (work / "second" / "monitoring.json").read_bytes()


def test_a_broken_batch_ends_with_2_and_says_what_to_mend(work: Path) -> None:
    frame = drawn(500, 3, "2026-03-01").drop(columns="left")
    frame.assign(bill=frame["bill"] * 100).to_csv(work / "cents.csv", index=False)
    (work / "metrics.txt").write_text("lab2live_bundle_intact 1\nlab2live_model_answers 1\nlab2live_drift_declared 0\n")
    printed = monitor("bundle", "cents.csv", "--out", "cents", "--metrics", "metrics.txt", cwd=work, expect=2)
    found = statuses(read(work / "cents"))
    assert found["input_broken"] == "page" and found["input_drift"] == "ticket"
    assert found["realised_performance"] == "skip" and found["bundle_intact"] == "ok"
    assert "mend the source" in printed


def test_tickets_alone_end_with_0(work: Path) -> None:
    frame = drawn(500, 4, "2026-03-01").drop(columns="left")
    frame.assign(since=frame["since"] - pd.Timedelta(days=100)).to_csv(work / "older.csv", index=False)
    monitor("bundle", "older.csv", "--out", "older", cwd=work)
    content = read(work / "older")
    assert content["status"] == "ticket" and content["advice"]["id"] == "get_outcomes"
    assert {one["name"] for one in content["columns"] if one["verdict"] == "drifted"} == {"since"}


def test_errors_say_what_to_do(work: Path) -> None:
    assert "no such file" in monitor("bundle", "typo.csv", cwd=work, expect=1).lower()
    (work / "words.txt").touch()
    assert "holds no rows" in monitor("bundle", "words.txt", cwd=work, expect=1)
    drawn(100, 5)[["id"]].rename(columns={"id": "other"}).to_csv(work / "nothing.csv", index=False)
    assert "none of the columns" in monitor("bundle", "nothing.csv", "--out", "nothing", cwd=work, expect=1)
    bare = bundle.load(work / "bundle")
    files = {name: content for name, content in bare.contents.items() if name.startswith("explain/")}
    model = next((work / "bundle").glob("model.*"))
    bundle.write(work / "bare", model.suffix[1:], model.read_bytes(), bare.contract, None, "# card\n", files)
    assert "no baseline" in monitor("bare", "clean.csv", "--out", "bare-out", cwd=work, expect=1)
    monitor(cwd=work, expect=1)


def test_of_a_large_file_a_sample_is_looked_at_whatever_its_order(work: Path) -> None:
    decides = Deciding.of(bundle.load(work / "bundle"))
    base = baseline.read(bundle.load(work / "bundle"))
    drawn(3000, 6).sort_values("bill").to_csv(work / "sorted.csv", index=False)
    seen = reading.read(work / "sorted.csv", decides, base, 600, 0)
    assert (seen.cases, seen.rows) == (3000, 600)
    everything = reading.read(work / "sorted.csv", decides, base, None, 0)
    assert everything.rows == 3000
    middle, all_of_it = (float(np.median(one.values["bill"])) for one in (seen, everything))
    assert abs(middle - all_of_it) < 4
    assert seen.known is not None and np.isfinite(seen.known).all()
