"""A small slice of the real flights and the stages' results on it, made once and copied into each test's home."""

import csv
import io
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import hypothesis.configuration
import polars as pl
import pytest

from shared.contracts import Batch, Deployment, Evaluation, Features, Plan, Trained, Validated
from shared.lib import feature_table, store
from shared.lib.source import LOOKUPS, default_source
from shared.settings import ROOT, Settings
from shared.stages.deploy import deploy
from shared.stages.evaluate import evaluate
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.plan import plan
from shared.stages.train import train
from shared.stages.validate import validate

MONTHS = ("2013-01", "2013-02", "2013-03", "2013-04", "2013-05")
MONTH = MONTHS[-1]
HOME = "a hôme with spaces"
FAMILIES = ("logistic", "boosting20")

hypothesis.configuration.set_hypothesis_home_dir(ROOT / ".local" / "cache" / "hypothesis")
hypothesis.settings.register_profile(
    "shared",
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("shared")


class StageResults(NamedTuple):
    """The stages' results on the slice, and the settings of the home that holds their files."""

    settings: Settings
    batch: Batch
    validated: Validated
    features: Features
    trained: tuple[Trained, ...]


class InService(NamedTuple):
    """A home with a champion; tests only read it."""

    settings: Settings
    evaluation: Evaluation
    deployment: Deployment


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's shell may hold must not reach the tests, nor may a test that forgets its home reach theirs."""
    foreign = ("MLFLOW_TRACKING", "MLFLOW_RE", "MLFLOW_RUN", "AWS_", "TRIPTYCH_STORE", "TRIPTYCH_LOCKS")
    for name in [name for name in os.environ if name.startswith(foreign)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRIPTYCH_HOME", str(tmp_path / HOME))


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every tenth flight of five months, their weather and the lookup tables; tests only read it."""
    whole, folder = default_source(), tmp_path_factory.mktemp("vendor")
    (folder / "flights").mkdir()
    (folder / "weather").mkdir()
    for month in MONTHS:
        header, *lines = (whole / "flights" / f"{month}.csv").read_bytes().splitlines(keepends=True)
        (folder / "flights" / f"{month}.csv").write_bytes(header + b"".join(lines[::10]))
        shutil.copyfile(whole / "weather" / f"{month}.csv", folder / "weather" / f"{month}.csv")
    for name in LOOKUPS:
        shutil.copyfile(whole / name, folder / name)
    return folder


@pytest.fixture
def source(vendor: Path, tmp_path: Path) -> Path:
    """A copy of the slice that the test may spoil."""
    return Path(shutil.copytree(vendor, tmp_path / "source"))


@pytest.fixture(scope="session")
def new_home(prepared_home: Path, vendor: Path) -> Callable[..., Settings]:
    """Settings with a home of one's own, whose MLflow store is a copy of an empty one."""

    def new(home: Path, **wanted: object) -> Settings:
        shutil.copytree(prepared_home / "mlflow", home / "mlflow")
        return Settings.model_validate(
            {"home": home, "source": str(vendor), "min_rows": 100, "families": FAMILIES, **wanted}
        )

    return new


@pytest.fixture
def settings(new_home: Callable[..., Settings], tmp_path: Path) -> Settings:
    return new_home(tmp_path / HOME)


@pytest.fixture(scope="session")
def results(new_home: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> StageResults:
    settings = new_home(tmp_path_factory.mktemp("made") / HOME)
    batch = ingest(MONTH, settings)
    validated = validate(batch, settings)
    table = features(validated, settings)
    planned = plan(table, "made", settings)
    trained = tuple(train(candidate, planned, settings) for candidate in planned.candidates)
    return StageResults(settings, batch, validated, table, trained)


@pytest.fixture
def planned(results: StageResults, settings: Settings) -> Plan:
    shutil.copytree(results.settings.store, settings.store)
    return plan(results.features, "test", settings)


@pytest.fixture
def evaluated(planned: Plan, results: StageResults, settings: Settings) -> Evaluation:
    return evaluate(planned, results.trained, settings)


@pytest.fixture(scope="session")
def in_service(
    results: StageResults, new_home: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory
) -> InService:
    settings = new_home(tmp_path_factory.mktemp("in-service") / HOME)
    shutil.copytree(results.settings.store, settings.store)
    evaluation = evaluate(plan(results.features, "test", settings), results.trained, settings)
    return InService(settings, evaluation, deploy(evaluation, settings))


@pytest.fixture
def altered(settings: Settings) -> Callable[[Features, pl.DataFrame], Features]:
    """Features with other rows in their file."""

    def alter(features: Features, rows: pl.DataFrame) -> Features:
        buffer = io.BytesIO()
        rows.write_ipc(buffer, compression="uncompressed")
        file = store.add(settings, f"features/{features.month}.arrow", buffer.getvalue())
        return features.model_copy(update={"file": file, "rows": rows.height})

    return alter


@pytest.fixture(scope="session")
def rows(results: StageResults) -> pl.DataFrame:
    """The slice's features."""
    return feature_table.read(results.features.file, results.settings)


@pytest.fixture(scope="session")
def set_cells() -> Callable[[Path, str, dict[int, str]], None]:
    """Overwrites cells of one column of a csv file, by line number (the header is line 1)."""

    def overwrite(path: Path, column: str, values: dict[int, str]) -> None:
        with path.open(newline="") as file:
            lines = list(csv.reader(file))
        for line, value in values.items():
            lines[line - 1][lines[0].index(column)] = value
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)

    return overwrite


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until the condition holds, at most 20 seconds."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true within 20 seconds"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def files_in() -> Callable[[Path], dict[str, int]]:
    """All files below a folder, with the time of their last change: equal before and after if nothing was touched."""

    def list_files(folder: Path) -> dict[str, int]:
        return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}

    return list_files


@pytest.fixture
def own_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `families:…` importable, as a user's own module would be."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
