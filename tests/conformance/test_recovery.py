"""A run whose process is killed in any stage, and recovered by the tool's own means, ends as an undisturbed one."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.runtime.records import differences
from shared.settings import Settings
from tests.conformance.test_conformance import aliases, versions
from tests.conftest import TOOL
from tests.evidence import Evidence
from tests.faults import Kill

# One function in the midst of each stage; at `smoke_test` the challenger is registered, and not yet in service.
IN_STAGE = {
    "ingest": "shared.stages.ingest:check_no_gap",
    "validate": "shared.stages.validate:drift",
    "features": "shared.stages.features:row_notes",
    "plan": "shared.stages.plan:trainable_origins",
    "train": "shared.stages.train:split",
    "evaluate": "shared.stages.evaluate:decide",
    "deploy": "shared.stages.deploy:smoke_test",
}


@pytest.mark.live
@pytest.mark.parametrize("stage", IN_STAGE)
def test_killed_run_recovers_as_if_undisturbed(
    stage: str, both: SimpleNamespace, source: Path, tmp_path: Path, evidence: Evidence
) -> None:
    recovery = importlib.import_module(f"tests.conformance.recovery_{TOOL}")
    undisturbed = both.plain()
    kill, settings = Kill(tmp_path), Settings(tool=TOOL, source=str(source), min_rows=100)
    record = recovery.run_and_recover("2013-06", settings, kill, IN_STAGE[stage], tmp_path)
    assert kill.killed
    assert record.state == "success", record.error
    once = [stage.model_copy(update={"attempts": min(stage.attempts, 1)}) for stage in record.stages]
    assert differences(undisturbed, record.model_copy(update={"stages": once})) == []
    assert aliases(settings) == {"champion": "1"}
    assert versions(settings) == 1
    evidence(attempts={stage.key or stage.stage: stage.attempts for stage in record.stages})
