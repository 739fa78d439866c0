"""An S3 server of one's own, on the loopback; moto is real in what it answers, but one for a process."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from socket import socket
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import s3fs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

BUSY = Event()
"""While it is set, the servers answer 503, as S3 does when too much is asked of it."""
REFUSED: list[str] = []
"""The paths that were answered so."""
CUTS: list[Callable[[socket], object]] = []
"""What happens to the connection of a PUT, or to whoever is at its other end, when half of the body has come."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Run an empty server until the block ends; yields its URL."""
    moto = DomainDispatcherApplication(create_backend_app)

    def app(request: dict[str, Any], start: Any) -> Iterable[bytes]:
        if BUSY.is_set():
            REFUSED.append(request["PATH_INFO"])
            start("503 Slow Down", [])
            return [b""]
        if request["REQUEST_METHOD"] == "PUT" and CUTS:
            half = request["wsgi.input"].read(int(request["CONTENT_LENGTH"]) // 2)
            CUTS[0](request["werkzeug.socket"])
            request["wsgi.input"] = BytesIO(half + request["wsgi.input"].read())
        return moto(request, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        httpx.post(f"{url}/moto-api/reset", trust_env=False).raise_for_status()
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point S3 clients at the server, as a user would."""
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
