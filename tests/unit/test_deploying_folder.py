"""What deploys a bundle fits its schemas, whatever the project is called, and says nothing that is not so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab2live.charter.schema import Charter
from lab2live.charter.yaml import read_yaml
from lab2live.handoff.deploying import folder, locked, validating
from lab2live.handoff.deploying.capacity import Capacity

ROOT = Path(__file__).resolve().parents[2]
CORE = "0123456789abcdef" * 4
MEASURED = Capacity(1.5, 2.0, 4.0, 100.0, 300.4, 0.02, 0.001, "3.12.9")
HOSTILE = [
    "Telecom churn",
    "",
    "7 dwarfs",
    "---",
    "Straße & Co. KG",
    "顧客",
    '"; rm -rf / #\n- evil: true',
    "${{ secrets.KEY }} ${HOME} $(id) `id`",
    "[[ name ]] {{ 7 * 'of' }}",
    "a" * 5_000,
    "back\\slash 'quote' \"double\" : # & * ! | > % @ \x00\x07\u2028\U0001f600\ud800",
]


@pytest.fixture(scope="module")
def needs() -> locked.Needs:
    return locked.needs(locked.find(ROOT), "onnx", None)


def charter_of(name: str, **deployment: Any) -> Charter:
    return Charter.model_validate(
        {
            "project": {"name": name},
            "prediction": {"problem_type": "classification", "target": "y"},
            "sources": [{"name": "s", "uri": "never-read.csv"}],
            "deployment": deployment,
        }
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_every_file_fits_its_schema_whatever_the_project_is_called(needs: locked.Needs, name: str) -> None:
    files = folder.files(charter_of(name), needs, MEASURED, CORE)
    assert validating.problems(files) == []
    name = charter_of(name).project.name
    slug = folder.dns_name(name)
    assert re.fullmatch("[a-z]([a-z0-9-]{0,38}[a-z0-9])?", slug)
    documents = list(map(read_yaml, files["deploy/kubernetes.yaml"].decode().split("\n---\n")))
    assert [document["kind"] for document in documents] == [
        *("Deployment", "Service", "PersistentVolumeClaim", "PersistentVolumeClaim", "CronJob")
    ]
    assert all(document["metadata"]["name"].startswith(slug) for document in documents)
    told = documents[0]["metadata"]["annotations"]["lab2live/project"]
    assert told == "".join(mark for mark in name if mark.isprintable())[:200]
    # nowhere else than in that one quoted text
    others = b"".join(content for file, content in files.items() if file.endswith((".yml", "Dockerfile", ".md")))
    assert not any(word in others.decode() for word in ("rm -rf", "secrets.KEY", "$(id)", "of" * 7))


def test_containers_have_no_root_and_the_service_is_published_on_this_machine_alone(needs: locked.Needs) -> None:
    files = folder.files(charter_of("x"), needs, MEASURED, CORE)
    compose = read_yaml(files["deploy/compose.yaml"].decode())
    assert compose["services"]["service"]["ports"] == ["127.0.0.1:8000:8000"]
    assert compose["services"]["monitor"]["build"]["context"] == ".."
    deployment, *_, cron = map(read_yaml, files["deploy/kubernetes.yaml"].decode().split("\n---\n"))
    for pod in (deployment["spec"]["template"]["spec"], cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]):
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
        assert re.fullmatch("x:[0-9a-f]{12}(-full)?", container["image"])
    job = cron["spec"]["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob" and rule["onExitCodes"]["values"] == [2]
    assert job["template"]["spec"]["containers"][0]["args"][:2] == ["monitor", "/bundle"]
    outside = re.findall(rb"https?://([\w.-]+)", b"".join(files[name] for name in files if not name.endswith(".whl")))
    assert set(outside) <= {b"127.0.0.1"}


def test_other_packages_around_the_same_model_are_another_image(needs: locked.Needs) -> None:
    def image(needs: locked.Needs, core: str) -> str:
        found: str = read_yaml(folder.files(charter_of("x"), needs, MEASURED, core)["deploy/compose.yaml"].decode())[
            "services"
        ]["service"]["image"]
        return found

    fewer = replace(needs, packages={task: packages[1:] for task, packages in needs.packages.items()})
    assert image(needs, CORE) == image(needs, CORE)
    assert len({image(needs, CORE), image(fewer, CORE), image(needs, "f" * 64)}) == 3


def test_resources_follow_from_what_was_measured_and_what_the_charter_allows() -> None:
    asked = folder.place(charter_of("x", memory_mb=512, requests_per_second=50, python="3.13.1"), MEASURED, CORE)
    assert (asked.memory, asked.memory_limit, asked.cpu, asked.python) == (301, 512, 500, "3.13")
    open_ = folder.place(charter_of("x"), MEASURED, CORE)
    assert (open_.memory, open_.memory_limit, open_.cpu, open_.python) == (301, 451, folder.CPU, "3.12")
    small = folder.place(charter_of("x", memory_mb=100, requests_per_second=1e9, python="2.7"), MEASURED, CORE)
    assert (small.memory, small.memory_limit, small.cpu, small.python) == (100, 100, folder.MOST_CPU, "3.12")
    assert (
        folder.place(charter_of("x"), MEASURED, CORE).image != folder.place(charter_of("x"), MEASURED, "f" * 64).image
    )


DOCKERFILE = folder.TEMPLATES["Dockerfile.j2"][0]
SPOILED = {
    "root": ("USER 10001:10001", "USER 0"),
    "no user": ("USER 10001:10001\n", ""),
    "not pinned": ("slim-bookworm", "slim:latest"),
    "no tag": (":3.12-slim-bookworm", ""),
    "no health check": ("HEALTHCHECK", "LABEL"),
    "secret": ("ARG LOCK=", "ENV API_KEY=abc\nARG LOCK="),
    "fetched": ("COPY . /bundle", "ADD . /bundle"),
    "nothing to copy": ("requirements-predict.lock", "another.lock"),
    "no list": ('ENTRYPOINT ["lab2live"]', "ENTRYPOINT lab2live"),
    "no instruction": ("EXPOSE 8000", "EXPOSED 8000"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_dockerfile_is_found(needs: locked.Needs, kind: str) -> None:
    files = folder.files(charter_of("x"), needs, MEASURED, CORE)
    before, after = SPOILED[kind]
    text = files[DOCKERFILE].decode()
    assert before in text
    found = validating.problems({**files, DOCKERFILE: text.replace(before, after, 1).encode()})
    assert len(found) == 1 and found[0].startswith(DOCKERFILE)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("deploy/compose.yaml", b"ports:", b"portz:"),
        ("deploy/github-workflow.yml", b"runs-on: ubuntu-24.04", b"runs-in: ubuntu-24.04"),
        ("contract.schema.json", b'"object"', b'"thing"'),
    ],
)
def test_a_file_that_does_not_fit_its_schema_is_found(
    needs: locked.Needs, name: str, before: bytes, after: bytes
) -> None:
    form: dict[str, Any] = {"fields": [], "identifiers": ["id"]}
    files = folder.files(charter_of("x"), needs, MEASURED, CORE)
    files |= folder.schema(form, {"problem": "binary", "classes": ["no", "yes"]}, {"note": None})
    assert validating.problems(files) == []
    assert before in files[name]
    found = validating.problems({**files, name: files[name].replace(before, after)})
    assert found and all(problem.startswith(name) for problem in found)


def test_what_was_not_checked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validating.importlib.util, "find_spec", lambda name: None)
    said = validating.sentence([])
    assert "Not checked here: compose.yaml, github-workflow.yml, kubernetes.yaml" in said
    assert "Checked against" not in said and "No image was built" in said
    assert "1 wrong: x" in validating.sentence(["x"])


def test_the_table_names_every_file(needs: locked.Needs) -> None:
    files = {re.sub(r"live-.*whl", "live-*.whl", name) for name in folder.files(charter_of("x"), needs, MEASURED, CORE)}
    assert set(folder.table()["file"]) == files
