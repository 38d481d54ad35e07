"""Sessions, keys, parameters, polling and passports over Flight SQL, with the real ADBC driver and pyarrow's client."""
import datetime
import decimal
import json
import time

import adbc_driver_flightsql as flight_sql
import adbc_driver_flightsql.dbapi as dbapi
import adbc_driver_manager as manager
import pyarrow as pa
import pyarrow.flight
import pytest

from flightwire import Raw, message, read
from lake import Node, generate

TABLE = "partner_central_opportunity"
SHOP = """
pack: shop
entities:
  - name: Customer
    table: customer
    streams: [customers]
    key: {path: $.id}
    fields:
      - {name: id, type: uuid, from: $id}
      - {name: customer_no, type: string, from: $.id}
  - name: Purchase
    table: purchase
    streams: [customers]
    key: {path: $.id}
    fields:
      - {name: purchase_no, type: string, from: $.id}
      - {name: customer_no, type: string, from: $.customer, references: customer.customer_no}
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Two tenants with 400 records each, some of them bad; `acme` has a second pack with a foreign key."""
    node = Node(tmp_path_factory.mktemp("session"))
    node.start()
    try:
        node.truth = generate(node.source / "opps.ndjson", 400, bad=0.05)
        tokens = {}
        for slug in ("globex", "acme"):
            node.setup(slug)
            run = node.settled(node.run(slug), slug)
            assert run["status"] == "succeeded", run
            tokens[slug] = node.token
        shop, rows = node.dir / "shop", node.dir / "rows"
        shop.mkdir()
        rows.mkdir()
        (shop / "entities.yaml").write_text(SHOP)
        (rows / "customers.ndjson").write_text('{"id": "c1", "customer": "c1"}\n')
        node.cli("pack", "load", str(shop), "--pin", "--tenant", "acme")
        config = json.dumps({"url": str(rows), "stream": "customers"})
        node.cli("connector", "create", "--tenant", "acme", "--name", "shop", "--kind", "files", "--config", config)
        assert node.settled(node.run("acme", "shop"), "acme")["status"] == "succeeded"
        node.tokens = tokens
        yield node
    finally:
        node.kill()


def connect(node, tenant="acme", **options):
    header = flight_sql.DatabaseOptions.AUTHORIZATION_HEADER.value
    options[header] = f"Bearer {node.tokens[tenant]}"
    return dbapi.connect("grpc://" + node.addresses()["flight"], db_kwargs=options, autocommit=True)


@pytest.fixture
def connection(node):
    with connect(node) as c:
        yield c


@pytest.fixture
def raw(node):
    return Raw(node.addresses()["flight"], node.tokens["acme"])


def rows(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table().to_pylist()


VALUES = {
    "i8": pa.array([-8], pa.int8()), "i16": pa.array([-16], pa.int16()), "i32": pa.array([-32], pa.int32()), "i64": pa.array([-(2**60)]),
    "u32": pa.array([2**32 - 1], pa.uint32()), "f32": pa.array([0.5], pa.float32()), "f64": pa.array([0.1]), "text": pa.array(["it's Zoë"]),
    "large": pa.array(["x" * 100_000], pa.large_string()), "bytes": pa.array([b"\x00\xff"]), "yes": pa.array([True]), "nothing": pa.array([None], pa.string()),
    "money": pa.array([decimal.Decimal("12345678901234567890.12")], pa.decimal128(38, 2)), "day": pa.array([datetime.date(2026, 2, 28)]),
    "instant": pa.array([datetime.datetime(2026, 2, 28, 10, 11, 12, 345678, tzinfo=datetime.timezone.utc)], pa.timestamp("us", "UTC")),
    "list": pa.array([[1, None, 3]], pa.list_(pa.int64())), "struct": pa.array([{"a": 1, "b": "x"}]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_parameter_of_each_type_comes_back_as_it_went(connection, kind):
    value = VALUES[kind]
    with connection.cursor() as cursor:
        cursor.execute("SELECT ? AS v", pa.record_batch([value], ["p"]))
        got = cursor.fetch_arrow_table()
    assert got.column("v").to_pylist() == value.to_pylist()
    assert got.schema.field("v").type == value.type


def test_parameters_find_rows_and_are_counted(connection):
    one = rows(connection, f"SELECT pc_opportunity_id AS id, expected_revenue_usd AS r FROM {TABLE} WHERE expected_revenue_usd IS NOT NULL LIMIT 1")[0]
    got = rows(connection, f"SELECT pc_opportunity_id AS id FROM {TABLE} WHERE pc_opportunity_id = ? AND expected_revenue_usd = ?", (one["id"], one["r"]))
    assert got == [{"id": one["id"]}]
    with pytest.raises(manager.Error, match="takes one row"):
        rows(connection, "SELECT ? AS v", pa.record_batch([pa.array([1, 2])], ["p"]))
    with pytest.raises(manager.Error, match="has 2 parameters and 1 values"):
        rows(connection, "SELECT ? AS a, ? AS b", (1,))


@pytest.mark.parametrize("sql", [f"INSERT INTO {TABLE} VALUES (?)", f"DELETE FROM {TABLE}", f"UPDATE {TABLE} SET id = ?", "INSERT INTO nowhere VALUES (1)"])
def test_updates_are_refused_prepared_or_not(connection, sql):
    with connection.cursor() as cursor:
        for do in (lambda: cursor.adbc_prepare(sql), lambda: cursor.adbc_statement.set_sql_query(sql) or cursor.adbc_statement.execute_update()):
            with pytest.raises(manager.Error, match="Flight SQL is read-only; tables are written by connectors and packs"):
                do()


def test_a_handle_is_its_users_alone_and_large_parameters_are_refused(node, raw, connection):
    handle = raw.prepare("SELECT 1 AS one")
    assert raw.table("CommandPreparedStatementQuery", f1=handle).to_pylist() == [{"one": 1}]
    other = Raw(node.addresses()["flight"], node.tokens["globex"])
    with pytest.raises(pa.flight.FlightUnauthorizedError, match="made for another user"):
        other.table("CommandPreparedStatementQuery", f1=handle)
    with pytest.raises(Exception, match="is not valid"):
        raw.table("CommandPreparedStatementQuery", f1=handle[:-1])
    with pytest.raises(Exception, match="parameters are .* bytes; at most"):
        rows(connection, "SELECT length(?) AS n", ("x" * (5 << 20),))


def test_keys(raw, node):
    keys = raw.table("CommandGetPrimaryKeys", f2="silver", f3=TABLE).to_pylist()
    assert [(k["column_name"], k["key_sequence"]) for k in keys] == [("id", 1)]
    keys = raw.table("CommandGetPrimaryKeys", f3="purchase").to_pylist()
    assert [k["column_name"] for k in keys] == ["_key_scope", "_source_key"]
    for name in ("runs", f"{TABLE}__changes", "nowhere"):
        assert raw.table("CommandGetPrimaryKeys", f3=name).num_rows == 0

    def pair(table):
        return [(k["fk_table_name"], k["fk_column_name"], k["pk_table_name"], k["pk_column_name"]) for k in table.to_pylist()]

    expected = [("purchase", "customer_no", "customer", "customer_no")]
    assert pair(raw.table("CommandGetExportedKeys", f3="customer")) == expected
    assert pair(raw.table("CommandGetImportedKeys", f3="purchase")) == expected
    assert pair(raw.table("CommandGetCrossReference", f3="customer", f6="purchase")) == expected
    assert pair(raw.table("CommandGetImportedKeys", f3="customer")) == []
    assert pair(raw.table("CommandGetExportedKeys", f1="globex", f3="customer")) == []


def test_sql_info_and_types_leave_nothing_out(raw):
    info = raw.table("CommandGetSqlInfo")
    assert info.num_rows > 80 and len(set(info.column("info_name").to_pylist())) == info.num_rows
    types = raw.table("CommandGetXdbcTypeInfo").to_pylist()
    assert {"BIGINT", "VARCHAR", "DECIMAL", "TIMESTAMP", "BOOLEAN"} <= {t["type_name"] for t in types}
    assert [t["type_name"] for t in raw.table("CommandGetXdbcTypeInfo", f1=12).to_pylist()] == ["VARCHAR"]
    tables = raw.table("CommandGetTables", f2="silver", f3=TABLE, f5=1).to_pylist()
    schema = pa.ipc.read_schema(pa.py_buffer(tables[0]["table_schema"]))
    assert "expected_revenue_usd" in schema.names and len(tables) == 1


def test_objects_at_every_depth_filtered_and_with_columns(connection):
    got = connection.adbc_get_objects(depth="all", db_schema_filter="silver", table_name_filter=TABLE, column_name_filter="lifecycle%").read_all().to_pylist()
    tables = [t for c in got for s in c["catalog_db_schemas"] for t in s["db_schema_tables"]]
    assert [t["table_name"] for t in tables] == [TABLE]
    assert [c["column_name"] for c in tables[0]["table_columns"]] == ["lifecycle_stage"]
    assert connection.adbc_get_objects(depth="tables", table_types_filter=["SYSTEM TABLE"]).read_all().num_rows == 1


def test_session_options(connection, node):
    assert connection.adbc_current_catalog == "acme"
    connection.adbc_connection.set_options(**{"adbc.flight.sql.session.option.require_quality": "0.5"})
    options = json.loads(connection.adbc_connection.get_option("adbc.flight.sql.session.options"))
    assert options == {"catalog": "acme", "require_quality": "0.5"}
    assert rows(connection, "SHOW require_quality") == [{"name": "require_quality", "value": "0.5"}]
    connection.adbc_connection.set_options(**{"adbc.flight.sql.session.optionerase.require_quality": ""})
    assert rows(connection, "SHOW require_quality") == [{"name": "require_quality", "value": None}]
    for name, value in (("require_quality", "7"), ("nonsense", "1"), ("schema", "nowhere")):
        with pytest.raises(manager.Error):
            connection.adbc_connection.set_options(**{f"adbc.flight.sql.session.option.{name}": value})
    # A schema comes first for bare names: `runs` is a system table, and no Bronze one.
    connection.adbc_connection.set_options(**{"adbc.connection.db_schema": "bronze"})
    assert connection.adbc_current_db_schema == "bronze"
    assert rows(connection, f"SELECT count(*) AS n FROM {TABLE}")[0]["n"] > 0
    with connect(node) as fresh:
        assert rows(fresh, "SHOW schema") == [{"name": "schema", "value": None}]


def test_set_in_sql_lasts_for_the_session_and_no_longer(node, connection):
    for sql in ("SET require_quality = 2", "SET nonsense = 1", "SET require_freshness = 'soon'"):
        with pytest.raises(manager.Error):
            rows(connection, sql)
    assert rows(connection, "SET require_freshness = '1h 30m'") == [{"name": "require_freshness", "value": "5400s"}]
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_sql_query("RESET require_freshness")
        cursor.adbc_statement.execute_update()
    assert rows(connection, "SHOW require_freshness")[0]["value"] is None
    cookies = {flight_sql.DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
    with connect(node, **cookies) as c:
        rows(c, "SET require_quality = 0.25")
        assert rows(c, "SHOW require_quality")[0]["value"] == "0.25"


def test_a_passport_comes_with_every_answer(raw, connection, node):
    info = raw.info("CommandStatementQuery", f1=f"SELECT * FROM {TABLE} a JOIN {TABLE}__changes USING (id) LIMIT 1")
    passport = json.loads(info.app_metadata)
    assert [(t["schema"], t["table"]) for t in passport["tables"]] == [("silver", TABLE), ("silver", f"{TABLE}__changes")]
    rejected = node.truth["outcomes"]["rejected"]
    for t in passport["tables"]:
        valid, = rows(connection, """SELECT SUM(CASE WHEN is_valid THEN 1 ELSE 0 END) AS n, COUNT(*) AS of
                                     FROM data_quality_results WHERE entity = 'PartnerCentralOpportunity'""")
        assert t["quality_score"] == pytest.approx(valid["n"] / valid["of"]) and t["quality_score"] < 1
        assert t["open_dead_letters"] == rejected
        assert 0 <= t["age_seconds"] < 600
    assert passport["snapshot"] > 0
    reader = raw.client.do_get(info.endpoints[0].ticket, raw.options)
    assert json.loads(reader.read_chunk().app_metadata.to_pybytes()) == passport

    rows(connection, f"SELECT count(*) AS n FROM {TABLE}")
    for sql in ("SELECT * FROM system.passport", "SELECT * FROM system.passport()"):
        shown = rows(connection, sql)
        assert [(r["schema"], r["table"], r["open_dead_letters"]) for r in shown] == [("silver", TABLE, rejected)]
    with connect(node) as fresh:
        assert rows(fresh, "SELECT * FROM system.passport") == []
    assert json.loads(raw.info("CommandStatementQuery", f1="SELECT 1").app_metadata)["tables"] == []


def test_poor_and_stale_answers_are_refused(connection):
    count = f"SELECT count(*) AS n FROM {TABLE}"
    rows(connection, "SET require_quality = 0.9999")
    with pytest.raises(manager.Error, match=rf"silver.{TABLE} has a quality score of 0.*deadletter list --open.*require_quality = NONE"):
        rows(connection, count)
    assert rows(connection, "SELECT count(*) AS n FROM customer") == [{"n": 1}]
    rows(connection, "SET require_quality = 0.1")
    assert rows(connection, count)[0]["n"] > 0
    rows(connection, "SET require_freshness = '1h'")
    assert rows(connection, count)[0]["n"] > 0
    rows(connection, "SET require_freshness = '1ms'")
    with pytest.raises(manager.Error, match=rf"silver.{TABLE} is .* old and require_freshness allows 1ms: start a run of its source"):
        rows(connection, count)
    rows(connection, "RESET require_freshness")
    assert rows(connection, count)[0]["n"] > 0


STRICT = """
pack: letters
entities:
  - name: Letter
    table: letter
    streams: [letters]
    key: {path: $.id}
    fields:
      - {name: letter_no, type: string, from: $.id}
      - {name: text, type: string, from: $.text}
    rules:
      - {name: has_text, type: schema, required: [text]}
"""


def test_mended_letters_raise_the_score(node):
    """Replaying what a mended pack accepts closes letters; the passport tells so without counting rows."""
    pack, source = node.dir / "letters", node.dir / "letters-source"
    pack.mkdir()
    source.mkdir()
    (source / "letters.ndjson").write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "x"}\n{"id": "c"}\n{"id": "d"}\n')

    def load(text):
        (pack / "entities.yaml").write_text(text)
        node.cli("pack", "load", str(pack), "--pin", "--tenant", "globex", token=node.tokens["globex"])

    load(STRICT)
    config = json.dumps({"url": str(source), "stream": "letters"})
    node.cli("connector", "create", "--tenant", "globex", "--name", "letters", "--kind", "files", "--config", config, token=node.tokens["globex"])
    node.token, before = node.tokens["globex"], node.token
    try:
        run = node.settled(node.run("globex", "letters"), "globex")
        with connect(node, "globex") as c:
            def told():
                rows(c, "SELECT count(*) AS n FROM letter")
                return [(r["quality_score"], r["open_dead_letters"], r["rows"]) for r in rows(c, "SELECT * FROM system.passport")]

            assert told() == [(0.5, 2, 2)]
            load(STRICT[:STRICT.index("    rules:")])
            node.cli("deadletter", "replay", "--tenant", "globex", "--run", run["id"], "--follow")
            assert told() == [(1.0, 0, 4)]
    finally:
        node.token = before


SLOW = "SELECT count(*) AS n FROM generate_series(1, 6000) a, generate_series(1, 6000) b WHERE (a.value * b.value) % 7 = 3"
ENDLESS = "SELECT count(*) AS n FROM generate_series(1, 3000000) a, generate_series(1, 3000000) b WHERE (a.value * b.value) % 7 = 3"


def test_a_long_query_is_polled_for(connection):
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.statement.exec.incremental": "true"})
        partitions, _ = cursor.adbc_execute_partitions(SLOW)
        while not partitions:
            partitions, _ = cursor.adbc_execute_partitions(SLOW)
        cursor.adbc_read_partition(partitions[0])
        assert cursor.fetchone()[0] > 0


def test_a_query_is_cancelled_by_its_info(raw):
    info = raw.info("CommandStatementQuery", f1=ENDLESS)
    raw.action("CancelFlightInfo", message(f1=info.serialize()))
    with pytest.raises(Exception, match="cancelled"):
        raw.fetch(info)


def test_a_ticket_is_renewed_and_a_session_is_closed(raw):
    info = raw.info("CommandStatementQuery", f1="SELECT 5 AS five")
    endpoint = raw.action("RenewFlightEndpoint", message(f1=message(f1=message(f1=info.endpoints[0].ticket.ticket))))[0]
    ticket = pa.flight.Ticket(read(read(endpoint)[1][0])[1][0])
    assert raw.client.do_get(ticket, raw.options).read_all().to_pylist() == [{"five": 5}]
    raw.sql("SET require_quality = 0.5")
    assert raw.action("CloseSession") == [b"\x08\x01"]
    assert raw.sql("SHOW require_quality").to_pylist()[0]["value"] is None
