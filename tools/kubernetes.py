"""Checks the images and values in deploy/, and what the official charts make of the values.

The first needs nothing else (`--lint`: only that). The second needs helm, the charts, and kubernetes-validate.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import yaml

from shared.settings import ROOT

DEPLOY = ROOT / "deploy"
JOB = DEPLOY / "prefect" / "deploy.yaml"


class Chart(NamedTuple):
    """One official chart; `values` is below deploy/, `components` are the places in it that must have limits."""

    name: str
    version: str
    repository: str
    values: str
    components: tuple[str, ...]


PREFECT = ("2026.8.18172642", "https://prefecthq.github.io/prefect-helm")
CHARTS = (
    Chart(
        "airflow",
        "1.22.0",
        "https://airflow.apache.org",
        "airflow/values.yaml",
        ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.kubernetes", "migrateDatabaseJob"),
    ),
    Chart("prefect-server", *PREFECT, "prefect/server.yaml", ("server",)),
    Chart("prefect-worker", *PREFECT, "prefect/worker.yaml", ("worker",)),
    Chart(
        "dagster",
        "1.13.27",
        "https://dagster-io.github.io/helm",
        "dagster/values.yaml",
        (
            "dagsterWebserver",
            "dagsterDaemon",
            "dagster-user-deployments.deployments",
            "runLauncher.config.k8sRunLauncher",
        ),
    ),
)
# Keys of values, and names of variables.
SECRET = re.compile(
    r"(pass|password|token|access_?key|auth_?string|connection_?string|fernet_?key|apiSecretKey|jwtSecret"
    r"|__SECRET|__SECRET_KEY|__JWT_SECRET)$",
    re.I,
)
LOGIN = re.compile(r"://[^/@\s]*:[^/@\s]+@")
REFERENCE = re.compile(r"(SecretName|existingSecret|(secretRef|secretKeyRef|envSecrets\.\d+)\.name)$")


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each part of a YAML tree with its path; also those of YAML or JSON in a text, which charts hand on."""
    yield path, node
    if isinstance(node, str) and ("\n" in node or node.startswith("{")):
        node = parsed(node)
    if isinstance(node, dict | list):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from walk(child, f"{path}.{key}".lstrip("."))


def parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def image_faults(dockerfile: str) -> Iterator[str]:
    for image in re.findall(r"^(?:FROM\s+|COPY --from=)(\S+)", dockerfile, re.M):
        if not re.search(r":\D*\d+\.\d+\.\d+", image):
            yield f"the image {image} has no full version, expected one such as python:3.13.14-slim; pin it"
    user = (re.findall(r"^USER\s+(\S+)", dockerfile, re.M) or ["root"])[-1]
    if not re.match(r"[1-9]\d*(:|$)", user):
        yield f"the image runs as the user {user}, expected a number other than 0; end it with USER 1001"
    syncs = re.findall(r"\buv sync\b.*", dockerfile)
    if not syncs or not all("--frozen" in sync for sync in syncs):
        yield "the packages are not those of uv.lock, expected `uv sync --frozen`; install them so"


def literal_secrets(tree: Any) -> Iterator[str]:
    """Passwords that stand there: as a value, as a variable's value, or in a URL."""
    for path, node in walk(tree):
        if isinstance(node, dict) and node.get("value"):
            found = SECRET.search(str(node.get("name")))
        else:
            found = isinstance(node, str) and node and (SECRET.search(path) or LOGIN.search(node))
        if found:
            yield f"{path} holds a password, expected the name of a Secret; put it there (deploy/README.md says how)"


def limited(component: Any) -> bool:
    limits = ((component or {}).get("resources") or {}).get("limits") or {}
    return {"cpu", "memory"} <= set(limits)


def unlimited(values: Any, components: tuple[str, ...]) -> Iterator[str]:
    for path in components:
        node = values
        for key in path.split("."):
            node = (node or {}).get(key)
        if not all(limited(each) for each in (node if isinstance(node, list) else [node])):
            yield f"{path} has no limits, expected resources.limits with cpu and memory; add them"


def undocumented(values: Any, readme: str) -> Iterator[str]:
    names = {node for path, node in walk(values) if isinstance(node, str) and REFERENCE.search(path)}
    for name in sorted(names):
        if f"| `{name}` |" not in readme:
            yield f"the Secret {name} is not in the table of deploy/README.md, which should tell its keys; add it"


def lint() -> Iterator[str]:
    """What is wrong with the files in deploy/, as they are."""
    readme = (DEPLOY / "README.md").read_text("utf-8")
    for path in sorted(DEPLOY.glob("*/Dockerfile")):
        yield from (f"{path.relative_to(ROOT)}: {fault}" for fault in image_faults(path.read_text("utf-8")))
    for chart in CHARTS:
        values = yaml.safe_load((DEPLOY / chart.values).read_text("utf-8"))
        faults = [*literal_secrets(values), *unlimited(values, chart.components), *undocumented(values, readme)]
        if f"--version {chart.version} --values deploy/{chart.values}" not in readme:
            faults.append(
                f"deploy/README.md does not install {chart.name} {chart.version} with it; correct the command"
            )
        yield from (f"deploy/{chart.values}: {fault}" for fault in faults)
    yield from (
        f"{JOB.relative_to(ROOT)}: {fault}" for fault in manifest_faults(yaml.safe_load(JOB.read_text("utf-8")))
    )


def container_faults(pod: dict[str, Any]) -> Iterator[str]:
    for container in (pod.get("initContainers") or []) + pod["containers"]:
        name = f"container {container['name']}"
        security = (pod.get("securityContext") or {}) | (container.get("securityContext") or {})
        if security.get("runAsNonRoot") is not True:
            yield f"{name} may run as root, expected runAsNonRoot: true; set it in the values"
        if security.get("allowPrivilegeEscalation") is not False:
            yield f"{name} may gain privileges, expected allowPrivilegeEscalation: false; set it in the values"
        if not limited(container):
            yield f"{name} has no limits, expected some for cpu and memory; set its resources in the values"


def manifest_faults(manifest: dict[str, Any]) -> Iterator[str]:
    """What is wrong with what a chart has made; a pod may also be in a text, as a template for the tool's own pods."""
    if manifest["kind"] == "Secret":
        yield "the chart makes this Secret, expected only those that are there already; name one in the values"
    yield from literal_secrets(manifest)
    for _, node in walk(manifest):
        if isinstance(node, dict) and isinstance(node.get("containers"), list):
            yield from container_faults(node)


def invalid(manifest: dict[str, Any]) -> Iterator[str]:
    """What Kubernetes itself would refuse, and keys that it does not know."""
    import kubernetes_validate

    for _, node in walk(manifest):
        if node is manifest or (isinstance(node, dict) and node.get("kind") == "Pod"):
            try:
                kubernetes_validate.validate(node, kubernetes_validate.latest_version(), strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{'.'.join(map(str, error.path))}: {error.message}"


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True)


def source(chart: Chart) -> list[str]:
    if folder := os.environ.get("CHARTS"):
        return [f"{folder}/{chart.name}"]
    return [chart.name, "--repo", chart.repository, "--version", chart.version]


def missing() -> str:
    """What there is not, so that nothing can be rendered, and how to get it; empty if all is there."""
    if not shutil.which("helm"):
        return "there is no helm on PATH; install it (https://helm.sh)"
    if not find_spec("kubernetes_validate"):
        return "there is no kubernetes-validate; run this as `make kubernetes-check`"
    for chart in CHARTS:
        if helm("show", "chart", *source(chart)).returncode:
            return f"the chart {chart.name} can't be had; go online, or name a folder with the charts in CHARTS"
    return ""


def render(chart: Chart) -> list[dict[str, Any]]:
    """The manifests that the chart makes of its values; raises ValueError with what helm says if it makes none."""
    values = str(DEPLOY / chart.values)
    command = ["template", chart.name, *source(chart), "--namespace", "triptych", "--values", values]
    done = helm(*command)
    if "failing loading" in done.stderr:  # Dagster's schema for its values refers to one on the web
        print(f"{chart.name}: the schema of its values was not checked, as a part of it is on the web; go online")
        done = helm(*command, "--skip-schema-validation")
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def rendered_faults(chart: Chart) -> Iterator[str]:
    try:
        manifests = render(chart)
    except ValueError as error:
        yield f"deploy/{chart.values}: helm can't render {chart.name} with it: {error}"
        return
    version = yaml.safe_load(helm("show", "chart", *source(chart)).stdout)["version"]
    print(f"{chart.name}: {len(manifests)} manifests checked, of chart {version}")
    for manifest in manifests:
        name = f"{chart.name}: {manifest['kind']} {manifest['metadata']['name']}"
        yield from (f"{name}: {fault}" for fault in [*manifest_faults(manifest), *invalid(manifest)])


def main() -> None:
    faults = list(lint())
    if "--lint" not in sys.argv:
        if lack := missing():
            print(f"What the charts make of the values was not checked: {lack}")
        else:
            faults += [fault for chart in CHARTS for fault in rendered_faults(chart)]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
