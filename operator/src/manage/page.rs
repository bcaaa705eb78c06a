//! Pages of lists (AIP-158): a token says where to go on, and of which list, so that it can't be used for another.

use super::error::ManageError;

/// How many a page holds if nothing is said, and at most.
const DEFAULT: usize = 100;
const MOST: usize = 1000;
/// Of the hash of the list, how many bytes a token carries.
const MARK: usize = 8;

/// How many are wanted.
///
/// # Errors
/// If it is less than none.
pub(super) fn size(page_size: i32) -> Result<usize, ManageError> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(DEFAULT),
        Ok(size) => Ok(size.min(MOST)),
        Err(_) => Err(ManageError::invalid("page_size", "it is negative")),
    }
}

/// The token for what comes after `place` in the list that `of` describes.
pub(super) fn token(of: &[&str], place: &str) -> String {
    hex::encode([mark(of).as_slice(), place.as_bytes()].concat())
}

/// The place of a token; `None` is the beginning.
///
/// # Errors
/// If it is none, or one of another list.
pub(super) fn place(of: &[&str], token: &str) -> Result<Option<String>, ManageError> {
    if token.is_empty() {
        return Ok(None);
    }
    let wrong =
        || ManageError::invalid("page_token", "it is not one of this list: `parent` and `filter` stay the same");
    let bytes = hex::decode(token).map_err(|_| wrong())?;
    let place = bytes.strip_prefix(mark(of).as_slice()).ok_or_else(wrong)?;
    String::from_utf8(place.to_vec()).map(Some).map_err(|_| wrong())
}

fn mark(of: &[&str]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for part in of {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().as_bytes().iter().take(MARK).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{place, size, token};

    #[test]
    fn a_token_is_of_one_list() {
        let given = token(&["a", "b"], "x");
        assert_eq!(place(&["a", "b"], &given).unwrap().as_deref(), Some("x"));
        assert_eq!(place(&["a", "b"], "").unwrap(), None);
        assert!(place(&["ab", ""], &given).is_err());
        assert!(place(&["a", "b"], "zz").is_err());
        assert_eq!((size(0).unwrap(), size(7).unwrap(), size(i32::MAX).unwrap()), (100, 7, 1000));
        assert!(size(-1).is_err());
    }
}
