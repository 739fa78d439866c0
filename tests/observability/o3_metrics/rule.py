"""The alert rule of this scenario, and what Prometheus has seen: the same for every tool."""

import re

from tests.live.watch import until
from tests.prometheus import Prometheus

FAILED = '{__name__=~".*run.*fail.*_(total|count)"} or {__name__=~".*runs_total", state=~"(?i)fail.*"}'
"""Counts of failed runs: in the manner of StatsD the state is in the name, else it is a label."""

SUFFIX = re.compile("_(bucket|count|sum)$")
"""What Prometheus's names of a histogram or summary have beyond the metric's."""

RULES = {"RunFailed": f"sum by (job) ({FAILED}) > 0"}


def jobs_with(expression: str, seen: Prometheus) -> set[str]:
    """The jobs, such as `obvious`, in which the expression gives something."""
    return {labels["job"] for labels, _ in seen.query(expression)}


def counted_good_run(seen: Prometheus) -> set[str]:
    """The jobs that tell of a failure as soon as the good run is counted; it should be none."""
    until(lambda: jobs_with('{__name__=~".*run.*_(total|count)"} > 0', seen), 60)
    return jobs_with(RULES["RunFailed"], seen)


def alerted(seen: Prometheus) -> None:
    """Wait until the alert fires in one of the jobs; the other ones were asked as often."""
    until(seen.firing, 60)


def answers(job: str, pipeline: str, before: set[str], seen: Prometheus) -> dict[str, bool | int]:
    """What Prometheus tells of a job after the failed run; `before` are the jobs that told of a failure before it."""
    series = [labels for labels, _ in seen.query(f'{{job="{job}"}}')]
    return {
        "scraped": seen.scrapes()[job],
        "runs": job in jobs_with(f"({FAILED}) > 0", seen) - before,
        "durations": job in jobs_with('{__name__=~".*(run|task|step).*(duration|seconds).*_sum"} > 0', seen),
        "alert": job in {labels["job"] for labels in seen.firing()} - before,
        "names": len({SUFFIX.sub("", labels["__name__"]) for labels in series if pipeline in labels.values()}),
    }
