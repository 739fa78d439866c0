"""A store on S3, with copies on this machine: a real server of it on the loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import SHUT_RDWR

import fsspec
import pytest

from shared import plain
from shared.contracts import File, PermanentError, TransientError
from shared.lib import feature_table, store
from shared.runtime import servers
from shared.runtime.records import differences
from shared.settings import ROOT, Settings
from tests import s3
from tests.s3 import s3_server

BUCKET = "s3://triptych"
STORE = f"{BUCKET}/a folder"
WHOLE = b"0123456789abcdef" * 2**21
"""More than a connection holds that nobody reads: who writes it is still at it when half of it has come."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bucket that is the store, for whoever reads the environment."""
    with s3_server() as url:
        s3.use(url, monkeypatch)
        monkeypatch.setenv("TRIPTYCH_STORE", STORE)
        files().mkdir(BUCKET)
        yield


@pytest.fixture
def one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let S3's client give up at the first error: it would try again and wait, now and then for minutes."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def files() -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("s3", use_listings_cache=False)


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Settings, Settings]:
    """Two homes, which share nothing."""
    return Settings(home=tmp_path / "one"), Settings(home=tmp_path / "other")


@pytest.mark.usefixtures("elsewhere")
def test_what_one_machine_stores_another_one_reads(machines: tuple[Settings, Settings]) -> None:
    one, other = machines
    file = store.add(one, "flights/2013-06.csv", b"whole")
    assert files().cat_file(f"{STORE}/plain/{file.path}") == b"whole"
    assert not other.store.exists()
    assert store.local(file, other).read_bytes() == b"whole"
    assert store.local(file, other).is_relative_to(other.home)


@pytest.mark.usefixtures("elsewhere")
def test_readers_at_once_fetch_a_file_once(machines: tuple[Settings, Settings]) -> None:
    one, other = machines
    file = store.add(one, "features/2013-06.arrow", b"x" * 10**6)
    with ThreadPoolExecutor(8) as pool:
        inodes = set(pool.map(lambda _: store.local(file, other).stat().st_ino, range(16)))
    assert len(inodes) == 1


@pytest.mark.usefixtures("elsewhere")
def test_of_two_writers_the_first_one_stays(machines: tuple[Settings, Settings]) -> None:
    """Models of the same content have other bytes each time."""
    written = [store.add_as("0" * 64, each, "models/m.skops", str(each.home).encode()) for each in machines]
    assert written[0] == written[1]
    assert [store.local(written[0], each).read_bytes() for each in machines] == [str(machines[0].home).encode()] * 2


@pytest.mark.usefixtures("elsewhere")
def test_of_many_writers_at_once_one_stays(tmp_path: Path) -> None:
    def write(number: int) -> File:
        return store.add_as("0" * 64, Settings(home=tmp_path / str(number)), "models/m.skops", b"%d" % number * 10**6)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(write, range(8)))) == 1


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("content", [b"who", b"other"])
def test_changed_or_cut_object_is_refused_by_its_name(machines: tuple[Settings, Settings], content: bytes) -> None:
    one, other = machines
    file = store.add(one, "flights/2013-06.csv", b"whole")
    files().pipe_file(f"{STORE}/plain/{file.path}", content)
    with pytest.raises(PermanentError, match=rf"flights/2013-06.csv in the store has .*, expected {file.sha256}"):
        store.local(file, other)
    assert not list(other.store.rglob("*.csv"))
    with pytest.raises(PermanentError, match=rf"flights/2013-06.csv in the store has .*, expected {file.sha256}"):
        store.add(other, "flights/2013-06.csv", b"whole")


@pytest.mark.usefixtures("elsewhere")
def test_missing_object_is_named(machines: tuple[Settings, Settings]) -> None:
    file = File(name="a.csv", path="a.0.csv", sha256="0")
    with pytest.raises(
        PermanentError, match=r"a.csv is not in the store, expected at s3://triptych/a folder/plain/a.0"
    ):
        store.local(file, machines[0])


@pytest.mark.usefixtures("one_try", "elsewhere")
def test_upload_that_is_cut_leaves_nothing(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines
    with monkeypatch.context() as cut:
        cut.setattr(s3, "CUTS", [lambda connection: connection.shutdown(SHUT_RDWR)])
        with pytest.raises(TransientError, match="the store does not answer"):
            store.add(one, "features/2013-06.arrow", WHOLE)
    assert files().find(BUCKET) == []
    assert not one.home.exists()
    check_whole(store.add(one, "features/2013-06.arrow", WHOLE), other)


@pytest.mark.usefixtures("elsewhere")
def test_upload_by_a_process_that_is_killed_leaves_nothing(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines
    add = "from tests.shared.test_store_elsewhere import *; store.add(Settings(), 'features/2013-06.arrow', WHOLE)"
    env = {**os.environ, "TRIPTYCH_HOME": str(one.home)}
    with monkeypatch.context() as cut:
        cut.setattr(s3, "CUTS", [lambda _: writer.kill()])
        writer = subprocess.Popen([sys.executable, "-c", add], cwd=ROOT, env=env)
        assert writer.wait(120) == -signal.SIGKILL
    assert files().find(BUCKET) == []
    check_whole(store.add(one, "features/2013-06.arrow", WHOLE), other)


def check_whole(file: File, reader: Settings) -> None:
    """Only the file is in the store, and another machine reads it."""
    assert files().find(BUCKET) == [f"{STORE}/plain/{file.path}".removeprefix("s3://")]
    assert store.local(file, reader).read_bytes() == WHOLE


@pytest.mark.usefixtures("one_try")
def test_store_that_does_not_answer_may_do_so_later(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.use(f"http://127.0.0.1:{servers.free_port()}", monkeypatch)
    monkeypatch.setenv("TRIPTYCH_STORE", STORE)
    with pytest.raises(TransientError, match="the store does not answer for s3://triptych/a folder/plain/a"):
        store.add(machines[0], "a.csv", b"x")
    assert not list(machines[0].home.rglob("*.csv"))


@pytest.mark.usefixtures("elsewhere")
def test_bucket_that_is_not_there_is_refused(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_STORE", "s3://no-such-bucket")
    with pytest.raises(PermanentError, match="the store refuses s3://no-such-bucket/plain/a"):
        store.add(machines[0], "a.csv", b"x")


def test_login_in_the_url_is_refused_and_not_told(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_STORE", "s3://user:secret@bucket")
    with pytest.raises(PermanentError, match="TRIPTYCH_STORE is a URL with a user") as refused:
        store.add(machines[0], "a.csv", b"x")
    assert "secret" not in str(refused.value)


def test_store_of_an_unknown_kind_is_refused(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIPTYCH_STORE", "foo://bucket")
    with pytest.raises(PermanentError, match=r"the store refuses foo://bucket/plain/a.*check TRIPTYCH_STORE"):
        store.add(machines[0], "a.csv", b"x")


@pytest.mark.usefixtures("elsewhere")
def test_copies_that_were_not_used_for_long_make_room(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = machines
    monkeypatch.setattr(store, "COPIES_BYTES", 250)
    stored = [store.add(one, f"{name}.csv", name.encode() * 100) for name in "abc"]
    long_ago = time.time() - store.IN_USE_SECONDS - 1
    first = store.local(stored[0], other)
    os.utime(first, (long_ago, long_ago))
    second = store.local(stored[1], other)
    assert first.exists()
    store.local(stored[2], other)
    assert not first.exists()
    assert second.exists()
    assert store.local(stored[0], other).read_bytes() == b"a" * 100


def test_folder_of_ones_own_is_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for base in (str(tmp_path / "a b"), (tmp_path / "a b").as_uri()):
        monkeypatch.setenv("TRIPTYCH_STORE", base)
        file = store.add(Settings(home=tmp_path / "home"), "a.csv", b"x")
        assert (tmp_path / "a b" / "plain" / file.path).read_bytes() == b"x"


@pytest.mark.usefixtures("elsewhere")
def test_run_with_the_store_elsewhere_is_the_same_run(new_home: Callable[..., Settings], tmp_path: Path) -> None:
    settings = new_home(tmp_path / "home")
    found = plain.run("2013-02", settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TRIPTYCH_STORE")
        expected = plain.run("2013-02", new_home(tmp_path / "folder"))
    assert found.state == "success", found.error
    assert differences(expected, found) == []
    other = settings.model_copy(update={"home": tmp_path / "other"})
    (path,) = (name for name in files().find(f"{STORE}/plain/features"))
    table = File(name="features", path=path.partition("plain/")[2], sha256=path.split(".")[-2])
    assert feature_table.read(table, other).height > 0
