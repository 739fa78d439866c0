"""What the three tests share: runs with the store on S3, which is busy, and then has a changed object."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any

import fsspec
import pytest

from shared.settings import Settings
from tests import s3
from tests.live.watch import until

if TYPE_CHECKING:
    from shared.runtime.records import RunRecord

MONTH, BUCKET = "2013-06", "s3://triptych"
BUSY_SECONDS = 5


def observe(tool: str, source: str, run: Callable[[], RunRecord], patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the runs' records and S3 say; `run` runs the month in the tool."""
    from shared import plain
    from shared.runtime.records import differences

    expected = plain.run(MONTH, Settings(tool="plain", source=source, min_rows=100))
    with s3.s3_server() as url:
        s3.use(url, patch)
        patch.setenv("TRIPTYCH_STORE", f"{BUCKET}/store")
        files = fsspec.filesystem("s3", use_listings_cache=False)
        files.mkdir(BUCKET)
        met = while_busy(run)
        found = files.find(BUCKET)
        stored = [name for name in found if re.search(r"\.[0-9a-f]{64}\.", name)]
        (features,) = files.glob(f"{BUCKET}/store/{tool}/features/*")
        files.pipe_file(features, b"garbage")
        shutil.rmtree(Settings(tool=tool).store)
        refused = run()
    return {
        "success": met.state == "success",
        "same_champion": [line for line in differences(expected, met) if not line.startswith("stages.")] == [],
        "outage_survived": met.state == "success",
        "changed_refused": refused.state == "failed" and "in the store has" in (refused.error or ""),
        "hand_overs_there": len(found) > len(stored),
        "attempts": next(stage.attempts for stage in met.stages if stage.stage == "ingest"),
        "objects": dict(sorted(Counter(kind(name) for name in stored).items())),
    }


def kind(name: str) -> str:
    """`features` for `triptych/store/prefect/features/2013-06.….arrow`, `planes` for a file that is not in a folder."""
    return name.split("/")[3].partition(".")[0]


def while_busy(run: Callable[[], RunRecord]) -> RunRecord:
    """Run it while S3 answers 503, from the first request on for some seconds."""

    def recover() -> None:
        until(lambda: s3.REFUSED)
        time.sleep(BUSY_SECONDS)  # how long the fault lasts
        s3.BUSY.clear()

    s3.BUSY.set()
    s3.REFUSED.clear()
    thread = Thread(target=recover)
    thread.start()
    try:
        return run()
    finally:
        s3.BUSY.clear()
        thread.join()
