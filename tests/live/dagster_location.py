"""The code location of the live tests: a repository for each scenario that defines `LIVE`, named by its id, as `r7`.

One repository for all would not do: within one, Dagster wants the names of ops to be unique.
"""

import importlib

import dagster as dg

from shared.settings import ROOT


def repositories() -> dict[str, dg.RepositoryDefinition]:
    found = {}
    for file in sorted(ROOT.glob("tests/*/*/test_dagster.py")):
        if "\nLIVE = " not in file.read_text("utf-8"):
            continue  # each process of a run loads this file, and the pipeline alone would take it seconds
        module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        name, live = file.parent.name.partition("_")[0], module.LIVE
        found[name] = dg.create_repository_using_definitions_args(
            name, live.assets, live.schedules, live.sensors, live.jobs, live.resources, live.executor
        )
    return found


globals().update(repositories())  # Dagster finds them by the names of this module
