//! Layers of settings, merged, and every fault in them.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::nearest::nearest;
use super::sections::{Config, SECTIONS};
use super::validate::validate;
use super::value::Setting;

/// Variables with this prefix are settings: `LAKEWRIGHT__SECTION__KEY`.
pub const ENV_PREFIX: &str = "LAKEWRIGHT__";

/// Where settings come from, weakest first; the defaults are below them all.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A TOML file. It must exist.
    pub file: Option<PathBuf>,
    /// The environment, names and values; those without the prefix are passed over.
    pub env: Vec<(String, String)>,
    /// `section.key` and value, from the command line.
    pub flags: Vec<(String, String)>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or `environment`, `command line`, `defaults`.
    pub file: String,
    /// `section.key`; empty: the file as a whole.
    pub key: String,
    /// What is wrong and what to do.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.file, self.reason)
        } else {
            write!(f, "{}: {}: {}", self.file, self.key, self.reason)
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.faults.len();
        write!(f, "the configuration has {n} fault{}:", if n == 1 { "" } else { "s" })?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for lakewright_proto::Error {
    fn from(e: ConfigError) -> Self {
        Self::new(lakewright_proto::ErrorCode::InvalidArgument, e.to_string())
    }
}

/// Merges the layers and checks all of it.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let mut faults = Vec::new();
    let mut layers = vec![Layer { name: "defaults".to_owned(), dict: parse(&super::default_toml(), "defaults", &mut faults) }];
    if let Some(path) = &sources.file {
        layers.push(Layer { name: path.display().to_string(), dict: read_file(path, &mut faults) });
    }
    layers.push(pairs("environment", sources.env.iter().filter_map(|(k, v)| env_key(k).map(|k| (k, v))), &mut faults));
    layers.push(pairs("command line", sources.flags.iter().map(|(k, v)| (k.clone(), v)), &mut faults));

    // Before merging: a scalar in the place of a section would hide the sections below it.
    for layer in &mut layers {
        check_names(layer, &mut faults);
    }
    let figment = layers.into_iter().fold(Figment::new(), |f, layer| f.merge(layer));
    let mut reader = Reader { figment: &figment, faults: &mut faults };
    let config = Config::read(&mut reader);
    if let Some(config) = &config {
        validate(config, &mut |key, reason| reader.fault(key, reason));
    }
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(ConfigError { faults }),
    }
}

/// Reads keys out of the merged layers and notes what is wrong with them.
pub(super) struct Reader<'a> {
    figment: &'a Figment,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// The value of a key, or a fault.
    pub(super) fn take<T: Setting>(&mut self, section: &str, key: &str) -> Option<T> {
        let path = format!("{section}.{key}");
        let read = match self.figment.find_value(&path) {
            Ok(v) => T::from_value(&v),
            Err(e) => Err(e.to_string()),
        };
        read.map_err(|reason| self.fault(&path, reason)).ok()
    }

    fn fault(&mut self, key: &str, reason: String) {
        let file = self.figment.find_metadata(key).map_or_else(|| "defaults".to_owned(), |m| m.name.to_string());
        self.faults.push(Fault { file, key: key.to_owned(), reason });
    }
}

struct Layer {
    name: String,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

fn read_file(path: &Path, faults: &mut Vec<Fault>) -> Dict {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &name, faults),
        Err(e) => {
            faults.push(Fault { file: name, key: String::new(), reason: format!("cannot be read: {e}") });
            Dict::new()
        }
    }
}

fn parse(text: &str, name: &str, faults: &mut Vec<Fault>) -> Dict {
    let parsed = toml::from_str::<toml::Table>(text).map_err(|e| e.to_string());
    match parsed.and_then(|table| Value::serialize(&table).map_err(|e| e.to_string())) {
        Ok(Value::Dict(_, dict)) => dict,
        Ok(_) => Dict::new(),
        Err(reason) => {
            faults.push(Fault { file: name.to_owned(), key: String::new(), reason: format!("is not TOML: {}", reason.trim_end()) });
            Dict::new()
        }
    }
}

/// `LAKEWRIGHT__ADMIN__LISTEN` as `admin.listen`.
fn env_key(name: &str) -> Option<String> {
    Some(name.strip_prefix(ENV_PREFIX)?.to_ascii_lowercase().replace("__", "."))
}

/// Values stay text here: a key made of digits must not lose its leading zeros.
fn pairs<'a>(name: &str, pairs: impl Iterator<Item = (String, &'a String)>, faults: &mut Vec<Fault>) -> Layer {
    let mut dict = Dict::new();
    for (key, value) in pairs {
        let Some((section, rest)) = key.split_once('.') else {
            faults.push(Fault { file: name.to_owned(), key, reason: "is not SECTION.KEY".to_owned() });
            continue;
        };
        let slot = dict.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
        if let Value::Dict(_, d) = slot {
            d.insert(rest.to_owned(), Value::from(value.clone()));
        }
    }
    Layer { name: name.to_owned(), dict }
}

/// Takes out whatever no section or key is called, with a fault for each.
fn check_names(layer: &mut Layer, faults: &mut Vec<Fault>) {
    let Layer { name: file, dict } = layer;
    let mut fault = |key: String, reason: String| faults.push(Fault { file: file.clone(), key, reason });
    dict.retain(|name, value| {
        let Some(section) = SECTIONS.iter().find(|s| s.name == name.as_str()) else {
            fault(name.clone(), format!("no such section{}", hint(name, SECTIONS.iter().map(|s| s.name))));
            return false;
        };
        let Value::Dict(_, keys) = value else {
            fault(name.clone(), format!("is a section: write [{name}] and its keys below"));
            return false;
        };
        keys.retain(|key, _| {
            let known = section.keys.iter().any(|k| k.name == key.as_str());
            if !known {
                fault(format!("{name}.{key}"), format!("no such key{}", hint(key, section.keys.iter().map(|k| k.name))));
            }
            known
        });
        true
    });
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()).first() {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
