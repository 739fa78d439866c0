"""Dynamic tasks in Airflow, on its own engine: `dag.test()`, or a live scheduler where tasks run side by side."""

import time
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, dag, task, task_group
from airflow.sdk.exceptions import AirflowDagCycleException, AirflowFailException

from shared.settings import Settings
from tests.evidence import Evidence
from tests.live.airflow import Engine, InProcess, conf
from tests.live.watch import until


@dag(schedule=None, params={"n": Param(9, type="integer")})
def wide() -> None:
    @task
    def candidates(*, params: dict[str, Any]) -> list[int]:
        return list(range(params["n"]))

    @task
    def square(number: int) -> int:
        return number**2

    @task
    def total(squares: list[int]) -> int:
        return sum(squares)

    @task(trigger_rule="none_failed")
    def total_or_zero(squares: list[int]) -> int:
        return sum(squares)

    squares = square.expand(number=candidates())
    total(squares)
    total_or_zero(squares)


wide_dag = wide()


def test_d1_width_is_known_at_run_time(in_process: InProcess, evidence: Evidence) -> None:
    """Can a task's result decide how many tasks follow?

    Yes, `expand` makes one instance for each item when the list is known. Of an empty list it makes one instance that
    is skipped, and a fan-in with the default rule is skipped too; with `none_failed` it runs, and gets nothing.
    """
    seconds = {}
    for n in (1, 9, 100):
        began = time.monotonic()
        run = wide_dag.test(run_conf={"n": n})
        seconds[n] = round(time.monotonic() - began, 1)
        squares = [task for task in in_process.tasks(run) if task.startswith("square")]
        assert len(squares) == n
        assert in_process.result(run, "total") == sum(number**2 for number in range(n))
    run = wide_dag.test(run_conf={"n": 0})
    states = in_process.states(run)
    assert states == {"candidates": "success", "square": "skipped", "total": "skipped", "total_or_zero": "success"}
    assert in_process.result(run, "total_or_zero") == 0
    assert run.state == "success"
    evidence(said="N = 0: skipped, fan-in skipped; none_failed: it runs", width=[1, 9, 100], states=states)
    evidence(seconds=seconds)
    evidence.code(wide)


@dag(schedule=None)
def nested() -> None:
    @task
    def origins() -> list[str]:
        return ["EWR", "JFK", "LGA"]

    @task
    def fit(origin: str) -> str:
        return f"{origin} fitted"

    @task
    def score(fitted: str) -> int:
        return len(fitted)

    @task_group
    def candidate(origin: str) -> Any:
        return score(fit(origin))

    @task
    def best(scores: list[int]) -> list[int]:
        return sorted(scores)[:2]

    @task
    def plot(score: Any) -> Any:
        return score

    @task
    def report(plots: list[int]) -> int:
        return len(list(plots))

    names = origins()
    plot.override(task_id="draft").expand(score=fit.override(task_id="sketch").expand(origin=names))
    report(plot.expand(score=best(candidate.expand(origin=names))))


nested_dag = nested()


@dag(schedule=None)
def grid() -> None:
    @task
    def families(origin: str) -> list[str]:
        return ["logistic", "boosting"] if origin == "EWR" else ["logistic"]

    @task
    def leaf(origin: str, family: str) -> str:
        return f"{origin}/{family}"

    @task_group
    def by_family(family: str, origin: str) -> None:
        leaf(origin, family)

    @task_group
    def by_origin(origin: str) -> None:
        by_family.partial(origin=origin).expand(family=families(origin))

    by_origin.expand(origin=["EWR", "JFK", "LGA"])


grid_dag = grid()


def test_d2_second_fan_out(in_process: InProcess, evidence: Evidence) -> None:
    """Can one map over the result of a map, map a group of tasks, and fan out again after a fan-in?

    All three. The trap is a mapped group inside a mapped group whose width is known in the outer one only: it parses,
    then its tasks are upstream_failed, without a word, though nothing failed upstream. The cure is a flat list of
    pairs, as the pipeline's `candidates` has it.
    """
    run = nested_dag.test()
    tasks = in_process.tasks(run)
    width = {task: sum(its.task_id == task for its in tasks.values()) for task in nested_dag.task_ids}
    assert width == {
        "origins": 1, "sketch": 3, "draft": 3, "candidate.fit": 3, "candidate.score": 3,
        "best": 1, "plot": 2, "report": 1,
    }  # fmt: skip
    assert set(in_process.states(run).values()) == {"success"}
    assert in_process.result(run, "report") == 2

    trapped = grid_dag.test()
    states = in_process.states(trapped)
    assert {states.pop(f"by_origin.families {index}") for index in range(3)} == {"success"}
    assert states == {"by_origin.by_family.leaf": "upstream_failed"}
    assert trapped.state == "failed"
    evidence(said="success; map in a map's group: upstream_failed", width=width, results=2, states=states)
    evidence.code(nested)


def one_bad(name: str, rule: str, watched: bool = False) -> Any:
    @dag(dag_id=name, schedule=None)
    def one_bad() -> None:
        @task
        def fit(candidate: str) -> str:
            if candidate == "b":
                raise AirflowFailException("poison")
            return candidate

        @task(trigger_rule=rule)
        def collect(fitted: list[str]) -> list[str]:
            return list(fitted)

        @task(trigger_rule="one_failed")
        def watcher() -> None:
            raise AirflowFailException("a candidate failed; see its log")

        fitted = fit.expand(candidate=["a", "b", "c"])
        collected = collect(fitted)
        if watched:
            [fitted, collected] >> watcher()

    return one_bad()


one_bad_dags = {
    "default": one_bad("one_bad", "all_success"),
    "lost": one_bad("one_bad_lost", "all_done"),
    "idiom": one_bad("one_bad_watched", "all_done", watched=True),
}


def test_d3_one_of_n_fails_for_good(in_process: InProcess, evidence: Evidence) -> None:
    """If one of N fails for good, what becomes of its siblings, of the fan-in and of the run?

    The siblings end; with the default rule the fan-in is upstream_failed and the run failed. With `all_done` the
    fan-in gets the others' results, but the run is a success, because only leaves count: the failure is lost, unless
    a leaf of its own, a watcher, fails the run.
    """
    runs = {name: its.test() for name, its in one_bad_dags.items()}
    states = {name: in_process.states(run) for name, run in runs.items()}
    for its in states.values():
        assert [its["fit 0"], its["fit 1"], its["fit 2"]] == ["success", "failed", "success"]
    assert {name: str(run.state) for name, run in runs.items()} == {
        "default": "failed", "lost": "success", "idiom": "failed"
    }  # fmt: skip
    assert states["default"]["collect"] == "upstream_failed"
    for name in ("lost", "idiom"):
        assert in_process.result(runs[name], "collect") == ["a", "c"]
    evidence(said="upstream_failed; all_done: success, lost; watcher: failed", states=states, width=3, results=2)
    evidence.code(one_bad)


@dag(schedule=None, params={"decision": "keep"})
def branching() -> None:
    @task.branch
    def decide(*, params: dict[str, Any]) -> str:
        return params["decision"]

    @task
    def promote() -> None:
        pass

    @task
    def keep() -> None:
        pass

    @task
    def report() -> None:
        pass

    @task(trigger_rule="none_failed_min_one_success")
    def report_anyway() -> None:
        pass

    either = [promote(), keep()]
    decide() >> either
    for join in (report(), report_anyway()):
        either >> join


branching_dag = branching()


def test_d4_branch_at_run_time(in_process: InProcess, evidence: Evidence) -> None:
    """How does a branch that was not taken look in the record?

    It is `skipped`, with no try. The trap: a skip spreads, so that a join with the default rule is skipped too and the
    run still a success; `none_failed_min_one_success` is the cure. The pipeline has no join after `deploy`.
    """
    states = {}
    for decision, other in (("promote", "keep"), ("keep", "promote")):
        run = branching_dag.test(run_conf={"decision": decision})
        states[decision] = in_process.states(run)
        assert run.state == "success"
        assert states[decision] == {
            "decide": "success", decision: "success", other: "skipped", "report": "skipped", "report_anyway": "success"
        }  # fmt: skip
        assert in_process.tasks(run)[other].try_number == 0
    evidence(said="skipped; so is a join with the default rule", states=states)
    evidence.code(branching)


@dag(schedule=None, params={"error": 1.0})
def rounds() -> None:
    @task
    def improve(*, params: dict[str, Any]) -> float:
        return params["error"] / 2

    @task.short_circuit
    def not_good_enough(error: float) -> bool:
        return error > 0.2

    error = improve()
    not_good_enough(error) >> TriggerDagRunOperator(task_id="again", trigger_dag_id="rounds", conf={"error": error})


rounds_dag = rounds()


@pytest.mark.live
def test_d5_loop_until_good_enough(live: Engine, evidence: Evidence) -> None:
    """Can a run go on for as many rounds as it takes?

    No: a Dag has no cycle, which is refused when it is parsed. People let a run trigger the next one, each round with a
    record of its own, or loop inside one task, with no record of the rounds.
    """
    with DAG("circle", schedule=None) as circle:
        improve, check = EmptyOperator(task_id="improve"), EmptyOperator(task_id="check")
        improve >> check >> improve
    with pytest.raises(AirflowDagCycleException):
        circle.check_cycle()

    live.start("rounds")
    until(lambda: live.states(live.runs("rounds")[-1]).get("again") == "skipped")
    runs = live.runs("rounds")
    results = [live.result(run, "improve") for run in runs]
    assert results == [0.5, 0.25, 0.125]
    states = live.states(runs[-1])
    assert states == {"improve": "success", "not_good_enough": "success", "again": "skipped"}
    evidence(said="a cycle is refused; each round a run that triggers the next", width=len(runs), states=states)
    evidence.code(rounds)


@dag(schedule=None)
def throttled() -> None:
    @task(pool="train")
    def by_pool(number: int) -> None:
        time.sleep(1)

    @task(max_active_tis_per_dagrun=2)
    def by_task(number: int) -> None:
        time.sleep(1)

    by_pool.expand(number=list(range(6))) >> by_task.expand(number=list(range(6)))


throttled_dag = throttled()


@pytest.mark.live
def test_d6_throttle_to_two_at_once(live: Engine, evidence: Evidence) -> None:
    """Can one limit how many instances run at once?

    Yes: a pool of two slots, over all runs (the pipeline's way), or `max_active_tis_per_dagrun=2`, in one run; at no
    moment did more than two run, and at some moment two did.
    """
    from airflow_impl.pipeline import late_flights_dag

    run = live.start("throttled")
    assert live.wait(run) == "success"
    tasks = live.tasks(run)
    most = {way: at_once([its for its in tasks.values() if its["task_id"] == way]) for way in ("by_pool", "by_task")}
    assert most == {"by_pool": 2, "by_task": 2}
    assert late_flights_dag.get_task("train").partial_kwargs["pool"] == "train"
    evidence(said="at most 2 by pool, and by max_active_tis_per_dagrun", width=6)
    evidence.code(throttled)


def at_once(instances: list[dict[str, Any]]) -> int:
    """The largest number of instances that ran at one moment."""
    assert len(instances) == 6
    return max(sum(its["start_date"] <= one["start_date"] < its["end_date"] for its in instances) for one in instances)


@pytest.mark.live
def test_d7_instance_is_found_by_name(live: Engine, source: Path, evidence: Evidence) -> None:
    """Can a candidate's task be found by the candidate's name?

    Yes, `map_index_template` gives each instance a name, by which the API that the UI uses searches; its address is
    still the number of the instance.
    """
    from airflow_impl.pipeline import late_flights_dag

    settings = Settings(tool="airflow", source=str(source), min_rows=100, families=("boosting20", "logistic"))
    run = live.start("late_flights", conf("2013-06", settings))
    assert live.wait(run) == "success"
    path = f"dags/late_flights/dagRuns/{run.run_id}/taskInstances"
    (found,) = live.get(path, rendered_map_index_pattern="EWR/logistic")["task_instances"]
    assert (found["task_id"], found["rendered_map_index"], found["state"]) == ("train", "EWR/logistic", "success")
    trained = live.result(run, "train", map_index=found["map_index"])
    assert "'EWR'" in str(trained)
    assert "'logistic'" in str(trained)
    evidence(said=f"rendered_map_index EWR/logistic, map_index {found['map_index']}", width=6)
    evidence.code(late_flights_dag.get_task("train").python_callable)
