#!/usr/bin/env bash
# Installs what building and testing need and is not there: the linker mold, strace, a Python
# environment in .venv with the clients and servers of the tests. Says what it does. Changes nothing twice.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf 'setup: %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v cargo >/dev/null; then
  say "cargo is missing; install Rust 1.95 or newer: curl https://sh.rustup.rs -sSf | sh"
  exit 1
fi

packages=()
command -v mold >/dev/null || packages+=(mold)
command -v strace >/dev/null || packages+=(strace)
command -v cc >/dev/null || packages+=(build-essential)
if [ "${#packages[@]}" -gt 0 ]; then
  say "installing ${packages[*]} with apt-get (under a minute)"
  as_root apt-get install -y -q "${packages[@]}" >/dev/null 2>&1 || {
    as_root apt-get update -q >/dev/null
    as_root apt-get install -y -q "${packages[@]}" >/dev/null
  }
fi

# The demo's stand-in of Partner Central reads the API's model, which botocore has.
if [ "${1:-}" = demo ] && ! .venv/bin/python -c 'import botocore' 2>/dev/null; then
  if ! .venv-standin/bin/python -c 'import botocore' 2>/dev/null; then
    say "making .venv-standin with botocore (about ten seconds)"
    python3 -m venv .venv-standin
    .venv-standin/bin/pip install --quiet "$(grep '^botocore' tests/python/requirements.txt)"
  fi
fi

# Tests and benchmarks need clients.
if [ "${1:-}" = python ]; then
  stamp=.venv/.requirements
  if ! cmp -s tests/python/requirements.txt "$stamp" 2>/dev/null; then
    say "making .venv with the test clients (ADBC, boto3, pyarrow, DuckDB, SeaweedFS, grpcurl: about two minutes)"
    python3 -m venv .venv
    .venv/bin/pip install --quiet --requirement tests/python/requirements.txt
    cp tests/python/requirements.txt "$stamp"
  fi
  stamp=.venv-harlequin/.requirements
  if ! cmp -s tests/python/requirements-harlequin.txt "$stamp" 2>/dev/null; then
    say "making .venv-harlequin (about a minute)"
    python3 -m venv .venv-harlequin
    .venv-harlequin/bin/pip install --quiet --requirement tests/python/requirements-harlequin.txt
    cp tests/python/requirements-harlequin.txt "$stamp"
  fi
fi
say "ready"
