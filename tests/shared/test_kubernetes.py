"""The images and values in deploy/ keep to the rules of tools/kubernetes.py, and what breaks one is told."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import ROOT
from tools import kubernetes

AIRFLOW = ROOT / "deploy" / "airflow"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_deploy_has_no_faults() -> None:
    assert len(list(kubernetes.DEPLOY.glob("*/Dockerfile"))) == 3
    assert list(kubernetes.lint()) == []


def test_airflow_chart_makes_no_admin_with_the_password_admin() -> None:
    assert read(AIRFLOW / "values.yaml")["createUserJob"]["enabled"] is False


@pytest.mark.parametrize(
    ("found", "broken", "fault"),
    [
        ("apache/airflow:slim-3.3.2-python3.12", "apache/airflow:latest", "apache/airflow:latest has no full version"),
        ("uv:0.13.9", "uv:0.13", "uv:0.13 has no full version"),
        ("USER 50000:0", "USER airflow", "runs as the user airflow"),
        ("USER 50000:0\n", "", "runs as the user 0"),
        ("sync --frozen", "sync", "are not those of uv.lock"),
    ],
)
def test_broken_image_is_refused(found: str, broken: str, fault: str) -> None:
    dockerfile = (AIRFLOW / "Dockerfile").read_text("utf-8")
    assert found in dockerfile
    (told,) = kubernetes.image_faults(dockerfile.replace(found, broken))
    assert fault in told


@pytest.mark.parametrize(
    "broken",
    [
        "createUserJob: {defaultUser: {password: admin}}",
        "apiSecretKey: abc",
        "data: {metadataConnection: {pass: postgres}}",
        "env: [{name: AWS_SECRET_ACCESS_KEY, value: abc}]",
        "env: [{name: TRIPTYCH_LOCKS, value: 'postgresql://me:abc@host/locks'}]",
        'worker: {config: {template: \'{"env":\n {"PGPASSWORD": "abc"}}\'}}',
    ],
)
def test_password_in_values_is_refused(broken: str) -> None:
    (told,) = kubernetes.literal_secrets(yaml.safe_load(broken))
    assert "holds a password" in told
    assert "abc" not in told


@pytest.mark.parametrize("chart", kubernetes.CHARTS, ids=lambda chart: chart.name)
def test_component_without_limits_is_refused(chart: kubernetes.Chart) -> None:
    values = read(kubernetes.DEPLOY / chart.values)
    assert list(kubernetes.unlimited(values, chart.components)) == []
    assert list(kubernetes.unlimited({}, chart.components)) == [
        f"{path} has no limits, expected resources.limits with cpu and memory; add them" for path in chart.components
    ]


@pytest.mark.parametrize("chart", kubernetes.CHARTS, ids=lambda chart: chart.name)
def test_secret_that_the_readme_does_not_tell_is_refused(chart: kubernetes.Chart) -> None:
    values = read(kubernetes.DEPLOY / chart.values)
    told = list(kubernetes.undocumented(values, "| `triptych` | its keys |"))
    assert [re.findall(r"the Secret (\S+)", each) for each in told] == [[chart.name.split("-")[0]]]


def unset(key: str, part: str = "securityContext") -> Callable[[dict[str, Any]], None]:
    return lambda container: container[part].pop(key)


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (unset("runAsNonRoot"), "may run as root"),
        (unset("allowPrivilegeEscalation"), "may gain privileges"),
        (unset("limits", "resources"), "has no limits"),
        (lambda container: container["env"][1].update(value="me:abc"), "holds a password"),
    ],
)
def test_broken_pod_is_refused(break_it: Callable[[dict[str, Any]], None], fault: str) -> None:
    manifest = read(kubernetes.JOB)
    assert list(kubernetes.manifest_faults(manifest)) == []
    break_it(manifest["spec"]["template"]["spec"]["containers"][0])
    (told,) = kubernetes.manifest_faults(manifest)
    assert fault in told


def test_pod_that_a_config_map_hands_on_is_checked() -> None:
    pod = {"kind": "Pod", "spec": {"containers": [{"name": "base"}]}}
    config = {"kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"pod.yaml": yaml.safe_dump(pod)}}
    assert len(list(kubernetes.manifest_faults(config))) == 3


def test_secret_of_a_chart_is_refused() -> None:
    (told,) = kubernetes.manifest_faults({"kind": "Secret", "metadata": {"name": "broker"}})
    assert "the chart makes this Secret" in told


def test_without_helm_it_says_what_was_not_checked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.kubernetes"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "What the charts make of the values was not checked: there is no helm on PATH; install it (https://helm.sh)\n"
    )


def test_airflow_image_has_the_settings_of_the_laptop() -> None:
    program = "import json; from airflow_impl import home; print(json.dumps(home.variables(home.HERE)))"
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    laptop = {name: value.replace(str(ROOT), "/opt/triptych") for name, value in json.loads(printed.stdout).items()}
    set_there = re.findall(
        r"(AIRFLOW__\w+)=(['\"]?)(.*?)\2(?: \\)?$", (AIRFLOW / "Dockerfile").read_text("utf-8"), re.M
    )
    image = {name: value for name, _, value in set_there}
    # The rest of the laptop's are the folder of its state, which the chart names, and how its terminal looks.
    assert {
        name: value for name, value in laptop.items() if name.startswith("AIRFLOW__") and "LOGGING" not in name
    } == image


def test_images_have_the_uv_of_the_setup() -> None:
    (setup,) = re.findall(r"uv==([\d.]+)", (ROOT / "tools" / "setup.sh").read_text("utf-8"))
    for path in kubernetes.DEPLOY.glob("*/Dockerfile"):
        assert f"ghcr.io/astral-sh/uv:{setup} " in path.read_text("utf-8")
