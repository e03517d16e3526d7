"""Whatever happens to the files, the model or the clock: every request is answered, and it is said by whom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from lab2live.handoff import bundle, schemas
from lab2live.handoff.deciding import Deciding
from lab2live.serving import listening
from lab2live.serving.review import Reviews
from lab2live.serving.together import Together

from .conftest import put

CASE = {"bill": 80.0, "lines": 2, "contract": "monthly", "<b>kind</b>": "plain", "since": "2021-05-01", "age": 40}


@pytest.fixture
def copied(bundled: Any, tmp_path: Path) -> Callable[..., Path]:
    """Copy a bundle, and settle who answers in it."""

    def copy(problem: str = "binary", **policy: str) -> Path:
        folder = shutil.copytree(bundled(problem).folder, tmp_path / "bundle", dirs_exist_ok=True)
        change(folder, lambda contract: contract["fallback"]["policy"].update(policy))
        return folder

    return copy


def change(folder: Path, how: Callable[[dict[str, Any]], Any]) -> None:
    """Change a contract and its hash, as whoever writes the bundle would."""
    contract = json.loads((folder / bundle.CONTRACT).read_text())
    how(contract)
    put(folder, bundle.CONTRACT, json.dumps(contract))


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[TestClient, listening.Service]]]:
    """Start services that end with the test."""
    with contextlib.ExitStack() as running:

        def make(folder: Path, **settings: Any) -> tuple[TestClient, listening.Service]:
            app, made = listening.app(folder, listening.Settings(**settings))
            return running.enter_context(TestClient(app, raise_server_exceptions=False)), made

        yield make


def ask(client: TestClient, case: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"values": CASE if case is None else case})
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json", **headers})
    return answer.status_code, answer.json()


def metric(client: TestClient, name: str) -> float:
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"lab2live_{name} ")]
    return float(line.split()[-1])


def test_service_batch_and_notebook_say_the_same(bundled: Any, start: Any) -> None:
    for problem in ("binary", "multiclass", "regression"):
        made = bundled(problem)
        client, _ = start(made.folder)
        rows = made.table[[*CASE, "note"]].iloc[:60]
        cases = json.loads(rows.assign(since=rows["since"].dt.strftime("%Y-%m-%d")).to_json(orient="records"))
        together = client.post("/predict/batch", json={"cases": cases}).json()["answers"]
        alone = [ask(client, case)[1] for case in cases]
        table = Deciding.of(bundle.load(made.folder)).decide(rows)
        for name in ("prediction", "served_by", "reason"):
            wanted = [None if pd.isna(value) else value for value in table[name]]
            assert [one[name] for one in together] == wanted == [one[name] for one in alone]
        assert [one["score"] for one in together] == pytest.approx(list(table["score"]), abs=1e-6, nan_ok=True)
        assert problem == "regression" or len({one["served_by"] for one in together}) > 1


def test_several_cases_are_refused_as_a_whole_where_one_is_and_all_are_answered(bundled: Any, start: Any) -> None:
    client, _ = start(bundled("binary").folder)
    for cases, status, broken in (
        ([CASE, CASE], 200, [False, False]),
        ([CASE, {**CASE, "bill": "a lot"}, CASE], 422, [False, True, False]),
        ([{**CASE, "other": 1}], 422, [True]),
    ):
        answered = client.post("/predict/batch", json={"cases": cases})
        assert answered.status_code == status
        found = answered.json()["answers"]
        assert [one["reason"] == "invalid_input" for one in found] == broken
        assert all(one["served_by"] == "review" for one in found if one["reason"] == "invalid_input")
    for cases in ([], [CASE, "no case"], [CASE] * 1001):
        answered = client.post("/predict/batch", json={"cases": cases})
        assert answered.status_code == 422 and set(answered.json()) == {"message"}


def test_a_field_that_nobody_asks_for_is_named(bundled: Any, start: Any) -> None:
    client, _ = start(bundled("binary").folder)
    status, answer = ask(client, {**CASE, "Bill": 70.0, "\ud800": 1, "x" * 500: "the secret"})
    assert status == 422 and "secret" not in json.dumps(answer)
    assert [one["field"] for one in answer["problems"]] == ["Bill", "", "x" * 200]
    assert {one["message"] for one in answer["problems"]} == {"There is no such field."}


def test_an_answer_keeps_its_description(bundled: Any, start: Any) -> None:
    import jsonschema

    client, _ = start(bundled("binary").folder)
    described = client.get("/openapi.json").json()["components"]["schemas"]
    for case, wanted in [(CASE, 200), ({**CASE, "bill": "a lot"}, 422), ({**CASE, "other": 1}, 422)]:
        status, answer = ask(client, case)
        jsonschema.validate(answer, described["Answer"], jsonschema.Draft202012Validator)
        assert status == wanted
        good = jsonschema.Draft202012Validator(described["Case"]).is_valid(case)
        assert good == (status == 200)
    status, answer = ask(client, {**CASE, "bill": "a lot of the secret"})
    assert answer["served_by"] == "review" and "secret" not in json.dumps(answer)


@pytest.mark.parametrize(
    "day",
    [
        *("2024-02-29", "2000-02-29", "2023-12-31", "1999-04-30", "2024-01-02T13:05", "2199-01-01", "2022-08"),
        *(
            "2024-08-31T23:30-05:00",
            "2024-08-31 23:30:00.123456789+0530",
            "2024-08-31T23:30Z",
            "2024-08-31 23:30:00-05",
        ),
        *("31.12.2024", "1.2.2024", "29.02.2024", "30.4.1999", "2199-12-31T23:59-14:00", "1800-01-01T00:00+14:00"),
    ],
)
def test_the_described_days_are_days_and_the_service_takes_them_as_training_does(day: str) -> None:
    import re

    from lab2live.data.encoding import days
    from lab2live.handoff import checking

    field = {"name": "since", "kind": "date", "optional": False}
    read, problems = checking.check([field], {"since": [day]}, 1)
    assert re.match(schemas.MOMENT, day) and not problems
    assert (read["since"][0] - np.datetime64("2000-01-01")) / np.timedelta64(1, "D") == days(day)


@pytest.mark.parametrize(
    "day",
    [
        *(
            "2023-02-29",
            "1900-02-29",
            "2023-04-31",
            "2023-13-01",
            "2023-00-10",
            "23-01-01",
            "",
            "2024-W05-3",
            "20240101",
        ),
        *(
            "2024-13",
            "32.1.2024",
            "29.2.2023",
            "31.4.2024",
            "1.13.2024",
            "1.2.24",
            "2024-01-02T24:00",
            "2024-01-02T1:00",
        ),
        *("2024-01-02T13:05+25:00", "2024-01-02T13:05 +01:00", "1/2/2024", "2200-01-01", "1799-12-31"),
    ],
)
def test_what_is_no_day_is_none_for_both(day: str) -> None:
    import re

    from lab2live.handoff import checking

    field = {"name": "since", "kind": "date", "optional": False}
    assert not re.match(schemas.MOMENT, day) and checking.check([field], {"since": [day]}, 1)[1]


@pytest.mark.parametrize("who", ["rule", "baseline", "review"])
@pytest.mark.parametrize("harm", ["missing", "changed", "empty"])
def test_a_start_on_a_broken_model_is_answered_by_the_fallback(
    copied: Any, start: Any, tmp_path: Path, harm: str, who: str
) -> None:
    folder = copied(integrity=who)
    model = next(folder.glob("model.*"))
    if harm == "missing":
        model.unlink()
    else:
        model.write_bytes(b"" if harm == "empty" else model.read_bytes()[:-1] + b"?")
    client, _ = start(folder, state=tmp_path / "state")
    status, answer = ask(client)
    assert status == 200 and (answer["served_by"], answer["reason"], answer["score"]) == (who, "integrity", None)
    assert (answer["prediction"] in ("yes", "no")) == (who != "review") and (answer["review"] == 1) == (who == "review")
    ready = client.get("/ready").json()
    assert ready["answers_by"] == "fallback" and model.name in ready["problem"] and not ready["intact"]
    assert metric(client, "bundle_intact") == metric(client, "model_answers") == 0
    assert client.post("/explain", json={"values": CASE}).status_code == 503


@pytest.mark.parametrize("gone", [bundle.MANIFEST, bundle.CONTRACT, bundle.FORM, bundle.EXPLAINER, "code/rules.py"])
@pytest.mark.parametrize("how", ["missing", "nonsense"])
def test_whatever_is_broken_somebody_answers(copied: Any, start: Any, gone: str, how: str) -> None:
    folder = copied(integrity="rule")
    if how == "missing":
        (folder / gone).unlink()
    else:
        (folder / gone).write_text('{"files": 7}')
    client, _ = start(folder)
    status, answer = ask(client)
    wanted = "review" if gone in (bundle.MANIFEST, bundle.CONTRACT) else "baseline"
    assert status == 200 and (answer["served_by"], answer["reason"]) == (wanted, "integrity")
    assert all(
        client.get(path).status_code == 200 for path in ("/", "/form", "/ready", "/openapi.json", "/review/cases")
    )


def test_under_load_no_request_fails_when_the_model_goes_is_changed_and_comes_back(copied: Any, start: Any) -> None:
    folder = copied(integrity="baseline")
    model = next(folder.glob("model.*"))
    content = model.read_bytes()
    client, made = start(folder)
    seen: list[tuple[int, str]] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            status, answer = ask(client)
            seen.append((status, answer["served_by"]))

    asking = [threading.Thread(target=load) for _ in range(3)]
    for thread in asking:
        thread.start()
    try:
        steps: list[tuple[int, set[str]]] = []

        def step() -> None:
            time.sleep(0.05)
            before = len(seen)
            while len(seen) < before + 20:
                time.sleep(0.01)
            steps.append((len(seen), {source for _, source in seen[before + 3 :]}))

        step()
        model.unlink()
        assert not made.live.look()
        made.note()
        step()
        intact = metric(client, "bundle_intact")
        model.write_bytes(content[:-1] + b"?")
        reloaded = client.post("/reload", json={})
        step()
        back = client.post("/rollback", json={})
        step()
        model.write_bytes(content)
        again = client.post("/reload", json={})
        step()
    finally:
        stop.set()
        for thread in asking:
            thread.join()
    by_model = steps[0][1]
    assert by_model != {"baseline"}
    assert [sources for _, sources in steps] == [by_model, by_model, {"baseline"}, by_model, by_model]
    assert intact == 0 and reloaded.status_code == 409 and back.status_code == again.status_code == 200
    assert {status for status, _ in seen} == {200}


def test_a_new_bundle_is_taken_up_and_the_last_one_comes_back(copied: Any, start: Any) -> None:
    folder = copied()
    client, _ = start(folder)
    first = ask(client)[1]["bundle"]
    assert client.post("/rollback", json={}).status_code == 409
    change(folder, lambda contract: contract.update(why="another one"))
    assert ask(client)[1]["bundle"] == first
    assert client.post("/reload", json={}).status_code == 200
    second = ask(client)[1]["bundle"]
    assert second != first
    assert client.post("/rollback", json={}).json()["bundle"] == first == ask(client)[1]["bundle"]
    assert client.post("/rollback", json={}).json()["bundle"] == second


@pytest.mark.parametrize("who", ["rule", "baseline", "review"])
def test_declared_drift_is_answered_by_the_fallback_until_it_is_over(copied: Any, start: Any, who: str) -> None:
    client, _ = start(copied(drift=who))
    usual = ask(client)[1]
    assert client.post("/drift", json={"declared": True}).json()["answers_by"] == "fallback"
    answer = ask(client)[1]
    assert (answer["served_by"], answer["reason"]) == (who, "drift") and metric(client, "drift_declared") == 1
    assert client.post("/drift", json={"declared": False}).json()["answers_by"] == "model"
    assert ask(client)[1] == usual
    assert client.post("/drift", json={"declared": 1}).status_code == 422


@pytest.mark.parametrize("who", ["rule", "baseline", "review"])
def test_a_model_that_takes_too_long_is_answered_for(
    copied: Any, start: Any, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    folder = copied(time_out=who)
    change(folder, lambda contract: contract.update(limits={"time_out_ms": 300}))
    client, made = start(folder)
    model = type(made.live.now.bundle.model)  # type: ignore[union-attr]
    usual, hangs = model.answer, threading.Event()

    def slow(*arguments: Any) -> Any:
        hangs.wait(20)
        return usual(*arguments)

    monkeypatch.setattr(model, "answer", slow)
    began = time.perf_counter()
    answers = [ask(client)[1] for _ in range(3)]
    assert {(one["served_by"], one["reason"]) for one in answers} == {(who, "time_out")}
    assert time.perf_counter() - began < 15
    hangs.set()
    time.sleep(0.2)
    assert ask(client)[1]["reason"] != "time_out"


def in_a_loop(asked: Any) -> Any:
    """Run it in a thread of its own: tests of pages may have left the browser's loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked).result()


def test_requests_that_come_together_are_answered_together_and_each_gets_its_own() -> None:
    sizes = []

    def about(cases: Any) -> list[Any]:
        sizes.append(len(cases))
        time.sleep(0.02)
        return [case["n"] for case in cases]

    async def all_of_them() -> list[Any]:
        together = Together(about, lambda _: ["late"], lambda _: ["last"], lambda: 5.0)
        asked = [together.ask([{"n": (number, part)} for part in range(1 + number % 3)]) for number in range(40)]
        found = await asyncio.gather(*asked)
        together.close()
        return found

    found = in_a_loop(all_of_them())
    assert found == [[(number, part) for part in range(1 + number % 3)] for number in range(40)]
    assert len(sizes) < 10 and max(sizes) > 20


def test_an_error_reaches_those_who_asked_and_nobody_else() -> None:
    def about(cases: Any) -> list[Any]:
        if cases[0]["n"] == 0:
            raise ValueError("broken")
        return [case["n"] for case in cases]

    async def both() -> list[Any]:
        together = Together(about, lambda _: ["late"], lambda _: ["last"], lambda: 5.0)
        found = [await asyncio.gather(together.ask([{"n": n}]), return_exceptions=True) for n in (0, 1)]
        together.close()
        return found

    (first,), (second,) = in_a_loop(both())
    assert isinstance(first, ValueError) and second == [1]


def test_one_case_that_breaks_the_features_does_not_fail_those_beside_it(bundled: Any, monkeypatch: Any) -> None:
    decides = Deciding.of(bundle.load(bundled("binary").folder))
    usual = decides.bundle.features.add_features  # type: ignore[union-attr]

    def breaks(frame: pd.DataFrame) -> pd.DataFrame:
        if (frame["age"] == 77).any():
            raise ZeroDivisionError
        return usual(frame)

    monkeypatch.setattr(decides.bundle.features, "add_features", breaks)
    rows = bundled("binary").table.iloc[:40].reset_index(drop=True)
    rows["age"] = 40
    alone = decides.decide(rows)
    rows.loc[[3, 30], "age"] = 77
    found = decides.decide(rows)
    failed = found["reason"] == "model_error"
    assert list(found.index[failed]) == [3, 30]
    pd.testing.assert_frame_equal(found[~failed], alone[~failed])


def test_cases_wait_for_a_person_until_one_decides(copied: Any, start: Any, tmp_path: Path) -> None:
    client, _ = start(copied(), state=tmp_path / "state")
    number = ask(client, {**CASE, "bill": "a lot", "note": "\ud800 <b>"})[1]["review"]
    assert number == 1 and metric(client, "reviews_waiting") == 1
    waiting = client.get("/review/cases").json()
    assert waiting["waiting"] == 1 and waiting["outputs"] == ["no", "yes"]
    (one,) = waiting["cases"]
    assert one["values"]["bill"] == "a lot" and one["reason"] == "invalid_input" and "bill: " in one["detail"]
    for body in (
        {},
        {"output": "yes"},
        {"output": "", "who": "Ada"},
        {"output": "yes", "who": 7},
        {"output": "yes", "who": "x" * 201},
    ):
        assert client.post("/review/cases/1", json=body).status_code == 422
    decided = client.post("/review/cases/1", json={"output": "yes", "who": "Ada"})
    assert decided.status_code == 200 and decided.json()["output"] == "yes"
    assert client.post("/review/cases/1", json={"output": "no", "who": "Bob"}).status_code == 409
    assert client.get("/review/cases/1").json()["who"] == "Ada" and client.get("/review/cases").json()["waiting"] == 0
    assert (
        client.get("/review/cases/2").status_code
        == client.post("/review/cases/2", json={"output": "no", "who": "B"}).status_code
        == 404
    )
    assert client.get(f"/review/cases/{10**30}").status_code == 404
    assert (tmp_path / "state" / "review.sqlite").stat().st_mode & 0o077 == 0
    again = Reviews(tmp_path / "state")
    assert again.count() == 0 and again.look_up(1)["output"] == "yes"  # type: ignore[index]
    again.close()


def test_an_output_that_the_model_does_not_know_is_no_decision(copied: Any, start: Any, tmp_path: Path) -> None:
    client, _ = start(copied(), state=tmp_path / "state")
    ask(client, {**CASE, "bill": "a lot"})
    assert client.post("/review/cases/1", json={"output": "perhaps", "who": "Ada"}).status_code == 422


def test_a_number_is_decided_by_a_number_and_answers_are_described_as_such(
    bundled: Any, start: Any, tmp_path: Path
) -> None:
    import jsonschema

    client, _ = start(bundled("regression").folder, state=tmp_path / "state")
    described = client.get("/openapi.json").json()
    kind = described["components"]["schemas"]["Answer"]["properties"]["prediction"]["type"]
    assert kind == ["number", "null"]
    for case in (CASE, {**CASE, "bill": "a lot"}):
        jsonschema.validate(ask(client, case)[1], described["components"]["schemas"]["Answer"])
    for said in ("12.5", "1,234,568", True, None, [12.5], 1e16):
        assert client.post("/review/cases/1", json={"output": said, "who": "Ada"}).status_code == 422
    decided = client.post("/review/cases/1", json={"output": 1234567.891, "who": "Ada"})
    assert (decided.status_code, decided.json()["output"]) == (200, 1234567.891)


def test_a_full_disk_is_no_reason_not_to_answer(copied: Any, start: Any, tmp_path: Path, monkeypatch: Any) -> None:
    client, made = start(copied(), state=tmp_path / "state")

    def full(*_: Any) -> Any:
        raise OSError("no space left")

    monkeypatch.setattr(made.reviews, "add", full)
    status, answer = ask(client, {**CASE, "bill": "a lot"})
    assert status == 422 and answer["served_by"] == "review" and answer["review"] is None


def test_a_key_is_needed_where_there_is_one(bundled: Any, start: Any) -> None:
    client, _ = start(bundled("binary").folder, key="s3cret")
    assert ask(client)[0] == 401 and ask(client, **{"X-API-Key": "wrong"})[0] == 401
    assert ask(client, **{"X-API-Key": "s3cret"})[0] == 200
    assert client.post("/reload", json={}).status_code == client.get("/metrics").status_code == 401
    assert client.get("/health").status_code == client.get("/ready").status_code == client.get("/").status_code == 200


def test_who_asks_too_often_waits(bundled: Any, start: Any) -> None:
    client, _ = start(bundled("binary").folder, rate=5.0)
    found = [client.get("/health") for _ in range(30)]
    refused = [one for one in found if one.status_code == 429]
    assert 10 <= len(refused) <= 22 and all(int(one.headers["retry-after"]) >= 1 for one in refused)
    time.sleep(0.5)
    assert client.get("/health").status_code == 200


def test_a_page_from_elsewhere_cannot_reach_a_service_on_this_machine(bundled: Any, start: Any) -> None:
    from lab2live.serving.guard import own_names

    client, _ = start(bundled("binary").folder, hosts=own_names("127.0.0.1"))
    for host, wanted in [("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example:8000", 421)]:
        assert client.get("/health", headers={"Host": host}).status_code == wanted
    assert own_names("0.0.0.0") == frozenset()
    for path in ("/predict", "/explain", "/reload", "/rollback", "/drift", "/review/cases/1"):
        assert (
            client.post(path, content=b"{}", headers={"Host": "localhost", "Content-Type": "text/plain"}).status_code
            == 415
        )


def test_a_request_is_found_again_by_its_number(bundled: Any, start: Any, capsys: pytest.CaptureFixture[str]) -> None:
    client, _ = start(bundled("binary").folder, logged=True)
    capsys.readouterr()
    given = client.post("/predict", json={"values": {**CASE, "bill": 80.25}}, headers={"X-Request-ID": "order-7"})
    odd = client.get("/nowhere/ada@example.org", headers={"X-Request-ID": "<script>"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert given.headers["x-request-id"] == "order-7" and len(odd.headers["x-request-id"]) == 32
    first, second = (line for line in lines if line["event"] == "request")
    assert first["id"] == "order-7" and first["cases"] == 1 and sum(first["by"].values()) == 1 and first["ms"] > 0
    assert second["path"] == "other" and second["status"] == 404
    assert "80.25" not in json.dumps(lines) and "ada" not in json.dumps(lines)


def test_predicting_without_own_code_needs_neither_pandas_nor_scikit_learn(bundled: Any, tmp_path: Path) -> None:
    import subprocess
    import sys

    folder = shutil.copytree(bundled("binary", own_code=False).folder, tmp_path / "bundle")
    script = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from lab2live.serving.live import read\n"
        "running = read(Path(sys.argv[1]))\n"
        "assert not running.problem, running.problem\n"
        "print(running.about([json.loads(sys.argv[2])]).prediction[0])\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'pandas', 'sklearn', 'shap', 'matplotlib', 'ibis'}, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), json.dumps(CASE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("yes", "no")


def test_an_answer_that_came_too_late_is_neither_counted_nor_handed_to_a_person(
    copied: Any, start: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copied(time_out="baseline", model_error="review")
    change(folder, lambda contract: contract.update(limits={"time_out_ms": 200}))
    client, made = start(folder, state=tmp_path / "state")
    hangs = threading.Event()

    def late(*_: Any) -> Any:
        hangs.wait(20)
        raise RuntimeError

    monkeypatch.setattr(type(made.live.now.bundle.model), "answer", late)
    assert ask(client)[1]["served_by"] == "baseline"
    hangs.set()
    time.sleep(0.5)
    assert client.get("/review/cases").json()["waiting"] == 0
    counted = [line for line in client.get("/metrics").text.splitlines() if line.startswith("lab2live_cases_total")]
    assert counted == ['lab2live_cases_total{reason="time_out",source="baseline"} 1.0']


def test_where_the_rule_hangs_too_the_baseline_answers(copied: Any, start: Any, monkeypatch: Any) -> None:
    folder = copied(time_out="rule")
    change(folder, lambda contract: contract.update(limits={"time_out_ms": 200}))
    client, made = start(folder)
    hangs = threading.Event()
    usual = made.live.now.bundle.features.add_features
    monkeypatch.setattr(made.live.now.bundle.features, "add_features", lambda frame: hangs.wait(20) and usual(frame))
    began = time.perf_counter()
    answer = ask(client)[1]
    assert (answer["served_by"], answer["reason"]) == ("baseline", "time_out") and time.perf_counter() - began < 5
    hangs.set()


def test_a_bundle_that_allows_other_times_is_heeded_after_a_reload(copied: Any, start: Any, monkeypatch: Any) -> None:
    folder = copied(time_out="baseline")
    client, made = start(folder)
    model = type(made.live.now.bundle.model)
    usual = model.answer
    monkeypatch.setattr(model, "answer", lambda *given: time.sleep(0.4) or usual(*given))
    assert ask(client)[1]["reason"] != "time_out"
    change(folder, lambda contract: contract.update(limits={"time_out_ms": 100}))
    assert client.post("/reload", json={}).status_code == 200
    assert ask(client)[1]["reason"] == "time_out"


@pytest.mark.parametrize("how", ["np.array([0.2])[:0]", "np.full(len(frame) + 1, 0.2)", "np.full(len(frame), np.nan)"])
def test_a_rule_that_does_not_answer_every_case_is_a_rule_that_fails(copied: Any, start: Any, how: str) -> None:
    folder = copied(drift="rule")
    put(folder, "code/rules.py", f"import numpy as np\n\ndef score(frame):\n    return {how}\n")
    client, _ = start(folder)
    client.post("/drift", json={"declared": True})
    status, answer = ask(client)
    assert (status, answer["served_by"], answer["reason"]) == (200, "baseline", "drift") and answer["prediction"]


def test_the_page_does_not_speak_for_a_model_that_is_not_asked(copied: Any, start: Any) -> None:
    folder = copied(drift="baseline", integrity="baseline")
    client, _ = start(folder)
    assert client.post("/explain", json={"values": CASE}).status_code == 200
    client.post("/drift", json={"declared": True})
    said = client.post("/explain", json={"values": CASE}).json()["fallback"]
    assert said["would"] and "drifted" in said["words"]
    client.post("/drift", json={"declared": False})
    model = next(folder.glob("model.*"))
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    assert client.post("/reload", json={}).status_code == 409
    assert client.post("/explain", json={"values": CASE}).status_code == 503
    assert not client.get("/ready").json()["explains"]


def test_a_number_too_large_for_any_breaks_no_page(bundled: Any, start: Any, tmp_path: Path) -> None:
    client, _ = start(bundled("binary").folder, state=tmp_path)
    sent = client.post("/predict", content=b'{"values": {"age": 1e999}}', headers={"Content-Type": "application/json"})
    assert sent.status_code == 422
    assert "Infinity" not in client.get("/review/cases").text


def test_a_service_that_others_reach_answers_to_the_names_that_it_was_given(
    bundled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setenv(listening.HOSTS, "localhost, 127.0.0.1")
    monkeypatch.setattr(listening, "app", lambda folder, settings: made.append(settings) or (None, None))
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: sockets[0].close())
    listening.serve(bundled("binary").folder, "0.0.0.0", 0, lambda address: None)
    assert made[0].hosts == {"localhost", "127.0.0.1"}
