"""The version of the code that a run bears."""

import re
from pathlib import Path

import pytest

from shared.lib import code_version as module
from shared.lib.code_version import code_version


def test_version_of_the_code_is_a_commit_or_a_hash() -> None:
    assert re.fullmatch("[0-9a-f]{40}(-dirty)?|sha256:[0-9a-f]{64}", code_version())


def test_version_of_the_code_outside_a_checkout_is_the_hash_of_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "shared" / "lib").mkdir(parents=True)
    file, versions = tmp_path / "shared" / "lib" / "store.py", set()
    for text in ("one", "two", "one"):
        file.write_text(text)
        code_version.cache_clear()
        versions.add(code_version())
    code_version.cache_clear()

    assert len(versions) == 2
    assert all(version.startswith("sha256:") for version in versions)
