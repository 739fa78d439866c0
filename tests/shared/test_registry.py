"""The registry: aliases that may not be there, and versions found by what they predict."""

from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from shared.lib import registry
from shared.settings import Settings

ALIASES = (registry.CHAMPION, registry.CHALLENGER, registry.PREVIOUS)


@pytest.mark.parametrize("alias", ALIASES)
def test_without_a_model_nobody_bears_an_alias(settings: Settings, alias: str) -> None:
    assert registry.by_alias(alias, settings) is None


def test_alias_that_nobody_bears_is_none(in_service: Any) -> None:
    assert registry.by_alias(registry.PREVIOUS, in_service.settings) is None
    assert registry.by_alias(registry.CHAMPION, in_service.settings) is not None


def test_version_is_found_by_month_and_fingerprint(in_service: Any) -> None:
    settings, evaluation, _ = in_service
    own = evaluation.challenger_fingerprint

    found = registry.by_fingerprint(evaluation.month, own, settings)

    assert found is not None
    assert str(found.version) == "1"
    assert registry.by_fingerprint("2013-04", own, settings) is None
    assert registry.by_fingerprint(evaluation.month, "0" * 64, settings) is None


def test_each_tool_has_a_registry_of_its_own(in_service: Any) -> None:
    other = in_service.settings.model_copy(update={"tool": "dagster"})

    assert registry.by_alias(registry.CHAMPION, other) is None


def test_alias_can_be_taken_away(in_service: Any) -> None:
    settings = in_service.settings
    before, first = registry.aliases(settings), registry.by_alias(registry.CHAMPION, settings)

    registry.move_alias("spare", first, settings)
    assert registry.by_alias("spare", settings) is not None
    registry.restore(before, settings)

    assert registry.aliases(settings) == before == {"champion": "1"}


def test_version_that_is_not_there_is_an_error(in_service: Any) -> None:
    with pytest.raises(MlflowException, match="99"):
        registry.load("99", in_service.settings)
