"""Serve a tool's champion over HTTP: `python -m shared.runtime.serve --tool airflow`."""

import argparse
import sys
import threading

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared.contracts import PermanentError
from shared.lib import registry, serving
from shared.runtime import cli
from shared.runtime.records import TOOLS
from shared.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the champion over HTTP.")
    parser.add_argument("--tool", default="plain", help="whose champion: plain, airflow, prefect or dagster")
    parser.add_argument("--port", type=int, default=0, help="a port of 127.0.0.1; default: a free one")
    arguments = parser.parse_args()
    tool = arguments.tool
    if tool not in TOOLS:
        sys.exit(f"error: TOOL is {tool!r}, expected one of {', '.join(TOOLS)}")
    cli.log_progress()
    interrupt.while_waiting()
    try:
        serve(Settings(tool=tool), arguments.port)
    except PermanentError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: port {arguments.port} of 127.0.0.1 can't be used ({error.strerror}); choose another one")
    except KeyboardInterrupt:
        print("\nThe app has stopped.")


def serve(settings: Settings, port: int) -> None:
    """Serve the tool's champion until an interrupt."""
    champion = registry.by_alias(registry.CHAMPION, settings)
    if champion is None:
        print(
            f"warning: {settings.tool} has no champion yet, so /predict answers with status 503; run "
            f"`make {settings.tool}`, and it is served at once",
            flush=True,
        )
    served = f"version {champion.version} of {settings.model_name}" if champion else settings.model_name
    with serving.serve_in_thread(serving.create_app(settings), port) as url:
        print(f"Serving {served}: {url}/docs   (Ctrl-C stops it)", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
