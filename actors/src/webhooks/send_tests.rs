//! Which addresses may be called, and what a delivery looks like.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::super::{new_secret, sign};
use super::*;

#[test]
fn only_public_addresses_over_https_unless_that_is_allowed() {
    for good in ["https://example.com/a?b=c", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/x"] {
        check_url(good, Reach::Public).unwrap();
    }
    let private = [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00:ec2::254]/",
        "https://[2002:7f00:1::]/",
    ];
    for url in private {
        let refused = check_url(url, Reach::Public).unwrap_err();
        assert!(refused.message.contains("webhooks.allow_private"), "{url}: {refused}");
        check_url(url, Reach::Private).unwrap();
    }
    for never in ["ftp://example.com/", "file:///etc/passwd", "https://user:word@example.com/", "example.com", "https://"] {
        assert!(check_url(never, Reach::Private).is_err(), "{never}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_called() {
    let sender = Sender::new(Reach::Public).unwrap();
    let alert = Alert::new(lakewright_proto::TenantId::generate(), "k", "s", "m");
    let refused = sender.send("https://localhost/", &new_secret(&[1; 32]), 1, &alert, 0).await.unwrap_err();
    assert!(refused.contains("private addresses"), "{refused}");
}

#[test]
fn signatures_are_those_of_the_standard() {
    // The example of the Standard Webhooks specification's reference libraries.
    let body = br#"{"test": 2432232314}"#;
    let made = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
    assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert!(sign("whsec_not base64", "m", 1, body).is_err());
    assert_ne!(new_secret(&[1; 32]), new_secret(&[2; 32]));
}
