//! The way to a node: address, TLS, token, and what its refusals mean.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lakewright_proto::admin::admin_client::AdminClient;
use lakewright_proto::{Error, ErrorCode};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::service::Interceptor;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use zeroize::Zeroizing;

use super::args::Globals;
use super::Context;
use crate::config::admin_token_file;

/// The admin API with the caller's token.
pub(crate) type Admin = AdminClient<InterceptedService<Channel, Bearer>>;

/// Shows the token with each call.
#[derive(Clone)]
pub(crate) struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

impl Context {
    /// Connects to the admin API.
    pub(crate) async fn admin(&self) -> Result<Admin, Error> {
        let token = find_token(&self.globals)?;
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {}", token.trim()).parse().map_err(|_| invalid("the token has characters that no token has: copy it again"))?;
        value.set_sensitive(true);
        let channel = connect(&self.globals, &self.globals.server, "--server or LAKEWRIGHT_SERVER").await?;
        Ok(AdminClient::with_interceptor(channel, Bearer(value)).max_decoding_message_size(64 << 20))
    }

    /// Connects to Flight SQL; the token goes with the client.
    pub(crate) async fn flight(&self) -> Result<(Channel, Zeroizing<String>), Error> {
        let token = find_token(&self.globals)?;
        Ok((connect(&self.globals, &self.globals.flight, "--flight or LAKEWRIGHT_FLIGHT").await?, token))
    }

    /// The tenant that the command is about; empty: the token's.
    pub(crate) fn tenant(&self) -> String {
        self.globals.tenant.clone()
    }
}

async fn connect(globals: &Globals, address: &str, option: &str) -> Result<Channel, Error> {
    let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let wrong = |why: String| invalid(&format!("{address} cannot be used as an address ({option}): {why}"));
    let mut endpoint = Endpoint::from_shared(url.clone())
        .map_err(|e| wrong(e.to_string()))?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20));
    if url.starts_with("https://") {
        endpoint = endpoint.tls_config(client_tls(globals)?).map_err(|e| wrong(sources(&e)))?;
    }
    endpoint.connect().await.map_err(|e| {
        Error::new(
            ErrorCode::Unavailable,
            format!("no node answers at {url}: {}. Is it running (`lakewright node`)? Name another address with {option}", sources(&e)),
        )
    })
}

fn client_tls(globals: &Globals) -> Result<ClientTlsConfig, Error> {
    let ca = globals
        .ca
        .as_ref()
        .ok_or_else(|| invalid("an https address needs the node's certificate authority: name its file with --ca or LAKEWRIGHT_CA"))?;
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?));
    if let (Some(cert), Some(key)) = (&globals.client_cert, &globals.client_key) {
        tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| invalid(&format!("{} cannot be read: {e}", path.display())))
}

/// The token: as given, of the data directory, of the home directory.
pub(super) fn find_token(globals: &Globals) -> Result<Zeroizing<String>, Error> {
    if let Some(token) = &globals.token {
        return Ok(Zeroizing::new(token.clone()));
    }
    let file = match &globals.data_dir {
        Some(dir) => admin_token_file(dir),
        None => home_token_file().filter(|f| f.exists()).ok_or_else(|| {
            Error::new(
                ErrorCode::Unauthenticated,
                "there is no token: give one with --token or LAKEWRIGHT_TOKEN, write it to ~/.config/lakewright/token, or name a node's data directory with --data-dir",
            )
        })?,
    };
    std::fs::read_to_string(&file)
        .map(Zeroizing::new)
        .map_err(|e| Error::new(ErrorCode::Unauthenticated, format!("the token file {} cannot be read: {e}", file.display())))
}

fn home_token_file() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let config = config.or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config")))?;
    Some(config.join("lakewright/token"))
}

/// What a refusal of the node means, and what to do next.
pub(crate) fn explain(status: &Status) -> Error {
    let said = status.message();
    let (code, next) = match status.code() {
        Code::Unauthenticated => (ErrorCode::Unauthenticated, "check --token, LAKEWRIGHT_TOKEN or ~/.config/lakewright/token; administrators get a new one on the node with `lakewright token recover`"),
        Code::PermissionDenied => (ErrorCode::PermissionDenied, ""),
        Code::NotFound => (ErrorCode::NotFound, ""),
        Code::AlreadyExists => (ErrorCode::AlreadyExists, ""),
        Code::InvalidArgument => (ErrorCode::InvalidArgument, ""),
        Code::Aborted => (ErrorCode::Conflict, "look at its present state, then repeat"),
        Code::FailedPrecondition => (ErrorCode::Fenced, ""),
        Code::ResourceExhausted => (ErrorCode::ResourceExhausted, "try again later"),
        Code::Unavailable => (ErrorCode::Unavailable, "nothing was done; is the node running? Look at its log, then try again"),
        Code::DeadlineExceeded | Code::Unknown => (ErrorCode::UnknownOutcome, "it may have been done or not: look before you repeat it"),
        Code::Cancelled => (ErrorCode::Cancelled, ""),
        Code::DataLoss => (ErrorCode::DataLoss, "do not repeat it; look at the node's log"),
        Code::Unimplemented => (ErrorCode::InvalidArgument, "the node does not know this call: is it of the same version (`lakewright status`), and is this the right port?"),
        _ => (ErrorCode::Internal, "look at the node's log"),
    };
    let said = if said.is_empty() { status.code().description() } else { said };
    let message = if next.is_empty() { said.to_owned() } else { format!("{said} ({next})") };
    Error::new(code, message)
}

/// All pages of a list, up to `limit` entries.
pub(crate) async fn all<T, F, R>(limit: usize, mut page: F) -> Result<Vec<T>, Status>
where
    F: FnMut(u32, String) -> R,
    R: Future<Output = Result<(Vec<T>, String), Status>>,
{
    let mut found = Vec::new();
    let mut token = String::new();
    while found.len() < limit {
        let size = u32::try_from((limit - found.len()).min(1000)).unwrap_or(1000);
        let (entries, next) = page(size, token).await?;
        found.extend(entries);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    found.truncate(limit);
    Ok(found)
}

/// Calls a list until it ends: `pages!(admin, limit, list_users, ListUsersRequest { tenant }, users)`.
macro_rules! pages {
    ($admin:expr, $limit:expr, $call:ident, $Request:ident { $($field:ident: $value:expr),* $(,)? }, $entries:ident) => {
        $crate::cli::client::all($limit, |page_size, page_token| {
            let mut admin = $admin.clone();
            let request = $Request { $($field: $value.clone(),)* page_size, page_token };
            async move { admin.$call(request).await.map(|r| { let r = r.into_inner(); (r.$entries, r.next_page_token) }) }
        })
        .await
    };
}
pub(crate) use pages;

fn invalid(message: &str) -> Error {
    Error::new(ErrorCode::InvalidArgument, message)
}

/// An error with its causes: tonic's own text says only "transport error".
fn sources(e: &dyn std::error::Error) -> String {
    let mut last = e;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
