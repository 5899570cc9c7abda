"""People with weak sight must be able to read the pages: WCAG AA, computed from the style sheet's own colours."""

import re
from itertools import product

import pytest

from demonstrator.bundles.viewer import PAGES, render_pages, static_files
from tests.support.demonstrator.local import SOURCE

STATIC = SOURCE / "bundles" / "viewer" / "static"
STYLE = (STATIC / "style.css").read_text("utf-8")
READABLE, VISIBLE = 4.5, 3.0

# What is written on what. Words in a component's colour stand on cards; a filled badge is the other way round.
WRITTEN = [
    *product(("ink", "soft"), ("page", "card", "track")),
    *product(("produced", "stored", "refused", "queue", "good", "bad"), ("card",)),
    ("bad", "page"),
    ("card", "ink"),
]


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_what_it_stands_on(scheme: str) -> None:
    colours = palettes()[scheme]
    found = {(text, ground): contrast(colours[text], colours[ground]) for text, ground in WRITTEN}
    assert {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < READABLE} == {}
    # The frame of a button, of a choice and of a field, and the outline of what has the focus.
    for line, ground in product(("soft", "queue"), ("page", "card")):
        assert contrast(colours[line], colours[ground]) >= VISIBLE


def test_colours_are_those_of_the_palette() -> None:
    """Else the test above would not see them."""
    rules = STYLE[STYLE.index("* { box-sizing") :]
    assert re.findall(r"(?<!-)\bcolor: (?!var\(|inherit)[^;]+", rules) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_asks_for_what_is_there(path: str) -> None:
    html = render_pages()[path].decode()
    assert "{{" not in html
    assert "{%" not in html
    assert len(re.findall("<h1>", html)) == 1
    assert html.count('aria-current="page"') == 1
    links = set(re.findall(r'(?:href|src)="(/[^"]*)"', html))
    served = {*PAGES, *static_files(), "/coordinator/openapi.json", "/metrics", "/services"}
    assert links <= served
    # The content security policy lets none of these work.
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html)
    identities = re.findall(r'\bid="([^"]+)"', html)
    assert len(identities) == len(set(identities))


def test_every_module_is_used() -> None:
    scripts = {path.name: path.read_text("utf-8") for path in STATIC.glob("*.js")}
    imported = {match for text in scripts.values() for match in re.findall(r'"/viewer/(\w+\.js)"', text)}
    entries = {f"{name.lower()}.js" for name in PAGES.values()}
    assert imported | entries == scripts.keys()
    assert {f"/viewer/{name}" for name in scripts} < static_files().keys()
