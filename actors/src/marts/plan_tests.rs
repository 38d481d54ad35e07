//! When marts are built.

use std::time::Duration;

use lakewright_proto::{CommitSeq, TableId};
use lakewright_storage::catalog::records::{GoldBuild, GoldInput};

use super::plan::{day, when, State, When, DAY};

const S: i64 = 1_000_000;
const T: i64 = 20_000 * DAY;
const PAUSE: Duration = Duration::from_secs(5);

fn input(watermark: u64) -> Vec<GoldInput> {
    vec![GoldInput { table: TableId(uuid::Uuid::from_u128(1)), watermark: CommitSeq(watermark), looked_up: 0 }]
}

fn built(at: i64, watermark: u64) -> Option<GoldBuild> {
    let build = GoldBuild {
        date: day(at),
        snapshot: 1,
        inputs: input(watermark),
        files: vec![],
        rows: 0,
        pack: "p".into(),
        took_us: S / 10,
        built_at: at,
    };
    Some(build)
}

fn state(watermark: u64, changed_at: i64, last: Option<GoldBuild>) -> State {
    State { inputs: input(watermark), changed_at, pack: "p".into(), last }
}

#[test]
fn a_burst_gives_one_build_at_its_end_and_a_stream_one_each_so_often() {
    assert_eq!(when(&State::default(), PAUSE, T), When::Never);
    assert_eq!(when(&state(3, T, None), PAUSE, T), When::At(T + 5 * S));
    assert_eq!(when(&state(3, T, None), PAUSE, T + 5 * S), When::Now);
    let last = built(T, 3);
    assert_eq!(when(&state(3, T - S, last.clone()), PAUSE, T + S), When::Never);
    // It changes each second: after thirty the build does not wait any longer.
    assert_eq!(when(&state(4, T + 10 * S, last.clone()), PAUSE, T + 10 * S), When::At(T + 15 * S));
    assert_eq!(when(&state(9, T + 29 * S, last.clone()), PAUSE, T + 29 * S), When::At(T + 30 * S));
    assert_eq!(when(&state(9, T + 30 * S, last), PAUSE, T + 30 * S), When::Now);
}

#[test]
fn a_build_that_takes_long_is_made_less_often() {
    let slow = built(T, 3).map(|b| GoldBuild { took_us: 60 * S, ..b });
    assert_eq!(when(&state(4, T + S, slow), PAUSE, T + 100 * S), When::At(T + 600 * S));
}

#[test]
fn a_new_day_and_a_new_pack_version_are_built_without_a_change() {
    assert_eq!(when(&state(3, T, built(T, 3)), PAUSE, T + DAY), When::Now);
    let newer = State { pack: "q".into(), ..state(3, T, built(T, 3)) };
    assert_eq!(when(&newer, PAUSE, T + 2 * S), When::Now);
    assert_eq!(day(T), 20_000);
    assert_eq!(day(T - 1), 19_999);
}
