"""How time and memory grow with rows: runs of the month and its window with some of the flights, or with each often."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from bench.runs import HOME, MONTH, fresh_run
from shared.lib import tables
from shared.lib.source import LOOKUPS, default_source
from shared.runtime import records
from shared.runtime.records import TOOLS
from shared.stages import features

SHARES = (0.1, 0.3)
FACTORS = (4, 16)


def rows(whole: Mapping[str, Mapping[str, float]]) -> dict[str, list[dict[str, float]]]:
    """By tool its runs of few and more flights; `whole` has those of all flights, measured before.

    The plain run, which takes the least, also gets each flight 4 and 16 times.
    """
    found: dict[str, list[dict[str, float]]] = {tool: [] for tool in TOOLS}
    for times in (*SHARES, 1, *FACTORS):
        source = scaled(times, HOME / f"source-{times}")
        for tool in TOOLS if times <= 1 else ("plain",):
            run = whole[tool] if times == 1 else fresh_run(tool, "--source", str(source))
            read = {"times": times, "rows": flights_read(tool, source)}
            found[tool].append(read | {name: run[name] for name in ("seconds", "run", "memory_mb")})
        shutil.rmtree(source)
    return found


def scaled(times: float, folder: Path) -> Path:
    """A source with the first of each ten flights, or with each flight several times under other flight numbers."""
    shutil.copytree(default_source(), folder)
    for path in (folder / "flights").iterdir():
        flights = tables.read_text(path)
        kept = flights.filter(pl.int_range(pl.len()) % 10 < 10 * times)
        copies = [kept.with_columns(pl.col("flight").cast(int) + 10_000 * copy) for copy in range(max(1, int(times)))]
        pl.concat(copies).write_csv(path, null_value="NA")
    return folder


def flights_read(tool: str, source: Path) -> int:
    """How many flights the tool's last run has read, by the names of its inputs."""
    names = [name for name in records.read(tool, MONTH, HOME).inputs if name.startswith("flights/")]
    return sum(tables.read_text(source / name).height for name in names)


def year() -> dict[str, float]:
    """Seconds to load and join the whole year's flights."""
    source = default_source()
    began = time.perf_counter()
    frames = {
        name: pl.concat([tables.read(path, name) for path in sorted((source / name).iterdir())])
        for name in ("flights", "weather")
    }
    loaded = time.perf_counter()
    lookups = {name: tables.read(source / name, tables.table_of(name)) for name in LOOKUPS}
    joined = features.join(frames["flights"], frames["weather"], lookups["planes.csv"], lookups["airports.csv"])
    ended = time.perf_counter()
    return {"rows": joined.height, "load": loaded - began, "features": ended - loaded, "total": ended - began}
