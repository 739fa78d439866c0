"""A retry that Dagster's daemon loses: it reads a failure once, and the run's state is written after the event."""

from pathlib import Path
from typing import Any, Never

import dagster as dg
import pytest
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon


class Workspace:
    """What the daemon asks for the run's code when it launches it again; here it gets no further."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.asked = instance, False

    def create_request_context(self) -> Never:
        self.asked = True
        raise LookupError("no code here")


@dg.job
def nothing() -> None:
    pass


@pytest.mark.parametrize("looks_between", [False, True])
def test_retry_is_lost_if_the_daemon_looks_between_event_and_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks_between: bool
) -> None:
    (tmp_path / "dagster.yaml").write_text(
        "{telemetry: {enabled: false}, run_retries: {enabled: true, max_retries: 1}}"
    )
    instance = dg.DagsterInstance.from_config(str(tmp_path))
    daemon = EventLogConsumerDaemon()
    workspace: Any = Workspace(instance)

    def look() -> None:
        list(daemon.run_iteration(workspace))

    def write_state(*event: Any) -> None:
        if looks_between:
            look()
        write(*event)

    look()  # what was there before it began, it leaves alone
    run = instance.create_run_for_job(nothing)
    write = instance.run_storage.handle_run_event
    monkeypatch.setattr(instance.run_storage, "handle_run_event", write_state)
    instance.report_run_failed(run, "its process died")

    look()
    assert instance.get_run_by_id(run.run_id).is_failure
    assert workspace.asked is not looks_between
