"""A real browser for tests that do what a person does on a tool's own pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import playwright.sync_api
import pytest
from playwright.sync_api import Error, Page, Request, expect, sync_playwright

WHERE = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The browser's own errands, which are not the page's.
QUIET = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",  # where there is none, the processor plays its part
]
MISSING = (
    "no browser: install Chromium (Debian: apt-get install chromium), or run `python -m playwright install chromium`"
)


@contextmanager
def page(folder: Path) -> Iterator[Page]:
    """A page of a new browser, as in `Browser.page`."""
    with browser(folder) as started, started.page(folder) as opened:
        yield opened


@contextmanager
def browser(folder: Path) -> Iterator["Browser"]:
    """A new browser, its home in the folder. Skips the test if there is none.

    Playwright runs an event loop in this thread: ask a tool's synchronous Python client in another one.
    """
    system = next(filter(None, map(shutil.which, WHERE)), None)
    with sync_playwright() as running:
        try:
            env = {**os.environ, "HOME": str(folder)}  # for what it keeps outside of its profile
            started = running.chromium.launch(executable_path=system, args=QUIET, env=env)
        except Error:
            pytest.skip(MISSING)
        yield Browser(started)
        started.close()


class Browser:
    """A browser for pages that know nothing of each other."""

    def __init__(self, started: playwright.sync_api.Browser) -> None:
        self.started, self.asked = started, list[str]()

    def forget(self, request: Request) -> None:
        """What the page's own policy forbids never leaves the browser."""
        if request.failure == "csp" and request.url in self.asked:
            self.asked.remove(request.url)

    @contextmanager
    def page(self, folder: Path) -> Iterator[Page]:
        """A new page; at the end nothing may have been asked outside 127.0.0.1.

        A failing test leaves what the page showed in `folder` as `page.png`.
        """
        self.asked.clear()
        with self.started.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce") as context:
            context.on("request", lambda request: self.asked.append(request.url))
            context.on("requestfailed", self.forget)
            context.on("page", lambda new: new.on("websocket", lambda socket: self.asked.append(socket.url)))
            context.set_default_timeout(120_000)  # a machine on which other tests run takes long for everything
            opened = context.new_page()
            try:
                yield opened
            except BaseException:
                opened.screenshot(path=folder / "page.png")
                raise
        elsewhere = [url for url in self.asked if not is_local(url)]
        assert not elsewhere, elsewhere


def leave(shown: Page) -> str:
    """Leave the page while a run goes on, as drawing it anew takes time from the run; returns its address."""
    address = shown.url
    shown.goto("about:blank")
    return address


def follow(shown: Page, path: str) -> None:
    """Lead the pages that are open to another one of theirs as a link does: they are not loaded anew."""
    shows = shown.locator("body").inner_text()
    go = "path => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }"
    shown.evaluate(go, path)
    expect(shown.locator("body")).not_to_have_text(shows, use_inner_text=True)
    shown.wait_for_timeout(500)  # some pages ask again and again: there is no end to wait for


def is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "about", "file") or parts.hostname in ("127.0.0.1", "localhost")
