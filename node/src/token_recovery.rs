//! `lakewright token recover`: a Unix socket in the data directory through which the node's own user gets a new
//! administrator's token. One line asks (`recover`), one line answers (`ok TOKEN` or `error SENTENCE`).

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use lakewright_proto::{Error, ErrorCode};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::auth::TokenSecret;

/// One exchange may take this long.
const TIMEOUT: Duration = Duration::from_secs(10);
/// ... and a line may be this long.
const MAX_LINE: u64 = 4096;

/// Opens the socket, 0600. A socket that a dead node left behind is replaced; one that answers is not.
pub fn bind(path: &Path) -> Result<UnixListener, Error> {
    let failed = |e: io::Error| Error::new(ErrorCode::Unavailable, format!("the socket {} cannot be opened: {e}", path.display()));
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Error::new(
            ErrorCode::AlreadyExists,
            format!("another node answers at {}: each needs its own node.data_dir", path.display()),
        ));
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Until this is done, `serve` refuses other users by what the kernel says of them.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Serves until `stop`, one caller at a time. `issue` makes and stores a token.
pub async fn serve<F, R>(listener: UnixListener, stop: CancellationToken, issue: F)
where
    F: Fn() -> R,
    R: Future<Output = Result<TokenSecret, Error>>,
{
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match tokio::time::timeout(TIMEOUT, answer(stream, &issue)).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => tracing::warn!(error = %e, "a caller of the recovery socket went away"),
                Err(_) => tracing::warn!("a caller of the recovery socket took too long"),
            },
            Err(e) => {
                tracing::warn!(error = %e, "the recovery socket is closed");
                return;
            }
        }
    }
}

async fn answer<F, R>(stream: UnixStream, issue: &F) -> io::Result<()>
where
    F: Fn() -> R,
    R: Future<Output = Result<TokenSecret, Error>>,
{
    let peer = stream.peer_cred()?.uid();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(MAX_LINE).read_line(&mut line).await?;
    let issued = if !is_own(peer) {
        Err(Error::new(ErrorCode::PermissionDenied, "only the node's own user may recover a token"))
    } else if line.trim() == "recover" {
        issue().await
    } else {
        Err(Error::new(ErrorCode::InvalidArgument, "the only request here is: recover"))
    };
    let said = match issued {
        Ok(token) => {
            tracing::warn!(uid = peer, "an administrator's token was recovered");
            zeroize::Zeroizing::new(format!("ok {}\n", token.expose()))
        }
        Err(e) => zeroize::Zeroizing::new(format!("error {}\n", e.message.replace('\n', " "))),
    };
    stream.get_mut().write_all(said.as_bytes()).await?;
    stream.get_mut().shutdown().await
}

/// The node's own user, or root, who can read everything anyway.
fn is_own(uid: u32) -> bool {
    let own = fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m));
    uid == 0 || own.is_ok_and(|own| own == uid)
}

/// Asks the node behind this socket for a token.
pub async fn request(path: &Path) -> Result<TokenSecret, Error> {
    let shown = path.display();
    let failed = |e: io::Error| {
        let next = match e.kind() {
            io::ErrorKind::PermissionDenied => "run this as the user that runs the node",
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                "is the node running, on this machine, and is this its data directory? Name it with --data-dir or --config"
            }
            _ => "look at the node's log, then try again",
        };
        Error::new(ErrorCode::Unavailable, format!("no node answers at {shown}: {e}; {next}"))
    };
    let mut stream = BufReader::new(UnixStream::connect(path).await.map_err(failed)?);
    let mut line = zeroize::Zeroizing::new(String::new());
    let exchange = async {
        stream.get_mut().write_all(b"recover\n").await?;
        (&mut stream).take(MAX_LINE).read_line(&mut line).await
    };
    tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    match line.trim_end().split_once(' ') {
        Some(("ok", token)) => TokenSecret::parse(token),
        Some(("error", why)) => return Err(Error::new(ErrorCode::PermissionDenied, why)),
        _ => None,
    }
    .ok_or_else(|| Error::new(ErrorCode::Unavailable, format!("what answers at {shown} is no Lakewright node")))
}

#[cfg(test)]
#[path = "token_recovery_tests.rs"]
mod tests;
