//! Where statements end.

use super::*;

#[test]
fn statements_end_at_semicolons_that_are_not_in_texts_or_comments() {
    assert_eq!(statements("select 1; select ';' , \";\" -- no; \n ; rest"), (vec!["select 1", "select ';' , \";\" -- no;"], "rest"));
    assert_eq!(statements("select 'it''s;' /* ; */;"), (vec!["select 'it''s;' /* ; */"], ""));
    assert_eq!(statements("select 'open;"), (vec![], "select 'open;"));
    assert_eq!(statements(";;"), (vec![], ""));
    assert_eq!(statements("select 'Zoë'; x"), (vec!["select 'Zoë'"], "x"));
}

#[test]
fn commands_begin_with_a_backslash() {
    assert_eq!(command(" \\d silver.opportunity; "), Some(Command::Describe(Some("silver.opportunity".into()))));
    assert_eq!(command("\\d"), Some(Command::Describe(None)));
    assert_eq!(command("\\q"), Some(Command::Quit));
    assert_eq!(command("\\nope"), Some(Command::Unknown("nope".into())));
    assert_eq!(command("select 1"), None);
}
