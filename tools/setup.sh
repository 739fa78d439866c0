#!/bin/sh
# Set up one environment in .local/env: setup.sh airflow|prefect|dagster|kubernetes. Needs only Python 3.11 to 3.13 and a package index.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .local
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
trap 'printf "\nstopped; the same command goes on where it was\n" >&2; exit 130' INT TERM

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
        rm -rf .local/uv.new
        if ! ("$python" -m venv .local/uv.new &&
            .local/uv.new/bin/python -m pip install --disable-pip-version-check --no-cache-dir uv==0.13.9
        ) >.local/uv.log 2>&1; then
            cat .local/uv.log >&2
            echo "error: uv could not be installed, see above; install uv, or Python's venv module (Debian: apt-get install python3-venv) and see that the package index answers" >&2
            exit 1
        fi
        rm -rf .local/uv
        mv .local/uv.new .local/uv  # whole or not there
    fi
fi

echo "Setting up the environment for $1, once, in .local/env/$1 …"
# Bytecode is compiled now: otherwise every start would compile what it imports.
export UV_PYTHON UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_CACHE_DIR=.local/cache/uv UV_HTTP_TIMEOUT=180
export UV_PROJECT_ENVIRONMENT=".local/env/$1"
rm -f ".local/env/$1/.ready"
# What tells of it ignores Ctrl-C, also while it loads: it ends with uv.
{ "$uv" sync --frozen --no-progress --group "$1" && touch ".local/env/$1/.ready"; } 2>&1 |
    (trap '' INT && exec "$python" tools/fetched.py)
test -f ".local/env/$1/.ready"
