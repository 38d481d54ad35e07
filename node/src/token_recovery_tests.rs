//! Tests of the recovery socket.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[tokio::test]
async fn a_token_is_recovered_over_a_private_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recover.sock");
    let token = TokenSecret::generate();
    let stop = CancellationToken::new();
    let listener = bind(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let issued = token.clone();
    let served = tokio::spawn(serve(listener, stop.clone(), move || {
        let issued = issued.clone();
        async move { Ok(issued) }
    }));
    assert_eq!(request(&path).await.unwrap().expose(), token.expose());
    assert!(bind(&path).unwrap_err().message.contains("another node"), "a live socket is not taken over");

    let mut odd = BufReader::new(UnixStream::connect(&path).await.unwrap());
    odd.get_mut().write_all(b"hello\n").await.unwrap();
    let mut line = String::new();
    odd.read_line(&mut line).await.unwrap();
    assert_eq!(line, "error the only request here is: recover\n");

    stop.cancel();
    served.await.unwrap();
    let gone = request(&path).await.unwrap_err();
    assert!(gone.message.contains("is the node running"), "{gone}");
    drop(bind(&path).unwrap());
}

#[tokio::test]
async fn what_the_node_refuses_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recover.sock");
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(bind(&path).unwrap(), stop.clone(), || async {
        Err::<TokenSecret, _>(Error::new(ErrorCode::Unavailable, "there is no leader:\ntry again"))
    }));
    assert_eq!(request(&path).await.unwrap_err().message, "there is no leader: try again");
    stop.cancel();
    served.await.unwrap();
}
