"""A tool's web UI as a person starts it: the command behind `make …-ui`."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.runtime import guard, servers


@contextmanager
def ui(module: str, home: Path, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start `python -m <module>` in the home; yields the address that it prints, and ends it as Ctrl-C does.

    The command must then end by itself, and leave no process.
    """
    environment = {"TRIPTYCH_HOME": str(home), **(env or {})}
    command = [sys.executable, "-m", module]
    with servers.guarded(command, environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        output = ""
        try:
            for line in map(bytes.decode, process.stdout):
                output += line
                if found := re.search(r"(http://127\.0\.0\.1:\d+)\S*  ", line):
                    yield found[1]
                    break
            else:
                raise AssertionError(f"{module} printed no address: {output}")
        finally:
            os.killpg(process.pid, signal.SIGINT)
            output += process.communicate(timeout=60)[0].decode()
            left = guard.session(process.pid)
            guard.end_session(process.pid)
    assert "Traceback" not in output
    assert not left, f"{module} has left the processes {left}"
