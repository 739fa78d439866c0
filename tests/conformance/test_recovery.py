"""A run whose process is killed in any stage, and recovered by the tool's own means, ends as an undisturbed one."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.runtime.records import differences
from shared.settings import Settings
from tests.conformance.test_conformance import aliases, versions
from tests.conftest import TOOL
from tests.faults import Kill

FAMILIES = ("logistic",)
# Of two runs, each is killed in every other stage, in one function in the midst of it. At `smoke_test` the challenger
# is registered, and not yet in service.
KILLED_IN = {
    "ingest, features, train and deploy": [
        "shared.stages.ingest:check_no_gap",
        "shared.stages.features:row_notes",
        "shared.stages.train:split",
        "shared.stages.deploy:smoke_test",
    ],
    "validate, plan and evaluate": [
        "shared.stages.validate:drift",
        "shared.stages.plan:trainable_origins",
        "shared.stages.evaluate:decide",
    ],
}


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.parametrize("stages", KILLED_IN)
def test_run_killed_in_several_stages_recovers_as_if_undisturbed(
    stages: str, both: SimpleNamespace, source: Path, tmp_path: Path
) -> None:
    recovery = importlib.import_module(f"tests.conformance.recovery_{TOOL}")
    undisturbed = both.plain(families=FAMILIES)
    kill, settings = Kill(tmp_path), Settings(tool=TOOL, source=str(source), min_rows=100, families=FAMILIES)
    record = recovery.run_and_recover("2013-06", settings, kill, KILLED_IN[stages])
    assert record.state == "success", record.error
    once = [stage.model_copy(update={"attempts": min(stage.attempts, 1)}) for stage in record.stages]
    assert differences(undisturbed, record.model_copy(update={"stages": once})) == []
    assert aliases(settings) == {"champion": "1"}
    assert versions(settings) == 1
