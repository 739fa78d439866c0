"""What passes between stages: small, frozen, JSON-able references, never data frames."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
"""A month as in the source's file names: `2013-06`."""

Decision = Literal["promote", "keep"]
"""Whether the challenger is put in service, or the champion stays."""


class TransientError(Exception):
    """Trying again later may help: the network or a server failed."""


class PermanentError(Exception):
    """Trying again gives the same: the data or the settings must be mended first."""


class Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class File(Contract):
    """A file in the local store; `name` is its name at the source, `path` is relative to the store."""

    name: str
    path: str
    sha256: str


class Batch(Contract):
    """`ingest`: the target month's flights and weather, those of its training window, and the lookup tables."""

    month: Month
    window: tuple[Month, ...]
    files: tuple[File, ...]

    @property
    def inputs(self) -> dict[str, str]:
        """Each source file's name with the sha256 of its content."""
        return {file.name: file.sha256 for file in self.files}


class Validated(Contract):
    """`validate`: a batch that keeps every rule, its row counts by file, and its drift.

    `drift` is the population stability index of some columns of the target month against the window's.
    """

    batch: Batch
    rows: dict[str, int]
    drift: dict[str, float]
    warnings: tuple[str, ...]


class Features(Contract):
    """`features`: one Arrow IPC file with the rows of the window and of the target month.

    `notes` are on rows left out or not found in a lookup table, `warnings` those of `validate`.
    """

    month: Month
    window: tuple[Month, ...]
    file: File
    rows: int
    inputs: dict[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()  # results that an older version has cached lack it


class Candidate(Contract):
    """One model to train: an origin airport and a model family."""

    origin: str
    family: str

    @property
    def key(self) -> str:
        return f"{self.origin}/{self.family}"


class Plan(Contract):
    """`plan`: the candidates, and the MLflow run under which they are tracked."""

    features: Features
    candidates: tuple[Candidate, ...]
    experiment: str
    run_id: str


class Trained(Contract):
    """`train`: a fitted candidate and its scores on the window's last 14 days; AUC is null if they hold one class."""

    candidate: Candidate
    model: File
    brier: float
    auc: float | None
    run_id: str


class Score(Contract):
    """Brier score, ROC AUC (null if there is one class only) and expected calibration error, of `rows` predictions."""

    rows: int
    brier: float
    auc: float | None
    calibration_error: float


class Scores(Score):
    """A model's scores on the target month, over all and by origin airport.

    `calibration_curve` holds (mean predicted probability, share of late flights) in ten bins of equal width,
    `roc_curve` (false, true positive rate) at equal steps of the former; it is empty if there is one class only.
    """

    by_origin: dict[str, Score]
    calibration_curve: tuple[tuple[float, float], ...]
    roc_curve: tuple[tuple[float, float], ...] = ()  # results that an older version has cached lack it


class Evaluation(Contract):
    """`evaluate`: challenger, champion and base rate on the target month, and what to do about it.

    The challenger is `best`, each origin's chosen candidate, with `late_rate` for other origins.
    """

    month: Month
    run_id: str
    features: Features
    best: dict[str, Trained]
    late_rate: float
    challenger: Scores
    champion: Scores | None
    base_rate: Scores
    champion_version: str | None
    challenger_fingerprint: str
    champion_fingerprint: str | None
    decision: Decision
    reason: str
    notes: tuple[str, ...]


class Deployment(Contract):
    """`deploy`: the version in service afterwards; `changed` is false if this very model was already in service."""

    version: str
    previous: str | None
    fingerprint: str
    changed: bool
