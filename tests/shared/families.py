"""Model families of one's own, as a user may name them in the settings: `families:constant`."""

from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression


def constant(seed: int) -> DummyClassifier:
    """Predicts the share of late flights for every flight."""
    return DummyClassifier(strategy="prior", random_state=seed)


def broken(seed: int) -> LogisticRegression:
    """Can't be fitted on text, so that training fails."""
    return LogisticRegression(random_state=seed)
