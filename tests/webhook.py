"""A webhook on this machine that keeps what arrives: a real HTTP server, for the alerts of all tools."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from tests.live.watch import until


class Delivery(NamedTuple):
    """A message that arrived at a time, in seconds since the epoch."""

    time: float
    message: dict[str, Any]
    accepted: bool


class Webhook:
    """The address, and what has arrived there so far, in time; `refused` is how many messages it answers with 500."""

    def __init__(self, refused: int = 0) -> None:
        self.url, self.refused, self.deliveries = "", refused, list[Delivery]()

    def of(self, run: object) -> list[Delivery]:
        """The deliveries whose message names the run."""
        return [each for each in self.deliveries if each.message["run"] == str(run)]

    def wait(self, found: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something has come true, or the seconds are over: what has arrived by then is the answer."""
        deadline = time.monotonic() + seconds
        until(lambda: found() or time.monotonic() > deadline, seconds + 10)

    def wait_until_quiet(self, seconds: float = 6) -> None:
        """Wait until nothing more has arrived for this long."""
        start = time.time()
        until(lambda: time.time() > max([start, *(each.time for each in self.deliveries)]) + seconds)

    def receive(self, body: bytes) -> bool:
        accepted = len(self.deliveries) >= self.refused
        self.deliveries.append(Delivery(time.time(), json.loads(body), accepted))
        return accepted


def at_most(seconds: list[float]) -> str:
    """The longest of some waits, coarse enough to be the same on a busy machine; of what never came it is infinite."""
    names = {10: "at most 10", 30: "at most 30", 60: "at most 60", math.inf: "more than 60"}
    return "never" if max(seconds) == math.inf else next(names[limit] for limit in names if max(seconds) <= limit)


def least(make: Callable[[timedelta], object]) -> int:
    """The shortest limit, of some, with which the tool lets one make an alert, in seconds."""
    for seconds in (1, 10, 60):
        with suppress(Exception):
            make(timedelta(seconds=seconds))
            return seconds
    raise AssertionError("no limit up to a minute was accepted")


def alerts_of(hook: Webhook, failed: dict[str, float], good: str) -> dict[str, Any]:
    """What a webhook has heard of two failed runs, by their ids with their ends, and of one that succeeded."""
    of_runs = [hook.of(run) for run in failed]
    waits = [found[0].time - end if found else math.inf for found, end in zip(of_runs, failed.values(), strict=True)]
    refused, *_ = [each for each in hook.deliveries if not each.accepted] or [None]
    return {
        "heard": all(of_runs),
        "once": all(len(found) == 1 for found in of_runs),
        "silent": not hook.of(good),
        "names_run": bool(hook.deliveries) and all(each.message["run"] in failed for each in hook.deliveries),
        "retried": any(each.accepted and refused and each.message == refused.message for each in hook.deliveries),
        "deliveries": len(hook.deliveries),
        "seconds": at_most(waits),
    }


def lateness_of(hook: Webhook, runs: dict[str, object], running: bool, due: float) -> dict[str, Any]:
    """What a webhook has heard of runs, by what became of them; `due` is when the late one, still running, was due."""
    heard = {name: hook.of(run) for name, run in runs.items()}
    return {
        "told": running and bool(heard["late"]),
        "once": len(heard["late"]) == 1,
        "silent": not heard["on_time"],
        "waiting": bool(heard["waiting"]),
        "missing": bool(heard["missing"]),
        "failed": bool(heard["failed"]),
        "seconds": at_most([heard["late"][0].time - due if heard["late"] else math.inf]),
    }


@contextmanager
def webhook(refused: int = 0) -> Iterator[Webhook]:
    """Listen until the block ends, and answer the first messages with 500."""
    hook = Webhook(refused)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            accepted = hook.receive(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200 if accepted else 500)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}/"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hook
        finally:
            server.shutdown()
