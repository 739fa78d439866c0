"""The HTTP app that serves the model behind an alias, and loads another version when the alias moves."""

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
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from shared.contracts import Contract
from shared.lib import registry
from shared.lib.feature_table import CATEGORICAL, NUMERIC
from shared.lib.model import RoutedModel
from shared.settings import Settings

POLL_SECONDS = 2.0
ABOUT = "Tells before departure how likely a flight is to land more than 15 minutes late."

log = logging.getLogger(__name__)


EXAMPLE: JsonDict = {
    "origin": "EWR", "scheduled_departure": 1080, "scheduled_minutes": 180, "weekday": 5, "distance": 719,
    "plane_age": 12, "plane_seats": 149, "destination_lat": 41.98, "destination_lon": -87.90, "temp": 73.0,
    "dewp": 64.0, "humid": 73.5, "wind_speed": 11.5, "wind_gust": 18.4, "precip": 0.0, "pressure": 1012.1,
    "visib": 10.0, "carrier": "UA", "dest": "ORD",
}  # fmt: skip


class Flight(Contract):
    """One flight's features, as the features stage computes them; null is unknown."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    origin: str = Field(description="IATA code of the airport that it leaves")
    scheduled_departure: float | None = Field(description="local time, minutes after midnight")
    scheduled_minutes: float | None = Field(description="minutes to arrival, by the clocks of both airports")
    weekday: float | None = Field(description="of the departure; 1 is Monday, 7 is Sunday")
    distance: float | None = Field(description="miles")
    plane_age: float | None = Field(description="years")
    plane_seats: float | None = Field(description="seats of the plane")
    destination_lat: float | None = Field(description="degrees north")
    destination_lon: float | None = Field(description="degrees east")
    temp: float | None = Field(description="temperature at the origin 3 hours before departure, °F")
    dewp: float | None = Field(description="dew point at that place and time, °F")
    humid: float | None = Field(description="relative humidity at that place and time, %")
    wind_speed: float | None = Field(description="wind speed at that place and time, miles an hour")
    wind_gust: float | None = Field(description="speed of gusts at that place and time, miles an hour")
    precip: float | None = Field(description="precipitation at that place and time, inches")
    pressure: float | None = Field(description="pressure at sea level at that place and time, millibars")
    visib: float | None = Field(description="visibility at that place and time, miles")
    carrier: str | None = Field(description="IATA code of the airline")
    dest: str | None = Field(description="IATA code of the destination")


class Answer(Contract):
    """The serving version and each flight's probability of landing more than 15 minutes late."""

    version: str = Field(description="the model's version in the registry", examples=["1"])
    late: list[float] = Field(description="one for each flight, in their order, from 0 to 1", examples=[[0.41]])


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
        """Refresh every few seconds, until the app stops."""
        while not self.stopped.wait(POLL_SECONDS):
            self.refresh()


def create_app(settings: Settings, alias: str = registry.CHAMPION) -> FastAPI:
    """An app with `GET /health` and `POST /predict`; every 2 seconds it looks whether the alias has moved.

    Its page, `/docs`, needs no other host; ReDoc's would.
    """
    served = Served(alias, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        served.refresh()
        threading.Thread(target=served.watch, daemon=True).start()
        yield
        served.stopped.set()

    app = FastAPIOffline(redoc_url=None, title=settings.model_name, description=ABOUT, lifespan=lifespan)

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.get("/health")
    def health() -> dict[str, str | None]:
        """The version in service; null if there is none."""
        return {"version": served.current[0] if served.current else None}

    @app.post("/predict")
    def predict(flights: list[Flight]) -> Answer:
        """The probability that each flight lands more than 15 minutes late."""
        if served.current is None:
            raise HTTPException(503, f"no model has the alias {alias}; run the pipeline first")
        version, model = served.current
        types = {"origin": pl.String, **dict.fromkeys(NUMERIC, pl.Float64), **dict.fromkeys(CATEGORICAL, pl.String)}
        rows = pl.DataFrame([flight.model_dump() for flight in flights], schema=types)
        late = model.predict_proba(rows.with_columns(pl.col(NUMERIC).fill_null(float("nan"))))[:, 1]
        return Answer(version=version, late=late.tolist())

    return app


@contextmanager
def serve_in_thread(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve the app on a port of 127.0.0.1, a free one by default, from a thread of this process; yields its URL."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
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
    with serve_in_thread(create_app(settings, alias)) as url:
        response = httpx.post(f"{url}/predict", json=rows, timeout=60, trust_env=False)
    if response.status_code != httpx.codes.OK:
        raise RuntimeError(f"the app answers with HTTP status {response.status_code}: {response.text}")
    return Answer.model_validate_json(response.content)
