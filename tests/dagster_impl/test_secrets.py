"""Dagster's API and launchpad refuse a source with a login in it, and keep none of it."""

from typing import Any

import pytest

from tests.live.dagster import FOLDER, LAUNCH, PIPELINE, Engine
from tests.secrets import find

PASSWORD = "a-secret-of-the-form"


@pytest.mark.live
def test_source_with_a_login_in_it_is_refused_and_not_recorded(live: Engine) -> None:
    source = f"http://vendor:{PASSWORD}@127.0.0.1:9/drop"
    config: dict[str, Any] = {"resources": {"settings": {"config": {"source": source}}}}
    job = {"repositoryLocationName": PIPELINE, "repositoryName": "__repository__", "jobName": "retrain"}
    tags = {"tags": [{"key": "dagster/partition", "value": "2013-06"}]}
    params = {"selector": job, "runConfigData": config, "executionMetadata": tags}
    refused = live.query(LAUNCH, params=params)["launchRun"]
    assert refused["__typename"] == "PythonError", refused
    assert "source is a URL with a user, a password or a query in it" in str(refused), refused
    assert find(PASSWORD, FOLDER) == {}
