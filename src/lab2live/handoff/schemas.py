"""The contract for machines: what a case has to look like and what an answer does, as JSON Schema (draft 2020-12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab2live.handoff.checking import LARGEST, LONGEST, LONGEST_TEXT, is_text

_YEAR = "(?:18|19|20|21)[0-9]{2}"
_LEAP = "(?:(?:18|19|21)(?:0[48]|[2468][048]|[13579][26])|20(?:[02468][048]|[13579][26]))"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP}-02-29)"
)
_DOTTED = (
    "(?:(?:(?:0?[1-9]|1[0-9]|2[0-8])[.](?:0?[1-9]|1[0-2])|(?:29|30)[.](?:0?[13-9]|1[0-2])|31[.](?:0?[13578]|1[02]))"
    f"[.]{_YEAR}|29[.]0?2[.]{_LEAP})"
)
_HOUR, _MINUTE = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_TIME = f"(?:[T ]{_HOUR}:{_MINUTE}(?::{_MINUTE}(?:[.][0-9]{{1,9}})?)?(?:Z|[+-]{_HOUR}(?::?{_MINUTE})?)?)?"
# Days from 1800 to 2199 that there are, with or without a time of day, as `encoding.moment` reads them.
MOMENT = f"^(?:{_DAY}{_TIME}|{_YEAR}-(?:0[1-9]|1[0-2])|{_DOTTED})$"
_NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}


def case_schema(form: Mapping[str, Any], unasked: Sequence[str] = ()) -> dict[str, Any]:
    """Describe a case.

    Parameters
    ----------
    form
        See `form.describe`: types, units, what cannot be, and what has to be known.
    unasked
        Columns that nobody has to give and that the project's features may look at.
    """
    loose = {"type": ["string", "number", "boolean", "null"], "maxLength": LONGEST}
    named = {
        name: {**loose, "description": "Names the case; the model does not see it."} for name in form["identifiers"]
    }
    free = {name: {**loose, "description": "May be left out."} for name in unasked}
    asked = {field["name"]: _field(field, loose) for field in form["fields"]}
    known = [field["name"] for field in form["fields"] if not field["optional"] and "derived" not in field]
    return {
        "type": "object",
        "properties": {**named, **free, **asked},
        "required": known,
        "additionalProperties": False,
    }


def _field(field: Mapping[str, Any], loose: Mapping[str, Any]) -> dict[str, Any]:
    if "derived" in field:
        return {**loose, "description": f"Computed: {field['derived']}. What is sent is not looked at."}
    described = [f"In {field['unit']}."] if field.get("unit") else []
    if field["kind"] == "number":
        described += [f"Learnt from {field['low']:g} to {field['high']:g}."]
        told: dict[str, Any] = {
            "type": "number",
            "minimum": field.get("least", -LARGEST),
            "maximum": field.get("most", LARGEST),
        }
    elif field["kind"] == "date":
        described += ["A day as 2026-12-31, or a moment, in UTC where it names no zone."]
        described += [f"Learnt from {field['low']} to {field['high']}."]
        told = {"type": "string", "pattern": MOMENT}
    else:
        choices = ", ".join(map(repr, field["choices"][:20]))
        described += [f"Known: {choices}." if choices else "Any text."]
        told = {"type": "string", "maxLength": field.get("longest", LONGEST_TEXT)}
    if field.get("boolean"):
        described = ["True or false, or 1 or 0."]
        told = {"enum": [True, False, 1, 0, *([None] if field["optional"] else [])]}
    elif field["optional"]:
        told["type"] = [told["type"], "null"]
    elif field["kind"] == "category":
        told["minLength"] = 1
    return {**told, "description": " ".join(described)}


def answer_schema(contract: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the answer about one case."""
    classes = list(contract["classes"])
    about = {
        "binary": "The probability of the second class.",
        "multiclass": "The probability of the most probable class.",
        "regression": "The predicted number.",
    }[contract["problem"]]
    output = {"enum": [*classes, None]} if classes else {"type": ["number", "null"]}
    return {
        "type": "object",
        "properties": {
            "score": {"type": ["number", "null"], "description": f"{about} Null where the model was not asked."},
            "prediction": {**output, "description": "What to act on; null where a person decides."},
            "served_by": {"enum": ["model", "rule", "baseline", "review"], "description": "Who answers."},
            "reason": {"type": "string", "description": "Why not the model, or what speaks against its answer."},
            "problems": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                    "required": ["field", "message"],
                },
            },
            "review": {"type": ["integer", "null"], "description": "The number under which a person will decide."},
            "bundle": {"type": "string", "description": "Which bundle answered: the first letters of its hash."},
        },
        "required": ["score", "prediction", "served_by", "reason", "problems", "review", "bundle"],
        "additionalProperties": False,
    }


def openapi(
    form: Mapping[str, Any],
    contract: Mapping[str, Any],
    unasked: Sequence[str],
    version: str,
    most_cases: int,
    keyed: bool,
) -> dict[str, Any]:
    """Describe the service (OpenAPI 3.1).

    Parameters
    ----------
    form, contract, unasked
        See above; empty where the bundle is too broken to say.
    version
        Of the service.
    most_cases
        In one request.
    keyed
        Whether a key is needed.
    """
    anything = {"type": "object"}
    case, asked = (
        (case_schema(form, unasked), case_schema({**form, "identifiers": ()})) if form else (anything, anything)
    )
    answer = answer_schema(contract) if contract else anything
    message = _content({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]})
    refused = {
        **{status: {"description": text, **message} for status, text in _REFUSED.items()},
        **({"401": {"description": "No key, or not the right one", **message}} if keyed else {}),
    }
    several = {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}}},
        "required": ["answers"],
    }
    either = {"anyOf": [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/Message"}]}
    either_several = {"anyOf": [several, {"$ref": "#/components/schemas/Message"}]}
    broken = "The case breaks the contract, and the fallback answers; or there is no case in the body"
    one = _body({"values": {"$ref": "#/components/schemas/Case"}})
    cases = {"type": "array", "items": {"$ref": "#/components/schemas/Case"}, "minItems": 1, "maxItems": most_cases}
    many = _body({"cases": cases})
    found = {"200": {"description": "Answered", **_content({"type": "object"})}}
    decision = _body({"output": {"enum": list(contract["classes"])} if contract.get("classes") else _NUMBER,
                      "who": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}})  # fmt: skip
    number = {
        "name": "number",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**53},
    }
    none = {"404": {"description": "There is no such case", **message}}
    text = {"200": {"description": "Counters", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "lab2live", "version": version},
        "paths": {
            "/predict": {"post": {"summary": "Answer about one case", "requestBody": one, "responses": {
                "200": {"description": "Answered", **_content({"$ref": "#/components/schemas/Answer"})},
                "422": {"description": broken, **_content(either)}, **refused}}},
            "/predict/batch": {"post": {"summary": "Answer about several cases", "requestBody": many, "responses": {
                "200": {"description": "Answered", **_content(several)},
                "422": {"description": broken, **_content(either_several)},
                **refused}}},
            "/explain": {"post": {"summary": "Answer about one case, with reasons and what would flip it",
                "requestBody": _body({"values": {"$ref": "#/components/schemas/Asked"}}), "responses": {
                **found, "422": {"description": broken, **_content({"type": "object"})},
                "503": {"description": "The model does not answer now", **message}, **refused}}},
            "/form": {"get": {"summary": "The fields, and typical cases", "responses": {**found, **_CALM}}},
            "/health": {"get": {"summary": "Is it alive?", "responses": {**found, **_CALM}}},
            "/ready": {"get": {"summary": "Who answers, the model or the fallback?", "responses": {**found, **_CALM}}},
            "/metrics": {"get": {"summary": "Counters for Prometheus", "responses": {**text, **_CALM}}},
            "/review/cases": {"get": {"summary": "Cases that wait for a person", "responses": {**found, **_CALM}}},
            "/review/cases/{number}": {
                "parameters": [number],
                "get": {"summary": "What became of a case", "responses": {**found, **none, **_CALM}},
                "post": {"summary": "Decide about a case", "requestBody": decision, "responses": {
                    **found, **none, "409": {"description": "It is decided already", **message},
                    "422": {"description": "Not a decision", **message}, **refused}}},
        },
        "components": {
            "schemas": {
                "Case": case, "Asked": asked, "Answer": answer,
                "Message": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
            },
            **({"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}} if keyed else {}),
        },
        **({"security": [{"key": []}]} if keyed else {}),
    }  # fmt: skip


_REFUSED = {
    "413": "The request is too large",
    "415": "The body is no JSON",
    "421": "The service is not called by this name",
    "429": "Too many requests",
}
_CALM = {status: {"description": _REFUSED[status]} for status in ("421", "429")}


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": dict(schema)}}}


def _body(properties: Mapping[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"required": True, **_content(schema)}


def is_short(said: Any) -> bool:
    """Say whether something is a text that a person may write as a decision or a name."""
    return isinstance(said, str) and 0 < len(said) <= LONGEST_TEXT and is_text(said)
