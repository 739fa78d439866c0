"""Prometheus, with the alert rules of monitoring/, over one tool's metrics."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from shared.runtime import servers
from shared.settings import ROOT

FOLDER = ROOT / "monitoring"
MISSING = "Prometheus is not installed; on Debian or Ubuntu: apt-get install prometheus"


def is_installed() -> bool:
    return shutil.which("prometheus") is not None


def configuration(metrics_url: str, interval: str) -> str:
    """monitoring/prometheus.yml, filled in."""
    url = urlsplit(metrics_url)
    template = Template((FOLDER / "prometheus.yml").read_text("utf-8"))
    return template.substitute(interval=interval, rules=FOLDER / "alerts.yml", target=url.netloc, path=url.path)


@contextmanager
def running(metrics_url: str, folder: Path, port: int, interval: str = "15s") -> Iterator[str]:
    """Run Prometheus until the block ends; yields its URL. It keeps its data in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config, url = folder / "prometheus.yml", f"http://127.0.0.1:{port}"
    config.write_text(configuration(metrics_url, interval), "utf-8")
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    listen = f"--web.listen-address=127.0.0.1:{port}"
    with servers.server([*command, listen], f"{url}/-/ready", folder / "prometheus.log"):
        yield url
