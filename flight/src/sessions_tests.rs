//! Sessions by cookie: found by their user alone, bounded, and never lost in silence.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn caller(user: u128) -> Caller {
    let who = Session {
        tenant_id: TenantId(Uuid::from_u128(1)),
        slug: "acme".into(),
        principal: "ann@acme.com".into(),
        user_id: UserId(Uuid::from_u128(user)),
        hidden: Vec::new(),
    };
    Caller { who, state: Arc::default() }
}

fn cookie(header: &MetadataValue<Ascii>) -> Uuid {
    let mut request = MetadataMap::new();
    let pair = header.to_str().unwrap().split(';').next().unwrap().to_owned();
    request.insert("cookie", format!("other=1; {pair}").parse().unwrap());
    named(&request).unwrap()
}

#[test]
fn a_cookie_leads_its_own_user_to_what_was_set() {
    let (all, ann) = (Sessions::default(), caller(1));
    ann.state.change(|o| o.set("acme", "schema", Some("gold"))).unwrap();
    let id = cookie(&all.keep(&ann).unwrap());
    assert_eq!(all.find(id, &ann.who).unwrap().options().get("acme", "schema").unwrap(), "gold");
    assert_eq!(all.find(id, &caller(2).who).err().unwrap().code, ErrorCode::Unmet);
    all.close(&ann.state);
    assert!(all.find(id, &ann.who).err().unwrap().message.contains("the session is over"));
}

#[test]
fn a_tenant_has_so_many_sessions_and_no_more() {
    let all = Sessions::default();
    let first = caller(1);
    let id = cookie(&all.keep(&first).unwrap());
    for _ in 0..MAX_SESSIONS {
        all.keep(&caller(1)).unwrap();
    }
    assert_eq!(all.0.lock().len(), MAX_SESSIONS);
    assert!(all.find(id, &first.who).is_err(), "the longest unused one gives way");
}
