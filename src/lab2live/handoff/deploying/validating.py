"""Are the files of `deploy/` what they claim to be? Held against the schemas of those who read them; nothing is run.

What has no schema where this runs is named as not checked: no engine is at hand here, and a file that fits its schema
may still not run.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from typing import Any

from lab2live.charter.yaml import read_yaml
from lab2live.handoff.deploying.folder import SCHEMA

# File -> the schema that the package check-jsonschema brings.
VENDORED = {"deploy/compose.yaml": "compose-spec", "deploy/github-workflow.yml": "github-workflows"}
MANIFESTS, DOCKERFILE = "deploy/kubernetes.yaml", "deploy/Dockerfile"
# The package with the schemas of Kubernetes is large: it is taken where it is, and lab2live's own tests fetch it.
KUBERNETES = "1.37"
PACKAGES = {**dict.fromkeys(VENDORED, "check_jsonschema"), MANIFESTS: "kubernetes_validate"}
INSTRUCTIONS = {
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN"),
    *("SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
SECRET = re.compile(r"(?i)(key|secret|token|passw)\w*=")
# Problems told of one file.
MOST_TOLD = 5


def problems(contents: Mapping[str, bytes]) -> list[str]:
    """Name what is wrong with the files of a bundle that deploy it; empty if nothing was found.

    Parameters
    ----------
    contents
        Name in the bundle -> content, see `folder.files` and `folder.schema`.
    """
    found: list[str] = []
    for name, schema in VENDORED.items():
        if name in contents and name not in unchecked():
            found += _against(name, _vendored(schema), read_yaml(contents[name].decode()))
    if MANIFESTS in contents and MANIFESTS not in unchecked():
        found += _kubernetes(contents[MANIFESTS])
    if DOCKERFILE in contents:
        found += dockerfile(contents[DOCKERFILE].decode(), set(contents))
    if SCHEMA in contents:
        found += _schema(contents[SCHEMA])
    return found


def unchecked() -> dict[str, str]:
    """Give the files that cannot be checked here, and the package that is missing for it."""
    return {name: package for name, package in PACKAGES.items() if importlib.util.find_spec(package) is None}


def sentence(found: Sequence[str]) -> str:
    """Say what was checked, and how far that goes."""
    left = unchecked()
    checked = [name.removeprefix("deploy/") for name in (*VENDORED, MANIFESTS) if name not in left]
    told = f"Checked against their schemas: {', '.join(checked)}. " if checked else ""
    told += f"Not checked here: {', '.join(name.removeprefix('deploy/') for name in left)}. " if left else ""
    outcome = f"{len(found)} wrong: {'; '.join(found)}." if found else "Nothing was found wrong."
    return (
        f"{told}The Dockerfile was read line by line. {outcome} No image was built, and nothing was run in a cluster."
    )


def dockerfile(text: str, names: set[str]) -> list[str]:
    """Read a Dockerfile, and hold it against what every image of ours has to be.

    Parameters
    ----------
    text
        The Dockerfile.
    names
        The files beside which it is built.
    """
    plain = re.sub(r"(?m)^\s*#.*\n", "", text).replace("\\\n", " ")
    lines = [(line.split(maxsplit=1)[0].upper(), line) for line in plain.splitlines() if line.strip()]
    of = {kind: [line.split(maxsplit=1)[-1] for found, line in lines if found == kind] for kind, _ in lines}
    defaults = dict(line.partition("=")[::2] for line in of.get("ARG", []))
    found = [f"`{kind}` is no instruction" for kind in of if kind not in INSTRUCTIONS]
    bases = of.get("FROM", [])
    found += ["no base"] * (not bases) + [f"the base {base} is not pinned" for base in bases if not _is_pinned(base)]
    if of.get("USER", ["root"])[-1].partition(":")[0] in ("root", "0"):
        found.append("it runs as root")
    found += [f"no {kind}" for kind in ("HEALTHCHECK", "ENTRYPOINT") if kind not in of]
    found += ["ADD may fetch from anywhere"] * ("ADD" in of)
    found += [f"a secret in {line}" for kind in ("ENV", "ARG") for line in of.get(kind, []) if SECRET.search(line)]
    found += [
        f"`{line}` is no JSON list" for kind in ("ENTRYPOINT", "CMD") for line in of.get(kind, []) if not _is_list(line)
    ]
    for line in of.get("COPY", []):
        for source in line.split()[:-1]:
            file = re.sub(r"\$\{(\w+)\}", lambda one: defaults.get(one[1], ""), source)
            found += [f"{file} is not there to copy"] * (file != "." and file not in names)
    return [f"{DOCKERFILE}: {problem}" for problem in found[:MOST_TOLD]]


def _is_pinned(base: str) -> bool:
    return re.search(r":\d[\w.-]*(@sha256:[0-9a-f]{64})?$", base.split()[0]) is not None


def _is_list(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def _vendored(name: str) -> dict[str, Any]:
    folder = resources("check_jsonschema").joinpath("builtin_schemas", "vendor")
    found: dict[str, Any] = json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return found


def _against(name: str, schema: Mapping[str, Any], document: Any) -> list[str]:
    from jsonschema.validators import validator_for

    wrong = validator_for(schema)(schema).iter_errors(document)
    return [f"{name}: {one.json_path}: {one.message[:200]}" for _, one in zip(range(MOST_TOLD), wrong, strict=False)]


def _kubernetes(content: bytes) -> list[str]:
    import kubernetes_validate

    found = []
    for document in map(read_yaml, content.decode().split("\n---\n")):
        try:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{MANIFESTS}: {document['kind']}: {error.message[:200]}")
    return found


def _schema(content: bytes) -> list[str]:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(json.loads(content))
    except SchemaError as error:
        return [f"{SCHEMA}: {error.message[:200]}"]
    return []
