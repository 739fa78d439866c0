"""The months of a run: the target month, its training window, and the window's last days, which are held out."""

from datetime import date, timedelta

from shared.contracts import PermanentError

WINDOW_MONTHS = 3
HOLDOUT_DAYS = 14


def months_up_to(month: str) -> list[str]:
    """The window's months and `month` itself, oldest first.

    >>> months_up_to("2013-02")
    ['2012-11', '2012-12', '2013-01', '2013-02']

    Raises PermanentError if `month` is no month.
    """
    try:
        last = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise PermanentError(f"month is {month!r}, expected year and month such as 2013-06") from None
    count = last.year * 12 + last.month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(count - WINDOW_MONTHS, count + 1)]


def holdout_start(month: str) -> date:
    """The first of the last 14 days before `month`: what candidates are scored on, not trained on."""
    return date.fromisoformat(f"{month}-01") - timedelta(days=HOLDOUT_DAYS)
