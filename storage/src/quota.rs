//! Who may call a source when: pure. Budgets are charged before they are used, so that a crash loses
//! at most what was granted and never exceeds a limit.

use std::collections::BTreeMap;

use lakewright_proto::TenantId;

use crate::catalog::records::{Quota, QuotaAsk, QuotaClass, QuotaGrant, QuotaLimit, QuotaSlot};

/// A slot of the rolling day, microseconds.
pub const SLOT: i64 = 300 * 1_000_000;
/// Slots of a day.
pub const SLOTS: i64 = 288;
const SECOND: i64 = 1_000_000;
/// What was granted is used within this time of its instant, or not at all.
const SLACK: i64 = 10 * SECOND;
/// How long the less urgent give way after somebody more urgent was turned away.
const GIVE_WAY: i64 = 2 * SECOND;

/// How far ahead of now calls are promised, and how many at once.
fn reach(class: QuotaClass) -> (i64, u32) {
    match class {
        QuotaClass::Live => (10 * SECOND, 100),
        QuotaClass::Sweep => (SECOND, 50),
        QuotaClass::Backfill => (0, 20),
    }
}

/// What of the day a class may use: the rest is kept for the more urgent.
fn part(class: QuotaClass, per_day: u64) -> u64 {
    match class {
        QuotaClass::Live => per_day,
        QuotaClass::Sweep => per_day * 95 / 100,
        QuotaClass::Backfill => per_day * 80 / 100,
    }
}

/// Calls charged in the last 24 hours, by tenant.
pub fn used(quota: &Quota, now: i64) -> BTreeMap<TenantId, u64> {
    let mut by_tenant = BTreeMap::new();
    for slot in quota.slots.iter().filter(|s| is_counted(s, now)) {
        for (tenant, calls) in &slot.used {
            *by_tenant.entry(*tenant).or_default() += u64::from(*calls);
        }
    }
    by_tenant
}

/// A slot counts until the last instant that was charged to it is 24 hours old.
fn is_counted(slot: &QuotaSlot, now: i64) -> bool {
    slot.index >= now / SLOT - SLOTS
}

/// Decides an ask at an instant, and charges it.
pub fn decide(quota: &mut Quota, ask: &QuotaAsk, now: i64) -> QuotaGrant {
    quota.per_second = ask.per_second.max(1);
    quota.per_day = ask.per_day.max(1);
    quota.slots.retain(|s| is_counted(s, now));
    let spacing = SECOND / i64::from(quota.per_second);
    let (ahead, most) = reach(ask.class);
    let gives_way = match ask.class {
        QuotaClass::Live => 0,
        QuotaClass::Sweep => quota.give_way.1,
        QuotaClass::Backfill => quota.give_way.0.max(quota.give_way.1),
    };
    let start = quota.next_at.max(now);
    if start - now > ahead || gives_way > now {
        let until = now + GIVE_WAY;
        match ask.class {
            QuotaClass::Live => quota.give_way.1 = until,
            QuotaClass::Sweep => quota.give_way.0 = until,
            QuotaClass::Backfill => {}
        }
        let wait = (start - now - ahead).max(gives_way - now).clamp(50_000, SLACK);
        return QuotaGrant::Denied { wait_us: wait, limit: QuotaLimit::Second };
    }
    let (left, limit) = left_of_day(quota, ask, now);
    let within = u32::try_from(SLACK / spacing).unwrap_or(u32::MAX).max(1);
    let calls = ask.calls.max(1).min(most).min(within).min(u32::try_from(left).unwrap_or(u32::MAX));
    if calls == 0 {
        return QuotaGrant::Denied { wait_us: until_room(quota, now), limit };
    }
    quota.next_at = start + i64::from(calls) * spacing;
    charge(quota, ask.tenant, calls, (quota.next_at + SLACK) / SLOT);
    QuotaGrant::Granted { calls, wait_us: start - now, spacing_us: spacing }
}

/// Calls that the asker may still make in these 24 hours, and what ends them.
fn left_of_day(quota: &Quota, ask: &QuotaAsk, now: i64) -> (u64, QuotaLimit) {
    let by_tenant = used(quota, now);
    let total: u64 = by_tenant.values().sum();
    let per_day = u64::from(quota.per_day);
    let left = part(ask.class, per_day).saturating_sub(total);
    // Half of what the others have not used of their shares is kept for them.
    let tenants = by_tenant.len() as u64 + u64::from(!by_tenant.contains_key(&ask.tenant));
    let share = per_day / tenants.max(1);
    let own = by_tenant.get(&ask.tenant).copied().unwrap_or_default();
    let kept: u64 = by_tenant.iter().filter(|(t, _)| **t != ask.tenant).map(|(_, n)| share.saturating_sub(*n) / 2).sum();
    let shared = left.saturating_sub(kept).max(share.saturating_sub(own).min(left));
    if shared < left && shared == 0 {
        (0, QuotaLimit::Share)
    } else {
        (shared, QuotaLimit::Day)
    }
}

/// When the oldest slot stops counting.
fn until_room(quota: &Quota, now: i64) -> i64 {
    let oldest = quota.slots.iter().map(|s| s.index).min();
    oldest.map_or(SLOT, |index| (index + SLOTS + 1) * SLOT - now).clamp(SECOND, SLOT * SLOTS)
}

fn charge(quota: &mut Quota, tenant: TenantId, calls: u32, index: i64) {
    let at = quota.slots.partition_point(|s| s.index < index);
    if quota.slots.get(at).is_none_or(|s| s.index != index) {
        quota.slots.insert(at, QuotaSlot { index, used: Vec::new() });
    }
    let slot = &mut quota.slots[at];
    match slot.used.iter_mut().find(|(t, _)| *t == tenant) {
        Some((_, n)) => *n = n.saturating_add(calls),
        None => slot.used.push((tenant, calls)),
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
