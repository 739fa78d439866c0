"""The search for a planted secret finds it in every form and place, and nothing where there is none."""

import base64
import gzip
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.secrets import find

NEEDLE = 'pa ss/"wörd"?>~ü'


def in_a_long_value(path: Path) -> None:
    """So long that the secret is spread over two of the database's pages."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA page_size = 512")
        database.execute("CREATE TABLE log (text)")
        database.execute("INSERT INTO log VALUES (?)", [f"{'x' * 530}{NEEDLE}{'y' * 2000}"])
    assert NEEDLE.encode() not in path.read_bytes()


def in_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(f"password={NEEDLE}".encode()))


def in_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata", f"password={NEEDLE} " * 9)


def as_text(*parts: str) -> Callable[[Path], None]:
    return lambda path: path.write_text("".join(parts), "utf-8") and None


@pytest.mark.parametrize(
    ("write", "form"),
    [
        (as_text("password=", NEEDLE), "in clear"),
        (as_text(json.dumps({"password": NEEDLE})), "in JSON"),
        (as_text(json.dumps(json.dumps({"password": NEEDLE}))), "in JSON"),
        (as_text("http://vendor:", quote(NEEDLE, safe=""), "@host/"), "URL-encoded"),
        (as_text("?password=", quote_plus(NEEDLE)), "URL-encoded"),
        *((as_text(base64.b64encode(f"{'x' * n}{NEEDLE}:".encode()).decode()), "in base64") for n in range(6)),
        *((as_text(base64.urlsafe_b64encode(f"{'x' * n}{NEEDLE}".encode()).decode()), "in base64") for n in range(6)),
        (in_a_long_value, "in clear"),
        (in_gzip, "in clear"),
        (in_zip, "in clear"),
    ],
)
def test_planted_secret_is_found(write: Callable[[Path], None], form: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "folder" / "file")

    assert find(NEEDLE, tmp_path) == {str(tmp_path / "folder" / "file"): {form}}


def test_other_texts_are_not_taken_for_the_secret(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(base64.b64encode(b"another password").decode() + quote("pa ss/word"))

    assert find(NEEDLE, tmp_path) == {}
