"""A real browser: Debian's Chromium, what axe finds on a page, and pictures of pages for people to look at."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
_LAPTOP = 1280
_WIDTHS = (820, _LAPTOP, 1920)
"""Of a tablet, a laptop, a desk."""

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_MOST_TABS = 80


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium, or skip the test where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """Somebody before a browser: uses the keyboard, and looks at each page with care.

    What is wrong with pages gathers in ``complaints``; screenshots go into ``QSM_SCREENSHOTS``, or ``out/console``.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.screenshots = Path(os.environ.get("QSM_SCREENSHOTS") or ROOT / "out" / "console")
        self.screenshots.mkdir(parents=True, exist_ok=True)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: script failed: {error}"))
        self.page.on("console", self._note)

    def _note(self, message) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(f"{self.page.url}: console: {message.text}")

    def tab_to(self, selector: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(_MOST_TABS):
            if self.page.evaluate("selector => document.activeElement?.matches(selector)", selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{self.page.url}: {selector} is not reached with {_MOST_TABS} times Tab")

    def follow(self, selector: str) -> None:
        """Reach a link or button with Tab, press Enter, and wait for the page that it leads to."""
        self.tab_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def fill(self, **values: str) -> None:
        """Type into the fields of a form, each reached with Tab."""
        for name, value in values.items():
            self.tab_to(f"[name={name}]")
            self.page.keyboard.type(value)

    def inspect(self, name: str) -> None:
        """Check a page for accessibility in light and dark and for its width, and take pictures of it."""
        page = self.page
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options=_WHOLE if scheme == "light" else _COLOURS)
            for violation in found.response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    where = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
                    self.complaints.append(f"{name} ({scheme}): {violation['id']}: {violation['help']}: {where}")
        page.screenshot(path=self.screenshots / f"{name}-dark.png")
        page.emulate_media(color_scheme="light")
        for width in _WIDTHS:
            page.set_viewport_size({"width": width, "height": 1180 if width < 1000 else 900})
            over = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if over > 0:
                self.complaints.append(f"{name}: {over} pixels wider than a window of {width}")
            page.screenshot(path=self.screenshots / f"{name}-{width}.png", full_page=width == _LAPTOP)
        page.set_viewport_size({"width": _LAPTOP, "height": 900})


_WHOLE = {"resultTypes": ["violations"]}
_COLOURS = {**_WHOLE, "runOnly": {"type": "rule", "values": ["color-contrast"]}}
