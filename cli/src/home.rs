//! Where `vedette up` keeps what it makes, so that the other commands find it without being told.
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;

use crate::outcome::Failure;

/// The folder of `vedette up`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Home {
    /// The folder of `vedette up`: data, certificates and the console's token
    #[arg(long, value_name = "DIR", env = "VEDETTE_DATA_DIR", default_value = ".vedette", global = false)]
    pub(crate) data_dir: PathBuf,
}

impl Home {
    /// The folder of the webhook's certificate.
    pub(crate) fn tls(&self) -> PathBuf {
        self.data_dir.join("tls")
    }

    /// The authority that signed the webhook's certificate at the first start.
    pub(crate) fn webhook_ca(&self) -> PathBuf {
        self.tls().join("ca.crt")
    }

    /// The console's token.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.data_dir.join("token")
    }
}

/// Reads a token: one line, white space around it ignored.
pub(crate) fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("can't read the token in `{}`", path.display())).because(error))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Failure::usage(format!("`{}` holds no token", path.display())));
    }
    Ok(token.to_owned())
}

/// `Bearer …` as a header that is never printed.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Failure::usage("the token has characters that no HTTP header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}
