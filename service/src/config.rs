//! Reading a service's configuration: a YAML file, overridden by variables.
//!
//! `VEDETTE_INGEST_NATS__CREDENTIALS_FILE` sets `nats.credentialsFile` of ingest: the service's prefix, then the key in capitals,
//! its words joined by `_` and its levels by `__`. A list or a map may be JSON. An unknown key is an error wherever it stands, since a limit that is misspelt
//! is a limit that is not there. Values are never repeated in errors: they may be secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};
use figment::providers::{Format, Yaml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;

/// A configuration file is a page or two.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration file {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is far too large to be a configuration.
    #[error("the configuration file {} is larger than {MAX_BYTES} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// Keys or values are wrong.
    #[error("{}", problems.join("\n"))]
    Invalid {
        /// Each as `where: what`.
        problems: Vec<String>,
    },
}

/// The prefix of a service's variables: `VEDETTE_INGEST_` for `ingest`.
pub fn prefix(service: &str) -> String {
    format!("VEDETTE_{}_", service.to_ascii_uppercase().replace('-', "_"))
}

/// Reads `file`, if given, and the variables that start with `prefix` over it.
///
/// # Errors
/// If the file cannot be read, or a key is unknown, missing or of the wrong type.
pub fn load<T: DeserializeOwned>(prefix: &str, file: Option<&Path>) -> Result<T, ConfigError> {
    let text = match file {
        Some(file) => Some((file.display().to_string(), read(file)?)),
        None => None,
    };
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    resolve(text, prefix, variables)
}

/// Reads a configuration's text alone; `name` is what errors call it.
///
/// # Errors
/// If a key is unknown, missing or of the wrong type.
pub fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, ConfigError> {
    resolve(Some((name.to_owned(), text.to_owned())), "", std::iter::empty())
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { file: file.to_owned(), source };
    if std::fs::metadata(file).map_err(failed)?.len() > MAX_BYTES {
        return Err(ConfigError::TooLarge { file: file.to_owned() });
    }
    std::fs::read_to_string(file).map_err(failed)
}

fn resolve<T: DeserializeOwned>(
    file: Option<(String, String)>,
    prefix: &str,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut overlay = Overlay::new(prefix, variables);
    let (name, text) = file.unwrap_or_else(|| ("configuration".to_owned(), String::new()));
    loop {
        let mut figment = Figment::new();
        if text.lines().any(|line| !matches!(line.trim().as_bytes().first(), None | Some(b'#')) && line.trim() != "---")
        {
            figment = figment.merge(Yaml::string(&text));
        }
        match figment.merge(&overlay).extract::<T>() {
            Ok(config) => return Ok(config),
            // A variable's text that looks like a number may be meant as text.
            Err(error) if overlay.take_as_text(&error) => {}
            Err(error) => {
                let problems = error.into_iter().map(|error| describe(&error, &name, &overlay)).collect();
                return Err(ConfigError::Invalid { problems });
            }
        }
    }
}

/// Variables as a tree of keys.
#[derive(Debug)]
struct Overlay {
    /// By key (`nats.url`): the variable's name and text.
    variables: BTreeMap<String, (String, String)>,
    as_text: BTreeSet<String>,
}

impl Overlay {
    fn new(prefix: &str, variables: impl Iterator<Item = (String, String)>) -> Self {
        let ours = variables.filter_map(|(name, value)| {
            let rest = name.strip_prefix(prefix).filter(|rest| !rest.is_empty() && !prefix.is_empty())?;
            if rest == "CONFIG" || is_service_link(rest, &value) {
                return None;
            }
            let key = rest.split("__").map(camel_case).collect::<Vec<_>>().join(".");
            Some((key, (name, value)))
        });
        Self { variables: ours.collect(), as_text: BTreeSet::new() }
    }

    /// Whether a type error is about a variable that was not taken as text yet. It is from now on.
    fn take_as_text(&mut self, error: &figment::Error) -> bool {
        let key = error.path.join(".");
        matches!(&error.kind, Kind::InvalidType(actual, _) if !matches!(actual, Actual::Str(_)))
            && self.variables.contains_key(&key)
            && self.as_text.insert(key)
    }
}

impl Provider for &Overlay {
    fn metadata(&self) -> Metadata {
        Metadata::named("variables")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut dict = Dict::new();
        for (key, (_, text)) in &self.variables {
            let value = if self.as_text.contains(key) { Value::from(text.as_str()) } else { value(text) };
            let path: Vec<&str> = key.split('.').collect();
            insert(&mut dict, &path, value);
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// What a variable's text says: JSON where it is a list or a map of it, else as figment reads variables, which knows no `:`.
fn value(text: &str) -> Value {
    let json = text.starts_with(['[', '{']).then(|| serde_json::from_str(text).ok()).flatten();
    json.unwrap_or_else(|| text.parse().unwrap_or_else(|_| Value::from(text)))
}

fn insert(dict: &mut Dict, path: &[&str], value: Value) {
    match path {
        [] => {}
        [last] => {
            dict.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let entry = dict.entry((*first).to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if !matches!(entry, Value::Dict(..)) {
                *entry = Value::from(Dict::new());
            }
            if let Value::Dict(_, inner) = entry {
                insert(inner, rest, value);
            }
        }
    }
}

/// Kubernetes gives every container variables for the Services beside it. Those of a Service named `vedette-ingest` start as
/// ours do: `…_SERVICE_HOST`, `…_PORT=tcp://…`, `…_PORT_8443_TCP_ADDR`.
fn is_service_link(rest: &str, value: &str) -> bool {
    let port = rest.strip_prefix("PORT").unwrap_or("-");
    rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || (port.is_empty() && value.contains("://"))
        || port.strip_prefix('_').is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
}

/// `CREDENTIALS_FILE` → `credentialsFile`.
fn camel_case(words: &str) -> String {
    let mut key = String::with_capacity(words.len());
    for word in words.split('_').filter(|word| !word.is_empty()) {
        let word = word.to_ascii_lowercase();
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if !key.is_empty() => key.push(first.to_ascii_uppercase()),
            Some(first) => key.push(first),
            None => {}
        }
        key.push_str(letters.as_str());
    }
    key
}

/// `where: what`, without the value.
fn describe(error: &figment::Error, file: &str, overlay: &Overlay) -> String {
    let mut path = error.path.clone();
    let what = match &error.kind {
        Kind::UnknownField(field, known) => {
            if path.last() != Some(field) {
                path.push(field.clone());
            }
            format!("unknown key{}", expected(known))
        }
        Kind::MissingField(field) => {
            path.push(field.to_string());
            "the key is missing".to_owned()
        }
        Kind::DuplicateField(field) => {
            path.push((*field).to_owned());
            "the key is given twice".to_owned()
        }
        Kind::UnknownVariant(variant, known) => format!("unknown value `{variant}`{}", expected(known)),
        Kind::InvalidType(actual, wanted) => format!("expected {wanted}, found {}", kind_of(actual)),
        Kind::InvalidValue(_, wanted) => format!("expected {wanted}"),
        Kind::InvalidLength(length, wanted) => format!("expected {wanted}, found {length} entries"),
        other => other.to_string(),
    };
    let key = path.join(".");
    let origin = match overlay.variables.get(&key) {
        Some((variable, _)) => variable.as_str(),
        None => file,
    };
    if key.is_empty() { format!("{origin}: {what}") } else { format!("{origin}: `{key}`: {what}") }
}

fn expected(known: &[&str]) -> String {
    if known.is_empty() {
        return ", none is known here".to_owned();
    }
    let known: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    format!(", expected one of {}", known.join(", "))
}

fn kind_of(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Unit | Actual::Option => "nothing",
        Actual::Seq => "a list",
        Actual::Map => "a map of keys",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests;
