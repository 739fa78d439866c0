"""What it takes to hand the features' file from one stage to the next: in a folder, and by way of S3.

A stage writes the file, and the next one maps it into its memory; from S3 each machine fetches it once first.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from shared.contracts import File
from shared.lib import feature_table, store
from shared.runtime.cluster import BUCKET, s3_server, s3_variables
from shared.settings import Settings
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.validate import validate

MONTH = "2013-06"
REPEATS = 5


def measure(home: Path) -> dict[str, dict[str, float]]:
    """By way the bytes and the median milliseconds of a write, of a first read on a machine, and of a later one there.

    The server is moto's on this machine, whose time is not that of another S3: the bytes are.
    """
    made = Settings(home=home / "made")
    path = store.local(features(validate(ingest(MONTH, made), made), made).file, made)
    data = path.read_bytes()
    found = {"folder": median([ways(data, home, number) for number in range(REPEATS)])}
    with s3_server(home / "s3.log") as url:
        elsewhere = {**s3_variables(url), "TRIPTYCH_STORE": f"s3://{BUCKET}/store"}
        with patch.dict(os.environ, elsewhere):
            found["s3"] = median([ways(data, home, number) for number in range(REPEATS)])
    return found


def ways(data: bytes, home: Path, number: int) -> dict[str, float]:
    """One hand-over; the name makes it another file each time."""
    writer = Settings(home=home / "writer")
    reader = Settings(home=home / f"reader-{number}") if writer.store_url else writer
    file, write = timed(lambda: store.add(writer, f"features/{number}.arrow", data))
    before = held(reader)
    _, first = timed(lambda: mapped(file, reader))
    fetched = held(reader) - before
    _, later = timed(lambda: mapped(file, reader))
    found = {"bytes_written": len(data), "bytes_fetched": fetched}
    return found | {"write": write, "first_read": first, "later_read": later}


def held(settings: Settings) -> int:
    """Bytes in the store's folder on this machine."""
    return sum(path.stat().st_size for path in settings.store.rglob("*.arrow"))


def mapped(file: File, settings: Settings) -> int:
    return feature_table.read(file, settings).height


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the milliseconds."""
    began = time.perf_counter()
    found = act()
    return found, (time.perf_counter() - began) * 1000


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
