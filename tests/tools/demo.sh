#!/usr/bin/env bash
# A stand-in of AWS Partner Central with the recorded opportunities and 20,000 generated ones, whose records change; one node
# that reads it with the real connector, keeps following it, and rebuilds the pipeline mart. Serves on until Ctrl-C; `--exit` ends it.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
lakewright=$target/debug/lakewright
data=${LAKEWRIGHT_DEMO_DIR:-demo-data}
records=${LAKEWRIGHT_DEMO_RECORDS:-20000}
stay=1
for arg in "$@"; do
  case $arg in
    --exit) stay=0 ;;
    *) echo "demo: unknown argument $arg (there is --exit)" >&2; exit 2 ;;
  esac
done
python=.venv-standin/bin/python
.venv/bin/python -c 'import botocore' 2>/dev/null && python=.venv/bin/python
python=$PWD/$python

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
node=
api=
cleanup() { for p in $node $api; do kill "$p" 2>/dev/null || true; wait "$p" 2>/dev/null || true; done; }
trap cleanup EXIT
trap 'exit 130' INT TERM
await() { # await FILE PROCESS LOG: until the file has something in it
  for _ in $(seq 600); do
    [ -s "$1" ] && return
    kill -0 "$2" 2>/dev/null || { cat "$3" >&2; exit 1; }
    sleep 0.1
  done
  echo "demo: $1 did not come within a minute" >&2
  exit 1
}

rm -rf "$data"
mkdir -p "$data"
data=$(cd "$data" && pwd)

say "1/6 The source: a stand-in of the Partner Central API with the recorded opportunities and $records generated ones"
python3 tests/tools/gen_opportunities.py -n "$records" -o "$data/generated.ndjson" | sed 's/^/  /' | cut -c1-160
PYTHONPATH=tests/standin "$python" -m partner_central --recorded tests/fixtures --load "$data/generated.ndjson" \
  --reads-per-second 0 --reads-per-day 0 --changes-per-minute 240 >"$data/api.json" 2>"$data/api.log" &
api=$!
await "$data/api.json" "$api" "$data/api.log"
told() { python3 -c 'import json,sys; print(eval(sys.argv[2], {"t": json.load(open(sys.argv[1]))}))' "$data/api.json" "$1"; }
echo "  it answers at $(told 't["address"]'), and its records change four times a second"

say "2/6 One node on its embedded defaults (local directory, sled, one-node Raft)"
"$lakewright" node --set node.data_dir="$data/node" --set admin.listen=127.0.0.1:0 --set flight.listen=127.0.0.1:0 \
  --set metrics.listen=127.0.0.1:0 --set sources.directories="$data" --set sources.private_endpoints=true 2>"$data/node.log" &
node=$!
await "$data/node/addresses.json" "$node" "$data/node.log"
address() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$data/node/addresses.json" "$1"; }
export LAKEWRIGHT_SERVER=http://$(address admin) LAKEWRIGHT_FLIGHT=http://$(address flight)
LAKEWRIGHT_TOKEN=$(cat "$data/node/admin.token")
export LAKEWRIGHT_TOKEN

say "3/6 A tenant, a user, a pack, a connector"
"$lakewright" tenant create acme
"$lakewright" user create --tenant acme --email you@acme.example --role operator --role engineer --role analyst
LAKEWRIGHT_TOKEN=$("$lakewright" --output json token create --tenant acme --user you@acme.example | python3 -c 'import json,sys; print(json.load(sys.stdin)["secret"])')
(umask 077 && printf '%s\n' "$LAKEWRIGHT_TOKEN" >"$data/token")
"$lakewright" pack load packs/aws-partner --pin --tenant acme
# AWS allows 10 reads a second; the stand-in allows what is asked.
(umask 077 && cat >"$data/connector.json" <<EOF
{"endpoint_url": "$(told 't["address"]')", "sts_endpoint_url": "$(told 't["address"]')",
 "access_key_id": "$(told 't["vendor"]["access_key_id"]')", "secret_access_key": "$(told 't["vendor"]["secret_access_key"]')",
 "role_arn": "$(told 't["accounts"][0]["role_arn"]')", "external_id": "$(told 't["accounts"][0]["external_id"]')",
 "streams": ["opportunity"], "poll_seconds": 1, "reads_per_second": 5000, "reads_per_day": 10000000, "max_in_flight": 16}
EOF
)
"$lakewright" connector create --tenant acme --name partner-central --kind partner-central --config "@$data/connector.json"
"$lakewright" connector test --tenant acme partner-central

say "4/6 A run: source to Bronze, checks, Silver"
"$lakewright" run start --tenant acme partner-central --follow

say "5/6 What landed"
"$lakewright" mart rebuild --tenant acme pipeline_mart >/dev/null
"$lakewright" table list --tenant acme
query="SELECT lifecycle_stage, COUNT(*) AS opportunities, SUM(expected_revenue_usd) AS expected_revenue_usd FROM partner_central_opportunity GROUP BY 1 ORDER BY 2 DESC"
printf '\n  %s\n' "$query"
"$lakewright" sql "$query"

say "6/6 The connector follows the source, and the mart moves (gold.pipeline_mart, rebuilt some seconds after changes)"
"$lakewright" run start --tenant acme partner-central --mode streaming >/dev/null
mart="SELECT lifecycle_stage, SUM(opportunities) AS opportunities, SUM(entered) AS entered, SUM(moved_on) AS moved_on, SUM(pipeline_value_usd) AS pipeline_value_usd FROM gold.pipeline_mart WHERE as_of_date = (SELECT MAX(as_of_date) FROM gold.pipeline_mart) GROUP BY 1 ORDER BY 2 DESC"
"$lakewright" sql "$mart"
built() { "$lakewright" --output json mart list --tenant acme | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["built_at"])'; }
first=$(built)
for _ in $(seq 120); do
  [ "$(built)" != "$first" ] && break
  sleep 0.5
done
printf '  ... and after the next build (%s, before: %s):\n' "$(built)" "$first"
"$lakewright" sql "$mart"

cat <<EOF

Connect with any Arrow Flight SQL client (ADBC, JDBC, DBeaver, Superset):
  address   grpc://$(address flight)
  user      you@acme.example
  password  the token in $data/token
Or:
  export LAKEWRIGHT_SERVER=$LAKEWRIGHT_SERVER LAKEWRIGHT_FLIGHT=$LAKEWRIGHT_FLIGHT
  export LAKEWRIGHT_TOKEN=\$(cat $data/token)
  $lakewright sql "SELECT * FROM partner_central_opportunity LIMIT 3"
  $lakewright explain cell silver.partner_central_opportunity lifecycle_stage $("$lakewright" sql -o csv "SELECT pc_opportunity_id FROM partner_central_opportunity LIMIT 1" 2>/dev/null | tail -1) --tenant acme
EOF
if [ "$stay" = 1 ]; then
  echo
  echo "The node serves on, the source changes on; Ctrl-C ends both."
  wait "$node"
fi
