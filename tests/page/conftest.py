"""The page as `make page` writes it, and a browser that has it open."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from page import site
from tests.pages.browser import page


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    site.build(folder)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests of a module; skips them if there is none."""
    with page(tmp_path_factory.mktemp("browser")) as shown:
        yield shown
