"""A window of a headless Chromium, and what a reader sees and does in a flame graph that it shows."""

from __future__ import annotations

import json
import pathlib
import time
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

SWITCHES = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ROW = 20
"""How high a call is drawn, in pixels."""


def start(browser: str, driver: str, profile: pathlib.Path) -> Chrome:
    """A Chromium of its own, with nothing from anybody's profile."""
    options = ChromeOptions()
    options.binary_location = browser
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options=options, service=Service(driver))


class Window:
    """One page at a time, 1,300 pixels wide unless told otherwise."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome
        self.resize(1300, 850)
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.chrome.get("data:,")
        self.console(), self.requests()

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer_dark(self) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, path: pathlib.Path, address: str = "") -> None:
        self.chrome.get("data:,")  # so that another address of the same page is not just a jump in it
        self.chrome.get(path.as_uri() + address)
        self.wait("return document.body.dataset.ready === 'yes'")

    def wait(self, script: str) -> None:
        end = time.monotonic() + 30
        while not self.chrome.execute_script(script):
            assert time.monotonic() < end, f"not in 30 seconds: {script}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Until what happened is drawn."""
        script = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        self.chrome.execute_async_script(script)

    # --- what a reader sees ---

    def text(self, name: str) -> str:
        return self.chrome.find_element(By.ID, name).text

    @property
    def trail(self) -> list[str]:
        return [button.text for button in self.chrome.find_elements(By.CSS_SELECTOR, "#trail button")]

    @property
    def address(self) -> str:
        return self.chrome.execute_script("return location.hash")

    def lines(self) -> list[list[str]]:
        """The lines of the table, cell by cell."""
        script = """return [...document.querySelectorAll('tbody tr')].map(
            (row) => [...row.cells].map((cell) => cell.innerText))"""
        return self.chrome.execute_script(script)

    def pixel(self, x: float, row: int) -> list[int]:
        """The colour of the graph at a share of its width, in a row."""
        script = """const canvas = document.getElementById('canvas');
            const copy = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
            const x = Math.round(arguments[0] * canvas.width);
            const y = (arguments[1] * 20 + 4) * canvas.height / canvas.clientHeight;
            copy.drawImage(canvas, x, y, 1, 1, 0, 0, 1, 1);
            return [...copy.getImageData(0, 0, 1, 1).data]"""
        return self.chrome.execute_script(script, x, row)

    # --- what a reader does ---

    def _at(self, x: float, row: int) -> ActionChains:
        graph = self.chrome.find_element(By.ID, "graph")
        across = x * graph.size["width"] - graph.size["width"] / 2
        down = row * ROW + ROW / 2 - graph.size["height"] / 2
        return ActionChains(self.chrome).move_to_element_with_offset(graph, round(across), round(down))

    def click(self, x: float, row: int) -> None:
        """At a share of the width of the graph, in a row counted from the top."""
        self._at(x, row).click().perform()

    def hover(self, x: float, row: int) -> str:
        self._at(x, row).move_by_offset(1, 1).perform()
        return self.text("tip")

    def press(self, *keys: str) -> None:
        """Keys in the graph."""
        graph = self.chrome.find_element(By.ID, "graph")
        for key in keys:
            graph.send_keys(getattr(Keys, key, key))

    def choose(self, name: str, value: str) -> None:
        """One of the values that stand side by side."""
        self.chrome.find_element(By.CSS_SELECTOR, f"input[name={name}][value={value}]").click()

    def tick(self, name: str) -> None:
        self.chrome.find_element(By.ID, name).click()

    def open_options(self) -> None:
        self.chrome.find_element(By.CSS_SELECTOR, "#options summary").click()

    def search(self, words: str) -> str:
        self.chrome.find_element(By.ID, "search").clear()
        self.chrome.find_element(By.ID, "search").send_keys(words)
        return self.text("found")

    def back(self) -> None:
        self.chrome.back()
        self.settle()

    # --- what a page must not do ---

    def console(self) -> list[str]:
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def requests(self) -> list[str]:
        """What was asked for that is neither a file of this machine nor in the page itself."""
        found = []
        for entry in self.chrome.get_log("performance"):
            message: dict[str, Any] = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("file:", "data:")):
                    found.append(url)
        return found
