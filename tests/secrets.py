"""A planted secret: a source that asks for it, and where it turns up, in clear or in another form."""

import base64
import gzip
import json
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

USER = "vendor"
FORMS = ("in clear", "in JSON", "URL-encoded", "in base64")


def forms(secret: str) -> dict[str, set[str]]:
    """How the secret may be written, by form; base64 also in the midst of a longer text."""
    escaped = json.dumps(secret)[1:-1]
    encoded = {in_base64(secret.encode(), offset) for offset in range(3)}
    return {
        "in clear": {secret},
        "in JSON": {escaped, json.dumps(escaped)[1:-1]} - {secret},
        "URL-encoded": {quote(secret), quote(secret, safe=""), quote_plus(secret)} - {secret},
        "in base64": encoded | {text.translate(str.maketrans("+/", "-_")) for text in encoded},
    }


def in_base64(secret: bytes, offset: int) -> str:
    """The characters that the secret alone decides, if it begins so many bytes after a multiple of three."""
    text = base64.b64encode(bytes(offset) + secret).decode().rstrip("=")
    return text[(0, 2, 3)[offset] : len(text) - ((offset + len(secret)) % 3 > 0)]


def forms_in(secret: str, content: str | bytes) -> set[str]:
    """The forms in which the content holds the secret."""
    data = content.encode() if isinstance(content, str) else content
    return {form for form, texts in forms(secret).items() if any(text.encode() in data for text in texts)}


def find(secret: str, *folders: Path) -> dict[str, set[str]]:
    """The files below the folders that hold the secret, by path, with the forms; also in databases and archives."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    found = {str(path): {form for part in contents(path) for form in forms_in(secret, part)} for path in files}
    return {path: hits for path, hits in found.items() if hits}


def answers(silent: dict[str, set[str]], talkative: dict[str, set[str]]) -> dict[str, Any]:
    """What scenario O5 asks of the places in which the passwords of the two runs were found."""
    told = {form: sorted({kind(place) for place, hits in talkative.items() if form in hits}) for form in FORMS}
    return {
        "stored": not silent,
        "log": not told["in clear"],
        "header": not told["in base64"],
        "error": not told["URL-encoded"],
        "places": "; ".join(f"{form} in {', '.join(kinds)}" for form, kinds in told.items() if kinds) or "nowhere",
    }


def kind(place: str) -> str:
    """The sort of a place: a file's suffix (a journal's is that of its database), or a name that is no path."""
    return f"*{Path(place.removesuffix('-wal')).suffix}" if "/" in place else place


def contents(path: Path) -> Iterator[bytes]:
    """The file's bytes, and what it holds in another shape: a database's values, a compressed file's content."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # a database's journal is gone when its writer has finished
        return
    yield data
    if data.startswith(b"SQLite format 3"):  # a long value is spread over pages
        yield values(path)
    elif data.startswith(b"\x1f\x8b"):
        yield gzip.decompress(data)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def values(database: Path) -> bytes:
    """All values of an SQLite database, one a line."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=60)) as connection:
        connection.text_factory = bytes
        tables = [
            name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        rows = [row for table in tables for row in connection.execute(f'SELECT * FROM "{table}"')]
    return b"\n".join(value for row in rows for value in row if isinstance(value, bytes))


def basic(password: str) -> str:
    """The header of HTTP's basic authentication for the user `vendor`."""
    return "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()


def use(password: str, url: str, log: Any, talkative: bool) -> int:
    """Log in at the URL; if talkative, log the password and the header, and raise an error with a URL that holds it."""
    header = basic(password)
    page = httpx.get(url, headers={"Authorization": header}, trust_env=False).raise_for_status().content
    if talkative:
        log.info("the password is %s", password)
        log.info("asked with %s", header)
        raise ConnectionError(url.replace("://", f"://{USER}:{quote(password, safe='')}@") + " is gone")
    return len(page)


class Locked(SimpleHTTPRequestHandler):
    """Serves a folder to who knows a password, by HTTP's basic authentication."""

    def __init__(self, *arguments: object, passwords: tuple[str, ...], **options: object) -> None:
        self.logins = {basic(password) for password in passwords}
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.headers["Authorization"] in self.logins:
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def locked_source(folder: Path, *passwords: str) -> Iterator[str]:
    """Serve the folder over HTTP to `vendor`, with any of the passwords, until the block ends; yields the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Locked, directory=str(folder), passwords=passwords))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
