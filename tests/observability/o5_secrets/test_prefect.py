"""Prefect stores a Secret block encrypted, but masks nothing that a task logs or raises."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.blocks.system import Secret
from prefect.context import TaskRunContext

from prefect_impl import HOME
from tests.live import prefect
from tests.live.watch import until
from tests.scenario import Scenario
from tests.secrets import answers, basic, find, forms_in, locked_source, use


def is_first_try() -> bool:
    return TaskRunContext.get().task_run.run_count == 1


@task(retries=1)
def fetch_obvious(url: str, talkative: bool) -> int:
    password = Secret.load("o5-vendor").get()
    return use(password, url, get_run_logger(), talkative and is_first_try())


@flow
def obvious(url: str, talkative: bool) -> None:
    fetch_obvious(url, talkative)


@contextmanager
def masked(password: str, logger: logging.Logger) -> Iterator[None]:
    """Mask the password in what is logged and raised in the block, as it is, URL-encoded and in a header."""

    def hide(text: str) -> str:
        for form in (password, quote(password, safe=""), basic(password)):
            text = text.replace(form, "***")
        return text

    def mask(record: logging.LogRecord) -> bool:
        record.msg, record.args = hide(record.getMessage()), ()
        return True

    logger.addFilter(mask)
    try:
        yield
    except Exception as error:
        raise type(error)(hide(str(error))) from None
    finally:
        logger.removeFilter(mask)


@task(retries=1)
def fetch_idiom(url: str, talkative: bool) -> int:
    password, log = Secret.load("o5-vendor").get(), get_run_logger()
    with masked(password, log.logger):
        return use(password, url, log, talkative and is_first_try())


@flow
def idiom(url: str, talkative: bool) -> None:
    fetch_idiom(url, talkative)


def api(run: UUID) -> str:
    """What the API tells of the run, its task, their states and logs, of events and of blocks."""
    of_run = {"flow_runs": {"id": {"any_": [str(run)]}}}
    asked = {f"/{kind}/filter": of_run for kind in ("flow_runs", "task_runs", "artifacts")}
    asked |= {"/logs/filter": {"logs": {"flow_run_id": {"any_": [str(run)]}}}, "/block_documents/filter": {}}
    asked |= {"/events/filter": {"limit": 50}}
    with prefect.client() as client:
        told = [client.request("POST", path, json=body).raise_for_status().json() for path, body in asked.items()]
    return json.dumps([told, [state.message for state in prefect.task_history(prefect.task_runs(run, 1)[0])]])


def places(pipeline: Any, password: str, talkative: bool, folder: Path) -> dict[str, set[str]]:
    """Run the flow with the password as that of the block; where is it afterwards?"""
    Secret(value=password).save("o5-vendor", overwrite=True)
    with locked_source(folder, password) as url:
        ended = pipeline(url, talkative, return_state=True)
    assert ended.is_completed()
    run = ended.state_details.flow_run_id
    (tried,) = prefect.task_runs(run, 1)
    until(lambda: "Finished in state Completed()" in prefect.log_of_task(tried))
    assert ("the password is" in "".join(prefect.log_of_task(tried))) == talkative
    until(lambda: prefect.events("prefect.flow-run.Completed", run))
    told = forms_in(password, api(run))
    return find(password, HOME, folder) | ({"API": told} if told else {})


def test_o5_secrets(results: Path, tmp_path: Path, scenario: Scenario) -> None:
    seen = {
        pipeline.name: answers(*(places(pipeline, f"o5 {pipeline.name}&{n}", n == 1, tmp_path) for n in range(2)))
        for pipeline in (obvious, idiom)
    }
    scenario.obvious(obvious, fetch_obvious, success=True, **seen["obvious"])
    scenario.idiom(
        idiom, fetch_idiom, success=True, **seen["idiom"],
        own_code="a context manager masks the password in the task's log lines and errors",
    )  # fmt: skip
    scenario.finding(
        f"A Secret block is stored encrypted, with the key in the same database unless PREFECT_SERVER_ENCRYPTION_KEY "
        f"is set, and shown as ***; what a task logs or raises is masked in no form: the password was found "
        f"{seen['obvious']['places']}. With a filter of one's own on the run's logger, and errors raised anew, it was "
        f"found {seen['idiom']['places']}."
    )
