//! The one token that opens the API.

use std::path::Path;

use axum::http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use vedette_service::secret::{self, SecretError};

use crate::config::Config;

/// Below so many characters a token can be guessed.
const SHORT: usize = 16;
/// What the log calls it.
const WHAT: &str = "token";

/// The token.
#[derive(Debug, Clone)]
pub(crate) struct Token(SecretString);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file can't be read or made.
    #[error("have the token in a file")]
    File(#[from] SecretError),
    /// The token can't be sent in a header.
    #[error("the token must be of visible ASCII characters, and not empty")]
    Characters,
}

impl Token {
    /// The configured token, or that of the configured file, which is made if there is none.
    pub(crate) fn load(config: &Config) -> Result<Self, TokenError> {
        let token = match (&config.token, &config.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => secret::load(file, WHAT)?,
            (None, None) => return Err(TokenError::Characters),
        };
        let text = token.expose_secret();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        if text.len() < SHORT {
            tracing::warn!(minimum.characters = SHORT, "the token is so short that it can be guessed");
        }
        Ok(Self(token))
    }

    /// Whether a request's `Authorization` brings the token. Takes as long for a wrong one as for the right one, but tells
    /// its length, which is no secret.
    pub(crate) fn is_in(&self, authorization: Option<&HeaderValue>) -> bool {
        let Some((scheme, token)) = authorization.and_then(|value| value.to_str().ok()?.split_once(' ')) else {
            return false;
        };
        let right = token.trim().as_bytes().ct_eq(self.0.expose_secret().as_bytes());
        scheme.eq_ignore_ascii_case("Bearer") && bool::from(right)
    }
}

/// Writes a new token to `file`, for its owner alone, unless there is one.
///
/// # Errors
/// If the file cannot be written, or the system gives no random bytes.
pub fn make_token(file: &Path) -> Result<(), TokenError> {
    Ok(secret::make(file, WHAT)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use axum::http::HeaderValue;

    use super::{Token, TokenError};
    use crate::config::Config;

    fn with(token: &str) -> Result<Token, TokenError> {
        Token::load(&Config { token: Some(token.into()), ..Config::default() })
    }

    fn in_file(file: std::path::PathBuf) -> Result<Token, TokenError> {
        Token::load(&Config { token_file: Some(file), ..Config::default() })
    }

    #[test]
    fn only_the_token_itself_opens() {
        let token = with("correct-horse-battery").unwrap();
        let check = |header: &str| token.is_in(Some(&HeaderValue::from_str(header).unwrap()));
        assert!(check("Bearer correct-horse-battery"));
        assert!(check("bearer  correct-horse-battery"));
        assert!(!check("Bearer correct-horse-batterz"));
        assert!(!check("Bearer correct-horse-batter"));
        assert!(!check("Bearer correct-horse-battery-"));
        assert!(!check("Bearer"));
        assert!(!check("Bearer "));
        assert!(!check("Basic correct-horse-battery"));
        assert!(!check("correct-horse-battery"));
        assert!(!token.is_in(None));
        assert!(!token.is_in(Some(&HeaderValue::from_bytes(b"Bearer \xff").unwrap())));
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused() {
        for bad in ["", " ", "a b", "a\nb", "tök"] {
            assert!(matches!(with(bad), Err(TokenError::Characters)), "{bad:?}");
        }
    }

    #[test]
    fn a_missing_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("token");
        in_file(file.clone()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.trim().len(), 64);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = in_file(file.clone()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        assert!(again.is_in(Some(&HeaderValue::from_str(&format!("Bearer {}", text.trim())).unwrap())));
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn a_token_is_not_printed() {
        assert!(!format!("{:?}", with("correct-horse-battery").unwrap()).contains("horse"));
    }
}
