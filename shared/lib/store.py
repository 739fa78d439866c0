"""The store: files named by their content, each whole or not there.

It is a folder, or at any URL that fsspec knows, such as `s3://bucket/folder`: a folder has this machine's copies.
"""

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path, PurePosixPath

import fsspec
from filelock import FileLock

from shared.contracts import File, PermanentError, TransientError
from shared.settings import Settings

NAMED_BY_CONTENT = re.compile(r"\.[0-9a-f]{64}(\.\w+)?$")
COPIES_BYTES = 20 * 10**9
"""How much the copies of a store elsewhere may take; the least recently used ones go first."""
IN_USE_SECONDS = 3600.0
"""How long after its last use a copy stays for sure, as a process may still read it."""


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path`, whole or not at all: also after a crash or on a full disk nothing is half-written.

    Raises PermanentError if that can't be done, as on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tmp-", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException as error:
            Path(file.name).unlink()
            if isinstance(error, OSError):
                raise PermanentError(
                    f"{path} could not be written ({error.strerror}); make room for it or mend the cause, and run the "
                    "month again"
                ) from error
            raise


def add(settings: Settings, name: str, data: bytes) -> File:
    """Store `data` as `<name's stem>.<sha256><suffix>`; content that is there already stays as it is.

    Raises PermanentError if a store elsewhere has another content there, and what `local` raises.
    """
    file = add_as(sha256(data), settings, name, data)
    if settings.store_url and file.sha256 != sha256(data):
        raise changed(file, sha256(data), settings)
    return file


def add_as(content: str, settings: Settings, name: str, data: bytes) -> File:
    """Store `data` as `add` does, but under the digest `content`; the reference's sha256 is still that of the file."""
    path = path_of(name, content)
    copy = settings.store / path
    if settings.store_url:
        data = put_elsewhere(place(path, settings), data)
    if settings.store_url or not copy.exists():
        write_atomically(copy, data)
    return File(name=name, path=path, sha256=sha256(copy.read_bytes()))


def local(file: File, settings: Settings) -> Path:
    """Where the file is on this machine. From a store elsewhere it is fetched once, by whoever needs it first.

    Raises PermanentError if the store elsewhere has no such file or another one, TransientError if it does not answer.
    """
    copy = settings.store / file.path
    if settings.store_url:
        settings.store.mkdir(parents=True, exist_ok=True)
        with FileLock(settings.store / "copies.lock"):
            if copy.exists():
                os.utime(copy)
            else:
                data = get_elsewhere(place(file.path, settings), file)
                if sha256(data) != file.sha256:
                    raise changed(file.model_copy(update={"sha256": sha256(data)}), file.sha256, settings)
                write_atomically(copy, data)
                drop_old_copies(settings.store)
    return copy


def place(path: str, settings: Settings) -> str:
    """The path or URL of what the store keeps there."""
    return f"{settings.store_url}/{path}" if settings.store_url else str(settings.store / path)


def put_elsewhere(url: str, data: bytes) -> bytes:
    """Put the data there, if there is nothing yet; returns what is there then. Of two writers at once one is first."""
    try:
        files, path = fsspec.url_to_fs(url, use_listings_cache=False)
        if not files.exists(path):
            try:
                files.pipe_file(path, data, mode="create")
                return data
            except FileExistsError:
                pass
        there: bytes = files.cat_file(path)
        return there
    except Exception as error:  # each of fsspec's file systems raises other exceptions
        raise unreachable(url, error) from error


def get_elsewhere(url: str, file: File) -> bytes:
    """The bytes that the store has there for the file."""
    try:
        files, path = fsspec.url_to_fs(url, use_listings_cache=False)
        data: bytes = files.cat_file(path)
    except FileNotFoundError as error:
        raise PermanentError(f"{file.name} is not in the store, expected at {url}; run the month again") from error
    except Exception as error:  # each of fsspec's file systems raises other exceptions
        raise unreachable(url, error) from error
    return data


def changed(file: File, expected: str, settings: Settings) -> PermanentError:
    """The error to raise of a file that is not the expected one."""
    return PermanentError(
        f"{file.name} in the store has sha256 {file.sha256}, expected {expected}: somebody has changed or cut "
        f"{place(file.path, settings)}; delete it, and run the month again"
    )


def unreachable(url: str, error: Exception) -> Exception:
    """The error to raise: permanent if the store refuses, or is not there, else transient."""
    cause = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, (FileNotFoundError, PermissionError, ImportError, ValueError)) or lacks_credentials(error):
        return PermanentError(
            f"the store refuses {url} ({cause}); check TRIPTYCH_STORE, and what its kind needs, for S3 "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    return TransientError(f"the store does not answer for {url} ({cause}); try again later")


def lacks_credentials(error: Exception) -> bool:
    """Whether S3 asked for credentials and found none."""
    from botocore import exceptions  # only a URL of S3 has loaded it already

    kinds = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound)
    return isinstance(error, kinds)


def drop_old_copies(folder: Path) -> None:
    """Delete copies that have not been used for longest, until the others have room."""
    copies = [(path, path.stat()) for path in folder.rglob("*") if NAMED_BY_CONTENT.search(path.name)]
    total, in_use = sum(found.st_size for _, found in copies), time.time() - IN_USE_SECONDS
    for path, found in sorted(copies, key=lambda copy: copy[1].st_mtime):
        if total <= COPIES_BYTES or found.st_mtime > in_use:
            break
        path.unlink(missing_ok=True)
        total -= found.st_size


def stored(name: str, sha256: str) -> File:
    """The reference to a file that `add` has stored."""
    return File(name=name, path=path_of(name, sha256), sha256=sha256)


def path_of(name: str, content: str) -> str:
    """`<name's stem>.<content><suffix>`, relative to the store."""
    pure = PurePosixPath(name)
    return str(pure.with_name(f"{pure.stem}.{content}{pure.suffix}"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
