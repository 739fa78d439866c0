"""Stage 1, `ingest`: reads the target month and its training window from the source into the local store."""

import logging

from shared.contracts import Batch, PermanentError
from shared.lib import store
from shared.lib.months import months_up_to
from shared.lib.source import LOOKUPS, Source
from shared.lib.stage import stage
from shared.settings import Settings

log = logging.getLogger(__name__)


@stage
def ingest(month: str, settings: Settings) -> Batch:
    """Read the flights and weather of `month` and of the 3 months before it, and the lookup tables.

    At the start of the data the window may be shorter, at least one month.
    Raises TransientError if the source can't be reached, PermanentError if a file is missing or no whole csv.
    """
    months = months_up_to(month)
    source = Source(settings.source)
    flights = {m: source.read(f"flights/{m}.csv") for m in months}
    present = tuple(m for m in months if flights[m] is not None)
    check_no_gap(months, present, source)
    contents = {f"flights/{m}.csv": flights[m] for m in present}
    contents |= {name: source.read(name) for name in (*(f"weather/{m}.csv" for m in present), *LOOKUPS)}
    checked = {name: whole_csv(name, data) for name, data in contents.items()}
    files = tuple(store.add(settings, name, data) for name, data in checked.items())
    log.info("%s: %d files, %.1f MB, window %s", month, len(files), megabytes(checked), ", ".join(present[:-1]))
    return Batch(month=month, window=present[:-1], files=files)


def check_no_gap(months: list[str], present: tuple[str, ...], source: Source) -> None:
    """The target month must be there, and before it at least one month, without a gap up to the first."""
    expected = months[months.index(present[0]) :] if present else months[-1:]
    for month in (months[-1], *expected):
        if month not in present:
            raise PermanentError(
                f"flights/{month}.csv is missing at the source {source.base}; add it, or ask for another month"
            )
    if len(present) < 2:
        raise PermanentError(
            f"flights/{months[-2]}.csv is missing at the source {source.base}, and {months[-1]} needs at least one "
            "month before it to train on; ask for a later month"
        )


def whole_csv(name: str, data: bytes | None) -> bytes:
    """Return `data` if it can be a whole csv file, else raise a PermanentError that names file and cause."""
    if data is None:
        raise PermanentError(f"{name} is missing at the source; add it")
    if not data.strip():
        raise PermanentError(f"{name} is empty, expected a csv file; get it again")
    if data.lstrip()[:1] == b"<":
        raise PermanentError(f"{name} holds HTML or XML, expected csv; check the source's address")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PermanentError(
            f"{name} has the byte 0x{data[error.start]:02x} in line {line}, expected UTF-8; convert it"
        ) from None
    if not data.endswith(b"\n"):
        line = data.count(b"\n") + 1
        raise PermanentError(f"{name} is truncated: line {line} does not end; get the file again")
    return data


def megabytes(contents: dict[str, bytes]) -> float:
    return sum(map(len, contents.values())) / 1e6
