"""The serving app's own pages: they work without any other host, and their example gets an answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from shared import plain
from shared.lib.serving import create_app, serve_in_thread
from shared.settings import Settings
from tests.pages.browser import page

pytestmark = pytest.mark.slow


@pytest.fixture
def url(home: Path, source: Path) -> Iterator[str]:
    settings = Settings(source=str(source), min_rows=100, families=("logistic",))
    plain.run("2013-06", settings)
    with serve_in_thread(create_app(settings)) as url:
        yield url


def test_example_of_the_docs_is_answered_and_nothing_is_asked_outside_this_machine(url: str, tmp_path: Path) -> None:
    with page(tmp_path) as docs:
        docs.goto(url)
        docs.get_by_text("/predict").click()
        docs.get_by_role("button", name="Try it out").click()
        docs.get_by_role("button", name="Execute").click()
        expect(docs.locator(".live-responses-table")).to_contain_text('"version": "1"', timeout=30_000)
