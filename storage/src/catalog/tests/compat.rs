//! Bytes written by earlier versions stay readable: one value of each space, one of each command,
//! and a manifest, frozen under `storage/tests/compat/v001`.
//!
//! A file is never edited. When a record or command is added, or gains a field, run this test with
//! `LAKEWRIGHT_FREEZE=v002` (the next free number): it writes a new directory of what is encoded
//! today; add its name to `VERSIONS`. Every older directory must go on decoding.

use std::path::PathBuf;

use super::world::*;
use crate::catalog::codec::decode_value;
use crate::catalog::command::*;
use crate::catalog::keyspace::*;
use crate::catalog::manifests;
use crate::catalog::records::*;
use crate::catalog::{encode_command, Read};
use crate::table::*;
use lakewright_proto::*;

/// Versions that must decode; today's encoding equals the last.
const VERSIONS: &[&str] = &["v001"];

fn dir(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat").join(version)
}

/// A cluster in which every space has a value.
fn everything() -> (World, Vec<(String, Vec<u8>)>) {
    let mut w = World::new();
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let c = w.bronze(shard, epoch, run, 0, 10, 2);
    w.done(Command::CommitBronze(c));
    let bucket = w.claim_bucket();
    let m = w.merge(bucket).unwrap();
    let first = m.delta.added[0].id;
    let (old_run, base) = (m.delta.index_added[0].id, w.now);
    w.done(Command::CommitSilver(m));
    let c = w.bronze(shard, epoch, run, 12, 1, 0);
    w.done(Command::CommitBronze(c));
    let mut m = w.merge(bucket).unwrap();
    m.delta.added.clear();
    m.delta.outcomes[0].1 = OutcomeCounts { deleted: 1, ..Default::default() };
    m.delta.index_removed = vec![old_run];
    let path = format!("{}v.puffin", root(0x31));
    m.delta.deletion_vectors =
        vec![DeletionVectorRef { data_file: first, version: 1, path, size: 1, offset: 0, length: 1, cardinality: 1 }];
    w.done(Command::CommitSilver(m));
    w.finish(run, RunStatus::Settling);
    let (run, shard) = w.start_run();
    let epoch = w.claim(shard);
    let mut c = w.bronze(shard, epoch, run, 13, 1, 0);
    let values = Distinct { seen: ["won".to_owned()].into(), many: false };
    c.profiles =
        vec![(silver(), EntityProfile { rows: 1, nulls: [("c".to_owned(), 1)].into(), values: [("e".to_owned(), values)].into() })];
    w.done(Command::CommitBronze(c));
    let (replay, _) = w.start(Some(run));
    w.done(Command::CommitReplay(CommitReplay {
        shard,
        run: replay,
        offsets: vec![1, 2],
        quality: vec![],
        dead_letters: vec![],
        counts: StreamCounts { read: 2, accepted: 2, ..Default::default() },
        entities: vec![(silver(), EntityCounts { accepted: 2, ..Default::default() })],
        pack: "p1".into(),
        ingested_at: 1,
    }));
    w.done(Command::SetSchedule(a_schedule()));
    let fired = Fired::Started { next_at: 11, missed: 1 };
    w.done(Command::MoveSchedule { tenant: tenant(), connector: connector(), due: 10, fired });
    w.done(Command::TakeQuota(an_ask()));
    let lookups = w.lookups(bucket, first);
    w.done(Command::CommitLookups(lookups));
    let gold = w.gold(20_000, 1, 7);
    w.done(Command::CommitGold(gold));
    w.done(Command::CreateWebhook(a_webhook("ops")));
    w.done(Command::SettleAlerts {
        tenant: tenant(),
        webhook: "ops".into(),
        from: w.webhook("ops").next,
        to: 7 << 50,
        delivery: Delivery::Delivered,
    });
    let alert = Alert::new(tenant(), "k", "s", "m");
    w.done(Command::RaiseAlert(alert));
    w.done(Command::RaiseAlert(Alert::new(tenant(), "freshness", "thing", "m")));
    let entries: Vec<FileEntry> = w.store.view().scan::<Files>(&bronze()).unwrap().into_iter().map(|(_, f)| f).take(1).collect();
    let path = format!("_lakewright/manifests/tenant_id={}/m", tenant());
    let (manifest, bytes) = manifests::encode(FileId(id(0x77)), path, bronze(), 0, &entries).unwrap();
    w.done(Command::FoldFiles { table: bronze(), bucket: 0, manifest, files: vec![entries[0].file.id] });
    let files: Vec<FileId> = [14, 15]
        .map(|first| {
            let c = w.bronze(shard, epoch, run, first, 1, 0);
            let file = c.files[0].id;
            w.done(Command::CommitBronze(c));
            file
        })
        .to_vec();
    let output = w.file(0x30, 2);
    w.done(Command::ReplaceBronze(ReplaceBronze { table: bronze(), inputs: files, output }));
    assert!(w.now > base);
    (w, vec![("manifest".to_owned(), bytes)])
}

/// Commands that `everything` does not need.
fn further_commands() -> Vec<Command> {
    let (t, c) = (tenant(), connector());
    let user = |w: Command| match w {
        Command::InitCluster { admin, token, .. } => (admin, token),
        _ => unreachable!(),
    };
    let (admin, token) = user(init());
    let file = FileId(id(8));
    vec![
        Command::RotateTicketKey { key: RingKey { id: 2, sealed: vec![1], created_at: 1 }, keep_after: 1 },
        Command::UpdateTenant(a_tenant(TENANT, "acme")),
        Command::CreateUser(admin.clone()),
        Command::UpdateUser(admin),
        Command::CreateToken { token, hash: [3; 32] },
        Command::RevokeToken { tenant: t, token: TokenId(id(3)) },
        Command::UpdateConnector { connector: a_connector(), secrets: vec![("f".into(), secret())] },
        Command::SetConnectorStatus { tenant: t, connector: c, status: ConnectorStatus::Broken { reason: "r".into(), since: 1 } },
        Command::ResetStream { tenant: t, connector: c, stream: "s".into() },
        Command::ClearSchedule { tenant: t, connector: c },
        Command::DeleteWebhook { tenant: t, name: "ops".into() },
        Command::EndShard { shard: ShardId(1), epoch: ShardEpoch(2) },
        Command::CommitCompaction(CommitCompaction {
            table: silver(),
            bucket: 0,
            epoch: ShardEpoch(1),
            inputs: vec![(file, 1)],
            delta: SilverDelta::default(),
        }),
        Command::ForgetFiles { files: vec![(1, file)] },
        Command::RequestRebuild { tenant: t, table: silver(), reason: "r".into() },
        Command::CommitRebuild(CommitRebuild {
            table: silver(),
            bucket: 0,
            epoch: ShardEpoch(1),
            watermark: CommitSeq(3),
            version: 9,
            pack: "p1".into(),
            made: BucketState::default(),
            changes: vec![],
        }),
    ]
}

fn kind(command: &Command) -> String {
    // The variant's name is the first string of its encoding.
    let value: serde_json::Value = serde_json::to_value(command).unwrap();
    value.as_object().and_then(|o| o.keys().next().cloned()).unwrap()
}

/// Name and bytes of everything that is persisted today.
fn today() -> Vec<(String, Vec<u8>)> {
    let (mut w, mut out) = everything();
    for (prefix, name) in ALL {
        let pairs = w.store.view().raw_scan(&[*prefix]).unwrap();
        let (_, value) = pairs.into_iter().next().unwrap_or_else(|| panic!("no value of {name}"));
        out.push((format!("space-{name}"), value));
    }
    let envelopes: Vec<Envelope> = w.log.iter().flat_map(|(_, batch)| batch).map(|b| decode_value("a command", b).unwrap()).collect();
    for e in envelopes {
        let name = format!("command-{}", kind(&e.command));
        if out.iter().all(|(n, _)| *n != name) {
            out.push((name, encode_command(&e).unwrap()));
        }
    }
    for command in further_commands() {
        let name = format!("command-{}", kind(&command));
        let e = w.envelope(command);
        out.push((name, encode_command(&e).unwrap()));
    }
    let mut export = Vec::new();
    w.store.export(&mut export).unwrap();
    out.push(("export".to_owned(), zstd::bulk::compress(&export, 19).unwrap()));
    out
}

/// Decodes a frozen value of a space and encodes it again: nothing is lost on the way.
macro_rules! round_trip {
    ($name:expr, $bytes:expr; $($space:ident),*) => {
        match $name {
            $(n if n == <$space as KeySpace>::NAME => <$space as KeySpace>::encode(&<$space as KeySpace>::decode($bytes).unwrap()).unwrap(),)*
            n => panic!("space {n} is not known"),
        }
    };
}

fn decode_again(name: &str, bytes: &[u8]) -> Vec<u8> {
    if name == "manifest" {
        let entries = manifests::decode(name, bytes).unwrap();
        assert_eq!(entries.len(), 1);
        return bytes.to_vec();
    }
    if name == "export" {
        let copy = World::empty();
        let stream = zstd::bulk::decompress(bytes, 1 << 22).unwrap();
        copy.store.import(&mut stream.as_slice()).unwrap();
        crate::invariants::check_all(&copy.store.view()).unwrap();
        return bytes.to_vec();
    }
    match name.split_once('-') {
        Some(("command", _)) => encode_command(&decode_value::<Envelope>(name, bytes).unwrap()).unwrap(),
        Some(("space", space)) => round_trip!(space, bytes;
            Cluster, Tenants, TenantSlugs, Users, UserEmails, Tokens, TokenIds, Connectors, ConnectorNames, Secrets, Packs, PackPins,
            Shards, SourceShards, Runs, OpenRuns, RunProfiles, Histories, Tables, TableIds, Files, DeletionVectors, IndexRuns, Manifests, Buckets, Dropped,
            BronzeCommits, Queue, Offsets, Packed, SilverCommits, Replays, Arrivals, Standings, Answers, AnswerExpiry, Audit, Alerts, AlertCounts, Conditions, Webhooks, Schedules, Quotas, GoldBuilds, LookupCommits),
        _ => panic!("{name} is not known"),
    }
}

#[test]
fn frozen_bytes_stay_readable_and_are_still_written() {
    let now = today();
    if let Ok(version) = std::env::var("LAKEWRIGHT_FREEZE") {
        assert!(!dir(&version).exists(), "a frozen version is never edited");
        std::fs::create_dir_all(dir(&version)).unwrap();
        for (name, bytes) in &now {
            std::fs::write(dir(&version).join(format!("{name}.hex")), hex::encode(bytes)).unwrap();
        }
    }
    for (i, version) in VERSIONS.iter().enumerate() {
        for file in std::fs::read_dir(dir(version)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let frozen = hex::decode(std::fs::read_to_string(&path).unwrap().trim()).unwrap();
            let again = decode_again(&name, &frozen);
            if i + 1 == VERSIONS.len() {
                assert_eq!(again, frozen, "{name} of {version}");
            }
        }
    }
    let newest = dir(VERSIONS.last().unwrap());
    for (name, bytes) in now {
        let frozen = std::fs::read_to_string(newest.join(format!("{name}.hex"))).unwrap_or_else(|_| panic!("{name} is not frozen"));
        if !["manifest", "export"].contains(&name.as_str()) {
            assert_eq!(hex::encode(bytes), frozen.trim(), "{name} is written in another way than {}", newest.display());
        }
    }
}
