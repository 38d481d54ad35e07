//! Who calls, and what they may do: tokens, roles, and the principal of a request.

mod authenticator;
mod interceptor;
mod permission;
mod token;

pub use authenticator::{Authenticator, Directory, Principal, TokenRecord};
pub use interceptor::{principal_of, AuthInterceptor};
pub use permission::{allowed, allowed_across_tenants, authorize, Action};
pub use token::{TokenSecret, TOKEN_PREFIX};

#[cfg(test)]
mod tests;
