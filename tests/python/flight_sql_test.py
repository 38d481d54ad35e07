"""Flight SQL through the real ADBC driver, against a node with two tenants that have the same table.

To run it against a node that is there already, set LAKEWRIGHT_FLIGHT (host:port), LAKEWRIGHT_TOKEN, LAKEWRIGHT_USER
(e-mail), LAKEWRIGHT_TENANT (slug), LAKEWRIGHT_ANALYST_TOKEN and LAKEWRIGHT_OTHER_TENANT (another tenant with the same table).
"""
import concurrent.futures
import datetime
import decimal
import os

import adbc_driver_flightsql as flight_sql
import adbc_driver_flightsql.dbapi as dbapi
import adbc_driver_manager as manager
import pyarrow as pa
import pytest

from lake import Node, generate

TABLE = "partner_central_opportunity"
TENANT = os.environ.get("LAKEWRIGHT_TENANT", "acme")
OTHER = os.environ.get("LAKEWRIGHT_OTHER_TENANT", "globex")
USER = os.environ.get("LAKEWRIGHT_USER", f"user@{TENANT}.example")
TOKEN = os.environ.get("LAKEWRIGHT_TOKEN")
ANALYST = os.environ.get("LAKEWRIGHT_ANALYST_TOKEN")
URI = "grpc://" + os.environ.get("LAKEWRIGHT_FLIGHT", "")


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory):
    """Two tenants with 400 records each, unless the environment names a node."""
    global URI, TOKEN, ANALYST
    if "LAKEWRIGHT_FLIGHT" in os.environ:
        yield
        return
    node = Node(tmp_path_factory.mktemp("flight"))
    node.start()
    try:
        generate(node.source / "opps.ndjson", 400, late=0.02, delete=0.03)
        for slug in (OTHER, TENANT):
            node.setup(slug)
            run = node.settled(node.run(slug), slug)
            assert run["status"] == "succeeded", run
        URI, TOKEN = "grpc://" + node.addresses()["flight"], node.token
        admin = (node.data / "admin.token").read_text().strip()
        node.cli("user", "create", "--tenant", TENANT, "--email", "analyst@example.com", "--role", "analyst", token=admin)
        ANALYST = node.json("token", "create", "--tenant", TENANT, "--user", "analyst@example.com", token=admin)["secret"]
        yield
    finally:
        node.kill()


QUALITY = """-- DQ score per entity per run
SELECT
  entity,
  ingestion_run_id,
  COUNT(*) as total_records,
  SUM(CASE WHEN is_valid THEN 1 ELSE 0 END)::float / COUNT(*) as quality_score
FROM data_quality_results
GROUP BY 1, 2;
"""


def connect(token=None):
    token = token or TOKEN
    header = flight_sql.DatabaseOptions.AUTHORIZATION_HEADER.value
    return dbapi.connect(URI, db_kwargs={header: f"Bearer {token}"}, autocommit=True)


@pytest.fixture
def connection():
    with connect() as c:
        yield c


def table(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()


def test_types_round_trip(connection):
    got = table(
        connection,
        """SELECT CAST('12345678901234567890.12' AS DECIMAL(38, 2)) AS money,
                  DATE '2026-02-28' AS day,
                  arrow_cast('2026-02-28T10:11:12.345678Z', 'Timestamp(Microsecond, Some("UTC"))') AS instant,
                  make_array(1, NULL, 3) AS numbers,
                  named_struct('city', 'Ulm', 'zip', 89073) AS address,
                  'Zoë' AS name,
                  CAST(NULL AS VARCHAR) AS nothing,
                  true AS yes""",
    )
    assert got.schema.field("money").type == pa.decimal128(38, 2)
    assert got.schema.field("day").type == pa.date32()
    assert got.schema.field("instant").type == pa.timestamp("us", tz="UTC")
    assert got.schema.field("name").type == pa.string()
    row = got.to_pylist()[0]
    assert row["money"] == decimal.Decimal("12345678901234567890.12")
    assert row["day"] == datetime.date(2026, 2, 28)
    assert row["instant"] == datetime.datetime(2026, 2, 28, 10, 11, 12, 345678, tzinfo=datetime.timezone.utc)
    assert row["numbers"] == [1, None, 3]
    assert row["address"] == {"city": "Ulm", "zip": 89073}
    assert (row["name"], row["nothing"], row["yes"]) == ("Zoë", None, True)


def test_a_star_shows_no_system_columns(connection):
    names = table(connection, f"SELECT * FROM {TABLE} LIMIT 1").schema.names
    assert names and not [n for n in names if n.startswith("_") and n != "_extra"]
    assert table(connection, f"SELECT _version, _source_key FROM {TABLE} LIMIT 1").num_columns == 2


def test_bare_and_full_names_are_one_table(connection):
    bare = table(connection, f"SELECT count(*) AS n FROM {TABLE}").to_pylist()
    assert bare == table(connection, f'SELECT count(*) AS n FROM "{TENANT}".silver.{TABLE}').to_pylist()
    assert bare[0]["n"] > 0


@pytest.mark.parametrize("depth", ["catalogs", "db_schemas", "tables", "columns"])
def test_objects(connection, depth):
    catalogs = connection.adbc_get_objects(depth=depth).read_all().to_pylist()
    assert [c["catalog_name"] for c in catalogs] == [TENANT]
    if depth == "catalogs":
        return
    schemas = {s["db_schema_name"]: s["db_schema_tables"] for s in catalogs[0]["catalog_db_schemas"]}
    assert set(schemas) == {"bronze", "silver", "gold", "platinum", "system"}
    if depth == "db_schemas":
        return
    tables = {t["table_name"]: t for t in schemas["silver"]}
    assert TABLE in tables and "runs" in {t["table_name"] for t in schemas["system"]}
    if depth == "columns":
        assert "_version" in {c["column_name"] for c in tables[TABLE]["table_columns"]}


def test_table_schema_and_types(connection):
    schema = connection.adbc_get_table_schema(TABLE, db_schema_filter="silver")
    assert "_version" in schema.names
    assert set(connection.adbc_get_table_types()) == {"TABLE", "SYSTEM TABLE"}
    assert connection.adbc_get_info()["vendor_name"] == "Lakewright"


def test_parameters(connection):
    got = table(connection, "SELECT CAST(? AS BIGINT) + 1 AS n, CAST(? AS VARCHAR) AS s", (41, "it's"))
    assert got.to_pylist() == [{"n": 42, "s": "it's"}]


def test_prepared_without_parameters(connection):
    with connection.cursor() as cursor:
        cursor.adbc_prepare("SELECT 7 AS seven")
        cursor.execute("SELECT 7 AS seven")
        assert cursor.fetchall() == [(7,)]


def test_user_and_token_in_a_handshake():
    options = {"username": USER, "password": TOKEN}
    with dbapi.connect(URI, db_kwargs=options, autocommit=True) as c:
        assert table(c, "SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_wrong_token_is_refused():
    with pytest.raises(manager.Error, match="(?i)unauthenticated"):
        with connect("wrong") as c:
            table(c, "SELECT 1")


def test_another_tenants_table_does_not_exist(connection):
    with pytest.raises(manager.Error) as refused:
        table(connection, f'SELECT * FROM "{OTHER}".silver.{TABLE}')
    with pytest.raises(manager.Error) as absent:
        table(connection, f'SELECT * FROM "nobody".silver.{TABLE}')
    assert str(refused.value).replace(OTHER, "nobody") == str(absent.value)


@pytest.mark.parametrize("name", ["users", "audit", "dead_letters"])
def test_an_analyst_sees_no_more_in_sql_than_in_the_admin_api(name):
    with connect(ANALYST) as c:
        assert table(c, f"SELECT count(*) AS n FROM {TABLE}").to_pylist()[0]["n"] > 0
        for sql in (f"SELECT * FROM system.{name}", f"SELECT * FROM {name}"):
            with pytest.raises(manager.Error, match="not found"):
                table(c, sql)
        shown = table(c, "SELECT table_name FROM information_schema.tables").column(0).to_pylist()
        assert TABLE in shown and name not in shown
        got = c.adbc_get_objects(depth="tables", db_schema_filter="system").read_all().to_pylist()
        assert name not in {t["table_name"] for s in got[0]["catalog_db_schemas"] for t in s["db_schema_tables"]}


@pytest.mark.parametrize("sql", ["DROP TABLE x", "COPY (SELECT 1) TO '/tmp/x.csv'", "SET datafusion.execution.batch_size = 1"])
def test_nothing_is_written(connection, sql):
    with pytest.raises(manager.Error):
        table(connection, sql)


def test_eight_sessions_at_once():
    def one(_):
        with connect() as c:
            return [table(c, f"SELECT count(*) AS n FROM {TABLE}").to_pylist()[0]["n"] for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        counts = {n for counts in pool.map(one, range(8)) for n in counts}
    assert len(counts) == 1


def test_cancel(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT a.value FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b")
        assert cursor.fetchone()
        cursor.adbc_cancel()
        with pytest.raises(Exception):
            while cursor.fetchmany(100_000):
                pass
    assert table(connection, "SELECT 1 AS one").num_rows == 1


def test_the_quality_score_query_runs_verbatim(connection):
    rows = table(connection, QUALITY).to_pylist()
    assert rows and all(0 <= r["quality_score"] <= 1 and r["total_records"] > 0 for r in rows)
