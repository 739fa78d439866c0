#!/bin/sh
# Set up one environment in .local/env: setup.sh airflow|prefect|dagster. Needs only Python 3.11 to 3.13 and a package index.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .local
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

for python in python3 python3.13 python3.12 python3.11 python none; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done
if [ "$python" = none ]; then
    echo "error: no Python 3.11, 3.12 or 3.13 found on PATH; install one of them" >&2
    exit 1
fi
UV_PYTHON=$("$python" -c 'import sys; print(sys.executable)')

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=.local/uv/bin/uv
    if [ ! -x "$uv" ]; then
        echo "Installing uv into .local/uv …"
        if ! "$python" -m venv .local/uv; then
            echo "error: $python has no venv module; install it (Debian: apt-get install python3-venv), or uv" >&2
            exit 1
        fi
        .local/uv/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir uv==0.13.9
    fi
fi

echo "Setting up the environment for $1 (only once) …"
# Bytecode is compiled now: otherwise every start would compile what it imports.
export UV_PYTHON UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_CACHE_DIR=.local/cache/uv UV_HTTP_TIMEOUT=180
UV_PROJECT_ENVIRONMENT=.local/env/$1 "$uv" sync --quiet --frozen --group "$1"
touch ".local/env/$1/.ready"
