#!/usr/bin/env bash
# Starts one node on a data directory of its own, ingests the recorded opportunities and 20,000
# generated ones, and shows what landed. Serves on until Ctrl-C; `--exit` ends it.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
lakewright=$target/debug/lakewright
data=${LAKEWRIGHT_DEMO_DIR:-demo-data}
stay=1
for arg in "$@"; do
  case $arg in
    --exit) stay=0 ;;
    *) echo "demo: unknown argument $arg (there is --exit)" >&2; exit 2 ;;
  esac
done

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
node=
cleanup() { if [ -n "$node" ]; then kill "$node" 2>/dev/null || true; wait "$node" 2>/dev/null || true; fi; }
trap cleanup EXIT
trap 'exit 130' INT TERM

rm -rf "$data"
mkdir -p "$data/source"
data=$(cd "$data" && pwd)

say "1/5 The source: recorded Partner Central opportunities and 20,000 generated ones"
python3 - "$data/source" <<'PY'
import glob, json, sys
# Get answers of the Partner Central API, as recorded; each file becomes one line.
names = sorted(glob.glob("tests/fixtures/pc_*GetOpportunity*.json"))
with open(sys.argv[1] + "/recorded.ndjson", "w") as out:
    for name in names:
        out.write(json.dumps(json.load(open(name)), ensure_ascii=False) + "\n")
print(f"  {len(names)} recorded answers")
PY
python3 tests/tools/gen_opportunities.py -n 20000 -o "$data/source/generated.ndjson" | sed 's/^/  /' | cut -c1-160

say "2/5 One node on its embedded defaults (local directory, sled, one-node Raft)"
"$lakewright" node --set node.data_dir="$data/node" --set admin.listen=127.0.0.1:0 --set flight.listen=127.0.0.1:0 \
  --set metrics.listen=127.0.0.1:0 2>"$data/node.log" &
node=$!
for _ in $(seq 100); do
  [ -f "$data/node/addresses.json" ] && break
  kill -0 "$node" 2>/dev/null || { cat "$data/node.log" >&2; exit 1; }
  sleep 0.1
done
address() { python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$data/node/addresses.json" "$1"; }
export LAKEWRIGHT_SERVER=http://$(address admin) LAKEWRIGHT_FLIGHT=http://$(address flight)
LAKEWRIGHT_TOKEN=$(cat "$data/node/admin.token")
export LAKEWRIGHT_TOKEN

say "3/5 A tenant, a user, a pack, a connector"
"$lakewright" tenant create acme
"$lakewright" user create --tenant acme --email you@acme.example --role operator --role engineer --role analyst
LAKEWRIGHT_TOKEN=$("$lakewright" --output json token create --tenant acme --user you@acme.example | python3 -c 'import json,sys; print(json.load(sys.stdin)["secret"])')
(umask 077 && printf '%s\n' "$LAKEWRIGHT_TOKEN" >"$data/token")
"$lakewright" pack load packs/aws-partner --pin --tenant acme
"$lakewright" connector create --tenant acme --name opportunities --kind files \
  --config "{\"url\": \"$data/source\", \"stream\": \"opportunity\"}"

say "4/5 A run: source to Bronze, checks, Silver"
"$lakewright" run start --tenant acme opportunities --follow

say "5/5 What landed"
"$lakewright" table list --tenant acme
query="SELECT lifecycle_stage, COUNT(*) AS opportunities, SUM(expected_revenue_usd) AS expected_revenue_usd FROM partner_central_opportunity GROUP BY 1 ORDER BY 2 DESC"
printf '\n  %s\n' "$query"
"$lakewright" sql "$query"

cat <<EOF

Connect with any Arrow Flight SQL client (ADBC, JDBC, DBeaver, Superset):
  address   grpc://$(address flight)
  user      you@acme.example
  password  the token in $data/token
Or:
  export LAKEWRIGHT_SERVER=$LAKEWRIGHT_SERVER LAKEWRIGHT_FLIGHT=$LAKEWRIGHT_FLIGHT
  export LAKEWRIGHT_TOKEN=\$(cat $data/token)
  $lakewright sql "SELECT * FROM partner_central_opportunity LIMIT 3"
  $lakewright deadletter list --tenant acme
EOF
if [ "$stay" = 1 ]; then
  echo
  echo "The node serves on; Ctrl-C ends it."
  wait "$node"
fi
