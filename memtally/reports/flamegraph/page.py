"""Puts the page together: markup, style, scripts and data in one file; its policy allows nothing else.

What the program named (files, functions, source lines, arguments) is in the data alone, deflated and in
base64, and in the title, escaped. The policy lets exactly this style and this script work, by their hashes,
and no connection at all.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import zlib
from collections.abc import Mapping

LIBRARY = "d3-hierarchy.min.js"
LICENCE = "d3-hierarchy.LICENSE.txt"
SCRIPTS = ("data.js", "tree.js", "draw.js", "state.js", "details.js", "table.js", "page.js", "listen.js")
"""Our own, in this order: they share the scope of one function."""


def render(content: Mapping[str, object]) -> bytes:
    """The page that shows CONTENT (see data.collect)."""
    style, script = _read("page.css"), _script()
    title = f"{content['title']} - memtally flame graph"
    parts = {
        "policy": _policy(style, script),
        "title": _escape(title),
        "heading": _escape(str(content["title"])),
        "style": style,
        "data": _packed(content),
        "script": script,
    }
    before, *rest = _read("page.html").split("@")
    words = [before]
    for name, text in zip(rest[::2], rest[1::2], strict=True):
        words += [parts[name], text]
    return "".join(words).encode("ascii", "xmlcharrefreplace")


def _read(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    own = "\n".join(_read(name) for name in SCRIPTS)
    text = f'/*\n{_read(LICENCE)}*/\n{_read(LIBRARY)}\n(() => {{\n"use strict";\n{own}}})();\n'
    return _ascii(text)


def _ascii(script: str) -> str:
    """SCRIPT with what is beyond ASCII as escapes; in ours that is in strings only."""
    return "".join(c if c.isascii() else f"\\u{ord(c):04x}" for c in script)


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _escape(text: str) -> str:
    return html.escape("".join(c if c.isprintable() else " " for c in text))


def _packed(content: Mapping[str, object]) -> str:
    """JSON in a page must not end its element: base64 has no `<`, and there is nothing else in it."""
    text = json.dumps(content, separators=(",", ":"))
    return json.dumps({"deflate": base64.b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")})
