"""Model families of one's own, as a user may name them in the settings: `families:constant`."""

import os
from pathlib import Path

from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from tests.live.watch import until


def constant(seed: int) -> DummyClassifier:
    """Predicts the share of late flights for every flight."""
    return DummyClassifier(strategy="prior", random_state=seed)


def broken(seed: int) -> LogisticRegression:
    """Can't be fitted on text, so that training fails."""
    return LogisticRegression(random_state=seed)


def waiting(seed: int) -> DummyClassifier:
    """Begins to fit only when the file is there that the environment variable TEST_GO names."""
    until(Path(os.environ["TEST_GO"]).exists)
    return constant(seed)
