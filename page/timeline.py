"""The demo's runs in time: a month's four runs on one axis of seconds, as templates/timeline.svg draws them."""

from dataclasses import dataclass

from shared.runtime import records
from shared.runtime.records import STAGES, TOOLS, RunRecord, StageRecord
from tools.demo import HOME, MONTHS

LABELS, PLOT, ROW, HEAD = 150, 780, 15, 30  # widths, and heights of a line and of a run's heading, in SVG's units


@dataclass(frozen=True)
class Bar:
    """A stage instance: from `ready`, when the stage before it was over, to its start it waited (units of the SVG)."""

    label: str
    state: str
    attempts: int
    y: int
    ready: float
    start: float
    end: float
    told: str


@dataclass(frozen=True)
class Lane:
    """A run: its heading, and a bar for each stage instance that ran or was skipped."""

    tool: str
    heading: str
    y: int
    bars: list[Bar]


@dataclass(frozen=True)
class Timeline:
    """A month: lanes below each other, and the axis as pairs of a position and a label."""

    month: str
    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    height: int


def demo() -> dict[str, dict[str, RunRecord]]:
    """The records of the last `make demo`, by month and tool; nothing if it has not ended."""
    try:
        return {month: {tool: records.read(tool, month, HOME) for tool in TOOLS} for month in MONTHS}
    except FileNotFoundError:
        return {}


def timelines(runs: dict[str, dict[str, RunRecord]]) -> list[Timeline]:
    return [timeline(month, list(by_tool.values())) for month, by_tool in runs.items()]


def timeline(month: str, runs: list[RunRecord]) -> Timeline:
    longest = max(seconds(record) for record in runs)
    lanes, y = list[Lane](), HEAD
    for record in runs:
        bars = bars_of(record, y + HEAD, PLOT / longest)
        heading = f"{record.tool.capitalize()} {record.tool_version}, {seconds(record):.1f} s"
        lanes.append(Lane(record.tool, heading, y, bars))
        y += HEAD + ROW * len(bars) + ROW
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if longest / step <= 12)
    ticks = [(LABELS + tick * PLOT / longest, f"{tick} s") for tick in range(0, int(longest) + 1, step)]
    return Timeline(month, lanes, ticks, y)


def seconds(record: RunRecord) -> float:
    return (record.ended - record.started).total_seconds()


def bars_of(record: RunRecord, top: int, scale: float) -> list[Bar]:
    """The run's stage instances in the pipeline's order, those of one stage as they began."""

    def began(each: StageRecord) -> tuple[int, float]:
        return STAGES.index(each.stage), (each.started or record.ended).timestamp()

    in_order = sorted(record.stages, key=began)
    return [bar(each, record, top + number * ROW, scale) for number, each in enumerate(in_order)]


def bar(each: StageRecord, record: RunRecord, y: int, scale: float) -> Bar:
    def at(moment: float) -> float:
        return LABELS + (moment - record.started.timestamp()) * scale

    before = [one for one in record.stages if STAGES.index(one.stage) == STAGES.index(each.stage) - 1]
    ready = max([one.ended.timestamp() for one in before if one.ended], default=record.started.timestamp())
    if each.started is None or each.ended is None:
        return Bar(name(each), each.state, each.attempts, y, at(ready), at(ready), at(ready), f"{each.state}, not run")
    start, end = each.started.timestamp(), each.ended.timestamp()
    ready = min(ready, start)
    told = f"waited {start - ready:.2f} s, ran {end - start:.2f} s, {each.attempts} attempt{'s'[: each.attempts > 1]}"
    return Bar(name(each), each.state, each.attempts, y, at(ready), at(start), at(end), told)


def name(each: StageRecord) -> str:
    return each.key or each.stage
