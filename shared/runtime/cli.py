"""The run commands' arguments, progress and closing summary: the same for every tool."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from shared.contracts import PermanentError
from shared.lib.months import months_up_to
from shared.runtime import interrupt, records, startup
from shared.runtime.records import ChampionRecord, EvaluationRecord, RunRecord
from shared.settings import Settings


def main(tool: str, run: Callable[[str, Settings], RunRecord]) -> None:
    """Parse the command line, run each month, write its record and print a summary; exits 1 if a run failed."""
    parser = argparse.ArgumentParser(description=f"Run the pipeline in {tool}.")
    parser.add_argument("months", nargs="+", metavar="MONTH", help="target month, such as 2013-06")
    parser.add_argument("--source", default="", help="folder or URL of the source; default: the flights of 2013")
    parser.add_argument("--min-rows", type=int, default=Settings.model_fields["min_rows"].default)
    parser.add_argument("--families", nargs="+", default=Settings.model_fields["families"].default)
    arguments = parser.parse_args()
    source = arguments.source
    if source and "://" not in source:
        source = str(Path(source).resolve())
    interrupt.while_running()
    startup.skip_last_collection()
    failed = False
    try:
        settings = Settings(tool=tool, source=source, min_rows=arguments.min_rows, families=tuple(arguments.families))
        for month in arguments.months:
            months_up_to(month)
        for month in arguments.months:
            record = run(month, settings)
            path = records.write(record, settings)
            print(summary(record, path), flush=True)
            failed = failed or record.state == "failed"
            if interrupt.requested.is_set():
                raise KeyboardInterrupt
    except ValidationError as error:
        first = error.errors()[0]
        sys.exit(f"error: {'.'.join(map(str, first['loc']))} is {first['input']!r}: {first['msg']}")
    except PermanentError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        interrupt.end("stopped; the same command begins anew")
    sys.exit(failed)


def log_progress() -> None:
    """Print the stages' own log lines; for a tool that does not do so itself."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S", stream=sys.stdout
    )
    logging.getLogger("shared").setLevel(logging.INFO)


def summary(record: RunRecord, path: Path) -> str:
    """A short account of the run for a person."""
    trained = [stage for stage in record.stages if stage.stage == "train" and stage.key]
    seconds = (record.ended - record.started).total_seconds()
    lines = [
        "",
        f"{record.tool} {record.tool_version}, {record.month}: {record.state} in {seconds:.1f} s",
        f"  candidates  {sum(stage.state == 'success' for stage in trained)} of {len(trained)} trained",
    ]
    if record.evaluation:
        lines.append(f"  decision    {decision(record.evaluation, record.champion)}")
    if record.champion:
        lines.append(f"  champion    version {record.champion.version}, fingerprint {record.champion.fingerprint[:12]}")
    if record.error:
        lines.append(f"  error       {record.error}")
    return "\n".join([*lines, f"  record      {os.path.relpath(path)}"])


def decision(evaluation: EvaluationRecord, champion: ChampionRecord | None) -> str:
    """The decision and the Brier scores that it rests on."""
    unscored = "not compared" if evaluation.decision == "keep" and champion else "none"
    old = f"{evaluation.champion.brier:.4f}" if evaluation.champion else unscored
    new, base_rate = evaluation.challenger.brier, evaluation.base_rate.brier
    return f"{evaluation.decision} (Brier score: challenger {new:.4f}, champion {old}, base rate {base_rate:.4f})"
