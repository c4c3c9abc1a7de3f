"""A person in front of a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Names under which distributions install it.
NAMES = ("chromium", "chromium-browser", "google-chrome")
#: Played without a click, as in the page's own script; run as root, Chromium has no sandbox.
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
SIZE = {"width": 1280, "height": 800}


def found():
    """The browser's file, or ``None``."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium():
    """The browser; where there is none, the test says that it is skipped, but for CI."""
    from playwright.sync_api import sync_playwright

    path = found()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(
                "In CI the tests in a browser must run, and there is no Chromium: .ci/run installs it."
            )
        pytest.skip("There is no Chromium on this machine: apt-get install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """Somebody's window on one Airflow.

    :param browser: the running browser.
    :param base: Airflow's address.
    :param folder: where pictures of the screen go.
    :param login: name and password; ``None`` = not logged in.
    """

    def __init__(self, browser, base, folder, login=None, **options):
        self.base, self._folder = base, Path(folder)
        self._context = browser.new_context(**({"viewport": SIZE} | options))
        self.page = self._context.new_page()
        self.page.set_default_timeout(30_000)
        self.troubles = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        if login:
            self.page.goto(f"{base}/auth/login")
            self.page.locator("input[name=username]").fill(login[0])
            self.page.locator("input[name=password]").fill(login[1])
            self.page.get_by_role("button", name="Sign in").click()
            self.page.wait_for_url(lambda url: "login" not in url)

    def open(self, path):
        """Go to a page of Airflow's."""
        self.page.goto(self.base + path)
        return self.page

    def shoot(self, name):
        """Keep a picture of the screen."""
        self.page.screenshot(path=self._folder / f"{name}.png")

    def framed(self, part):
        """The page of ours inside of Airflow's."""
        frame = self.page.frame_locator("iframe")
        frame.locator(part).first.wait_for()
        return frame

    def is_seen(self, locator):
        """Whether it is on the screen as it is, without scrolling anything."""
        return locator.evaluate(
            """one => {
                const box = one.getBoundingClientRect();
                const at = document.elementFromPoint(box.left + 1, box.top + box.height / 2);
                return box.top >= 0 && box.bottom <= innerHeight && at && (one.contains(at) || at.contains(one));
            }"""
        )

    def close(self):
        self._context.close()
