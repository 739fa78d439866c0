"""Dynamic tasks in Prefect, read from its API; each docstring asks a question and answers it."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import State, flow, task, unmapped
from prefect.futures import wait
from prefect.states import Completed
from prefect.task_runners import ThreadPoolTaskRunner

from prefect_impl.run import run
from shared.settings import Settings
from tests.evidence import Evidence
from tests.live import prefect
from tests.live.watch import until

MONTH = "2013-06"
pytestmark = pytest.mark.usefixtures("results")


def run_id(state: Any) -> UUID:
    """The flow run that ended with this state."""
    return state.state_details.flow_run_id


@task
def square(n: int) -> int:
    return n * n


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@flow
def squares(n: int) -> int:
    return total(square.map(range(n)))


def test_d1_width_is_known_at_run_time(evidence: Evidence) -> None:
    """How many instances has a map over 1, 9, 100 or no items?

    As many task runs: the running flow decides. A map over nothing makes none, and the fan-in runs with an empty list.
    """
    widths = {}
    for n in (1, 9, 100, 0):
        made = squares(n, return_state=True)
        runs = prefect.task_runs(run_id(made), n + 1)
        widths[n] = sum(its.task_key.startswith("square-") for its in runs)
        assert made.result() == sum(i * i for i in range(n))
    assert widths == {1: 1, 9: 9, 100: 100, 0: 0}
    evidence(said="N task runs; over nothing none, the fan-in runs", width=widths)
    evidence.code(squares.fn, square.fn, total.fn)


@task
def spread(n: int) -> list[int]:
    return list(range(n))


@flow
def in_and_out_again(n: int) -> int:
    squared = square.map(square.map(range(n)))  # instance by instance: no fan-in between the two
    wide = [square.map(numbers) for numbers in spread.map(range(n)).result()]  # a fan-out of each item's own width
    groups = [total.submit(group) for group in wide]
    return total([total(squared), total(groups)])


@flow(flow_run_name="group of {n}")
def group(n: int) -> int:
    return total(square.map(spread(n)))


@flow
def groups(n: int) -> int:
    return sum(group(i) for i in range(n))


def test_d2_second_fan_out(evidence: Evidence) -> None:
    """Can a map go on from a map, a group of tasks run for each item, and a fan-in fan out again?

    All of it: a map of a map is wired instance to instance, lists of futures nest, and a group is a subflow: a flow run
    with a task run of its own in its parent.
    """
    made = in_and_out_again(4, return_state=True)
    runs = prefect.task_runs(run_id(made), 25)
    widths = {name: sum(its.task_key.startswith(f"{name}-") for its in runs) for name in ("square", "spread", "total")}
    second = [its for its in runs if its.task_key.startswith("square-") and its.task_inputs["n"]]
    assert made.result() == sum(i**4 for i in range(4)) + sum(j * j for i in range(4) for j in range(i))
    assert widths == {"square": 14, "spread": 4, "total": 7}
    assert any(its.task_inputs["n"][0].input_type == "task_run" for its in second)

    nested = groups(3, return_state=True)
    parents = prefect.task_runs(run_id(nested), 3)
    assert sorted(its.name for its in parents) == ["group-0", "group-1", "group-2"]
    evidence(said="maps of maps, groups, subflows: all run", width=widths)
    evidence.code(in_and_out_again.fn, group.fn, groups.fn)


@task
def reciprocal(n: int) -> float:
    return 1 / n


@flow
def careless(n: int) -> Any:
    return total(reciprocal.map(range(n)))


@flow
def careful(n: int, quorum: int) -> float:
    futures = reciprocal.map(range(n))
    wait(futures)
    survivors = [future.result() for future in futures if future.state.is_completed()]
    if len(survivors) < quorum:
        raise RuntimeError(f"{len(survivors)} of {n} survived, expected {quorum}")
    return total(survivors)


def test_d3_one_of_n_fails_for_good(evidence: Evidence) -> None:
    """One of N fails for good: what becomes of its siblings, the fan-in and the run?

    The siblings complete. By default the fan-in does not run (NotReady) and gives None, and the run is Completed: the
    failure is lost. The idiom waits, goes on with the survivors, and raises if they are too few.
    """
    lost = careless(4, return_state=True)
    states = sorted(its.state_name for its in prefect.task_runs(run_id(lost), 4))
    kept, failed = careful(4, 3, return_state=True), careful(4, 4, return_state=True)

    assert prefect.state(run_id(lost)).name == "Completed"
    assert lost.result() is None
    assert states == ["Completed", "Completed", "Completed", "Failed", "NotReady"]
    assert kept.result() == pytest.approx(1 + 1 / 2 + 1 / 3)
    assert prefect.state(run_id(failed)).name == "Failed"
    assert "3 of 4 survived" in prefect.state(run_id(failed)).message
    evidence(said="default: Completed, failure lost; idiom raises: Failed", states=states, results=3)
    evidence.code(careful.fn, reciprocal.fn)


@task
def promote(score: int) -> str:
    return f"{score} promoted"


@flow
def decide(score: int) -> str:
    return promote(score) if score > 5 else "kept"


@flow
def decide_in_the_open(score: int) -> str | State:
    return promote(score) if score > 5 else Completed(name="Kept", message=f"{score} is not above 5")


def test_d4_branch_at_run_time(evidence: Evidence) -> None:
    """A branch is not taken: how does it look in the record?

    Not at all: it is a plain `if`, and a task that isn't called has no task run. What is to be seen has to be said, by
    a state with a name and a message of one's own.
    """
    taken, skipped, said = (
        branch(n, return_state=True) for branch, n in ((decide, 7), (decide, 3), (decide_in_the_open, 3))
    )
    assert [its.task_key.split("-")[0] for its in prefect.task_runs(run_id(taken), 1)] == ["promote"]
    assert prefect.state(run_id(skipped)).name == "Completed"
    assert prefect.task_runs(run_id(skipped), 0) == []
    assert prefect.state(run_id(said)).type.value == "COMPLETED"
    assert (prefect.state(run_id(said)).name, prefect.state(run_id(said)).message) == ("Kept", "3 is not above 5")
    evidence(said="no task run at all; idiom: a state of one's own name", states={"skipped": None, "idiom": "Kept"})
    evidence.code(decide.fn, decide_in_the_open.fn)


@task
def improve(error: float) -> float:
    return error / 2


@flow
def until_good_enough(error: float, good: float) -> int:
    rounds = 0
    while error > good:
        error, rounds = improve(error), rounds + 1
    return rounds


def test_d5_loop_until_good_enough(evidence: Evidence) -> None:
    """Can a flow repeat a task until its result is good enough?

    Yes: a plain `while`; each round is a task run of its own, wired to the one before.
    """
    made = until_good_enough(1.0, 0.1, return_state=True)
    runs = prefect.task_runs(run_id(made), 4)
    assert made.result() == len(runs) == 4
    evidence(said="a plain while: one task run for each round", width=len(runs))
    evidence.code(until_good_enough.fn, improve.fn)


@task
def meet(folder: str, name: str, crowd: int) -> None:
    Path(folder, name).touch()
    until(lambda: len(list(Path(folder).iterdir())) >= crowd)


@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def two_threads(folder: str, crowd: int) -> None:
    meet.map(unmapped(folder), [f"{os.getpid()}-{n}" for n in range(4)], unmapped(crowd)).wait()


@flow
def two_slots(folder: str, crowd: int) -> None:
    scarce = meet.with_options(tags=["scarce"])
    scarce.map(unmapped(folder), [f"{os.getpid()}-{n}" for n in range(4)], unmapped(crowd)).wait()


def most_at_once(*runs: UUID) -> int:
    """How many of the runs' tasks were running at the same time, by start and end in the record."""
    tasks = [its for run in runs for its in prefect.task_runs(run, 4)]
    return max(sum(a.start_time <= b.start_time < a.end_time for a in tasks) for b in tasks)


@pytest.mark.live
def test_d6_throttle_to_two_at_once(tmp_path: Path, evidence: Evidence) -> None:
    """At most two of N at once: how, and does it hold over two runs?

    A task runner with two threads throttles its own run: two runs make four at once. A limit of two on the tasks' tag
    holds on the server, over all runs: a task is Running only when it has a slot.
    """
    (tmp_path / "threads").mkdir()
    (tmp_path / "slots").mkdir()
    with prefect.client() as api:
        api.create_concurrency_limit(tag="scarce", concurrency_limit=2)
    threads = [prefect.start(two_threads, prefect.pool(), folder=str(tmp_path / "threads"), crowd=4) for _ in range(2)]
    assert [prefect.wait(its).name for its in threads] == ["Completed"] * 2
    slots = [prefect.start(two_slots, prefect.pool(), folder=str(tmp_path / "slots"), crowd=2) for _ in range(2)]
    assert [prefect.wait(its).name for its in slots] == ["Completed"] * 2
    width = {"two threads": most_at_once(*threads), "tag limit": most_at_once(*slots)}
    assert width == {"two threads": 4, "tag limit": 2}  # each task waited for as many others
    evidence(said="thread pool: two a run; tag limit: two over all runs", width=width)
    evidence.code(two_threads.fn, two_slots.fn)


def test_d7_instance_is_found_by_name(home: Path, source: Path, evidence: Evidence) -> None:
    """Is the instance of candidate EWR/logistic found by this name?

    Yes: `task_run_name="{candidate.key}"` names each instance, and the task run filter of API and UI finds it.
    """
    from prefect_impl import pipeline

    record = run(MONTH, Settings(tool="prefect", source=str(source), min_rows=100))
    prefect.task_runs(UUID(record.run_id), 15)
    asked = {"task_runs": {"name": {"like_": "EWR/logistic"}}, "flow_runs": {"id": {"any_": [record.run_id]}}}
    with prefect.client() as api:
        found = api.request("POST", "/task_runs/filter", json=asked).json()
    assert [(its["name"], its["state_name"]) for its in found] == [("EWR/logistic", "Completed")]
    evidence(said="one task run of this name", results=len(found))
    evidence.code(pipeline.train.fn)
