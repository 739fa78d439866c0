"""Where a model comes from, and where a file went: the command that asks a tool's own records.

What a tool does not know is shown as a gap, and not filled from elsewhere.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts import Contract, Month
from shared.runtime import interrupt


class Model(Contract):
    """A model that a run has put in service, as the tool's records tell; None is what they do not tell.

    `assets` leads from the model back to the source, in the tool's names; `files` holds each source file's sha256.
    """

    version: str
    fingerprint: str
    month: Month
    run_id: str
    assets: tuple[str, ...]
    settings: dict[str, Any] | None
    code_version: str | None
    files: dict[str, str] | None


def main(tool: str, models: Callable[[], Iterable[Model]]) -> None:
    """Print where a model comes from, or where a file went; `models` are those put in service, the newest first."""
    parser = argparse.ArgumentParser(description=f"What {tool} itself knows of the origin of its models.")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--model", help="`champion`, the newest in service, or a version's number")
    asked.add_argument("--file", help="a source file, such as flights/2013-05.csv")
    parser.add_argument("--json", action="store_true", help="print what is known of the model as JSON")
    arguments = parser.parse_args()
    interrupt.while_running()
    try:
        found = list(models())
        if not found:
            sys.exit(f"error: {tool} has put no model in service yet; run `make {tool}` first")
        if arguments.file:
            print(forward(arguments.file, found))
        else:
            model = named(arguments.model, found, tool)
            print(model.model_dump_json() if arguments.json else backward(model, tool))
    except KeyboardInterrupt:
        interrupt.end("stopped")


def named(name: str, models: list[Model], tool: str) -> Model:
    """The newest model in service, or the version of that number. Exits if the tool does not know it."""
    found = next((each for each in models if name in ("champion", each.version)), None)
    if found is None:
        known = ", ".join(each.version for each in models)
        sys.exit(f"error: {tool} knows of no model {name!r} that was in service, but of {known}; name one, or champion")
    return found


def backward(found: Model, tool: str) -> str:
    """Where the model comes from: its run, settings, code and source files."""
    gap = f"not known to {tool}"
    settings = ", ".join(f"{name}={value!r}" for name, value in found.settings.items()) if found.settings else gap
    lines = [
        f"version {found.version}, put in service by the run of {found.month}; fingerprint {found.fingerprint[:12]}",
        f"  assets    {' ← '.join(found.assets)}",
        f"  run       {found.run_id}",
        f"  settings  {settings}",
        f"  code      {found.code_version or gap}",
        f"  source    {'sha256 of each file' if found.files else gap}",
        *(f"    {name:22} {sha256}" for name, sha256 in (found.files or {}).items()),
    ]
    return "\n".join(lines)


def forward(file: str, models: list[Model]) -> str:
    """The models that the source file went into."""
    using = [each for each in models if each.files and file in each.files]
    if not using:
        return f"{file} went into none of the {len(models)} models that were put in service"
    lines = [
        f"  version {each.version} of {each.month}, run {each.run_id}, sha256 {(each.files or {})[file][:12]}"
        for each in using
    ]
    return "\n".join([f"{file} went into {len(using)} of the {len(models)} models that were put in service:", *lines])
