//! What is replaced before anything is published, as configured.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use vedette_audit::{
    Redactor,
    redact::{FieldRule, RedactError},
};
use vedette_service::secret::{self, SecretError};

use crate::config::RedactionConfig;

/// Why nothing can be redacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedactionError {
    /// There is no key.
    #[error("have the key that values are hashed with")]
    Key(#[from] SecretError),
    /// The key is none.
    #[error("expected the key that values are hashed with to be 64 hexadecimal digits")]
    NoKey,
    /// The fields make no sense.
    #[error("read `redaction.fields`")]
    Fields(#[from] RedactError),
}

/// The configured redactor, with its key, which is made if there is none; none if it is turned off.
pub(crate) fn load(config: &RedactionConfig) -> Result<Option<Arc<Redactor>>, RedactionError> {
    if !config.enabled {
        tracing::warn!("redaction is off: secrets in bodies are published and stored as they are");
        return Ok(None);
    }
    let key = match &config.key {
        Some(key) => key.clone(),
        None => secret::load(&config.key_file, "redaction key")?,
    };
    let rules: Vec<_> = config.fields.iter().map(FieldRule::from).collect();
    Ok(Some(Arc::new(Redactor::new(read(&key)?, &rules)?)))
}

fn read(key: &SecretString) -> Result<[u8; 32], RedactionError> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(key.expose_secret().trim(), &mut bytes).map_err(|_| RedactionError::NoKey)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FieldsConfig;

    #[test]
    fn the_key_is_given_or_kept_in_a_file_or_not_needed() {
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("redaction.key");
        let in_file = RedactionConfig { key_file: key_file.clone(), ..RedactionConfig::default() };
        assert!(load(&in_file).unwrap().is_some() && key_file.exists());
        std::fs::write(&key_file, "abc").unwrap();
        assert!(matches!(load(&in_file), Err(RedactionError::NoKey)));
        let given = RedactionConfig { key: Some("0A".repeat(32).into()), ..in_file.clone() };
        assert!(load(&given).unwrap().is_some());
        let off = RedactionConfig { enabled: false, ..in_file };
        assert!(load(&off).unwrap().is_none());
    }

    #[test]
    fn fields_that_make_no_sense_are_refused() {
        for (resource, fields) in [("", vec!["a"]), ("widgets", vec![]), ("widgets", vec!["spec..password"])] {
            let fields = fields.into_iter().map(str::to_owned).collect();
            let rule = FieldsConfig { group: None, resource: resource.to_owned(), fields };
            let config =
                RedactionConfig { key: Some("00".repeat(32).into()), fields: vec![rule], ..RedactionConfig::default() };
            assert!(matches!(load(&config), Err(RedactionError::Fields(_))), "{resource}");
        }
    }
}
