"""The local store: files written atomically and named by their content."""

import hashlib
import os
import tempfile
from pathlib import Path, PurePosixPath

from shared.contracts import File, PermanentError


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


def add(root: Path, name: str, data: bytes) -> File:
    """Store `data` as `<name's stem>.<sha256><suffix>` under `root`; content that is there already stays as it is."""
    return add_as(sha256(data), root, name, data)


def add_as(content: str, root: Path, name: str, data: bytes) -> File:
    """Store `data` as `add` does, but under the digest `content`; the reference's sha256 is still that of the file."""
    path = path_of(name, content)
    if not (root / path).exists():
        write_atomically(root / path, data)
    return File(name=name, path=path, sha256=sha256((root / path).read_bytes()))


def stored(name: str, sha256: str) -> File:
    """The reference to a file that `add` has stored."""
    return File(name=name, path=path_of(name, sha256), sha256=sha256)


def path_of(name: str, content: str) -> str:
    """`<name's stem>.<content><suffix>`, relative to the store."""
    pure = PurePosixPath(name)
    return str(pure.with_name(f"{pure.stem}.{content}{pure.suffix}"))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
