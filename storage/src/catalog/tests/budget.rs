//! What a tenant and a shard cost, and how long a rebuild takes.

use std::time::{Duration, Instant};

use super::world::*;
use crate::catalog::command::*;
use crate::catalog::{CatalogStore, CACHE_BYTES};
use lakewright_proto::*;

/// Bytes of the whole state, keys and all.
fn size(w: &World) -> usize {
    let mut out = Vec::new();
    w.store.export(&mut out).unwrap();
    out.len()
}

#[test]
fn an_idle_tenant_and_a_shard_are_small() {
    let mut w = World::new();
    let before = size(&w);
    for n in 1..=20u128 {
        let t = a_tenant(TENANT + n, &format!("tenant-{n}"));
        let user = lakewright_user(&t.id, n);
        w.done(Command::CreateTenant { tenant: t, tables: system_tables(TENANT + n) });
        w.done(Command::CreateUser(user));
    }
    let per_tenant = (size(&w) - before) / 20;
    assert!(per_tenant <= 16 << 10, "{per_tenant} bytes a tenant");
    w.start_run();
    let before = size(&w);
    let run = RunId(w.fresh());
    let open = w.store.view();
    let open_run = {
        use crate::catalog::Read;
        open.all::<crate::catalog::keyspace::OpenRuns>().unwrap()[0].1
    };
    drop(open);
    w.finish(open_run, crate::catalog::records::RunStatus::Cancelled);
    let Command::StartRun { tenant, connector, stream, mode, trigger, replay_of, bronze, scope, .. } = start_command(run, None) else {
        panic!()
    };
    let shards = (0..1_000).map(|n| (format!("inbox/2026/11/23/part-{n:05}.ndjson"), vec![])).collect();
    w.done(Command::StartRun { run, tenant, connector, stream, mode, trigger, replay_of, bronze, shards, scope });
    let per_shard = (size(&w) - before) / 1_000;
    assert!(per_shard <= 1 << 10, "{per_shard} bytes a shard");
}

fn lakewright_user(tenant: &TenantId, n: u128) -> crate::catalog::records::User {
    crate::catalog::records::User {
        id: UserId(id(0x9000 + n)),
        tenant_id: *tenant,
        email: format!("someone-{n}@example.com"),
        display_name: "Someone".into(),
        roles: vec![crate::catalog::records::Role::Analyst],
        status: crate::catalog::records::Status::Active,
        created_at: 0,
    }
}

/// A stream of `n` pairs of the size of a shard's record.
fn stream(n: u64) -> Vec<u8> {
    let mut out = b"LWCS\x01".to_vec();
    let value = [vec![0], vec![0x42; 300]].concat();
    for i in 0..n {
        out.extend_from_slice(&9u32.to_be_bytes());
        out.extend_from_slice(&(value.len() as u32).to_be_bytes());
        out.push(0x30);
        out.extend_from_slice(&i.to_be_bytes());
        out.extend_from_slice(&value);
    }
    out.extend_from_slice(&u32::MAX.to_be_bytes());
    out.extend_from_slice(&n.to_be_bytes());
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_be_bytes());
    out
}

/// The budget is 15 s for 1,000,000 records in a release build; a tenth of them here, and twice
/// the time a tenth would have, because this build is not optimised and shares the machine.
#[test]
fn a_rebuild_is_quick() {
    let bytes = stream(100_000);
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = CatalogStore::open(dir.path(), CACHE_BYTES).unwrap();
    let begun = Instant::now();
    store.import(&mut bytes.as_slice()).unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "100,000 records took {took:?}");
}
