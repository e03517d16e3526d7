"""Broken characters: found and repaired; accents, emoji and other scripts are left as they are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.eda.checks.encoding import encoding, repair

GOOD = [
    *("Müller", "Zoë", "café", "Straße", "«oui»", "“quoted”", "—", "„Ä“", "CAFÉ’S", "SÃO PAULO", "½", "naïve", "Łódź"),
    *("KÔŠ", "ÍŽEK", "É…", "Привет", "Ελλάδα", "東京", "👩‍👩‍👧", "नमस्ते", "A&B", "Spaß“", "Ü–20", "می‌خواهم"),
    *("a?b=c&d=e", "x < y"),
]


@pytest.mark.parametrize("text", GOOD)
def test_what_is_right_stays(text: str) -> None:
    assert repair(text) == text


@pytest.mark.parametrize(
    "text", ["München", "Łódź Główny", "Привет мир", "it’s", "naïve café", "東京都", "👍 good", "Ólafur Ü"]
)
def test_utf8_read_as_another_code_page_is_repaired(text: str) -> None:
    assert repair(text.encode().decode("latin-1")) == text
    for page in ("cp1252", "cp437"):
        try:
            broken = text.encode().decode(page)
        except UnicodeDecodeError:
            continue
        assert repair(broken) == text or page == "cp437"


@pytest.mark.parametrize(
    ("broken", "right"),
    [
        ("MÃ¼nchen", "München"),
        ("itâ€™s", "it’s"),
        ("MÃƒÂ¼nchen", "München"),
        ("M├╝nchen", "München"),
        ("M√ºnchen", "München"),
        ("Caf&eacute; &amp; Bar", "Café & Bar"),
        ("M\\u00fcnchen", "München"),
        ("\ufeffBasic", "Basic"),
        ("Ba\u200bsic", "Basic"),
    ],
)
def test_broken_texts_are_found_with_their_repair(surveyed: Any, broken: str, right: str) -> None:
    frame = pd.DataFrame({"id": range(100), "city": [broken] * 4 + ["Köln", "A & B", "🙂", "東京"] * 24})
    charter, (survey,) = surveyed({"base": frame})
    (found,) = encoding(charter, survey)
    assert (found.check, found.source, found.column, found.severity) == ("consistency.encoding", "base", "city", "warn")
    assert (found.rows, found.value) == (4, pytest.approx(0.04))
    assert found.examples[0].endswith(f" -> {right}")


def test_lost_letters_are_found_in_identifiers_too(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": [f"K�{number}" for number in range(30)] + [f"K{number}" for number in range(70)]})
    frame["city"] = ["M?nchen"] * 5 + ["München"] * 45 + ["really?"] * 50
    charter, (survey,) = surveyed({"base": frame}, key="id")
    found = {one.column: one for one in encoding(charter, survey)}
    assert (found["id"].rows, found["id"].severity) == (30, "fail")
    assert (found["city"].rows, found["city"].examples) == (5, ("M?nchen -> München",))


def test_a_broken_column_name_is_found(surveyed: Any) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": [1, 2], "StraÃŸe": [1, 2], "Größe": [1, 2]})})
    (found,) = encoding(charter, survey)
    assert (found.column, found.severity) == ("StraÃŸe", "warn")
    assert found.examples == ("'StraÃŸe' -> Straße",)


@given(st.text())
def test_no_text_breaks_it_and_plain_text_is_never_touched(text: str) -> None:
    repair(text)
    plain = "".join(sign for sign in text if sign.isascii() and sign not in "&\\")
    assert repair(plain) == plain
