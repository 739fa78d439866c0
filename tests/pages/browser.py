"""A real browser for tests that do what a person does on a tool's own pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, Page, sync_playwright

WHERE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The browser's own errands, which are not the page's.
QUIET = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = (
    "no browser: install Chromium (Debian: apt-get install chromium), or run `python -m playwright install chromium`"
)


@contextmanager
def page(folder: Path) -> Iterator[Page]:
    """A page of a new browser; at the end nothing may have been asked outside 127.0.0.1.

    A failing test leaves what the page showed in `folder` as `page.png`. Skips the test if there is no browser.
    Playwright runs an event loop in this thread: ask a tool's synchronous Python client before or after the block.
    """
    system = next(filter(None, map(shutil.which, WHERE)), None)
    with sync_playwright() as playwright:
        try:
            env = {**os.environ, "HOME": str(folder)}  # for what it keeps outside of its profile
            browser = playwright.chromium.launch(executable_path=system, args=QUIET, env=env)
        except Error:
            pytest.skip(MISSING)
        asked: list[str] = []
        with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
            context.on("request", lambda request: asked.append(request.url))
            # What the page's own policy forbids never leaves the browser.
            context.on("requestfailed", lambda failed: failed.failure == "csp" and asked.remove(failed.url))
            context.on("page", lambda new: new.on("websocket", lambda socket: asked.append(socket.url)))
            context.set_default_timeout(120_000)  # a machine on which other tests run takes long for everything
            opened = context.new_page()
            try:
                yield opened
            except BaseException:
                opened.screenshot(path=folder / "page.png")
                raise
        browser.close()
    assert not [url for url in asked if not is_local(url)]


def is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "about", "file") or parts.hostname in ("127.0.0.1", "localhost")
