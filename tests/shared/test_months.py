"""The months of a run: three before the target month, and the last 14 days before it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import PermanentError
from shared.lib.months import HOLDOUT_DAYS, holdout_start, months_up_to


@given(st.integers(1, 9999), st.integers(1, 12))
def test_months_up_to_are_four_in_a_row(year: int, month: int) -> None:
    months = months_up_to(f"{year:04}-{month:02}")

    counts = [int(m[:4]) * 12 + int(m[5:]) for m in months]
    assert months[-1] == f"{year:04}-{month:02}"
    assert [n - counts[0] for n in counts] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "month", ["2013-13", "2013-00", "2013-1", "13-06", "2013-06-01", "201306", "June", "", "2013/06", "2013-06\n"]
)
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(PermanentError, match=r"month is .*, expected year and month such as 2013-06"):
        months_up_to(month)


@pytest.mark.parametrize(("month", "first"), [("2013-04", date(2013, 3, 18)), ("2013-03", date(2013, 2, 15))])
def test_last_14_days_end_with_the_window(month: str, first: date) -> None:
    assert holdout_start(month) == first
    assert (date.fromisoformat(f"{month}-01") - first).days == HOLDOUT_DAYS == 14
