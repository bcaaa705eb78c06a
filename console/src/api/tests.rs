//! The description of the API is what the API is, and what is committed.

use super::description;

/// Where the description is kept.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/openapi.json");

#[test]
fn the_committed_description_is_the_apis() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, description()).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(committed == description(), "docs/api/openapi.json is not of this API: run the test with UPDATE=1");
}
