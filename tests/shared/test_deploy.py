"""Stage 7: one version a challenger, in service only after the smoke test; else everything is as before."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import mlflow
import numpy as np
import polars as pl
import pytest
import yaml

from shared.contracts import Deployment, Evaluation, PermanentError
from shared.lib import registry, tracking
from shared.lib.feature_table import CATEGORICAL, FEATURE_COLUMNS, NUMERIC
from shared.lib.model import fingerprint, routed
from shared.settings import Settings
from shared.stages.deploy import SIGNATURE, deploy, register
from shared.stages.evaluate import evaluate
from shared.stages.plan import plan

MONTH = "2013-05"


def aliases(settings: Settings) -> dict[str, str]:
    return {
        alias: str(version.version)
        for alias in ("champion", "challenger", "previous")
        if (version := registry.by_alias(alias, settings))
    }


def versions(settings: Settings) -> list[str]:
    found = tracking.client(settings).search_model_versions(f"name = '{settings.model_name}'")
    return sorted(str(version.version) for version in found)


def folder_of(version: str, settings: Settings) -> Path:
    uri = tracking.client(settings).get_model_version_download_uri(settings.model_name, version)
    return Path(unquote(urlparse(uri).path))


def target(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(month=MONTH).select(FEATURE_COLUMNS)


def register_only(evaluation: Evaluation, settings: Settings, rows: pl.DataFrame) -> str:
    """What a deployment that was killed after its first step leaves behind: a version that bears no alias."""
    challenger = routed(evaluation.best, evaluation.late_rate, settings)
    return str(register(challenger, evaluation, target(rows), settings).version)


def other_challenger(evaluation: Evaluation, results: Any) -> Evaluation:
    """The evaluation of another model: LGA's other candidate."""
    second = next(
        model for model in results.trained if model.candidate.origin == "LGA" and model != evaluation.best["LGA"]
    )
    return evaluation.model_copy(
        update={"best": {**evaluation.best, "LGA": second}, "challenger_fingerprint": "f" * 64}
    )


def test_first_model_bears_the_alias_champion_only(in_service: Any) -> None:
    settings, evaluation, deployment = in_service

    assert aliases(settings) == {"champion": "1"}
    assert deployment == Deployment(
        version="1", previous=None, fingerprint=evaluation.challenger_fingerprint, changed=True
    )


def test_registered_model_predicts_what_was_evaluated(in_service: Any, rows: pl.DataFrame) -> None:
    settings, evaluation, _ = in_service

    predicted = registry.load("1", settings).predict_proba(target(rows))[:, 1]

    assert fingerprint(predicted) == evaluation.challenger_fingerprint


def test_registered_model_loads_as_pyfunc_with_equal_probabilities(in_service: Any, rows: pl.DataFrame) -> None:
    settings, evaluation, _ = in_service
    mlflow.set_tracking_uri(settings.tracking_uri)

    model = mlflow.pyfunc.load_model(f"models:/{settings.model_name}@champion")

    table = target(rows).to_pandas()
    expected = routed(evaluation.best, evaluation.late_rate, settings).predict_proba(table)
    assert np.array_equal(model.predict(table), expected)


def test_registered_model_has_signature_example_and_pinned_packages(in_service: Any) -> None:
    folder = folder_of("1", in_service.settings)

    info = yaml.safe_load((folder / "MLmodel").read_text())
    inputs = json.loads(info["signature"]["inputs"])
    example = json.loads((folder / info["saved_input_example_info"]["artifact_path"]).read_text())
    assert [column["name"] for column in inputs] == list(FEATURE_COLUMNS)
    types = {column["name"]: column["type"] for column in inputs}
    assert {types[name] for name in NUMERIC} == {"double"}
    assert {types[name] for name in ("origin", *CATEGORICAL)} == {"string"}
    assert json.loads(info["signature"]["outputs"])[0]["tensor-spec"] == {"dtype": "float64", "shape": [-1, 2]}
    assert example["columns"] == list(FEATURE_COLUMNS)
    assert len(example["data"]) == 3
    assert all("==" in line for line in (folder / "requirements.txt").read_text().split())


def test_signature_does_not_depend_on_the_months_values(in_service: Any, rows: pl.DataFrame) -> None:
    settings = in_service.settings
    mlflow.set_tracking_uri(settings.tracking_uri)
    unknown = target(rows).head(1).with_columns(pl.lit(None, pl.String).alias(name) for name in CATEGORICAL)

    model = mlflow.pyfunc.load_model(f"models:/{settings.model_name}@champion")

    assert model.metadata.signature == SIGNATURE
    assert model.predict(unknown.to_pandas()).shape == (1, 2)


def test_version_and_model_say_what_they_are(in_service: Any) -> None:
    settings, evaluation, _ = in_service
    store = tracking.client(settings)

    version = store.get_model_version(settings.model_name, "1")

    assert f"**{MONTH}: promote**, {evaluation.reason}." in version.description
    assert f"Trained on {', '.join(evaluation.features.window)}." in version.description
    assert f"| challenger | JFK | {evaluation.challenger.by_origin['JFK'].rows} |" in version.description
    assert "more than 15 minutes late" in store.get_registered_model(settings.model_name).description


def test_version_tells_its_month_fingerprint_and_run(in_service: Any) -> None:
    settings, evaluation, _ = in_service

    version = tracking.client(settings).get_model_version(settings.model_name, "1")

    orchestrator = tracking.orchestrator_tags(evaluation.run_id, settings)
    assert version.tags == {"month": MONTH, "fingerprint": evaluation.challenger_fingerprint, **orchestrator}
    assert version.run_id == evaluation.run_id


def test_no_pickle_anywhere(in_service: Any) -> None:
    names = [path.name for path in in_service.settings.home.rglob("*") if path.is_file()]

    assert [name for name in names if Path(name).suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}] == []
    assert [name for name in names if name == "model.skops"] == ["model.skops"]


def test_second_time_changes_nothing_and_says_so(
    in_service: Any, files_in: Callable[[Path], dict[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    settings, evaluation, deployment = in_service
    before = files_in(settings.mlflow / "artifacts")

    with caplog.at_level("INFO"):
        again = deploy(evaluation, settings)

    assert again == deployment.model_copy(update={"changed": False})
    assert "version 1 is in service already: nothing changed" in caplog.text
    assert versions(settings) == ["1"]
    assert aliases(settings) == {"champion": "1"}
    assert files_in(settings.mlflow / "artifacts") == before


def test_better_model_follows_and_the_old_one_is_kept_as_previous(
    evaluated: Evaluation, results: Any, settings: Settings, rows: pl.DataFrame
) -> None:
    deploy(evaluated, settings)
    following = other_challenger(evaluated, results).model_copy(update={"champion_version": "1"})

    deployment = deploy(following, settings)

    assert deployment == Deployment(version="2", previous="1", fingerprint="f" * 64, changed=True)
    assert aliases(settings) == {"champion": "2", "previous": "1"}


def test_deploying_twice_at_once_gives_one_version(evaluated: Evaluation, settings: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        deployments = list(pool.map(lambda _: deploy(evaluated, settings), range(2)))

    assert sorted(deployment.changed for deployment in deployments) == [False, True]
    assert {deployment.version for deployment in deployments} == {"1"}
    assert versions(settings) == ["1"]
    assert aliases(settings) == {"champion": "1"}


def test_version_left_by_a_killed_deployment_is_used_again(
    evaluated: Evaluation, settings: Settings, rows: pl.DataFrame
) -> None:
    assert register_only(evaluated, settings, rows) == "1"
    assert aliases(settings) == {}

    assert deploy(evaluated, settings).version == "1"

    assert versions(settings) == ["1"]
    assert aliases(settings) == {"champion": "1"}


def corrupt(folder: Path) -> None:
    (folder / "model.skops").write_bytes(b"not a model")


@pytest.mark.parametrize("spoil", [corrupt, shutil.rmtree])
def test_failed_smoke_test_leaves_no_alias_when_there_was_none(
    evaluated: Evaluation, settings: Settings, rows: pl.DataFrame, spoil: Callable[[Path], None]
) -> None:
    spoil(folder_of(register_only(evaluated, settings, rows), settings))

    with pytest.raises(PermanentError, match="smoke test of version 1 failed") as error:
        deploy(evaluated, settings)

    assert "the aliases are as before" in str(error.value)
    assert aliases(settings) == {}


def test_failed_smoke_test_leaves_the_champion_in_service(
    evaluated: Evaluation, results: Any, settings: Settings, rows: pl.DataFrame
) -> None:
    deploy(evaluated, settings)
    following = other_challenger(evaluated, results).model_copy(update={"champion_version": "1"})
    corrupt(folder_of(register_only(following, settings, rows), settings))

    with pytest.raises(PermanentError, match="smoke test of version 2 failed"):
        deploy(following, settings)

    assert aliases(settings) == {"champion": "1"}
    assert fingerprint(registry.load("1", settings).predict_proba(target(rows))[:, 1]) == (
        evaluated.challenger_fingerprint
    )


def test_model_that_answers_otherwise_than_evaluated_is_refused(
    evaluated: Evaluation, results: Any, settings: Settings, rows: pl.DataFrame
) -> None:
    folder = folder_of(register_only(evaluated, settings, rows), settings)
    other = other_challenger(evaluated, results).model_copy(update={"challenger_fingerprint": "e" * 64})
    shutil.copyfile(folder_of(register_only(other, settings, rows), settings) / "model.skops", folder / "model.skops")

    with pytest.raises(PermanentError, match="version 1 answers with other probabilities than the evaluated model"):
        deploy(evaluated, settings)

    assert aliases(settings) == {}


def test_error_of_a_smoke_test_is_one_sentence(evaluated: Evaluation, settings: Settings, rows: pl.DataFrame) -> None:
    corrupt(folder_of(register_only(evaluated, settings, rows), settings))

    with pytest.raises(PermanentError) as error:
        deploy(evaluated, settings)

    assert "\n" not in str(error.value)


def test_champion_that_changed_since_the_evaluation_is_refused(
    evaluated: Evaluation, results: Any, settings: Settings
) -> None:
    deploy(evaluated, settings)
    late = other_challenger(evaluated, results)
    assert late.champion_version is None

    with pytest.raises(PermanentError, match=r"version 1 now.*compared with version None.*run the month again"):
        deploy(late, settings)

    assert versions(settings) == ["1"]
    assert aliases(settings) == {"champion": "1"}


def test_evaluation_after_the_deployment_finds_the_same_model_in_service(in_service: Any, results: Any) -> None:
    settings, evaluation, _ = in_service
    planned = plan(evaluation.features, "another run", settings)

    again = evaluate(planned, results.trained, settings)

    assert (again.decision, again.champion_version) == ("keep", "1")
    assert again.champion == again.challenger
    assert again.champion_fingerprint == again.challenger_fingerprint == evaluation.challenger_fingerprint
    assert "nothing changes" in again.reason
