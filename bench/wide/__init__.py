"""A run of many tasks that do nothing, or of some that fit a model: what they do, the same in all tools.

It imports next to nothing, as the processes of tasks import it.
"""

import os

AT_ONCE = int(os.environ.get("FITS_AT_ONCE") or 0)
"""How many mapped tasks may be at work at once, each with a fit; 0: they do nothing, and the tool decides."""
FIXED = 6
"""The tasks before the fan-out, one after the other: the first has the width, the last plans. One more adds up."""


def no_op(number: int) -> int:
    return number


def plan(width: int) -> list[int]:
    return list(range(width))


def fit(number: int) -> int:
    """Some seconds of one core."""
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    random = np.random.default_rng(number)
    features, labels = random.normal(size=(40_000, 10)), random.integers(2, size=40_000)
    DecisionTreeClassifier(random_state=number).fit(features, labels)
    return number


work = fit if AT_ONCE else no_op
"""What a mapped task does."""


def total(numbers: list[int], width: int) -> int:
    """Add up what the mapped tasks have returned. Raises ValueError, which fails the run, if one is missing."""
    found, expected = sum(numbers[:]), sum(range(width))  # Airflow asks for each number apart, but for a slice once
    if found != expected:
        raise ValueError(
            f"the numbers below {width} add up to {found}, expected {expected}; results are missing, see the run's log"
        )
    return found
