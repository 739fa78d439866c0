#!/bin/sh
# All checks that need no run of the pipeline.
set -eu
cd "$(dirname "$0")/.."
python=.local/env/dagster/bin/python
uv=$(command -v uv || echo .local/uv/bin/uv)
$python -m ruff format --check .
$python -m ruff check .
$python -m mypy
$python -m tools.imports
$python -m tools.kubernetes --lint
UV_CACHE_DIR=.local/cache/uv UV_PYTHON_DOWNLOADS=never "$uv" lock --check --quiet || { echo "error: uv.lock does not match pyproject.toml; run uv lock" >&2; exit 1; }
$python -m tools.scenarios --check
$python -m tools.grafana --check
$python -m tools.readme --check
$python -m tools.scale --check
