"""Takes the README's pictures: docs/img/<tool>.png, a month's run in its web UI, and page.png, the comparison page.

Its home is `.local/screenshots`; a month that a tool has run there already is not run again.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from urllib.parse import quote

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

import pytest
from PIL import Image
from playwright.sync_api import Page

from bench.ui import ui
from page import site
from shared.runtime import records
from shared.settings import ROOT
from tests.live.watch import until
from tests.pages.browser import page
from tools.demo import python_of

MONTH = "2013-06"
HOME = ROOT / ".local" / "screenshots"
PICTURES = ROOT / "docs" / "img"
SIZE = (1280, 800)
WINDOW = {"width": 1600, "height": 1000}  # pixels of the browser: all candidates are in sight


def main() -> None:
    interrupt.while_waiting()
    PICTURES.mkdir(parents=True, exist_ok=True)
    keep("page", photograph_page())
    for tool, view in VIEWS.items():
        keep(tool, photograph(tool, view))


def keep(name: str, png: bytes) -> None:
    path = PICTURES / f"{name}.png"
    path.write_bytes(small(png))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def photograph_page() -> bytes:
    """The stage `train` on the comparison page, which is written anew, as PNG."""
    HOME.mkdir(parents=True, exist_ok=True)
    site.build(HOME / "page")
    with page(HOME) as shown:
        shown.set_viewport_size(WINDOW)
        shown.goto(f"{(HOME / 'page' / 'stages.html').as_uri()}#train")
        return shown.screenshot()


def photograph(tool: str, view: Callable[[Page, str, str], None]) -> bytes:
    """What the browser shows when `view` has opened the page of the tool's run, as PNG."""
    run_id = run(tool)
    with ui(tool, HOME) as url, page(HOME) as shown:
        shown.set_viewport_size(WINDOW)
        view(shown, url, run_id)
        pictures = [b"", shown.screenshot()]

        def settled() -> bool:
            pictures.append(shown.screenshot())
            return pictures[-1] == pictures[-2] == pictures[-3]

        until(settled)
        return pictures[-1]


def run(tool: str) -> str:
    """The id of the tool's run of the month; runs it if it has not been."""
    if not records.path_of_success(tool, MONTH, HOME).exists():
        env = {**os.environ, "TRIPTYCH_HOME": str(HOME)}
        subprocess.run([python_of(tool), "-m", f"{tool}_impl.run", MONTH], cwd=ROOT, env=env, check=True)
    return records.read(tool, MONTH, HOME).run_id


def airflow(shown: Page, url: str, run_id: str) -> None:
    """The instances of `train`, beside the run's tasks in time."""
    shown.goto(f"{url}/dags/late_flights/runs/{quote(run_id)}/tasks/train/mapped")
    shown.get_by_role("button", name="Show Gantt").click()
    shown.get_by_text("EWR/logistic").wait_for()


def prefect(shown: Page, url: str, run_id: str) -> None:
    """The flow run: its task runs in time, what depends on what, and its artifacts."""
    shown.goto(f"{url}/v2/runs/flow-run/{run_id}?tab=Artifacts")
    shown.get_by_role("heading", name="leaderboard").wait_for()


def dagster(shown: Page, url: str, run_id: str) -> None:
    """The run: its steps in time, and a list of them."""
    shown.goto(f"{url}/runs/{run_id}")
    for state in ("Preparing", "Executing", "Errored", "Succeeded"):  # lists: those that are empty make room
        shown.get_by_text(f"{state} (").click()
    shown.get_by_role("button", name="expand_arrows").first.click()
    shown.get_by_text("trained_candidates.train[EWR__logistic]").first.wait_for()


VIEWS = {"airflow": airflow, "prefect": prefect, "dagster": dagster}


def small(png: bytes) -> bytes:
    """The picture in its size and in 256 colours, which a web UI has not many more of."""
    written = BytesIO()
    picture = Image.open(BytesIO(png)).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
    picture.quantize(256).save(written, "PNG", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, pytest.skip.Exception) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        interrupt.end("the screenshots were stopped; make screenshots begins them anew")
