"""What traces cost a run: off, with a collector, with one that refuses connections, and with one that hangs."""

import statistics
from collections.abc import Callable, Mapping

from shared.runtime.records import TOOLS
from shared.runtime.servers import free_port
from tests.collector import collector

REPEATS = 2


def seconds(run: Callable[[str, Mapping[str, str]], float]) -> dict[str, dict[str, float]]:
    """Median seconds of a tool's runs in each case; the cases take turns, and the tools have run before.

    `run` runs a tool with variables of the environment, and returns the seconds that it took.
    """
    with collector() as alive, collector(hangs=True) as hanging:
        refused = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        cases = {"off": {}, "collector": alive.variables, "refuses": refused, "hangs": hanging.variables}
        found = {}
        for tool in TOOLS:
            rounds = [{case: run(tool, variables) for case, variables in cases.items()} for _ in range(REPEATS)]
            found[tool] = {case: statistics.median(each[case] for each in rounds) for case in cases}
        return found
