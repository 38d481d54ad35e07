//! Keys: what they look like for ever, the way back, and the wall between tenants.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn tenant(n: u128) -> TenantId {
    TenantId(Uuid::from_u128(n))
}

fn file(n: u128) -> FileId {
    FileId(Uuid::from_u128(n))
}

#[test]
fn spelling_is_frozen() {
    let micros = 1_793_491_199_000_000; // 2026-10-31T23:59:59Z
    let (t, f) = (tenant(1), file(2));
    let month = Month::of_micros(micros);
    let silver = |part| Key::Silver { tenant: t, entity: "opportunity".into(), part, file: f }.to_string();
    let got = [
        Key::Bronze { tenant: t, source: "files.opportunity".into(), day: Day::of_micros(micros), file: f }.to_string(),
        silver(SilverPart::Rows(month)),
        silver(SilverPart::Changes(month)),
        silver(SilverPart::Index),
        silver(SilverPart::DeletionVector),
        Key::System { tenant: t, table: "dead_letters".into(), month, file: f }.to_string(),
        Key::Manifest { tenant: t, table: TableId(Uuid::from_u128(3)), file: f }.to_string(),
        Key::Snapshot { index: 42, file: f }.to_string(),
    ];
    let (t, f) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
    assert_eq!(
        got,
        [
            format!("bronze/tenant_id={t}/source=files.opportunity/year=2026/month=10/day=31/{f}.parquet"),
            format!("silver/tenant_id={t}/entity=opportunity/year=2026/month=10/{f}.parquet"),
            format!("silver/tenant_id={t}/entity=opportunity__changes/year=2026/month=10/{f}.parquet"),
            format!("silver/tenant_id={t}/entity=opportunity/_index/{f}.run"),
            format!("silver/tenant_id={t}/entity=opportunity/_deletes/{f}.puffin"),
            format!("system/tenant_id={t}/table=dead_letters/year=2026/month=10/{f}.parquet"),
            format!("_lakewright/manifests/tenant_id={t}/table=00000000-0000-0000-0000-000000000003/{f}.manifest"),
            format!("_lakewright/catalog/00000000000000000042-{f}.snapshot"),
        ]
    );
}

#[test]
fn names_that_would_break_a_path_are_refused() {
    for bad in ["", "A", "a/b", "a__b", "1a", "a-b", "..", "a=b", &"a".repeat(64)] {
        assert!(validate_table(bad).is_err(), "{bad}");
    }
    for bad in ["", "files", "files.", ".x", "files.a/b", "files.A", "files.a b", "files.é"] {
        assert!(validate_source(bad).is_err(), "{bad}");
    }
    assert!(validate_table("opportunity_2").is_ok());
    assert_eq!(source("files", "opportunity").unwrap(), "files.opportunity");
}

fn any_key() -> impl Strategy<Value = Key> {
    let ids = (any::<u128>(), any::<u128>());
    let table = "[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,8}){0,2}";
    (0..8u8, ids, table, "[a-z0-9_]{1,9}\\.[a-z0-9_.-]{1,20}", any::<i64>(), any::<u64>()).prop_map(
        |(kind, (t, f), table, source, micros, index)| {
            let (t, f, m) = (tenant(t), file(f), Month::of_micros(micros));
            let silver = |part| Key::Silver { tenant: t, entity: table.clone(), part, file: f };
            match kind {
                0 => Key::Bronze { tenant: t, source, day: Day::of_micros(micros), file: f },
                1 => silver(SilverPart::Rows(m)),
                2 => silver(SilverPart::Changes(m)),
                3 => silver(SilverPart::Index),
                4 => silver(SilverPart::DeletionVector),
                5 => Key::System { tenant: t, table, month: m, file: f },
                6 => Key::Manifest { tenant: t, table: TableId(f.0), file: f },
                _ => Key::Snapshot { index, file: f },
            }
        },
    )
}

proptest! {
    #[test]
    fn every_key_reads_back(key in any_key(), other in any::<u128>()) {
        let text = key.to_string();
        prop_assert_eq!(&text.parse::<Key>().unwrap(), &key);
        prop_assert!(object_store::path::Path::parse(&text).is_ok_and(|p| p.as_ref() == text));
        if let Some(owner) = key.tenant() {
            prop_assert!(belongs_to(owner, &text));
            let other = tenant(other);
            prop_assert!(other == owner || !belongs_to(other, &text));
        } else {
            prop_assert!(!belongs_to(tenant(other), &text));
        }
        let partition = key.partition();
        let at = format!("/{partition}/{}.", key.file());
        prop_assert!(partition.is_empty() || text.contains(&at));
    }

    #[test]
    fn garbage_belongs_to_nobody(t in any::<u128>(), text in ".{0,200}") {
        prop_assert!(!belongs_to(tenant(t), &text));
    }
}

#[test]
fn traversal_belongs_to_nobody() {
    let t = tenant(1);
    let good = Key::Silver { tenant: t, entity: "a".into(), part: SilverPart::Index, file: file(2) }.to_string();
    assert!(belongs_to(t, &good));
    for bad in [format!("/{good}"), format!("{good}/"), good.replace("entity=a", "entity=a/.."), good.to_uppercase()] {
        assert!(!belongs_to(t, &bad), "{bad}");
    }
}
