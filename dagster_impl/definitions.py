"""What Dagster loads: everything under `defs/`."""

import logging
from pathlib import Path

import dagster as dg

from shared.runtime import openlineage

if not openlineage.is_on():
    # Dagster loads dagster-openlineage as a plugin, which warns each time that nobody has asked for events.
    logging.getLogger("openlineage.client.client").setLevel(logging.ERROR)


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
