//! A client's connection as the place of its session, for clients that keep no cookies: what it set ends with it.

use std::collections::HashMap;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lakewright_proto::{TenantId, UserId};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::Connected;

use crate::sessions::ClientState;

/// Users behind one connection, as a proxy has them; further ones get no session that lasts.
const MAX_USERS: usize = 64;

type Users = HashMap<(TenantId, UserId), Arc<ClientState>>;

/// What the users of one connection have set.
#[derive(Clone, Default)]
pub(crate) struct Connection(Arc<Mutex<Users>>);

impl Connection {
    /// The session of a user on this connection.
    pub(crate) fn state(&self, tenant: TenantId, user: UserId) -> Arc<ClientState> {
        let mut users = self.0.lock();
        if let Some(known) = users.get(&(tenant, user)) {
            return Arc::clone(known);
        }
        let new = Arc::<ClientState>::default();
        if users.len() < MAX_USERS {
            users.insert((tenant, user), Arc::clone(&new));
        }
        new
    }

    /// Ends the session of a user on this connection.
    pub(crate) fn forget(&self, tenant: TenantId, user: UserId) {
        self.0.lock().remove(&(tenant, user));
    }
}

/// An accepted stream with its sessions.
pub(crate) struct Conn {
    stream: TcpStream,
    connection: Connection,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, connection: Connection::default() }
    }
}

impl Connected for Conn {
    type ConnectInfo = Connection;
    fn connect_info(&self) -> Connection {
        self.connection.clone()
    }
}

impl AsyncRead for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
