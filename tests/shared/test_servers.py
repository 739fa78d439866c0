"""Servers as child processes: ready when the block begins, gone with all their children when it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.lib.ports import free_port
from shared.runtime import guard, interrupt, servers
from shared.settings import ROOT
from tests.live.watch import alive

SERVE = "import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port={port}, bind='127.0.0.1')"
CHILD = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1).pid, flush=True); "
UNBLOCK = "from shared.runtime import interrupt; interrupt.while_loading(); "
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "


def command(code: str, port: int) -> list[str]:
    return [sys.executable, "-c", code.format(port=port)]


def test_free_port_can_be_listened_on() -> None:
    assert 1024 <= free_port() <= 65535


def test_server_is_ready_in_the_block_and_gone_after_it(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"

    with servers.server(command(SERVE, port), url, tmp_path / "logs" / "log") as process:
        assert servers.answers(url)
        assert process.poll() is None

    assert not servers.answers(url)
    assert "GET / HTTP" in (tmp_path / "logs" / "log").read_text()


def test_servers_children_end_with_it(tmp_path: Path, eventually: Callable[[Callable[[], bool]], None]) -> None:
    port, log = free_port(), tmp_path / "log"

    with servers.server(command(CHILD + SERVE, port), f"http://127.0.0.1:{port}/", log):
        child = int(log.read_text().split()[0])
        assert alive(child)

    eventually(lambda: not alive(child))


def test_server_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STOP_SECONDS", 0.2)
    port = free_port()

    with servers.server(command(STUBBORN + SERVE, port), f"http://127.0.0.1:{port}/", tmp_path / "log") as process:
        pass

    assert process.returncode == -signal.SIGKILL
    assert not guard.session(process.pid)


def test_server_ends_when_the_process_that_started_it_is_killed(
    tmp_path: Path, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    port = free_port()
    starter = (
        "import os, signal, sys; from pathlib import Path; from shared.runtime import servers\n"
        "with servers.server(sys.argv[2:], sys.argv[1], Path('log')) as process:\n"
        "    print(process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    url = f"http://127.0.0.1:{port}/"
    arguments = [sys.executable, "-c", starter, url, *command(SERVE, port)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)

    assert done.returncode == -signal.SIGKILL
    eventually(lambda: not guard.session(int(done.stdout)))
    assert not servers.answers(url)


def test_server_ends_also_when_the_block_fails(tmp_path: Path) -> None:
    port = free_port()

    with (
        pytest.raises(ValueError, match="from the block"),
        servers.server(command(SERVE, port), f"http://127.0.0.1:{port}/", tmp_path / "log") as process,
    ):
        raise ValueError("from the block")

    assert process.poll() is not None


def test_interrupt_that_comes_before_the_command_is_there_reaches_it() -> None:
    with interrupt.held():
        process = servers.guarded([sys.executable, "-c", UNBLOCK + "import time; time.sleep(60)"])

    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(20) == interrupt.EXIT_CODE


def test_environment_is_added_to_ones_own(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    code = "import os; print(os.environ['ADDED'], 'PATH' in os.environ, flush=True); " + SERVE

    with servers.server(command(code, port), f"http://127.0.0.1:{port}/", log, {"ADDED": "yes"}):
        assert log.read_text().startswith("yes True")


def test_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"exit code 3 before .* answered; see .*log"),
        servers.server(command("raise SystemExit(3)", 0), "http://127.0.0.1:9/", tmp_path / "log"),
    ):
        pass


def test_server_that_does_not_answer_in_time_is_told_and_ended(tmp_path: Path) -> None:
    port = free_port()
    began = time.monotonic()

    with (
        pytest.raises(RuntimeError, match="did not answer within"),
        servers.server(
            command("import time; time.sleep(60)", port), f"http://127.0.0.1:{port}/", tmp_path / "log", seconds=0.3
        ),
    ):
        pass

    assert time.monotonic() - began < 30


def test_web_ui_tells_its_address_and_stops_cleanly(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    code = (
        "import sys; from pathlib import Path; from shared.runtime import servers; "
        f"servers.show('the UI', {url!r}, {command(SERVE, port)!r}, {url!r}, Path({str(tmp_path / 'log')!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as shown:
        assert shown.stdout is not None
        lines = [shown.stdout.readline(), shown.stdout.readline()]
        assert "the UI is starting" in lines[0]
        assert f"the UI: {url}" in lines[1]
        assert servers.answers(url)
        shown.send_signal(signal.SIGTERM)
        rest, _ = shown.communicate(timeout=30)

    assert "the UI has stopped." in rest
    assert shown.returncode == 0
    assert not servers.answers(url)
