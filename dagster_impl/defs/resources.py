"""What every step is given: the run's settings, the references of the steps before it, and a log to write to."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr, TypeAdapter
from pydantic_core import to_json
from upath import UPath

from dagster_impl.progress import progress
from shared.lib import store
from shared.settings import Settings

FIELDS = Settings.model_fields


class SettingsResource(dg.ConfigurableResource[Settings]):
    """One run's settings, which the launchpad of the UI shows; a step gets them as the stages want them."""

    source: str = Field(FIELDS["source"].default, description=FIELDS["source"].description)
    min_rows: int = Field(FIELDS["min_rows"].default, ge=1, description=FIELDS["min_rows"].description)
    families: list[str] = Field(list(FIELDS["families"].default), description=FIELDS["families"].description)
    seed: int = Field(FIELDS["seed"].default, ge=0, description=FIELDS["seed"].description)

    @classmethod
    def from_settings(cls, settings: Settings) -> "SettingsResource":
        return cls(**settings.model_dump(mode="json", include=set(cls.model_fields)))

    def create_resource(self, context: dg.InitResourceContext) -> Settings:
        return Settings(tool="dagster", **self.model_dump())


UNCHECKED = SettingsResource().get_resource_definition()


@dg.configured(UNCHECKED, config_schema=UNCHECKED.config_schema.as_field())
def checked_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Refuse wrong settings before the run is recorded: a resource looks at its config only within the run."""
    Settings(tool="dagster", **config)
    return config


class JsonIOManager(dg.ConfigurableIOManager):
    """Keeps what steps hand on as JSON files: one for each run, and one with an asset partition's latest.

    They lie in Dagster's home, or with the store if that is elsewhere: the next step may run on another machine.
    """

    _root: UPath = PrivateAttr()

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        assert context.instance
        self._root = UPath(Settings(tool="dagster").store_url or context.instance.storage_directory())

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        path, data = self._run_path(context), to_json(obj, indent=1)
        write(path, data)
        context.add_output_metadata({"path": dg.MetadataValue.path(str(path))})
        if context.has_asset_key:
            write(self._latest_path(context), data)

    def load_input(self, context: dg.InputContext) -> Any:
        assert context.upstream_output
        path = self._run_path(context.upstream_output)
        if not path.exists():  # no step of this run makes it
            path = self._latest_path(context)
        return TypeAdapter(context.dagster_type.typing_type).validate_json(path.read_bytes())

    def _run_path(self, context: dg.OutputContext) -> UPath:
        *folders, name = context.get_identifier()
        return self._root.joinpath("runs", *folders, f"{name}.json")

    def _latest_path(self, context: dg.OutputContext | dg.InputContext) -> UPath:
        month = [context.partition_key] if context.has_partition_key else []
        *folders, name = [*context.asset_key.path, *month]
        return self._root.joinpath(*folders, f"{name}.json")


def write(path: UPath, data: bytes) -> None:
    """Whole or not at all; elsewhere than in a folder, that is what a write is."""
    if isinstance(path, Path):
        store.write_atomically(path, data)
    else:
        path.write_bytes(data)


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(
        resources={"settings": checked_settings, "io_manager": JsonIOManager()},
        executor=dg.in_process_executor,
        loggers={"progress": progress},
    )
