"""Where the models come from, as Dagster's event log has it: `python -m dagster_impl.lineage --model champion`.

Each materialization bears tags that name the materializations that it was made from.
"""

from collections.abc import Iterator

import dagster as dg

from dagster_impl.home import instance
from shared.runtime import lineage
from shared.runtime.lineage import Model

MADE_FROM = "dagster/input_event_pointer/"  # a tag: this and the asset's key; its value is the event's storage id
AT_ONCE = 1000  # materializations that are looked through


def models(dagster: dg.DagsterInstance) -> Iterator[Model]:
    """The models that were put in service, the newest first."""
    for record in dagster.fetch_materializations(dg.AssetKey("champion"), limit=AT_ONCE).records:
        if facts(record).get("changed"):  # nothing of it in a materialization that a person has reported in the UI
            yield model(record, dagster)


def model(champion: dg.EventLogRecord, dagster: dg.DagsterInstance) -> Model:
    chain = list({record.storage_id: record for record in origins(champion, dagster)}.values())
    batch = next((record for record in chain if record.asset_key == dg.AssetKey("batch")), None)
    run = dagster.get_run_by_id(champion.run_id)
    resources = run.run_config.get("resources", {}) if run else {}
    return Model(
        version=facts(champion)["version"],
        fingerprint=facts(champion)["fingerprint"],
        month=champion.partition_key,
        run_id=champion.run_id,
        assets=tuple(f"{record.asset_key.to_user_string()}[{record.partition_key}]" for record in chain),
        settings=resources.get("settings", {}).get("config"),
        code_version=(champion.asset_materialization.tags or {}).get("dagster/code_version"),
        files=facts(batch)["inputs"] if batch else None,
    )


def origins(record: dg.EventLogRecord, dagster: dg.DagsterInstance) -> Iterator[dg.EventLogRecord]:
    """The materialization, then those that it was made from, back to the first."""
    yield record
    yield from made_from(record.asset_materialization, dagster)


def made_from(made: dg.AssetMaterialization, dagster: dg.DagsterInstance) -> Iterator[dg.EventLogRecord]:
    """All materializations that this one was made from, back to the first."""
    for tag, storage_id in (made.tags or {}).items():
        if tag.startswith(MADE_FROM) and storage_id.isdigit():
            asset = dg.AssetKey.from_user_string(tag.removeprefix(MADE_FROM))
            wanted = dg.AssetRecordsFilter(asset, storage_ids=[int(storage_id)])
            for record in dagster.fetch_materializations(wanted, limit=1).records:
                yield from origins(record, dagster)


def facts(record: dg.EventLogRecord) -> dict[str, object]:
    """The materialization's metadata."""
    return {name: value.value for name, value in record.asset_materialization.metadata.items()}


if __name__ == "__main__":
    lineage.main("dagster", lambda: models(instance()))
