"""What a page shows of three candidates: asked of each tool's pages in the same way, in the frames within them, too."""

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Locator, Page

from tests.candidates import FIRST, SCORES, WIDTH
from tests.live.watch import until

PLOT = "img[src^='data:image/svg+xml']"


def click(places: dict[str, Locator]) -> str:
    """Click on one after the other; returns their names as a way to go."""
    for place in places.values():
        place.click()
    return " › ".join(places) or "none"


def progress(look: Callable[[], list[str]], done: str, at_work: str) -> tuple[bool, str]:
    """Whether the texts that a page shows have the first candidate as done, the others as at work; what they have."""
    expected = {name: done if name == FIRST else at_work for name in SCORES}

    def states() -> dict[str, str]:
        texts = look()
        return {
            name: state
            for name in SCORES
            for text in texts
            for state in (done, at_work)
            if name in text and state in text
        }

    told = comes(lambda: states() == expected, 60)
    return told, ", ".join(f"{name} {state}" for name, state in states().items())


def table(page: Page) -> bool:
    """Whether each candidate has a row of a table to itself, with its score in it."""

    def shown() -> bool:
        rows = [row for frame in page.frames for row in frame.get_by_role("row").all_inner_texts()]
        only = [{name for name in SCORES if name in row and str(SCORES[name]) in row} for row in rows]
        return all({name} in only for name in SCORES)

    return comes(shown)


def plot(page: Page) -> bool:
    """Whether the plot is drawn, in its own width."""
    width = "pictures => pictures.map(picture => picture.naturalWidth)"
    return comes(lambda: any(WIDTH in frame.locator(PLOT).evaluate_all(width) for frame in page.frames))


def comes(look: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it is true by then: a page draws what it has got in a moment."""
    with suppress(AssertionError):
        return until(look, seconds)
    return False
