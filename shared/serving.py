"""The HTTP app that serves the model behind an alias, and reloads it when the alias moves.

`python -m shared.serving --tool airflow` serves Airflow's champion.
"""

import argparse
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import polars as pl
import uvicorn
from fastapi import FastAPI, HTTPException

from shared import registry
from shared.contracts import Contract
from shared.features import CATEGORICAL, NUMERIC
from shared.model import RoutedModel
from shared.servers import free_port
from shared.settings import Settings

POLL_SECONDS = 2.0

log = logging.getLogger(__name__)


class Flight(Contract):
    """One flight's features, as the features stage makes them; null is unknown."""

    origin: str
    scheduled_departure: float | None
    scheduled_minutes: float | None
    weekday: float | None
    distance: float | None
    plane_age: float | None
    plane_seats: float | None
    destination_lat: float | None
    destination_lon: float | None
    temp: float | None
    dewp: float | None
    humid: float | None
    wind_speed: float | None
    wind_gust: float | None
    precip: float | None
    pressure: float | None
    visib: float | None
    carrier: str | None
    dest: str | None


class Answer(Contract):
    """The serving version and each flight's probability of landing more than 15 minutes late."""

    version: str
    late: list[float]


class Served:
    """The model in service: one attribute holds version and model, so that a request sees the old or the new one."""

    def __init__(self, alias: str, settings: Settings) -> None:
        self.alias, self.settings = alias, settings
        self.current: tuple[str, RoutedModel] | None = None
        self.stopped = threading.Event()

    def refresh(self) -> None:
        """Load the alias's version if it is another one; a version that won't load leaves the old one in service."""
        try:
            version = registry.by_alias(self.alias, self.settings)
            if version and (self.current is None or self.current[0] != str(version.version)):
                self.current = (str(version.version), registry.load(version, self.settings))
                log.info("serving version %s", version.version)
        except Exception:
            log.exception(
                "%s could not be loaded; version %s stays in service", self.alias, self.current and self.current[0]
            )

    def watch(self) -> None:
        while not self.stopped.wait(POLL_SECONDS):
            self.refresh()


def create_app(settings: Settings, alias: str = registry.CHAMPION) -> FastAPI:
    """An app with `GET /health` and `POST /predict`; it looks every 2 seconds whether the alias has moved."""
    served = Served(alias, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        served.refresh()
        threading.Thread(target=served.watch, daemon=True).start()
        yield
        served.stopped.set()

    app = FastAPI(title=settings.model_name, lifespan=lifespan)

    @app.get("/health")
    def health() -> dict[str, str | None]:
        return {"version": served.current[0] if served.current else None}

    @app.post("/predict")
    def predict(flights: list[Flight]) -> Answer:
        if served.current is None:
            raise HTTPException(503, f"no model bears the alias {alias}; run the pipeline first")
        version, model = served.current
        types = {"origin": pl.String, **dict.fromkeys(NUMERIC, pl.Float64), **dict.fromkeys(CATEGORICAL, pl.String)}
        rows = pl.DataFrame([flight.model_dump() for flight in flights], schema=types)
        late = model.predict_proba(rows.with_columns(pl.col(NUMERIC).fill_null(float("nan"))))[:, 1]
        return Answer(version=version, late=late.tolist())

    return app


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve the app on a free port of 127.0.0.1 from a thread of this process; yields its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def predict_once(flights: pl.DataFrame, alias: str, settings: Settings) -> Answer:
    """Start the app, let it predict the flights over HTTP, and stop it."""
    rows = flights.fill_nan(None).to_dicts()
    with running(create_app(settings, alias)) as url:
        response = httpx.post(f"{url}/predict", json=rows, timeout=60, trust_env=False)
    if response.status_code != httpx.codes.OK:
        raise RuntimeError(f"the app answers with HTTP status {response.status_code}: {response.text}")
    return Answer.model_validate_json(response.content)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the champion over HTTP.")
    parser.add_argument("--tool", default="plain", help="whose champion: plain, airflow, prefect or dagster")
    parser.add_argument("--port", type=int, default=free_port(), help="a port of 127.0.0.1; default: a free one")
    arguments = parser.parse_args()
    uvicorn.run(create_app(Settings(tool=arguments.tool)), host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
