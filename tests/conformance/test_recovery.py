"""A run that is killed in each stage in turn, and recovered by the tool's own means, ends as an undisturbed one."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.runtime.records import differences
from shared.settings import Settings
from tests.conformance.test_conformance import aliases, versions, without_retries
from tests.conftest import TOOL
from tests.faults import Kill

FAMILIES = ("logistic",)
# One function in the midst of each stage. At `smoke_test` the challenger is registered, and not yet in service.
KILLED_IN = [
    "shared.stages.ingest:check_no_gap",
    "shared.stages.validate:drift",
    "shared.stages.features:row_notes",
    "shared.stages.plan:trainable_origins",
    "shared.stages.train:split",
    "shared.stages.evaluate:decide",
    "shared.stages.deploy:smoke_test",
]


@pytest.mark.live
@pytest.mark.timeout(600)
def test_run_killed_in_each_stage_in_turn_recovers_as_if_undisturbed(
    both: SimpleNamespace, source: Path, tmp_path: Path
) -> None:
    recovery = importlib.import_module(f"tests.conformance.recovery_{TOOL}")
    undisturbed = both.plain(families=FAMILIES)
    kill, settings = Kill(tmp_path), Settings(tool=TOOL, source=str(source), min_rows=100, families=FAMILIES)
    record = recovery.run_and_recover("2013-06", settings, kill, KILLED_IN)
    assert record.state == "success", record.error
    assert differences(undisturbed, without_retries(record)) == []
    assert aliases(settings) == {"champion": "1"}
    assert versions(settings) == 1
