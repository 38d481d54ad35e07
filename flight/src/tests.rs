//! The service over TCP with the Rust Flight SQL client, and tickets by themselves.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables, SqlInfo};
use arrow_flight::{Action, CancelFlightInfoRequest, FlightDescriptor, FlightInfo};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::TryStreamExt;
use lakewright_proto::{Error, ErrorCode, TenantId, UserId};
use lakewright_storage as storage_crate;
use prost::Message;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::ticket::{open, seal, Claims, Use};
use crate::{serve, Authenticate, FlightLimits, FlightParts, Key, KeyRing, Session};

#[path = "../../storage/src/query/tests/fixture.rs"]
#[expect(dead_code, reason = "the storage tests use more of it")]
mod fixture;

use fixture::{Lake, TenantLake};

struct Ring;

impl KeyRing for Ring {
    fn current(&self) -> (u32, Key) {
        (2, [2; 32])
    }
    fn get(&self, id: u32) -> Option<Key> {
        matches!(id, 1 | 2).then(|| [id as u8; 32])
    }
}

/// Users by token: `token-SLUG` is ann of that tenant.
struct Users(Vec<Session>);

impl Authenticate for Users {
    fn basic(&self, user: &str, password: &str) -> Result<Session, Error> {
        let s = self.bearer(password)?;
        if user == s.principal || user == format!("{}/{}", s.slug, s.principal) {
            return Ok(s);
        }
        Err(Error::new(ErrorCode::Unauthenticated, "the user or the token is not known"))
    }
    fn bearer(&self, token: &str) -> Result<Session, Error> {
        let found = self.0.iter().find(|s| format!("token-{}", s.slug) == token);
        found.cloned().ok_or_else(|| Error::new(ErrorCode::Unauthenticated, "the token is not known"))
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("_version", DataType::Int64, false),
        Field::new("id", DataType::Int64, false),
        Field::new("title", DataType::Utf8, true),
    ]))
}

fn rows(n: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..n);
    let titles = StringArray::from_iter_values((0..n).map(|i| format!("t{i}")));
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![1; n as usize])), Arc::new(ids), Arc::new(titles)]).unwrap()
}

struct World {
    lake: Lake,
    acme: TenantLake,
    address: std::net::SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    server: Option<tokio::task::JoinHandle<Result<(), Error>>>,
}

type Client = FlightSqlServiceClient<Channel>;

impl World {
    async fn new(limits: FlightLimits) -> Self {
        let lake = Lake::new().await;
        let mut acme = lake.tenant("acme", schema()).await;
        lake.add(&mut acme, &rows(1_000), 100, (0, 0)).await;
        let mut globex = lake.tenant("globex", schema()).await;
        lake.add(&mut globex, &rows(7), 100, (0, 0)).await;
        let user = |t: &TenantLake| Session {
            tenant_id: t.id,
            slug: t.slug.clone(),
            principal: format!("ann@{}.com", t.slug),
            user_id: UserId(Uuid::from_u128(t.id.0.as_u128() ^ 1)),
            hidden: Vec::new(),
        };
        let auth = Arc::new(Users(vec![user(&acme), user(&globex)]));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let parts = FlightParts { engine: lake.engine.clone(), auth, keys: Arc::new(Ring), limits };
        let server = tokio::spawn(serve(listener, None, parts, async move { drop(stopped.await) }));
        Self { lake, acme, address, stop: Some(stop), server: Some(server) }
    }

    async fn client(&self, token: &str) -> Client {
        let channel = Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap();
        let mut client = FlightSqlServiceClient::new(channel);
        client.set_token(token.to_owned());
        client
    }

    async fn acme(&self) -> Client {
        self.client("token-acme").await
    }
}

async fn fetch(client: &mut Client, info: FlightInfo) -> arrow_flight::error::Result<Vec<RecordBatch>> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    client.do_get(ticket).await?.try_collect().await
}

async fn query(client: &mut Client, sql: &str) -> arrow_flight::error::Result<Vec<RecordBatch>> {
    let info = client.execute(sql.to_owned(), None).await?;
    assert!(info.endpoint[0].location.is_empty());
    let schema = info.clone().try_decode_schema().unwrap();
    let batches = fetch(client, info).await?;
    for b in &batches {
        assert_eq!(b.schema().as_ref(), &schema, "the plan's schema is the answer's");
    }
    Ok(batches)
}

fn count(batches: &[RecordBatch]) -> i64 {
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

fn total(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[tokio::test]
async fn statements_metadata_and_an_orderly_end() {
    let mut w = World::new(FlightLimits::default()).await;
    let mut c = w.acme().await;
    let all = query(&mut c, "SELECT * FROM opportunity ORDER BY id").await.unwrap();
    assert_eq!((total(&all), all[0].num_columns()), (1_000, 2));
    assert_eq!(count(&query(&mut c, "SELECT count(*) FROM acme.silver.opportunity").await.unwrap()), 1_000);

    let info = c.get_catalogs().await.unwrap();
    assert_eq!(fetch(&mut c, info).await.unwrap()[0].column(0).as_string::<i32>().value(0), "acme");
    let info = c.get_db_schemas(CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None }).await.unwrap();
    assert_eq!(total(&fetch(&mut c, info).await.unwrap()), 5);
    let tables = CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: Some("silver".into()),
        table_name_filter_pattern: None,
        table_types: vec![],
        include_schema: true,
    };
    let info = c.get_tables(tables).await.unwrap();
    assert_eq!(total(&fetch(&mut c, info).await.unwrap()), 2);
    let info = c.get_table_types().await.unwrap();
    assert_eq!(total(&fetch(&mut c, info).await.unwrap()), 2);
    let info = c.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert_eq!(total(&fetch(&mut c, info).await.unwrap()), 1);
    let info = c.get_primary_keys(CommandGetPrimaryKeys { catalog: None, db_schema: None, table: "opportunity".into() }).await.unwrap();
    assert_eq!(total(&fetch(&mut c, info).await.unwrap()), 0);
    let info = c.get_xdbc_type_info(arrow_flight::sql::CommandGetXdbcTypeInfo { data_type: None }).await.unwrap();
    assert!(total(&fetch(&mut c, info).await.unwrap()) > 5);

    let command = arrow_flight::sql::CommandStatementQuery { query: "SELECT id FROM opportunity".into(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(arrow_flight::sql::ProstMessageExt::as_any(&command).encode_to_vec());
    let mut request = tonic::Request::new(descriptor);
    request.metadata_mut().insert("authorization", "Bearer token-acme".parse().unwrap());
    let got: Schema = (&c.inner_mut().get_schema(request).await.unwrap().into_inner()).try_into().unwrap();
    assert_eq!(got.fields().len(), 1);

    drop(c);
    w.stop.take().unwrap().send(()).unwrap();
    w.server.take().unwrap().await.unwrap().unwrap();
}

#[tokio::test]
async fn prepared_statements_with_and_without_parameters() {
    let w = World::new(FlightLimits::default()).await;
    let mut c = w.acme().await;
    let mut plain = c.prepare("SELECT count(*) FROM opportunity".into(), None).await.unwrap();
    assert_eq!(plain.dataset_schema().unwrap().fields().len(), 1);
    let info = plain.execute().await.unwrap();
    assert_eq!(count(&fetch(&mut c, info).await.unwrap()), 1_000);
    plain.close().await.unwrap();
    let mut bound = c.prepare("SELECT id FROM opportunity WHERE id = ? AND title = ?".into(), None).await.unwrap();
    assert_eq!(bound.parameter_schema().unwrap().fields().len(), 2);
    let fields = vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)];
    let columns: Vec<arrow_array::ArrayRef> = vec![Arc::new(Int64Array::from(vec![41])), Arc::new(StringArray::from(vec!["t41"]))];
    bound.set_parameters(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()).unwrap();
    let info = bound.execute().await.unwrap();
    assert_eq!(count(&fetch(&mut c, info).await.unwrap()), 41);
    let e = c.execute_update("DELETE FROM opportunity".into(), None).await.err().unwrap().to_string();
    assert!(e.contains("read-only"), "{e}");
}

#[tokio::test]
async fn only_the_known_get_in_and_only_to_their_own() {
    let w = World::new(FlightLimits::default()).await;
    let mut c = w.client("token-nobody").await;
    let e = c.execute("SELECT 1".into(), None).await.err().unwrap().to_string();
    assert!(e.contains("the token is not known"), "{e}");
    assert!(c.get_catalogs().await.is_err());
    c.clear_token();
    assert!(c.execute("SELECT 1".into(), None).await.is_err());
    assert!(c.handshake("ann@acme.com", "wrong").await.is_err());
    c.handshake("acme/ann@acme.com", "token-acme").await.unwrap();
    assert_eq!(count(&query(&mut c, "SELECT count(*) FROM opportunity").await.unwrap()), 1_000);
    let e = query(&mut c, "SELECT * FROM globex.silver.opportunity").await.err().unwrap().to_string();
    assert!(e.contains("not found"), "{e}");

    let info = c.execute("SELECT count(*) FROM opportunity".into(), None).await.unwrap();
    let mut other = w.client("token-globex").await;
    let e = fetch(&mut other, info).await.err().unwrap().to_string();
    assert!(e.contains("another user"), "{e}");
    assert_eq!(count(&query(&mut other, "SELECT count(*) FROM opportunity").await.unwrap()), 7);
}

#[tokio::test]
async fn a_ticket_reads_the_version_it_was_planned_at() {
    let mut w = World::new(FlightLimits::default()).await;
    let mut c = w.acme().await;
    let info = c.execute("SELECT count(*) FROM opportunity".into(), None).await.unwrap();
    w.lake.add(&mut w.acme, &rows(10), 100, (0, 0)).await;
    assert_eq!(count(&fetch(&mut c, info.clone()).await.unwrap()), 1_000);
    assert_eq!(count(&query(&mut c, "SELECT count(*) FROM opportunity").await.unwrap()), 1_010);
    assert_eq!(count(&fetch(&mut c, info).await.unwrap()), 1_000, "a ticket can be read again");
}

#[tokio::test]
async fn eight_sessions_at_once() {
    let w = World::new(FlightLimits::default()).await;
    let sessions = (0..8).map(|i| {
        let slug = if i % 2 == 0 { "acme" } else { "globex" };
        let w = &w;
        async move {
            let mut c = w.client(&format!("token-{slug}")).await;
            for _ in 0..5 {
                let n = total(&query(&mut c, "SELECT * FROM opportunity").await.unwrap());
                assert_eq!(n, if slug == "acme" { 1_000 } else { 7 });
            }
        }
    });
    futures::future::join_all(sessions).await;
}

#[tokio::test]
async fn a_query_is_cancelled_and_too_many_are_refused() {
    let w = World::new(FlightLimits { queries_per_tenant: 1, ..FlightLimits::default() }).await;
    let mut c = w.acme().await;
    let endless = "SELECT a.id FROM opportunity a, opportunity b, opportunity c";
    let info = c.execute(endless.into(), None).await.unwrap();
    let mut stream = c.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    let e = query(&mut c, "SELECT 1").await.err().unwrap().to_string();
    assert!(e.contains("as many as may"), "{e}");
    let cancel = CancelFlightInfoRequest { info: Some(info.clone()) }.encode_to_vec();
    let mut answered = c.do_action(tonic::Request::new(Action::new("CancelFlightInfo", cancel))).await.unwrap();
    assert!(answered.message().await.unwrap().is_some());
    let ended = loop {
        match stream.try_next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(ended.err().unwrap().to_string().contains("cancelled"));
    drop(stream);
    assert!(fetch(&mut c, info).await.is_err(), "a cancelled query does not begin again");
}

fn session() -> Session {
    Session {
        tenant_id: TenantId(Uuid::from_u128(1)),
        slug: "acme".into(),
        principal: "ann@acme.com".into(),
        user_id: UserId(Uuid::from_u128(2)),
        hidden: Vec::new(),
    }
}

fn claims() -> Claims {
    let s = session();
    Claims {
        purpose: Use::Ticket,
        query: Uuid::from_u128(3),
        sql: "SELECT 1".into(),
        parameters: None,
        options: Default::default(),
        version: Some(9),
        tenant: s.tenant_id,
        user: s.user_id,
        principal: s.principal,
        expires_at: 1_000,
    }
}

#[test]
fn a_ticket_is_good_for_its_user_its_use_and_its_time_alone() {
    let sealed = seal(&Ring, &claims()).unwrap();
    assert_eq!(open(&Ring, Use::Ticket, &session(), &sealed, 999).unwrap(), claims());
    let code = |r: Result<Claims, Error>| r.err().unwrap().code;
    assert!(open(&Ring, Use::Ticket, &session(), &sealed, 1_000).err().unwrap().message.contains("expired"));
    assert_eq!(code(open(&Ring, Use::Handle, &session(), &sealed, 1)), ErrorCode::InvalidArgument);
    for other in [
        Session { tenant_id: TenantId(Uuid::from_u128(8)), ..session() },
        Session { user_id: UserId(Uuid::from_u128(8)), ..session() },
        Session { principal: "bob@acme.com".into(), ..session() },
    ] {
        assert_eq!(code(open(&Ring, Use::Ticket, &other, &sealed, 1)), ErrorCode::PermissionDenied);
    }
    for i in 0..sealed.len() {
        let mut bent = sealed.clone();
        bent[i] ^= 1;
        assert_eq!(code(open(&Ring, Use::Ticket, &session(), &bent, 1)), ErrorCode::InvalidArgument, "byte {i}");
    }
    for cut in 0..sealed.len() {
        assert!(open(&Ring, Use::Ticket, &session(), &sealed[..cut], 1).is_err());
    }
}
