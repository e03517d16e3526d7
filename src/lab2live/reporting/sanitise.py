"""HTML that others wrote, made harmless: an allow-list for what notebooks put out."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

_TAGS = """
a abbr b bdi blockquote br caption code col colgroup dd del details div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr
i img kbd li mark ol p pre s section small span strong sub summary sup table tbody td tfoot th thead tr u ul var
"""
_ATTRIBUTES = "align alt aria-label class colspan href id open role rowspan scope src start tabindex title"
TAGS = frozenset(_TAGS.split())
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
SCHEMES = frozenset(("http", "https", "mailto"))
DROPPED_WITH_CONTENT = [
    *("script", "style", "template", "iframe", "object", "embed", "noscript"),
    *("svg", "math", "title", "textarea", "select", "xmp"),
]
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]+", re.ASCII)


def sanitise(html: str) -> str:
    """Reduce HTML to the allow-list: no scripts, styles, frames, event handlers, or anything that loads from elsewhere.

    nbconvert's own sanitiser works per cell and MIME type, and leaves the text of removed `<style>` and `<script>`
    standing; one pass over the finished body is simpler to reason about.

    Parameters
    ----------
    html
        A fragment of a page.

    Returns
    -------
    str
        The same, harmless; tables of others (pandas) get a box of their own to scroll in.
    """
    import bleach
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, features="html.parser")
    for element in soup(DROPPED_WITH_CONTENT):
        element.decompose()
    for table in soup("table"):
        if not table.find_parent(class_="l2l-scroll"):
            table.wrap(
                soup.new_tag("div", attrs={"class": "sheet", "role": "region", "aria-label": "table", "tabindex": "0"})
            )
    # Long base64 texts are set aside: they were checked against one regular expression, parsing them takes seconds.
    # The mark is random, so that no data can name it.
    mark, pictures = uuid4().hex, list[str]()
    for image in soup("img"):
        source = str(image.get("src", ""))
        if PICTURE.fullmatch(source):
            pictures.append(source)
            image["src"] = f"{mark}-{len(pictures) - 1}"
        else:
            image.replace_with(f"[picture: {image.get('alt', '')}]")
    # bleach escapes `&` and `<` twice in a value that holds a double quote; single ones read just as well.
    for element in soup(True):
        element.attrs = {
            name: value.replace('"', "'") if isinstance(value, str) else value for name, value in element.attrs.items()
        }
    clean = bleach.clean(
        str(soup),
        tags=TAGS,
        attributes=_allowed,
        protocols=SCHEMES,
        strip=True,
        strip_comments=True,
    )
    return re.sub(f'src="{mark}-([0-9]+)"', lambda found: f'src="{pictures[int(found[1])]}"', clean)


def _allowed(tag: str, name: str, value: str) -> bool:
    if name not in ATTRIBUTES:
        return False
    if name == "src":
        return tag == "img"
    if name == "tabindex":
        return value == "0"
    return name != "href" or (tag == "a" and _leads_to_a_page(value))


def _leads_to_a_page(url: str) -> bool:
    # bleach lets `javascript:0` pass (it takes the number for a port), so schemes are checked here as well.
    plain = re.sub(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028\u2029]+", "", unescape(url)).lower()
    scheme, colon, _ = plain.partition(":")
    return not colon or scheme in SCHEMES or any(mark in scheme for mark in "/?#")
