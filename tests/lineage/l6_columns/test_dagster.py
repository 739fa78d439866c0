"""Dagster has a kind of metadata for the origin of columns, and takes it as it is declared."""

from typing import Any

import dagster as dg

from tests.lineage import join
from tests.scenario import Scenario

SOURCES = [dg.AssetSpec("flights"), dg.AssetSpec("weather")]


class Declared(dg.Config):
    wrong: bool = False


@dg.asset(name="features", deps=SOURCES)
def obvious(config: Declared) -> int:
    return join.features().height


@dg.asset(name="features", deps=SOURCES)
def idiom(config: Declared) -> dg.MaterializeResult[int]:
    declared = join.WRONG if config.wrong else join.ORIGINS
    deps = {feature: [dependency(*origin.split(".")) for origin in declared[feature]] for feature in declared}
    return dg.MaterializeResult(
        value=join.features().height, metadata={"dagster/column_lineage": dg.TableColumnLineage(deps)}
    )


def dependency(table: str, column: str) -> dg.TableColumnDep:
    return dg.TableColumnDep(asset_key=table, column_name=column)


def run(features: Any, instance: dg.DagsterInstance, wrong: bool) -> bool:
    config = dg.RunConfig({"features": Declared(wrong=wrong)})
    assets = [*SOURCES, features]
    return dg.materialize(assets, run_config=config, instance=instance, raise_on_error=False).success


def recorded(instance: dg.DagsterInstance) -> Any:
    """What the event log holds of the columns."""
    (event,) = instance.fetch_materializations(dg.AssetKey("features"), limit=1).records
    value = event.asset_materialization.metadata.get("dagster/column_lineage")
    return value.value if value else None


def written(dep: dg.TableColumnDep) -> str:
    return f"{dep.asset_key.to_user_string()}.{dep.column_name}"


def observe(features: Any) -> dict[str, Any]:
    with dg.DagsterInstance.local_temp(overrides={"telemetry": {"enabled": False}}) as instance:
        success = run(features, instance, wrong=False)
        found = recorded(instance)
        passed = run(features, instance, wrong=True)
    deps = found.deps_by_column if found else {}
    columns = {
        name: sorted(f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps[name]) for name in deps
    }
    return {
        "success": success,
        "columns": columns == join.found(),
        "native": type(found).__module__.startswith("dagster."),
        "kept": found is not None,
        "noticed": not passed,
        "form": type(found).__name__ if found else "none",
        "temp": columns.get("temp", []),
    }


def test_l6_columns(scenario: Scenario) -> None:
    plain, told = observe(obvious), observe(idiom)
    scenario.obvious(obvious.op, **plain)
    scenario.idiom(idiom.op, **told)
    scenario.finding(
        f"A materialization can bear a {told['form']}, which names for each column the assets and columns that it "
        f"comes from (for the temperature {', '.join(told['temp'])}); the event log and the API have it. The task must "
        f"declare it, and a column that does not exist is {'noticed' if told['noticed'] else 'taken, too'}. According "
        f"to Dagster's docs only Dagster+ draws it."
    )
