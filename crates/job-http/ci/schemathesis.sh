#!/bin/sh
# Runs schemathesis against `job-demo serve` on the small graph. Needs a built job-demo and schemathesis 4 (PyPI).
#   JOB_DEMO=target/release/job-demo SCHEMATHESIS=schemathesis PORT=8099 crates/job-http/ci/schemathesis.sh [options]
set -eu
demo=$(realpath "${JOB_DEMO:-target/release/job-demo}")
schemathesis=${SCHEMATHESIS:-schemathesis}
port=${PORT:-8099}
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
"$demo" --graph movies --store "$work/store" serve --listen "127.0.0.1:$port" --exports "$work/exports" &
server=$!
trap 'kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :; rm -rf "$work"' EXIT
tries=0
until curl -fs "http://127.0.0.1:$port/health" >/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo "job-demo does not answer on port $port" >&2; exit 1; }
    sleep 0.1
done
# It leaves notes where it runs.
cd "$work"
"$schemathesis" --config-file "$here/schemathesis.toml" run "http://127.0.0.1:$port/openapi.json" "$@"
