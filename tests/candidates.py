"""Three candidates whose scores each tool has to show to a person, and a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.lib.plot import data_url
from tests.live.watch import until

SCORES = {"logistic": 0.1784, "boosting20": 0.1646, "boosting60": 0.1652}
FIRST = "logistic"
WIDTH = 320

CURVE = " ".join(f"{x},{240 - 0.7 * x:.1f}" for x in range(WIDTH))
LINE = f'<polyline points="{CURVE}" fill="none" stroke="#d95f02"/>'
PLOT = data_url(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="240">{LINE}</svg>')

Row = dict[str, Any]


def fit(candidate: str, go: str) -> Row:
    """The first candidate is done at once, the others when the file `go` is there; returns its row of the table."""
    until(lambda: candidate == FIRST or Path(go).exists())
    return {"candidate": candidate, "Brier score": SCORES[candidate]}


def leaderboard(rows: Sequence[Row]) -> list[Row]:
    """The rows, the best one first."""
    return sorted(rows, key=lambda row: row["Brier score"])
