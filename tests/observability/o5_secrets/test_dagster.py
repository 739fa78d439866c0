"""Dagster's EnvVar keeps a password out of all records, but nothing masks what an op logs or raises."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest

from tests.scenario import Scenario
from tests.secrets import answers, basic, find, forms_in, locked_source, use


class Vendor(dg.ConfigurableResource):
    url: str
    password: str


class Mistakes(dg.Config):
    talkative: bool = False


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fetch_obvious(context: dg.OpExecutionContext, config: Mistakes, vendor: Vendor) -> int:
    return use(vendor.password, vendor.url, context.log, config.talkative and context.retry_number == 0)


@dg.job
def obvious() -> None:
    fetch_obvious()


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


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fetch_idiom(context: dg.OpExecutionContext, config: Mistakes, vendor: Vendor) -> int:
    with masked(vendor.password, context.log):
        return use(vendor.password, vendor.url, context.log, config.talkative and context.retry_number == 0)


@dg.job
def idiom() -> None:
    fetch_idiom()


def places(job: dg.JobDefinition, talkative: bool, folder: Path, **env: str) -> dict[str, set[str]]:
    """Run the job with a password in the environment; where is it afterwards?"""
    password = f"o5 {job.name}&{talkative:d}"
    folder.mkdir()
    mistakes = {"ops": {f"fetch_{job.name}": {"config": {"talkative": talkative}}}}
    with pytest.MonkeyPatch.context() as patch, locked_source(folder, password) as url:
        for name, value in {"O5_PASSWORD": password, **env}.items():
            patch.setenv(name, value)
        vendor = Vendor(url=url, password=dg.EnvVar("O5_PASSWORD"))
        bound = dg.Definitions(jobs=[job], resources={"vendor": vendor}).resolve_job_def(job.name)
        with dg.instance_for_test(overrides={"telemetry": {"enabled": False}}, temp_dir=str(folder)) as instance:
            result = bound.execute_in_process(mistakes, instance=instance)
            assert result.success
            events = [repr(entry) for entry in instance.all_logs(result.run_id)]
            assert any("the password is" in event for event in events) == talkative
            api = forms_in(password, "".join([repr(instance.get_run_by_id(result.run_id)), *events]))
            return find(password, folder) | ({"API": api} if api else {})


def test_o5_secrets(tmp_path: Path, scenario: Scenario) -> None:
    seen = {
        job.name: answers(*(places(job, n == 1, tmp_path / f"{job.name} {n}") for n in range(2)))
        for job in (obvious, idiom)
    }
    redacted = places(obvious, True, tmp_path / "redacted", DAGSTER_REDACT_USER_CODE_ERRORS="1")
    seen["redacted"] = answers({}, redacted)
    scenario.obvious(obvious, fetch_obvious, success=True, **seen["obvious"])
    scenario.idiom(
        idiom, fetch_idiom, success=True, **seen["idiom"],
        own_code="a context manager masks the password in the op's log lines and errors",
    )  # fmt: skip
    scenario.finding(
        f"An EnvVar is read within the run, and no record holds its value; what an op logs or raises is masked in no "
        f"form: the password was found {seen['obvious']['places']}. With DAGSTER_REDACT_USER_CODE_ERRORS set it was "
        f"found {seen['redacted']['places']}; with a filter of one's own on the log, and errors raised anew, "
        f"{seen['idiom']['places']}."
    )
