"""The page as a reader uses it, in a real browser."""

from __future__ import annotations

import base64
import pathlib
import re

import browsing
import pytest

import memtally


def share(text: str) -> float:
    """The first percentage in TEXT."""
    match = re.search(r"([\d.]+) %", text)
    assert match, text
    return float(match[1])


def test_the_peak_comes_first_with_all_views_named(window: browsing.Window, page: pathlib.Path) -> None:
    window.open(page)
    assert window.text("title") == "program.py"
    assert window.chrome.title == "program.py - memtally flame graph"
    assert re.fullmatch(r"live 1\d\.\d MiB · peak \d\d\.\d MiB · total \d\d\.\d MiB", window.text("summary"))
    assert share(window.search("spike")) > 60


def test_a_click_zooms_the_back_button_goes_back_and_the_address_leads_there_again(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page)
    window.choose("view", "live")
    window.click(0.2, 2)
    assert window.trail == ["all", "<module>", "big"]
    assert "6,000,0" in window.text("details")
    address = window.address
    window.back()
    assert window.trail == ["all"]
    window.chrome.forward()
    assert window.trail == ["all", "<module>", "big"]
    window.open(page, address)
    assert window.trail == ["all", "<module>", "big"]
    window.chrome.find_elements(browsing.By.CSS_SELECTOR, "#trail button")[1].click()
    assert window.trail == ["all", "<module>"]


def test_the_pointer_shows_file_line_source_bytes_blocks_and_share(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page, "#view=live")
    tip = window.hover(0.2, 2)
    assert tip.splitlines()[:3] == [
        "big",
        f"{page.parent / 'program.py'}:7",
        "return bytearray(6_000_000)  # the big one",
    ]
    assert re.search(r"5\.7 MiB \(6,000,0\d\d bytes\) in 2 blocks · \d\d\.\d % of all · own: 5\.7 MiB", tip)


def test_a_search_says_which_share_matches_and_marks_it(window: browsing.Window, page: pathlib.Path) -> None:
    window.open(page, "#view=live")
    before = window.pixel(0.2, 2)
    assert 50 < share(window.search("program.py:7")) < 65
    assert window.pixel(0.2, 2) == [255, 216, 61, 255] != before
    assert window.search("no such function") == "nothing matches"
    assert "search=no" in window.address


def test_views_and_measures_change_what_is_drawn_and_can_be_taken_back(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page)
    peak = share(window.search("spike"))
    window.choose("view", "live")
    assert window.text("found") == "nothing matches"
    window.choose("view", "total")
    assert 20 < share(window.text("found")) < peak
    window.choose("by", "blocks")
    assert share(window.text("found")) < 1
    window.back()
    window.back()
    assert window.text("found") == "nothing matches"


def test_inverted_starts_with_what_allocates_and_leads_to_its_callers(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page, "#view=live")
    window.tick("inverted")
    window.press("ARROW_DOWN", "ENTER")
    assert window.trail == ["all", "big"]
    window.press("ARROW_DOWN", "ENTER")
    assert window.trail == ["all", "big", "<module>"]


def test_a_flame_stands_on_its_root(window: browsing.Window, page: pathlib.Path) -> None:
    window.open(page, "#view=live&shape=flame")
    rows = window.chrome.find_element(browsing.By.ID, "graph").size["height"] // browsing.ROW
    assert window.pixel(0.5, 0)[3] == 0
    assert window.hover(0.5, rows - 1).startswith("all")


def test_the_keyboard_alone_reaches_every_call(window: browsing.Window, page: pathlib.Path) -> None:
    window.open(page, "#view=live")
    window.press("ARROW_DOWN", "ARROW_DOWN")
    assert window.text("details").startswith("big")
    window.press("ARROW_RIGHT")
    assert window.text("details").startswith("small")
    window.press("ARROW_LEFT", "ARROW_UP")
    assert window.text("details").startswith("<module>")
    window.press("ARROW_DOWN", "ARROW_RIGHT")
    window.press("ENTER")
    assert window.trail[-1] == "small"
    window.press("ESCAPE")
    assert window.trail == ["all", "<module>"]
    window.press("HOME")
    assert window.trail == ["all"]
    window.press("/")
    assert window.chrome.switch_to.active_element.get_attribute("id") == "search"


def test_names_that_look_like_markup_are_only_names(window: browsing.Window, page: pathlib.Path) -> None:
    name = "</script><img src=x onerror=document.title='evil'>"
    window.open(page, "#view=live")
    assert share(window.search("onerror")) > 5
    window.choose("show", "table")
    assert any(name in line[5] and f"{name}.py:2" in line[6] for line in window.lines())
    window.open_options()
    assert "<a&b>" in window.text("about")
    assert window.chrome.find_elements(browsing.By.TAG_NAME, "img") == []
    assert window.chrome.title == "program.py - memtally flame graph"


def test_addresses_that_make_no_sense_show_the_page_all_the_same(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page, "#view=no&zoom=zz.-9.&by=<img>&__proto__=1&search=%3Cimg%3E&difference=yes&hide=none")
    assert window.trail == ["all"]
    assert window.text("found") == "nothing matches"


def test_the_table_has_the_same_numbers_and_can_be_sorted(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page, "#view=live&show=table")
    first = window.lines()[0]
    assert first[0] == "5.7 MiB"
    assert first[5] == "big"
    assert first[6].splitlines() == ["program.py:7", "return bytearray(6_000_000)  # the big one"]
    window.chrome.find_element(browsing.By.XPATH, "//th/button[text()='With calls']").click()
    assert window.lines()[0][5] == "<module>"
    assert window.chrome.find_element(browsing.By.CSS_SELECTOR, "[aria-sort]").text == "With calls"
    window.chrome.find_element(browsing.By.XPATH, "//td/button[text()='big']").click()
    assert share(window.text("found")) > 50


def test_hidden_modules_leave_their_memory_to_who_called_them(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page, "#view=live&show=table&imports=shown")
    assert share(window.search("importlib")) > 8
    assert any("importlib" in line[6] for line in window.lines())
    window.open_options()
    window.tick("imports")
    assert window.text("found") == "nothing matches"
    window.search("plugin.py")
    assert 8 < share(window.text("found")) < 16
    window.chrome.find_element(browsing.By.CSS_SELECTOR, "#modules input[value=plugin]").click()
    assert window.text("found") == "nothing matches"
    window.search("plugin")
    importing = next(line for line in window.lines() if "import plugin" in line[6])
    assert importing[0] == "1.4 MiB"


def test_functions_add_up_their_lines(window: browsing.Window, page: pathlib.Path) -> None:
    window.open(page, "#view=live&detail=function&show=table")
    assert window.lines()[0][5:] == ["big", "program.py"]


def test_a_difference_shows_what_grew_and_what_went(window: browsing.Window, diff_page: pathlib.Path) -> None:
    window.open(diff_page)
    assert window.chrome.find_element(browsing.By.ID, "difference").is_selected()
    assert share(window.search("program.py:7")) > 55
    window.choose("show", "table")
    line = window.lines()[0]
    assert [line[0], line[5]] == ["+5.7 MiB", "big"]
    window.tick("difference")
    assert window.lines()[0][0] == "11.4 MiB"
    window.choose("show", "graph")
    window.search("")
    window.open(diff_page, "#difference=no&detail=function")
    assert "since then: +5.7 MiB" in window.hover(0.2, 2)
    grown = window.pixel(0.2, 2)
    assert grown[0] > grown[2] + 30  # more red than blue


@pytest.mark.parametrize("dark", [False, True])
def test_however_little_changed_the_colour_says_which_way(
    window: browsing.Window, tmp_path: pathlib.Path, dark: bool
) -> None:
    def snapshot(grows: int, shrinks: int) -> memtally.Snapshot:
        sizes = {"grows.py": grows, "shrinks.py": shrinks, "stays.py": 500_000}
        return memtally.Snapshot([(0, size, ((file, 1),)) for file, size in sizes.items()], 1)

    path = tmp_path / "diff.html"
    snapshot(2_002_000, 1_000_000).flamegraph(path, diff=snapshot(2_000_000, 1_001_000))
    if dark:
        window.prefer_dark()
    window.open(path, "#difference=no")
    for x, least in ((0.3, 10), (0.75, -60)):
        colour = window.pixel(x, 1)
        assert least < colour[0] - colour[2] < least + 50
    stays = window.pixel(0.95, 1)
    assert abs(stays[0] - stays[2]) < 10


def test_on_a_phone_the_table_says_where_and_nothing_sticks_out(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.resize(400, 850)
    window.open(page, "#show=table")
    window.chrome.execute_script("document.getElementById('options').open = true")
    row = window.chrome.find_element(browsing.By.CSS_SELECTOR, "tbody tr")
    assert "program.py:" in row.text
    sizes = window.chrome.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert sizes[0] == sizes[1] <= 400


def test_a_line_without_a_function_has_a_name_in_the_table(
    window: browsing.Window, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "plain.html"
    memtally.Snapshot([(0, 100, (("plain.py", 7),))], 1).flamegraph(path)
    window.open(path, "#show=table")
    buttons = window.chrome.find_elements(browsing.By.CSS_SELECTOR, "tbody button")
    assert [button.text for button in buttons] == ["plain.py:7"]


def test_dark_and_light_follow_the_system(window: browsing.Window, page: pathlib.Path) -> None:
    def brightness() -> int:
        colour = window.chrome.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    window.open(page)
    light, drawn = brightness(), window.pixel(0.5, 0)
    window.prefer_dark()
    window.settle()
    assert brightness() < 200 < 600 < light
    assert sum(window.pixel(0.5, 0)[:3]) < sum(drawn[:3])


def test_nothing_sticks_out_at_400_pixels(window: browsing.Window, page: pathlib.Path) -> None:
    window.resize(400, 800)
    for address in ("", "#show=table", "#search=spike&view=total"):
        window.open(page, address)
        assert window.chrome.execute_script("return document.documentElement.scrollWidth") <= 400
    window.choose("view", "live")
    window.click(0.2, 2)
    assert window.trail == ["all", "<module>", "big"]


def test_print_has_the_graph_and_the_table_and_the_screen_is_as_before(
    window: browsing.Window, page: pathlib.Path
) -> None:
    window.open(page)
    before = window.pixel(0.2, 1)
    printed = window.chrome.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    assert window.pixel(0.2, 1) == before
    assert not window.chrome.find_element(browsing.By.ID, "table").is_displayed()


def test_controls_have_names_for_a_screen_reader(window: browsing.Window, page: pathlib.Path) -> None:
    window.open(page, "#show=table")
    nodes = window.chrome.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named: dict[str, set[str]] = {}
    for node in nodes:
        role, name = node.get("role", {}).get("value"), node.get("name", {}).get("value")
        if not node.get("ignored"):
            named.setdefault(role, set()).add(name or "")
    for role in ("radio", "checkbox", "searchbox", "button", "combobox", "table", "columnheader"):
        assert "" not in named.get(role, set()), role
    assert {"Live", "Peak", "Total", "Bytes", "Blocks", "Graph", "Table"} <= named["radio"]
