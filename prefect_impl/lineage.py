"""Where the models come from, as Prefect's asset events have it: `python -m prefect_impl.lineage --model champion`.

The open-source server keeps assets as events only, and events for a week (`PREFECT_EVENTS_RETENTION_PERIOD`).
"""

from collections.abc import Iterator
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter

from prefect_impl import home
from shared.runtime import lineage
from shared.runtime.lineage import Model


def models() -> Iterator[Model]:
    """The models that were put in service, the newest first."""
    home.ensure_server()
    with get_client(sync_client=True) as api:
        for event in materializations("triptych://model/", api):
            if event.payload.get("changed"):
                yield model(event, api)


def model(champion: Event, api: SyncPrefectClient) -> Model:
    chain = dict(origins(champion, api))
    run = api.read_flow_run(run_id(champion))
    return Model(
        version=champion.payload["version"],
        fingerprint=champion.payload["fingerprint"],
        month=champion.payload["month"],
        run_id=str(run.id),
        assets=trail(chain),
        settings=run.parameters,
        code_version=run.flow_version,
        files=next((event.payload["inputs"] for event in chain.values() if event and "inputs" in event.payload), None),
    )


def origins(event: Event, api: SyncPrefectClient) -> Iterator[tuple[str, Event | None]]:
    """The event's asset, then those that it was made from, with their events in the same run; a source has none."""
    yield event.resource.id, event
    for asset in sorted(related("asset", event)):
        made = next((made for made in materializations(asset, api) if run_id(made) == run_id(event)), None)
        if made:
            yield from origins(made, api)
        else:
            yield asset, None


def trail(chain: dict[str, Event | None]) -> tuple[str, ...]:
    """The assets that were made, from the model back, and at the end all sources together."""
    made, sources = ([asset for asset, event in chain.items() if bool(event) is known] for known in (True, False))
    return (*made, *([", ".join(sources)] if sources else []))


def materializations(prefix: str, api: SyncPrefectClient) -> Iterator[Event]:
    """The events of assets that were materialized, the newest first."""
    succeeded = EventNameFilter(name=["prefect.asset.materialization.succeeded"])
    return read(EventFilter(event=succeeded, resource=EventResourceFilter(id_prefix=[prefix])), api)


def read(wanted: EventFilter, api: SyncPrefectClient) -> Iterator[Event]:
    """The events that are wanted, the newest first."""
    page = api.read_events(wanted, limit=50)  # by default it asks for more than the server gives
    yield from page.events
    while page.next_page:
        page = api.read_events_page(str(page.next_page))
        yield from page.events


def related(role: str, event: Event) -> list[str]:
    """The ids of what the event is related to in that role."""
    return [each.id for each in event.related if each.role == role]


def run_id(event: Event) -> UUID:
    return UUID(related("flow-run", event)[0].removeprefix("prefect.flow-run."))


if __name__ == "__main__":
    lineage.main("prefect", models)
