"""Where the models come from, as Airflow's asset events have it: `python -m airflow_impl.lineage --model champion`.

It reads Airflow's metadata database through Airflow's own models, as record.py does and for the same reason; the REST
API has the events under `/api/v2/assets/events`.
"""

from collections.abc import Iterator

from airflow.models.asset import AssetEvent, AssetModel, TaskInletAssetReference
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.orm import Session

from airflow_impl import home
from airflow_impl.assets import CHAMPION
from shared.runtime import lineage
from shared.runtime.lineage import Model


def models() -> Iterator[Model]:
    """The models that were put in service, the newest first."""
    with create_session() as session:
        asset = AssetEvent.asset_id == select(AssetModel.id).where(AssetModel.name == CHAMPION.name).scalar_subquery()
        for event in session.scalars(select(AssetEvent).where(asset).order_by(AssetEvent.id.desc())):
            if event.extra.get("changed"):  # nothing of it in an event that a person has created in the UI
                yield model(event, session)


def model(champion: AssetEvent, session: Session) -> Model:
    chain = dict(origins(champion, session))
    run = champion.source_dag_run
    version = run.created_dag_version if run else None
    return Model(
        version=champion.extra["version"],
        fingerprint=champion.extra["fingerprint"],
        month=champion.extra["month"],
        run_id=champion.source_run_id,
        assets=tuple(chain),
        settings=run.conf if run else None,
        code_version=f"version {version.version_number} of the Dag {version.dag_id}" if version else None,
        files=next((event.extra["inputs"] for event in chain.values() if event and "inputs" in event.extra), None),
    )


def origins(event: AssetEvent, session: Session) -> Iterator[tuple[str, AssetEvent | None]]:
    """The event's asset, then its task's inlets with their events in the same run, back to one without."""
    partition = f"[{event.partition_key}]" if event.partition_key else ""
    yield f"{event.asset.name}{partition}", event
    task = (
        TaskInletAssetReference.dag_id == event.source_dag_id,
        TaskInletAssetReference.task_id == event.source_task_id,
    )
    for inlet in session.scalars(select(TaskInletAssetReference).where(*task)):
        wanted = (AssetEvent.asset_id == inlet.asset_id, AssetEvent.source_run_id == event.source_run_id)
        made = session.scalars(select(AssetEvent).where(*wanted).order_by(AssetEvent.id.desc())).first()
        if made:
            yield from origins(made, session)
        else:
            yield inlet.asset.name, None


if __name__ == "__main__":
    home.prepare()
    lineage.main("airflow", models)
