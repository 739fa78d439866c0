"""Prefect's API and form refuse a source with a login in it, and keep none of it."""

import pytest
from prefect.exceptions import PrefectHTTPStatusError

from prefect_impl import HOME
from prefect_impl.pipeline import late_flights
from tests.live import prefect
from tests.secrets import find

PASSWORD = "a-secret-of-the-form"


@pytest.mark.live
def test_source_with_a_login_in_it_is_refused_and_not_recorded() -> None:
    source = f"http://vendor:{PASSWORD}@127.0.0.1:9/drop"
    with pytest.raises(PrefectHTTPStatusError) as refused:
        prefect.start(late_flights, prefect.pool(), month="2013-06", source=source)
    assert refused.value.response.status_code == 409
    assert find(PASSWORD, HOME) == {}
