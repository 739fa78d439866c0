"""The ports of 127.0.0.1 on which web UIs listen: each home keeps one for each UI, so that links to it stay valid."""

import socket
from pathlib import Path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def url_of(name: str, home: Path) -> str:
    """The address of a home's web UI when it is up; its port is chosen at the first call and kept."""
    file = home / "ports" / name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(free_port()))
    return f"http://127.0.0.1:{file.read_text()}"


def is_up(name: str, home: Path) -> bool:
    """Whether something listens at the address of the home's web UI."""
    file = home / "ports" / name
    with socket.socket() as client:
        client.settimeout(0.2)
        return file.exists() and client.connect_ex(("127.0.0.1", int(file.read_text()))) == 0


def port_for(name: str, home: Path) -> int:
    """The port on which to start the web UI: the kept one, or a new one if another process listens there."""
    port = int(url_of(name, home).rpartition(":")[2])
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            port = free_port()
            (home / "ports" / name).write_text(str(port))
    return port
