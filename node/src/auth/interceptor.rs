//! The door of every gRPC service but health and reflection.

use lakewright_proto::{Error, ErrorCode};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::authenticator::{Authenticator, Principal};

/// Puts the principal into the request, or refuses it.
#[derive(Clone, Debug)]
pub struct AuthInterceptor(Authenticator);

impl AuthInterceptor {
    /// Asks this authenticator.
    pub fn new(authenticator: Authenticator) -> Self {
        Self(authenticator)
    }
}

impl Interceptor for AuthInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let header = request.metadata().get("authorization").and_then(|v| v.to_str().ok()).ok_or_else(|| {
            Error::new(
                ErrorCode::Unauthenticated,
                "there is no token: show `authorization: Bearer lw_...` (the CLI takes --token or LAKEWRIGHT_TOKEN)",
            )
        })?;
        let principal = self.0.header(header)?;
        request.extensions_mut().insert(principal);
        Ok(request)
    }
}

/// The caller of a request that came through [`AuthInterceptor`].
pub fn principal_of<T>(request: &Request<T>) -> Result<&Principal, Error> {
    request.extensions().get().ok_or_else(|| Error::new(ErrorCode::Unauthenticated, "the request came in without authentication"))
}
