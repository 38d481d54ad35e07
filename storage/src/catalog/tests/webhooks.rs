//! Webhooks: from now on, in order, at most so many, and each step compared with where it was.

use lakewright_proto::ErrorCode;

use super::world::*;
use crate::catalog::command::Command;
use crate::catalog::keyspace::Alerts;
use crate::catalog::records::{Alert, Delivery};

fn settle(from: u64, to: u64, delivery: Delivery) -> Command {
    Command::SettleAlerts { tenant: tenant(), webhook: "ops".into(), from, to, delivery }
}

#[test]
fn what_was_raised_before_is_not_sent_and_each_step_is_taken_once() {
    let mut w = World::new();
    w.done(Command::RaiseAlert(Alert::new(tenant(), "k", "before", "m")));
    w.done(Command::CreateWebhook(a_webhook("ops")));
    w.done(Command::RaiseAlert(Alert::new(tenant(), "k", "after", "m")));
    let from = w.webhook("ops").next;
    let ((_, at), alert) = w.store.view().next::<Alerts>(&tenant(), &(tenant(), from)).unwrap().unwrap();
    assert_eq!(alert.subject, "after");

    w.done(settle(from, from, Delivery::Failed { error: "refused".into(), retry_at: 99 }));
    let hook = w.webhook("ops");
    assert_eq!((hook.next, hook.attempts, hook.retry_at, hook.last_error.as_deref()), (from, 1, 99, Some("refused")));
    w.done(settle(from, at + 1, Delivery::Delivered));
    let hook = w.webhook("ops");
    assert_eq!((hook.next, hook.attempts, hook.retry_at, hook.last_error, hook.delivered), (at + 1, 0, 0, None, 1));
    // A second sender that saw the same alert has lost.
    assert_eq!(w.refused(settle(from, at + 1, Delivery::Delivered)), ErrorCode::Conflict);
    assert_eq!(w.refused(settle(at + 1, at, Delivery::Passed)), ErrorCode::Conflict);
    w.done(settle(at + 1, at + 2, Delivery::GivenUp { error: "gone".into() }));
    assert_eq!((w.webhook("ops").given_up, w.webhook("ops").last_error.as_deref()), (1, Some("gone")));
}

#[test]
fn names_are_taken_once_and_a_tenant_has_few() {
    let mut w = World::new();
    for n in 0..8 {
        w.done(Command::CreateWebhook(a_webhook(&format!("hook-{n}"))));
    }
    assert_eq!(w.refused(Command::CreateWebhook(a_webhook("hook-3"))), ErrorCode::AlreadyExists);
    assert_eq!(w.refused(Command::CreateWebhook(a_webhook("one-more"))), ErrorCode::ResourceExhausted);
    w.done(Command::DeleteWebhook { tenant: tenant(), name: "hook-3".into() });
    assert_eq!(w.refused(Command::DeleteWebhook { tenant: tenant(), name: "hook-3".into() }), ErrorCode::NotFound);
    w.done(Command::CreateWebhook(a_webhook("one-more")));
}
