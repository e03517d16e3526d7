"""`lab2live simulate`, `simulated://` and `public://`: files that join and say what they are; nobody loses a file."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import loading as charters
from lab2live.cli import main
from lab2live.data.sources import tables
from lab2live.errors import UserError
from lab2live.pipeline import context
from lab2live.synthesis import demo_silos, public, simulate, stand_ins

SPEC = """\
prediction: {problem_type: classification, target: left, positive_class: "yes", id_column: customer_id}
sources:
  - name: crm
    uri: never-read.parquet
    key: customer_id
    columns:
      age: {type: integer, min: 18, max: 90, mean: 40, missing: 0.1}
      tariff: {type: category, values: {Basic: 0.6, Premium: 0.4}}
      autopay: {type: boolean}
  - name: billing
    key: customer_id
    columns: {amount: {type: number, min: 0, mean: 30}}
    aggregate: {invoices: count(*), bill: avg(amount)}
join: {base: crm, on: customer_id}
simulate: {rows: 400, base_rate: 0.3, effects: {invoices: 0.8, tariff: {Premium: 1.0}}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["lab2live", "simulate", *map(str, arguments)])
    return main.main()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def truth(folder: Path) -> dict[str, Any]:
    return json.loads((folder / simulate.TRUTH).read_text(encoding="utf-8"))


def test_one_file_per_source_and_the_truth(spec: Path, tmp_path: Path) -> None:
    said: list[str] = []
    simulate.write(spec, tmp_path / "out", say=said.append)
    crm, billing = pd.read_parquet(tmp_path / "out/crm.parquet"), pd.read_csv(tmp_path / "out/billing.csv")
    assert list(crm) == ["customer_id", "age", "tariff", "autopay", "left"] and len(crm) == 400
    assert crm["customer_id"].is_unique and crm["customer_id"].str.fullmatch(r"C\d{6}").all()
    assert billing["customer_id"].isin(crm["customer_id"]).all() and billing["amount"].min() >= 0
    known = truth(tmp_path / "out")
    assert (known["simulated"], known["seed"], known["rows"]) == (True, 0, {"crm": 400, "billing": len(billing)})
    assert known["effects"] == {"invoices": 0.8, "tariff": {"Premium": 1.0}}
    assert 0.6 < known["bayes_roc_auc"] < 0.9 and known["shares"]["yes"] == pytest.approx(0.3)
    assert any("400 rows" in line for line in said)


def test_a_seed_gives_the_same_bytes_and_another_one_others(spec: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate.write(spec, tmp_path / name, seed=seed, rows=50, say=lambda _: None)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")["billing.csv"] != contents(tmp_path / "c")["billing.csv"]


def test_a_new_column_leaves_the_others_as_they_are(spec: Path, tmp_path: Path) -> None:
    simulate.write(spec, tmp_path / "a", say=lambda _: None)
    spec.write_text(SPEC.replace("autopay: {type: boolean}", "autopay: {type: boolean}\n      extra: {type: number}"))
    simulate.write(spec, tmp_path / "b", say=lambda _: None)
    first, second = (pd.read_parquet(tmp_path / name / "crm.parquet") for name in "ab")
    pd.testing.assert_frame_equal(first, second.drop(columns="extra"))


def test_only_a_folder_it_wrote_itself_is_written_again(spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    simulate.write(spec, out, rows=30, say=lambda _: None)
    spec.write_text(SPEC.replace("name: billing", "name: invoices"))
    simulate.write(spec, out, rows=30, say=lambda _: None)
    assert set(contents(out)) == {"crm.parquet", "invoices.csv", "truth.json"}
    (out / "mine.txt").write_text("keep me")
    before = contents(out)
    with pytest.raises(UserError) as caught:
        simulate.write(spec, out, rows=30, say=lambda _: None)
    assert caught.value.details["found"] == "mine.txt" and contents(out) == before
    (tmp_path / "file").write_text("a file")
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError):
            simulate.write(spec, place, rows=30, say=lambda _: None)


def test_nothing_is_left_behind_when_the_charter_cannot_be_simulated(spec: Path, tmp_path: Path) -> None:
    spec.write_text(SPEC.replace("type: boolean", "type: blob"))
    with pytest.raises(UserError) as caught:
        simulate.write(spec, tmp_path / "new" / "out", say=lambda _: None)
    assert caught.value.details["found"] == "blob" and "columns.autopay.type" in caught.value.details["where"]
    assert not (tmp_path / "new" / "out").exists() and list((tmp_path / "new").iterdir()) == []


def test_exit_codes(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, spec, tmp_path / "out", "--rows", 30, "--seed", 3) == 0
    assert "truth.json" in capsys.readouterr().out and truth(tmp_path / "out")["seed"] == 3
    assert run(monkeypatch, "--list") == 0
    assert "breast_cancer" in capsys.readouterr().out
    for arguments in ([spec], [], [tmp_path / "none.yaml", tmp_path / "o"], [spec, tmp_path], ["public://x", "o"]):
        assert run(monkeypatch, *arguments) == 1
        assert "Error:" in capsys.readouterr().err
    assert run(monkeypatch, spec, tmp_path / "o", "--rows", 0) == 1


def test_sources_with_awkward_names_get_files_of_their_own(tmp_path: Path) -> None:
    names = ["a/b", "a b", "../..", "😀", "A_b"]
    entries = [{"name": name, "columns": {"id": {}, "y": {"mean": 3}}, "key": "id"} for name in names]
    blocks = {"prediction": {"problem_type": "regression", "target": "y"}, "join": {"base": "a/b", "on": "id"}}
    (tmp_path / "s.yaml").write_text(json.dumps({"sources": entries, **blocks}, ensure_ascii=False), encoding="utf-8")
    made = simulate.write(tmp_path / "s.yaml", tmp_path / "out", rows=20, say=lambda _: None)
    assert len({path.name.lower() for path in made}) == 6 and {path.parent for path in made} == {tmp_path / "out"}


def test_faults_are_planted_where_the_truth_says(spec: Path, tmp_path: Path) -> None:
    fault = "faults: [{kind: sentinel_number, source: crm, column: age, share: 0.05}], "
    spec.write_text(SPEC.replace("simulate: {", "simulate: {" + fault))
    simulate.write(spec, tmp_path / "out", say=lambda _: None)
    (planted,) = truth(tmp_path / "out")["faults"]
    age = pd.read_parquet(tmp_path / "out/crm.parquet")["age"]
    assert planted["planted"] and planted["positions"] == np.flatnonzero(age == -999).tolist() != []
    spec.write_text(SPEC.replace("simulate: {", "simulate: {faults: [{kind: gremlins, source: crm}], "))
    with pytest.raises(UserError) as caught:
        simulate.write(spec, tmp_path / "other", say=lambda _: None)
    assert "simulate.faults[0]" in caught.value.details["where"]


# --- addresses ------------------------------------------------------------------------------------------------------


def project(folder: Path, text: str) -> charters.Charter:
    folder.mkdir(exist_ok=True)
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    return charters.find(folder)


def real_silos(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    crm, invoices, _, _ = demo_silos.telecom(customers=300)
    crm.to_csv(folder / "crm.csv", index=False)
    invoices.to_csv(folder / "billing.csv", index=False)


REFUSED = """\
prediction: {problem_type: classification, target: churned, positive_class: "yes", id_column: customer_id}
sources:
  - {name: crm, uri: crm.csv, key: customer_id}
  - name: billing
    uri: b.parquet
    stand_in: "simulated://"
    access: refused
    key: customer_id
    columns: {customer_id: {missing: 0.2}, amount: {type: number, min: 0, mean: 30}}
    aggregate: {bill: avg(amount)}
join: {base: crm, on: customer_id}
"""


def test_a_refused_silo_is_simulated_for_the_cases_of_the_real_base(tmp_path: Path) -> None:
    real_silos(tmp_path)
    charter = project(tmp_path, REFUSED)
    readings = tables.read_all(charter)
    table = tables.joined_table(charter, readings)
    assert charter.stand_ins == ["billing"] and len(table) == 300
    # a fifth has no rows because the charter says so, and a sixth because counts are drawn
    assert 0.2 < table["bill"].isna().mean() < 0.5
    assert "tell nothing about it" in truth(tmp_path / "data/simulated")["note"]
    assert any("billing" in str(banner) for banner in context.banners(charter, None))


def test_a_base_that_is_still_requested_takes_the_keys_of_a_real_silo(tmp_path: Path) -> None:
    real_silos(tmp_path)
    text = REFUSED.replace("{name: crm, uri: crm.csv,", '{name: crm, stand_in: "simulated://", access: requested,')
    text = text.replace('    stand_in: "simulated://"\n    access: refused\n', "").replace("b.parquet", "billing.csv")
    charter = project(tmp_path, text + "simulate: {effects: {bill: 2.0}}\n")
    table = tables.modelling_table(charter)
    assert table["bill"].notna().all() and charter.stand_ins == ["crm"]
    bills = table.groupby("churned")["bill"].mean()
    assert bills["yes"] > bills["no"] + table["bill"].std()


def test_simulated_files_are_renewed_when_the_charter_or_the_real_data_change(tmp_path: Path) -> None:
    real_silos(tmp_path)
    charter = project(tmp_path, REFUSED)
    tables.read_all(charter)
    home = tmp_path / "data" / "simulated"
    stamp = (home / "truth.json").stat().st_mtime_ns
    tables.read_all(charter)
    assert (home / "truth.json").stat().st_mtime_ns == stamp
    charter = project(tmp_path, REFUSED.replace("mean: 30", "mean: 99"))
    tables.read_all(charter)
    assert pd.read_parquet(home / "billing.parquet")["amount"].mean() > 80
    pd.read_csv(tmp_path / "crm.csv").head(100).to_csv(tmp_path / "crm.csv", index=False)
    tables.read_all(charter)
    assert pd.read_parquet(home / "billing.parquet")["customer_id"].nunique() <= 100
    assert [path.name for path in home.parent.iterdir()] == ["simulated"]


def test_readers_at_once_find_a_whole_folder(tmp_path: Path) -> None:
    text = SPEC.replace("uri: never-read.parquet", 'uri: "simulated://"')
    charter = project(tmp_path, text.replace("autopay: {type: boolean}", "left: {values: [no, yes]}"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: stand_ins.stand_in(charter, charter.sources[0]).read_bytes(), range(8)))
    assert len(set(found)) == 1 and len(list((tmp_path / "data").iterdir())) == 1


def test_whatever_is_simulated_or_public_is_marked_whatever_the_access_says(tmp_path: Path) -> None:
    text = SPEC.replace("uri: never-read.parquet", 'uri: "public://iris"\n    access: granted')
    assert project(tmp_path, text).stand_ins == ["crm", "billing"]


def test_an_unknown_simulated_address_is_explained(tmp_path: Path) -> None:
    charter = project(tmp_path, SPEC.replace("uri: never-read.parquet", 'uri: "simulated://crm"'))
    assert "simulated:// alone" in tables.read(charter, charter.sources[0]).problem


def test_a_sample_named_in_the_charter_is_learnt_from(tmp_path: Path) -> None:
    real_silos(tmp_path)
    text = REFUSED + "simulate: {sample: {billing: billing.csv}}\n"
    tables.read_all(project(tmp_path, text))
    made = pd.read_parquet(tmp_path / "data/simulated/billing.parquet")
    assert set(made["month"].astype(str)) == {"2026-05-01", "2026-06-01", "2026-07-01"}, "months are read as days"
    assert "not anonymous" in truth(tmp_path / "data/simulated")["what"]


def test_public_data_can_be_a_source(tmp_path: Path) -> None:
    text = 'prediction: {problem_type: classification, target: species}\nsources: [{name: iris, uri: "public://iris"}]'
    table = tables.modelling_table(project(tmp_path, text))
    assert len(table) == 150 and (tmp_path / "data/public/iris.csv").is_file()


# --- public ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [table for table in public.TABLES if table.offline], ids=lambda table: table.name)
def test_installed_tables_are_as_the_catalogue_says(table: public.Public, tmp_path: Path) -> None:
    frame = pd.read_csv(public.load(table.name, tmp_path))
    assert len(frame) == table.rows and table.target in frame
    numeric = pd.api.types.is_numeric_dtype(frame[table.target])
    assert numeric or table.problem_type == "classification"


def test_a_download_without_a_network_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sklearn.datasets

    def offline(**_: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", offline)
    with pytest.raises(UserError) as caught:
        public.load("public://credit_g", tmp_path)
    assert "breast_cancer" in caught.value.details["fix"] and list(tmp_path.iterdir()) == []


def test_an_unknown_public_table_is_told_the_names_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        simulate.write_public("public://nope", tmp_path / "out", say=lambda _: None)
    assert str(caught.value).count("motor_claims") == 1 and "lab2live simulate --list" in caught.value.details["fix"]
    with pytest.raises(UserError) as caught:
        public.find("public://motor_claim")
    assert caught.value.details["fix"].endswith("did you mean `motor_claims`?")


def test_the_public_command_writes_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "public://wine", tmp_path / "out") == 0
    assert truth(tmp_path / "out")["origin"] == "scikit-learn" and truth(tmp_path / "out")["simulated"] is False
    assert run(monkeypatch, "public://wine", tmp_path / "out") == 0
