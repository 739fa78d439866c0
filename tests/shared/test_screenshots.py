"""The pictures of the README; whether they are current can't be seen from here: `make screenshots` takes them anew."""

import pytest
from PIL import Image

from tools.screenshots import PICTURES, SIZE, VIEWS

NAMES = ["page", *VIEWS]


def test_there_is_a_picture_of_the_page_and_of_each_tool_and_no_other() -> None:
    assert {path.name for path in PICTURES.iterdir()} == {f"{name}.png" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_picture_is_a_small_png(name: str) -> None:
    path = PICTURES / f"{name}.png"
    assert path.stat().st_size < 150_000
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", SIZE)
