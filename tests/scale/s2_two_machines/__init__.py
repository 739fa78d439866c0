"""What the three tests share: the month on two machines, and what these have fetched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.runtime.cluster import Engine, Running

MONTH = "2013-06"


def observe(
    tool: str, running: Running, source: Path, folder: Path, workers_of: Callable[[Engine], list[str]]
) -> dict[str, Any]:
    """Run the month; `workers_of` reads from the tool's records where each candidate was trained."""
    from shared import plain
    from shared.runtime.cluster import cluster, finished
    from shared.runtime.records import differences
    from shared.settings import Settings

    small = {"source": str(source), "min_rows": 100}
    expected = plain.run(MONTH, Settings(tool="plain", **small))
    with cluster(folder, 2, running) as (engine, machines):
        engine.start(MONTH, Settings(tool=tool, **small))
        record, _ = finished(MONTH, tool, machines)
        told = Counter(workers_of(engine))
    copies = {machine.name: list((machine.folder / "store" / tool / "features").glob("*")) for machine in machines}
    log = (folder / "shared" / "s3.log").read_text()
    differing = [line for line in differences(expected, record) if not line.startswith("stages.")]
    print(*differing, sep="\n")
    fetched = len(re.findall(rf'"GET /triptych/store/{tool}/features/', log))
    return {
        "success": record.state == "success",
        "both_train": all(copies[machine.name] for machine in machines[1:]),
        "same_champion": differing == [],
        "no_shared_folder": fetched == sum(map(len, copies.values())) - 1,  # who has written it has it already
        "worker_on_record": len(told) == 2,
        "candidates": dict(sorted(told.items())) or "not told",
        "fetched": fetched,
    }
