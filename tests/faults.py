"""Faults from outside the product: a source that answers by a script, and a signal at the start of a function."""

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KILL_FOLDER = Path(__file__).parent / "kill"


class ScriptedSource(ThreadingHTTPServer):
    """Serves a folder over HTTP; the first requests for a file are answered by that file's script instead.

    `script` maps a path such as `flights/2013-06.csv` to what happens in turn: a status (503), a status with headers
    ((429, {"Retry-After": "1"})), `"cut"` (breaks off in mid body), `"end"` (before the last byte), `"headers"` (in the
    midst of them), `"reset"` (closes without an answer), or `"hang"` (says nothing until the server closes). The path
    `connect` stands for connections, whatever they will ask for: each step of its script resets one at once.
    `requests` holds (path, seconds since the start) of each request.
    """

    daemon_threads = True

    def __init__(self, folder: Path, script: dict[str, list[Any]]) -> None:
        self.folder, self.script = folder, {path: list(steps) for path, steps in script.items()}
        self.requests: list[tuple[str, float]] = []
        self.began, self.closing, self.lock = time.monotonic(), threading.Event(), threading.Lock()
        super().__init__(("127.0.0.1", 0), Answer)

    def verify_request(self, request: socket.socket, client_address: Any) -> bool:  # type: ignore[override]
        if not self.script.get("connect"):
            return True
        self.next_step("connect")
        request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing sends a reset
        request.close()
        return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def times(self, path: str) -> list[float]:
        """When the file was asked for, in seconds since the start."""
        return [when for which, when in self.requests if which == path]

    def next_step(self, path: str) -> Any:
        with self.lock:
            self.requests.append((path, time.monotonic() - self.began))
            steps = self.script.get(path)
            return steps.pop(0) if steps else None


class Answer(BaseHTTPRequestHandler):
    server: ScriptedSource

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        file, step = self.server.folder / path, self.server.next_step(path)
        if step in ("reset", "hang"):
            if step == "hang":
                self.server.closing.wait()
            self.close_connection = True
        elif step == "headers":
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Le")
            self.close_connection = True
        elif step in (None, "cut", "end"):
            self.send_file(file, step)
        else:
            status, headers = step if isinstance(step, tuple) else (step, {})
            self.send(status, b"", headers)

    def send_file(self, file: Path, fault: str | None) -> None:
        if not file.is_file():
            self.send(404, b"", {})
            return
        data = file.read_bytes()
        sent = {None: len(data), "cut": len(data) // 2, "end": len(data) - 1}[fault]
        self.send(200, data[:sent], {"Content-Length": str(len(data))})
        self.close_connection = self.close_connection or fault is not None

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def scripted_source(folder: Path, script: dict[str, list[Any]]) -> Iterator[ScriptedSource]:
    """Serve the folder until the block ends."""
    server = ScriptedSource(folder, script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Kill:
    """A SIGKILL from the process itself when it enters a function of `shared`, in the middle of a stage.

    `env` goes to the processes that may be killed (the tool's server or run). Product code has no part in it: Python
    imports tests/kill/sitecustomize.py at its start, which wraps the functions.
    """

    def __init__(self, folder: Path) -> None:
        self.order, self.done = folder / "kill", folder / "kill.done"
        paths = [str(KILL_FOLDER), os.environ.get("PYTHONPATH", "")]
        self.env = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "TEST_KILL_ORDER": str(self.order)}

    def at(self, function: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill the next process that enters `function`, such as `shared.stages.train:split`; only one, and only once.

        Another signal goes to the process's whole group, as Ctrl-C in a terminal does.
        """
        self.done.unlink(missing_ok=True)
        new = self.order.with_suffix(".new")
        new.write_text(f"{function} {int(number)}")
        new.rename(self.order)

    @property
    def killed(self) -> int | None:
        """The id of the killed process; None as long as no process has been killed."""
        return int(self.done.read_text()) if self.done.exists() else None
