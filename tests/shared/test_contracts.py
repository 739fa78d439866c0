"""What passes between stages is small, frozen JSON."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.contracts import Batch, Contract, Month
from shared.settings import Settings


@pytest.fixture
def references(results: Any, planned: Any, in_service: Any) -> list[Contract]:
    return [
        results.batch,
        results.validated,
        results.features,
        planned,
        *results.trained,
        in_service.evaluation,
        in_service.deployment,
    ]


def test_each_reference_survives_json_and_is_small(references: list[Contract]) -> None:
    for reference in references:
        text = reference.model_dump_json()
        assert type(reference).model_validate_json(text) == reference
        assert len(text) < 20_000


def test_references_can_not_be_changed(references: list[Contract]) -> None:
    for reference in references:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(reference, next(iter(type(reference).model_fields)), None)


def test_unknown_field_is_refused(results: Any) -> None:
    with pytest.raises(ValidationError, match="extra"):
        Batch.model_validate(results.batch.model_dump() | {"extra": 1})


def test_file_paths_are_relative_to_the_store(results: Any) -> None:
    for file in (*results.batch.files, results.features.file, *(trained.model for trained in results.trained)):
        assert (results.settings.store / file.path).is_file()
        assert not file.path.startswith("/")


@pytest.mark.parametrize("month", ["2013-00", "2013-13", "13-01", "2013-1", "2013-01-01", "x2013-01", "2013-01\n"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Month).validate_python(month)


def test_settings_survive_json(settings: Settings) -> None:
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
