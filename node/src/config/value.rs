//! One setting out of the merged layers: what a type accepts, and how it says what it does not.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use figment::value::{Num, Value};
use zeroize::Zeroizing;

use super::units::{parse_duration, ByteSize};

/// A type that a setting can have. Text is accepted for every one, since the environment knows nothing else.
pub(super) trait Setting: Sized {
    /// The value, or why it is none.
    fn from_value(v: &Value) -> Result<Self, String>;
}

/// Text that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The secret itself; never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(s: String) -> Self {
        Self(Zeroizing::new(s))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "SecretText(unset)" } else { "SecretText(***)" })
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn kind(v: &Value) -> String {
    v.to_actual().to_string()
}

fn text(v: &Value) -> Result<&str, String> {
    v.as_str().ok_or_else(|| format!("text is wanted, found {}", kind(v)))
}

impl Setting for String {
    fn from_value(v: &Value) -> Result<Self, String> {
        text(v).map(str::to_owned)
    }
}

impl Setting for SecretText {
    fn from_value(v: &Value) -> Result<Self, String> {
        // The value itself stands in no message.
        v.as_str().map(|s| s.to_owned().into()).ok_or_else(|| "text is wanted".to_owned())
    }
}

impl Setting for Option<String> {
    fn from_value(v: &Value) -> Result<Self, String> {
        text(v).map(|s| (!s.is_empty()).then(|| s.to_owned()))
    }
}

impl Setting for PathBuf {
    fn from_value(v: &Value) -> Result<Self, String> {
        text(v).map(PathBuf::from)
    }
}

impl Setting for Option<PathBuf> {
    fn from_value(v: &Value) -> Result<Self, String> {
        text(v).map(|s| (!s.is_empty()).then(|| PathBuf::from(s)))
    }
}

impl Setting for Vec<PathBuf> {
    fn from_value(v: &Value) -> Result<Self, String> {
        let paths: Vec<PathBuf> = match v {
            Value::Array(_, items) => items.iter().map(|i| text(i).map(PathBuf::from)).collect::<Result<_, _>>()?,
            Value::String(_, s) => s.split(':').filter(|p| !p.is_empty()).map(PathBuf::from).collect(),
            _ => return Err(format!("a list of directories is wanted, found {}", kind(v))),
        };
        match paths.iter().find(|p| !p.is_absolute()) {
            Some(path) => Err(format!("{} is not an absolute directory", path.display())),
            None => Ok(paths),
        }
    }
}

impl Setting for SocketAddr {
    fn from_value(v: &Value) -> Result<Self, String> {
        let s = text(v)?;
        s.parse().map_err(|_| format!("{s:?} is not an address: write IP:PORT, as 127.0.0.1:7401"))
    }
}

impl Setting for bool {
    fn from_value(v: &Value) -> Result<Self, String> {
        match v {
            Value::Bool(_, b) => Ok(*b),
            Value::String(_, s) if s == "true" => Ok(true),
            Value::String(_, s) if s == "false" => Ok(false),
            _ => Err(format!("true or false is wanted, found {}", kind(v))),
        }
    }
}

impl Setting for u64 {
    fn from_value(v: &Value) -> Result<Self, String> {
        let wanted = || format!("a whole number from 0 up is wanted, found {}", kind(v));
        match v {
            Value::Num(_, n) => unsigned(n).ok_or_else(wanted),
            Value::String(_, s) => s.trim().parse().map_err(|_| wanted()),
            _ => Err(wanted()),
        }
    }
}

impl Setting for u32 {
    fn from_value(v: &Value) -> Result<Self, String> {
        let n = u64::from_value(v)?;
        Self::try_from(n).map_err(|_| format!("{n} is too large: at most {}", Self::MAX))
    }
}

impl Setting for ByteSize {
    fn from_value(v: &Value) -> Result<Self, String> {
        match v {
            Value::Num(..) => u64::from_value(v).map(Self),
            v => Self::parse(text(v)?),
        }
    }
}

impl Setting for Duration {
    fn from_value(v: &Value) -> Result<Self, String> {
        match v {
            Value::Num(..) => Err(format!("a unit is missing: write a duration as \"2s\", found {}", kind(v))),
            v => parse_duration(text(v)?),
        }
    }
}

impl Setting for LogFormat {
    fn from_value(v: &Value) -> Result<Self, String> {
        match text(v)? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("{other:?} is not a format: write text or json")),
        }
    }
}

impl Setting for BTreeMap<String, String> {
    fn from_value(v: &Value) -> Result<Self, String> {
        match v {
            Value::Dict(_, d) => d.iter().map(|(k, v)| Ok((k.clone(), text(v).map_err(|e| format!("{k}: {e}"))?.to_owned()))).collect(),
            Value::String(_, s) => s.split(',').map(str::trim).filter(|s| !s.is_empty()).map(pair).collect(),
            v => Err(format!("a table of text is wanted, found {}", kind(v))),
        }
    }
}

fn pair(s: &str) -> Result<(String, String), String> {
    let (k, v) = s.split_once('=').ok_or_else(|| format!("{s:?} is not KEY=VALUE"))?;
    Ok((k.trim().to_owned(), v.trim().to_owned()))
}

fn unsigned(n: &Num) -> Option<u64> {
    n.to_u128().and_then(|n| u64::try_from(n).ok()).or_else(|| n.to_i128().and_then(|n| u64::try_from(n).ok()))
}
