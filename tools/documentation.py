"""`make docs`: the documentation as a site in build/docs, and what must hold of it.

Sphinx takes every warning for an error: a page that is in no table of contents, a link to nowhere, a
docstring that is not well formed. Then the pages that were made are read again: nothing in them may ask
another host for anything, and every link between them must find its page and its heading.
"""

import collections.abc
import html.parser
import pathlib
import shutil
import urllib.parse

import environment
from steps import ROOT, Counts, Failed, say, step

SOURCE = ROOT / "docs"
SITE = ROOT / "build" / "docs"
FETCHING = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements whose address a browser fetches by itself; of a link element, not every kind."""
NOT_FETCHED = ("next", "prev", "index", "search", "canonical")


class Page(html.parser.HTMLParser):
    """The addresses in a page: what a browser fetches, where links lead, and what can be linked to."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.anchors.add(given.get("id", ""))
        address = given.get(FETCHING.get(tag, ""), "")
        if address and given.get("rel") not in NOT_FETCHED:
            self.fetched.append(address)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


def build() -> list[str]:
    """Sphinx makes the site without a warning."""
    shutil.rmtree(SITE, ignore_errors=True)
    doctrees = environment.BUILD / "doctrees"
    command = [environment.PYTHON, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E"]
    try:
        step("making the site", [*command, "-d", doctrees, SOURCE, SITE], log=environment.log("docs"))
    except Failed:
        return ["sphinx warns: see above"]
    return []


def fetches(pages: dict[pathlib.Path, Page]) -> list[str]:
    """No page asks another host for anything."""
    found = [
        f"{path.relative_to(SITE)}: {address}"
        for path, page in pages.items()
        for address in page.fetched
        if urllib.parse.urlsplit(address).netloc
    ]
    for style in SITE.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or "@import" in text:
            found.append(f"{style.relative_to(SITE)}: a style sheet that fetches")
    return found


def links(pages: dict[pathlib.Path, Page]) -> list[str]:
    """Every link from page to page finds its page and its heading."""
    found = []
    for path, page in pages.items():
        for address in {*page.links, *page.fetched}:
            parts = urllib.parse.urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            there = pages.get(target)
            if not target.is_file() or (there and urllib.parse.unquote(parts.fragment) not in there.anchors):
                found.append(f"{path.relative_to(SITE)}: leads nowhere: {address}")
    return found


def run() -> Counts:
    """Makes the site and looks at it; says where it is."""
    counts = Counts()
    remarks = build()
    show(counts, build, remarks)
    if remarks:
        return counts
    pages = {path.resolve(): Page(path) for path in sorted(SITE.rglob("*.html"))}
    for check in (fetches, links):
        show(counts, check, check(pages))
    say(f"The site: {(SITE / 'index.html').relative_to(ROOT)} ({len(pages)} pages)")
    return counts


def show(counts: Counts, check: collections.abc.Callable[..., list[str]], remarks: list[str]) -> None:
    """Says what a check found, and counts it."""
    say(f"  {'FAILED' if remarks else 'ok    '} {(check.__doc__ or '').strip()}")
    for remark in remarks:
        say(f"    {remark}")
    counts += Counts(failed=1) if remarks else Counts(passed=1)
