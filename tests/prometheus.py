"""A real Prometheus for the tests: it asks each second, and has the rules of the test or of the product."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.runtime import prometheus, servers
from tests.live.watch import until

needs_prometheus = pytest.mark.skipif(shutil.which("prometheus") is None, reason=prometheus.MISSING)


def promtool(*words: object, text: str = "") -> str:
    """Run Debian's promtool; returns what it says. AssertionError if it finds fault."""
    done = subprocess.run(["promtool", *map(str, words)], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    """A Prometheus that runs, asked over its API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **params: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=params, timeout=30, trust_env=False).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What the expression gives now: labels and value of each series."""
        return [(each["metric"], float(each["value"][1])) for each in self.get("query", query=expression)["result"]]

    def firing(self) -> list[dict[str, str]]:
        """The labels of the alerts that fire."""
        return [alert["labels"] for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"]

    def scrapes(self) -> dict[str, bool]:
        """Whether the last scrape of each job succeeded, once each has been tried."""
        targets = until(
            lambda: (found := self.get("targets")["activeTargets"]) and all(map(was_tried, found)) and found
        )
        return {target["labels"]["job"]: target["health"] == "up" for target in targets}


def was_tried(target: dict[str, Any]) -> bool:
    return bool(target["health"] != "unknown")


@contextmanager
def asking(urls: Mapping[str, str], folder: Path, rules: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run Prometheus on the pages, by job, with an alert for each expression, by name, until the block ends."""
    alerts = [{"alert": name, "expr": expression} for name, expression in rules.items()]
    jobs = [job(name, url) for name, url in urls.items()]
    often = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    port = servers.free_port()
    folder.mkdir(parents=True)
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "test", "rules": alerts}]}))
    config = folder / "prometheus.json"
    config.write_text(json.dumps({"global": often, "rule_files": ["rules.json"], "scrape_configs": jobs}))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    url, listen = f"http://127.0.0.1:{port}", f"--web.listen-address=127.0.0.1:{port}"
    with servers.server([*command, listen], f"{url}/-/ready", folder / "log"):
        yield Prometheus(url)


def job(name: str, url: str) -> dict[str, Any]:
    """A page to read; it is JSON to Prometheus, whose YAML is a superset of that."""
    parts = urlsplit(url)
    return {"job_name": name, "metrics_path": parts.path, "static_configs": [{"targets": [parts.netloc]}]}


@dataclass(frozen=True)
class Shown:
    """What prometheus_client takes for a collector."""

    collect: Callable[[], Iterable[Any]]


@contextmanager
def shown(collect: Callable[[], Iterable[Any]]) -> Iterator[str]:
    """Serve the metrics that `collect` gives beside the test until the block ends; yields their address."""
    from shared.runtime.exporter import server_of  # takes a while to load, and live engines load the tests, too

    with server_of(Shown(collect), 0) as server:
        # In this context: Prefect's settings, which name its server, are a part of it.
        thread = Thread(target=copy_context().run, args=[server.serve_forever])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()
