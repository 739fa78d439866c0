"""Writes the comparison page to `.local/page` and prints its path: `python -m page`."""

import os
import sys

from page import site
from shared.settings import ROOT

FOLDER = ROOT / ".local" / "page"


def main() -> None:
    """Exits with a sentence if the code lacks a part that the page shows."""
    try:
        site.build(FOLDER)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"The comparison page: {os.path.relpath(FOLDER / 'index.html')}")


if __name__ == "__main__":
    main()
