"""The store: named by content, whole or not at all."""

import hashlib
import os
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import PermanentError
from shared.lib import store
from shared.settings import Settings

contents = st.binary(max_size=100)


def in_folder(home: Path | str) -> Settings:
    return Settings(home=Path(home))


@given(contents)
def test_content_comes_back_under_its_own_hash(data: bytes) -> None:
    with TemporaryDirectory() as root:
        file = store.add(in_folder(root), "flights/2013-06.csv", data)

        assert (in_folder(root).store / file.path).read_bytes() == data
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert file.path == f"flights/2013-06.{file.sha256}.csv"


@given(contents, contents)
def test_two_contents_share_a_file_only_if_they_are_equal(one: bytes, other: bytes) -> None:
    with TemporaryDirectory() as root:
        paths = {store.add(in_folder(root), "a.csv", data).path for data in (one, other)}

        assert len(paths) == len({one, other})
        assert {p.read_bytes() for p in in_folder(root).store.iterdir()} == {one, other}


def test_adding_again_leaves_the_file_as_it_is(tmp_path: Path, files_in: Callable[[Path], dict[str, int]]) -> None:
    first = store.add(in_folder(tmp_path), "a.csv", b"x")
    before = files_in(tmp_path)

    assert store.add(in_folder(tmp_path), "a.csv", b"x") == first
    assert files_in(tmp_path) == before


def test_many_writers_of_one_content_leave_one_whole_file(tmp_path: Path) -> None:
    data = b"x" * 1_000_000

    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda _: store.add(in_folder(tmp_path), "a.csv", data), range(16)))

    assert [p.name for p in in_folder(tmp_path).store.iterdir()] == [files[0].path]
    assert (in_folder(tmp_path).store / files[0].path).read_bytes() == data


@contextmanager
def no_room_above(size: int) -> Iterator[None]:
    """The operating system refuses to let this process's files grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_runs_out_of_room_leaves_nothing(tmp_path: Path) -> None:
    with no_room_above(100_000), pytest.raises(PermanentError, match=r"File too large.*make room"):
        store.add(in_folder(tmp_path), "a.csv", b"x" * 1_000_000)

    assert list(in_folder(tmp_path).store.iterdir()) == []


def test_a_write_that_runs_out_of_room_leaves_the_former_file(tmp_path: Path) -> None:
    store.write_atomically(tmp_path / "record.json", b"old")

    with no_room_above(100_000), pytest.raises(PermanentError, match=r"File too large.*make room"):
        store.write_atomically(tmp_path / "record.json", b"x" * 1_000_000)

    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("record.json", b"old")]


def test_a_write_that_can_not_take_its_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(PermanentError, match="Is a directory"):
        store.write_atomically(tmp_path / "taken", b"x")

    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_files_can_be_read_by_other_users(tmp_path: Path) -> None:
    store.write_atomically(tmp_path / "a.csv", b"x")

    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o644


def test_a_file_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, on_disk, sync = tmp_path / "a.csv", list[tuple[int, bool]](), os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        on_disk.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", watched)
    store.write_atomically(path, b"whole")
    assert on_disk == [(5, False)]
