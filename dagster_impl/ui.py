"""Dagster's web UI with the pipeline in it: `python -m dagster_impl.ui`; its daemon and its runs end with it."""

import sys

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

import dagster as dg

from dagster_impl.home import LAUNCHED, UNDER_WAY, instance, stop, stop_abandoned
from shared.runtime.servers import answers, port_for, show, url_of
from shared.settings import ROOT, Settings

GROUPS = ("data", "training", "evaluation", "service")
LINEAGE = "asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS)


def main() -> None:
    """Start it; the address that is printed is that of the assets' lineage, with all groups open."""
    settings = Settings(tool="dagster")
    home = settings.home / "dagster"
    stop_orphans(settings)
    port = port_for("dagster", settings.home)
    url, where = f"http://127.0.0.1:{port}", ["--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "dagster_dg_cli.cli", "dev", "--target-path", str(ROOT), *where]
    show("Dagster", f"{url}/{LINEAGE}", command, f"{url}/server_info", home / "ui.log")


def stop_orphans(settings: Settings) -> None:
    """Stop the runs that nothing goes on with: those of killed commands, and of a web UI that is gone."""
    with instance() as dagster:
        stop_abandoned(dagster, settings)
        if not answers(f"{url_of('dagster', settings.home)}/server_info"):
            for run in dagster.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
                if LAUNCHED in run.tags:
                    stop(run.run_id, dagster, settings)


if __name__ == "__main__":
    main()
