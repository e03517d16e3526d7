"""The portfolio: what is read of projects in any state, what is told of them, and which lessons meet whom."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab2live.errors import UserError
from lab2live.pipeline import store
from lab2live.portfolio import example, learning, reading, sheet, telling
from lab2live.portfolio.chances import Worth
from lab2live.portfolio.reading import Project

TODAY = example.TODAY


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    return {path.name: path for path in example.write(tmp_path)}


def run_of(project: Path) -> Path:
    return project / "runs" / "made-up"


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def poc(project: Path) -> Path:
    return run_of(project) / "results" / "poc.json"


def live(name: str, worth: Worth | None = None, chance: float | None = None, **more: Any) -> Project:
    return Project(name, Path(name), "live", worth=worth, chance=chance, **{"currency": "EUR", **more})


def a_sheet(*projects: Project) -> sheet.Sheet:
    return sheet.Sheet(list(projects), None, 0, False)


# --- reading --------------------------------------------------------------------------------------------------------


def test_the_example_shows_projects_in_every_state_and_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (
        [reading.read(place, TODAY) for place in example.write(tmp_path / name)] for name in ("first", "second")
    )
    states = {one.name: (one.state, one.decision, one.stage) for one in first}
    assert states["Repeat purchases"] == ("live", "go", "handoff")
    assert states["Machine stoppages"] == ("live", "conditional", "proof of concept")
    assert states["Late invoices"] == ("stopped", "no-go", "proof of concept")
    assert states["Staff rotas"] == ("not started", None, "")
    assert [one.worth for one in first] == [one.worth for one in second]


def test_a_project_is_read_by_its_folder_or_by_its_run_with_the_same_result(made: dict[str, Path]) -> None:
    project = made["returned-parcels"]
    by_run = reading.read(run_of(project), TODAY)
    by_folder = reading.read(project, TODAY)
    assert by_run.place != by_folder.place
    assert {**vars(by_run), "place": 0} == {**vars(by_folder), "place": 0}


def test_a_run_away_from_its_project_is_read_without_its_charter(made: dict[str, Path], tmp_path: Path) -> None:
    alone = shutil.copytree(run_of(made["returned-parcels"]), tmp_path / "elsewhere" / "deep" / "run")
    found = reading.read(alone, TODAY)
    assert (found.state, found.waits, found.worth is None) == ("live", (), False)


def test_waiting_ends_with_the_grant_or_goes_on_until_today(made: dict[str, Path]) -> None:
    waits = {wait.source: wait for wait in reading.read(made["complaint-routing"], TODAY).waits}
    assert (waits["letters"].days, waits["letters"].is_over) == ((TODAY - dt.date(2026, 8, 10)).days, False)
    assert (waits["customers"].days, waits["customers"].is_over) == (7, True)
    later = reading.read(made["complaint-routing"], TODAY + dt.timedelta(10))
    assert [wait.days for wait in later.waits] == [waits["letters"].days + 10, 7]


def test_the_chance_is_the_measured_share_and_never_a_certainty(made: dict[str, Path]) -> None:
    project = made["repeat-purchases"]
    content = json.loads(poc(project).read_text(encoding="utf-8"))
    for share, chance in ((1.0, 401 / 402), (0.0, 1 / 402), (0.5, 201 / 402)):
        edit(poc(project), returns={**content["returns"], "positive": share})
        assert reading.read(project, TODAY).chance == pytest.approx(chance)


def test_no_chance_is_made_up(made: dict[str, Path]) -> None:
    stand_in = reading.read(made["complaint-routing"], TODAY)
    assert stand_in.worth is not None
    assert (stand_in.chance, stand_in.counts) == (None, False)
    assert "stand-in" in stand_in.basis
    none = reading.read(made["staff-rotas"], TODAY)
    assert (none.chance, none.worth, none.counts) == (None, None, False)
    stopped = reading.read(made["late-invoices"], TODAY)
    assert (stopped.chance, stopped.counts) == (0.0, False)


def test_a_proof_of_concept_without_money_gives_its_reason(made: dict[str, Path]) -> None:
    project = made["repeat-purchases"]
    content = json.loads(poc(project).read_text(encoding="utf-8"))
    edit(poc(project), returns={**content["returns"], "net": None, "positive": None, "lacking": "No money stated."})
    found = reading.read(project, TODAY)
    assert (found.chance, found.worth, found.basis) == (None, None, "No money stated.")
    assert found.state == "live"


def test_failed_gates_that_must_pass_and_missing_access_block(made: dict[str, Path]) -> None:
    blockers = reading.read(made["late-invoices"], TODAY).blockers
    assert len(blockers) == 2
    assert any("34% of due_date" in text for text in blockers)
    assert reading.read(made["returned-parcels"], TODAY).blockers == ()  # a failed gate, but none that must pass
    assert reading.read(made["staff-rotas"], TODAY).blockers == ("access to rotas: requested 49 days ago",)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("verdict.json", "{"),
        ("verdict.json", "[]"),
        ("verdict.json", '{"decision": "maybe", "reasons": [], "gates": [], "run": {"stages": []}}'),
        ("verdict.json", '{"decision": "go", "reasons": [], "gates": [1], "run": {"stages": [7]}}'),
        ("verdict.json", '{"decision": "go", "reasons": [], "gates": [], "run": null}'),
        ("results/poc.json", "{"),
        ("results/poc.json", "[]"),
        ("results/poc.json", json.dumps({"version": store.VERSION, "finished": True})),
    ],
)
def test_what_cannot_be_read_is_said_and_breaks_nothing(made: dict[str, Path], file: str, text: str) -> None:
    path = run_of(made["repeat-purchases"]) / file
    path.write_text(text, encoding="utf-8")
    found = [reading.read(place, TODAY) for place in made.values()]
    broken = found[0]
    assert (broken.state, broken.chance, broken.counts) == ("unreadable", None, False)
    assert broken.problem
    assert broken.name == "Repeat purchases"
    assert not any(one.problem for one in found[1:] if one.state != "not started")
    rows = telling.overview(found)
    assert rows[-1]["project"] == "Repeat purchases"
    assert rows[-1]["verdict"] == "unreadable"


@pytest.mark.parametrize(
    "returns",
    [
        {"positive": 1.5},
        {"positive": "much"},
        {"net": {"low": 2, "middle": 1, "high": 3}},
        {"net": {"low": None, "middle": 1, "high": 3}},
        {"net": [1, 2, 3]},
    ],
)
def test_a_return_that_cannot_be_is_not_believed(made: dict[str, Path], returns: dict[str, Any]) -> None:
    path = poc(made["repeat-purchases"])
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(path, returns={**content["returns"], **returns})
    assert reading.read(made["repeat-purchases"], TODAY).state == "unreadable"


def test_another_version_is_named_and_its_numbers_are_left_alone(made: dict[str, Path]) -> None:
    edit(poc(made["repeat-purchases"]), version=0)
    found = reading.read(made["repeat-purchases"], TODAY)
    assert (found.state, found.decision, found.worth, found.chance) == ("live", "go", None, None)
    assert "another version (0)" in found.problem


def test_a_broken_charter_does_not_hide_the_run(made: dict[str, Path]) -> None:
    (made["repeat-purchases"] / "project.yaml").write_text("nonsense: [", encoding="utf-8")
    found = reading.read(made["repeat-purchases"], TODAY)
    assert (found.state, found.worth is None, found.waits) == ("live", False, ())
    assert "YAML" in found.problem


def test_an_empty_folder_is_no_project(tmp_path: Path) -> None:
    found = reading.read(tmp_path, TODAY)
    assert found.state == "unreadable"
    assert "no project.yaml" in found.problem


def test_a_project_named_twice_counts_once_and_a_wrong_path_is_a_message(made: dict[str, Path], tmp_path: Path) -> None:
    project = made["repeat-purchases"]
    assert sheet.distinct([project, run_of(project), project / "." / "runs" / ".."]) == [project]
    with pytest.raises(UserError, match="no such folder"):
        sheet.distinct([project, tmp_path / "typo"])
    with pytest.raises(UserError, match="No project"):
        sheet.distinct([])


def test_only_the_made_up_projects_are_marked_as_made_up(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lab2live.reporting import display

    made_up = sheet.begin(None, None)
    assert (made_up.made_up, len(made_up.projects)) == (True, len(example.PROJECTS))
    assert sheet.MADE_UP in display.table([{"a": 1}]).html
    assert "Made up" in capsys.readouterr().out
    real = sheet.begin([str(made["repeat-purchases"])], str(tmp_path / "out"))
    assert real.made_up is False
    assert sheet.MADE_UP not in display.table([{"a": 1}]).html
    assert "Made up" not in capsys.readouterr().out
    real.close()
    assert json.loads((tmp_path / "out" / sheet.FILE).read_text(encoding="utf-8"))["made_up"] is False


# --- telling --------------------------------------------------------------------------------------------------------


def test_live_projects_are_ranked_by_priority_before_all_others() -> None:
    names = [
        Project("stopped", Path("a"), "stopped", priority=9.0),
        live("second", priority=1.0),
        Project("waiting", Path("c"), "not started", priority=5.0),
        live("unknown"),
        live("first", priority=2.0),
    ]
    assert [one.name for one in telling.ranked(names)] == ["first", "second", "unknown", "waiting", "stopped"]


def test_money_in_two_currencies_is_not_added() -> None:
    worth = Worth(-10, 10, 30)
    found = a_sheet(live("a", worth, 0.7), live("b", worth, 0.7), live("c", worth, 0.7, currency="CHF")).together()
    assert [(one.currency, len(one.projects)) for one in found] == [("EUR", 2), ("CHF", 1)]
    assert found[0].spreads[0].expected == pytest.approx(20)
    assert "nothing to compare" in telling.against_one(found[1])


def test_stopped_and_unmeasured_projects_are_not_in_the_sums_and_the_page_says_so() -> None:
    worth = Worth(-10, 10, 30)
    portfolio = a_sheet(
        live("a", worth, 0.5),
        live("b", worth, 0.5),
        live("no number", worth, None),
        Project("over", Path("d"), "stopped", worth=worth, chance=0.0, currency="EUR"),
    )
    counts = portfolio.counts()
    assert counts[0.0] == pytest.approx([0.25, 0.5, 0.25])
    text = telling.likely(portfolio.projects, counts)
    assert text.startswith("That at least one of 2 projects succeeds: 67% to 75%")
    assert "no number: without a number" in text
    assert a_sheet(live("alone")).counts() == {}
    assert "no chance to state" in telling.likely([live("alone")], {})


def test_many_small_ones_are_called_safer_only_where_the_numbers_say_so() -> None:
    risky = [live(name, Worth(-80, 30, 140), 0.67) for name in "abcdef"]
    assert "many small ones are the safer way" in telling.against_one(a_sheet(*risky).together()[0])
    hopeless = [live(name, Worth(-140, -30, 80), 0.33) for name in "abcdef"]
    assert "one big project is the safer" in telling.against_one(a_sheet(*hopeless).together()[0])
    sure = [live(name, Worth(90, 100, 110), 0.99) for name in "abcdef"]
    assert "does not tell them apart" in telling.against_one(a_sheet(*sure).together()[0])


def test_one_big_project_has_the_expected_total_of_the_many() -> None:
    group = a_sheet(*[live(name, Worth(-80, 30, 140), 0.67) for name in "abc"]).together()[0]
    assert group.big.expected == group.spreads[0].expected
    assert group.big.loss.value > group.spreads[1].loss.value > group.spreads[0].loss.value


def test_hostile_names_are_escaped() -> None:
    from lab2live.reporting import display

    name = '<img src=x onerror="alert(1)">'
    rows = telling.overview([live(name, Worth(1, 2, 3), 0.9, currency="<b>")])
    assert "<img" not in display.table(rows).html
    assert "<b>" not in display.table(rows).html


def test_what_is_on_stand_in_data_is_drawn_and_not_called_a_gain() -> None:
    from lab2live.reporting import plots

    safe = Worth(10, 20, 30)
    figure = telling.worth_chart([live("a", safe, 0.9), live("b", Worth(-1, 2, 3), 0.9), live("c", safe)], "EUR")
    assert plots.heading(figure) == "1 of 2 projects on real data leaves a gain in 19 of 20 worlds"
    assert "c 20 (10 to 30)" in plots.alt(figure)


def test_no_chance_is_called_certain_because_it_was_rounded() -> None:
    portfolio = a_sheet(*[live(f"p{number}", Worth(1, 2, 3), 0.9975) for number in range(12)])
    text = telling.likely(portfolio.projects, portfolio.counts())
    assert "12 projects succeeds: above 99%, whether" in text
    assert telling.percent(0.0) == "0%"


# --- lessons --------------------------------------------------------------------------------------------------------


def test_a_lesson_meets_whoever_has_the_same_gate_open_or_failed_and_nobody_else() -> None:
    stopped = Project(
        "over",
        Path("a"),
        "stopped",
        gates={"eda.labels": "fail", "poc.net_benefit": "fail"},
        lessons=(("eda.labels", "Clerks disagree."), ("poc.net_benefit", "It costs more."), (None, "a free remark")),
    )
    found = learning.lessons(
        [
            stopped,
            live("failing", gates={"eda.labels": "fail", "poc.net_benefit": "pass"}),
            live("passing", gates={"eda.labels": "pass", "poc.net_benefit": "pass"}),
            live("early", gates={"eda.labels": "warn", "poc.net_benefit": "skip"}),
            live("older", gates={"eda.labels": "pass"}),  # its run does not know the other gate
            Project("waiting", Path("e"), "not started"),
            Project("also over", Path("f"), "stopped", gates={"eda.labels": "fail"}),
        ]
    )
    assert [(one.gate, one.found) for one in found] == [
        ("poc.net_benefit", "It costs more."),
        ("eda.labels", "Clerks disagree."),
    ]
    assert found[0].applies == {"early": "open", "older": "open", "waiting": "open"}
    assert found[1].applies == {"failing": "failed", "early": "warned", "waiting": "open"}
    assert learning.remarks([stopped]) == {"over": 1}


def test_live_projects_teach_nothing_yet() -> None:
    assert learning.lessons([live("a", gates={"eda.labels": "fail"}, lessons=(("eda.labels", "x"),))]) == []


def test_every_line_that_a_run_writes_about_a_gate_is_recognised(made: dict[str, Path]) -> None:
    found = reading.read(made["late-invoices"], TODAY)
    assert [gate for gate, _ in found.lessons] == [
        "eda.missing_critical",
        "eda.referential_integrity",
        "poc.net_benefit",
    ]
    assert found.lessons[0][1].endswith("34% of due_date is missing in invoices.")
    meets = {one.gate: one.applies for one in learning.lessons([reading.read(place, TODAY) for place in made.values()])}
    assert meets["eda.referential_integrity"]["Returned parcels"] == "failed"


def test_a_lesson_is_known_by_its_gate_however_it_is_worded(made: dict[str, Path]) -> None:
    path = run_of(made["late-invoices"]) / "lessons.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["lessons"] = ["reworded by somebody", *content["lessons"][1:], "ladder: the linear model wins"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    found = reading.read(made["late-invoices"], TODAY).lessons
    assert found[0] == ("eda.missing_critical", "reworded by somebody")
    assert found[-1] == (None, "ladder: the linear model wins")


# --- one project once, one currency, and only what still holds --------------------------------------------------------


def ran(run: Path, started: str, **facts: Any) -> Path:
    edit(
        run / "verdict.json", run={**json.loads((run / "verdict.json").read_text())["run"], "started": started, **facts}
    )
    return run


def test_two_runs_of_one_project_are_one_project_and_the_newest_counts(made: dict[str, Path], tmp_path: Path) -> None:
    project = made["repeat-purchases"]
    older = ran(run_of(project), "2026-10-01T08:00:00+00:00")
    newer = ran(Path(shutil.copytree(older, project / "runs" / "newer")), "2026-10-02T08:00:00+00:00")
    assert sheet.distinct([older, newer]) == sheet.distinct([newer, older]) == [newer]
    away = [Path(shutil.copytree(run, tmp_path / "away" / run.name)) for run in (older, newer)]
    assert sheet.distinct(away) == [away[1]]
    assert sheet.distinct([project, away[0], made["energy-peaks"]]) == [project, made["energy-peaks"]]
    shown = sheet.begin([str(older), str(newer)], None, today="2026-11-02")
    assert [one.place for one in shown.projects] == [newer]


@pytest.mark.parametrize("written", ["eur", "€", " EUR "])
def test_a_currency_is_one_however_it_is_written(made: dict[str, Path], written: str) -> None:
    content = json.loads(poc(made["energy-peaks"]).read_text(encoding="utf-8"))
    edit(poc(made["energy-peaks"]), returns={**content["returns"], "currency": written})
    found = [reading.read(made[name], TODAY) for name in ("energy-peaks", "repeat-purchases")]
    assert [group.currency for group in a_sheet(*found).together()] == ["EUR"]


def test_a_smoke_run_is_marked_and_left_out_of_the_sums(made: dict[str, Path]) -> None:
    ran(run_of(made["energy-peaks"]), "2026-10-01", smoke=True)
    found = [reading.read(made[name], TODAY) for name in ("energy-peaks", "repeat-purchases")]
    assert "smoke run" in found[0].marks and not found[0].counts and found[1].counts
    (group,) = a_sheet(*found).together()
    assert [one.name for one in group.projects] == ["Repeat purchases"]
    assert "Energy peaks: without a number that counts" in telling.likely(found, a_sheet(*found).counts())


def test_a_run_is_stale_once_the_charter_values_money_otherwise(made: dict[str, Path]) -> None:
    project = made["energy-peaks"]
    assert reading.read(project, TODAY).counts
    charter = project / "project.yaml"
    charter.write_text(charter.read_text(encoding="utf-8").replace("build_cost: 50000", "build_cost: 90000"))
    found = reading.read(project, TODAY)
    assert reading.STALE in found.marks and not found.counts
    charter.write_text(charter.read_text(encoding="utf-8").replace("build_cost: 90000", "build_cost: 50000"))
    charter.write_text(charter.read_text(encoding="utf-8").replace("Made up,", "Still made up,"))
    assert reading.read(project, TODAY).counts, "words do not make a run stale"
