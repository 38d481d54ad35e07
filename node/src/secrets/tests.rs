//! Tests of the cluster key and the envelopes.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lakewright_proto::{ConnectorId, ErrorCode, TenantId};
use uuid::Uuid;

use super::seal::seal_with;
use super::*;
use crate::config::{load, Config, Sources};

fn ring(seed: u8) -> KeyRing {
    KeyRing { current: ClusterKey::from_bytes([seed; 32]), previous: None }
}

fn field(name: &str, version: u32) -> Purpose<'_> {
    Purpose::ConnectorField { tenant: TenantId(Uuid::from_u128(1)), connector: ConnectorId(Uuid::from_u128(2)), field: name, version }
}

fn config(dir: &Path, flags: &[(&str, &str)]) -> Config {
    let mut all = vec![("node.data_dir".to_owned(), dir.display().to_string())];
    all.extend(flags.iter().map(|(k, v)| (k.to_string(), v.to_string())));
    load(&Sources { flags: all, ..Sources::default() }).unwrap()
}

/// Never edited, only added to: a catalog written by any version must open.
#[test]
fn frozen_bytes_of_format_1() {
    let mut random = [0; 56];
    for (i, b) in random.iter_mut().enumerate() {
        *b = i as u8;
    }
    let sealed = seal_with(&ClusterKey::from_bytes([7; 32]), field("secret_access_key", 3), b"hunter2", &random).unwrap();
    assert_eq!(hex::encode(&sealed), FROZEN);
    let opened = ring(7).open(field("secret_access_key", 3), &hex::decode(FROZEN).unwrap()).unwrap();
    assert_eq!(opened.expose(), b"hunter2");
}
const FROZEN: &str = "01e338eb14ce283f39efa285a9ad90b920202122232425262728292a2b6c701abfeeeb3cdceaed457a35cb946b5eaec6050a0a52b8c1dff74c2f1691e5022bb717d9c441837484b9a44da6600b2c2d2e2f30313233343536373a884b6207e3d6ebdd07f0cae5afdaa229898c44aecc8c";

#[test]
fn a_secret_opens_only_for_its_purpose() {
    let ring = ring(1);
    let sealed = ring.seal(field("password", 1), b"pw").unwrap();
    assert_eq!(ring.open(field("password", 1), &sealed).unwrap().expose(), b"pw");
    let other_tenant = Purpose::ConnectorField {
        tenant: TenantId(Uuid::from_u128(9)),
        connector: ConnectorId(Uuid::from_u128(2)),
        field: "password",
        version: 1,
    };
    let other_connector = Purpose::ConnectorField {
        tenant: TenantId(Uuid::from_u128(1)),
        connector: ConnectorId(Uuid::from_u128(9)),
        field: "password",
        version: 1,
    };
    for purpose in [field("password", 2), field("passwor", 1), Purpose::TicketKey { id: 1 }, other_tenant, other_connector] {
        assert_eq!(ring.open(purpose, &sealed).unwrap_err().code, ErrorCode::DataLoss, "{purpose:?}");
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let ring = ring(1);
    let sealed = ring.seal(field("f", 1), b"value").unwrap();
    for i in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[i] ^= 1;
        assert!(ring.open(field("f", 1), &bad).is_err(), "byte {i}");
        assert!(ring.open(field("f", 1), &sealed[..i]).is_err(), "cut at {i}");
    }
}

#[test]
fn sealing_twice_gives_other_bytes_and_nothing_is_shown() {
    let ring = ring(1);
    let (a, b) = (ring.seal(field("f", 1), b"value").unwrap(), ring.seal(field("f", 1), b"value").unwrap());
    assert_ne!(a, b);
    let opened = ring.open(field("f", 1), &a).unwrap();
    assert_eq!(format!("{opened:?}"), "SecretBytes(***)");
    assert!(!format!("{ring:?}").contains("0101"), "{ring:?}");
}

#[test]
fn rotation_opens_with_the_key_before_and_seals_with_the_new() {
    let old = ring(1);
    let sealed = old.seal(field("f", 1), b"value").unwrap();
    let both = KeyRing { current: ClusterKey::from_bytes([2; 32]), previous: Some(old.current.clone()) };
    assert!(both.needs_reseal(&old.current.fingerprint()));
    both.check(&old.current.fingerprint()).unwrap();
    let again = both.reseal(field("f", 1), &sealed).unwrap().unwrap();
    assert_eq!(both.reseal(field("f", 1), &again).unwrap(), None);
    assert_eq!(ring(2).open(field("f", 1), &again).unwrap().expose(), b"value");
    let lost = ring(2).open(field("f", 1), &sealed).unwrap_err();
    assert!(lost.message.contains("previous_key_file"), "{lost}");
}

#[test]
fn another_clusters_key_is_refused() {
    let e = ring(1).check(&ring(2).current.fingerprint()).unwrap_err();
    assert!(e.message.contains("the cluster's own key"), "{e}");
    ring(1).check(&ring(1).current.fingerprint()).unwrap();
}

#[test]
fn the_first_start_makes_the_key_file_and_later_ones_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &[]);
    let missing = load_key_ring(&config, false).unwrap_err();
    assert!(missing.message.contains("put back its backup"), "{missing}");
    let made = load_key_ring(&config, true).unwrap();
    let path = config.cluster_key_file();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(load_key_ring(&config, false).unwrap().current, made.current);
    assert_eq!(load_key_ring(&config, true).unwrap().current, made.current, "an existing file is never replaced");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &[]);
    load_key_ring(&config, true).unwrap();
    let path = config.cluster_key_file();
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let e = load_key_ring(&config, false).unwrap_err();
        assert!(e.message.contains("chmod 600"), "{e}");
    }
}

#[test]
fn damaged_key_files_are_refused_and_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), &[]);
    let good = ClusterKey::generate().to_text();
    let flipped = if good.as_bytes()[10] == b'a' { good.replacen('a', "b", 1) } else { format!("{}a{}", &good[..10], &good[11..]) };
    for text in ["", "lwk1:zz:00", "password", flipped.as_str()] {
        fs::write(config.cluster_key_file(), text).unwrap();
        fs::set_permissions(config.cluster_key_file(), fs::Permissions::from_mode(0o600)).unwrap();
        let e = load_key_ring(&config, false).unwrap_err();
        assert!(e.message.contains("cluster key") && (text.is_empty() || !e.message.contains(text)), "{e}");
    }
}

#[test]
fn a_command_and_a_previous_key_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let key = ClusterKey::generate();
    let source = dir.path().join("elsewhere");
    write_key(&source, &key);
    let command = format!("cat {}", source.display());
    let ring = load_key_ring(
        &config(dir.path(), &[("keys.cluster_key_command", &command), ("keys.previous_key_file", &source.display().to_string())]),
        false,
    )
    .unwrap();
    assert_eq!((ring.current == key, ring.previous == Some(key)), (true, true));
    let e = load_key_ring(&config(dir.path(), &[("keys.cluster_key_command", "exit 3")]), false).unwrap_err();
    assert!(e.message.contains("exit status: 3"), "{e}");
    let e = load_key_ring(&config(dir.path(), &[("keys.cluster_key_env", "LAKEWRIGHT_TEST_NO_SUCH_KEY")]), false).unwrap_err();
    assert!(e.message.contains("LAKEWRIGHT_TEST_NO_SUCH_KEY"), "{e}");
}

fn write_key(path: &Path, key: &ClusterKey) {
    fs::write(path, key.to_text().as_bytes()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn ticket_keys_are_sealed_by_id() {
    let ring = ring(1);
    let sealed = TicketKey::generate(&ring, 4, 17).unwrap();
    let opened = TicketKey::open(&ring, &sealed).unwrap();
    assert_eq!((opened.id, opened.created_at), (4, 17));
    assert_ne!(opened.expose(), &[0; 32]);
    let moved = lakewright_storage::catalog::records::RingKey { id: 5, ..sealed };
    assert!(TicketKey::open(&ring, &moved).is_err());
    assert_eq!(format!("{opened:?}"), "TicketKey(4, ***)");
}
