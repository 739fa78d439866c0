"""Locks that hold between machines: a real PostgreSQL, which is shared by homes that share nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from shared.contracts import PermanentError, TransientError
from shared.lib import locks, tracking
from shared.runtime import servers
from shared.runtime.postgres import postgres
from shared.settings import ROOT, Settings
from tests.live.watch import until

NO_ANSWER = r"^the database of the locks does not answer \(.+\); see to it that TRIPTYCH_LOCKS is right and the data"
HOLD = """
import time
from shared.lib import tracking
from shared.settings import Settings
with tracking.registry_lock(Settings()):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("locks") / "data") as url:
        yield url


@pytest.fixture
def machine(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRIPTYCH_LOCKS", database)
    return Settings(home=tmp_path / "machine")


def waiting(database: str) -> int:
    """How many wait for a lock."""
    with psycopg.connect(database) as session:
        (found,) = session.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(found[0])


def test_waits_for_the_holder_on_another_machine_and_gets_the_lock_when_that_dies(
    machine: Settings, database: str
) -> None:
    """`machine` sets the database for the other process as well, whose home is the test's own."""

    def take() -> bool:
        with tracking.registry_lock(machine):
            return True

    with (
        subprocess.Popen([sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder,
        ThreadPoolExecutor(1) as thread,
    ):
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        taken = thread.submit(take)
        until(lambda: waiting(database) == 1, 60)
        assert not taken.done()
        holder.kill()
        assert taken.result(60)


@pytest.mark.usefixtures("machine")
def test_locks_of_other_names_do_not_wait(database: str) -> None:
    with locks.advisory_lock("one", database), locks.advisory_lock("another", database):
        assert waiting(database) == 0


def test_lock_that_the_database_has_lost_is_told_at_its_end(machine: Settings, database: str) -> None:
    def lose() -> None:
        with psycopg.connect(database) as session:
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )

    with pytest.raises(TransientError, match=NO_ANSWER), tracking.registry_lock(machine):
        lose()


def test_database_that_is_not_there_is_told_in_one_sentence(machine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIPTYCH_LOCKS", f"postgresql://triptych:secret@127.0.0.1:{servers.free_port()}/locks")
    with pytest.raises(TransientError, match=NO_ANSWER) as told, tracking.registry_lock(machine):
        pytest.fail("it was taken")
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "elsewhere"])
def test_other_urls_are_refused(machine: Settings, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TRIPTYCH_LOCKS", url)
    with pytest.raises(PermanentError, match="expected the URL of a PostgreSQL database such as postgresql://"):
        tracking.registry_lock(machine)
