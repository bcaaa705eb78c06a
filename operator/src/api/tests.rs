//! The definitions that are shipped are those of the types.

use std::path::Path;

use super::*;

/// `UPDATE=1 cargo test -p vedette-operator` writes them.
#[test]
fn the_shipped_definitions_are_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    for definition in definitions() {
        let name = definition.metadata.name.clone().unwrap();
        let file = folder.join(format!("{name}.yaml"));
        let text = format!(
            "# Made of operator/src/api by `UPDATE=1 cargo test -p vedette-operator`.\n{}",
            serde_yaml_ng::to_string(&definition).unwrap()
        );
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let shipped = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(shipped, text, "{} is out of date", file.display());
    }
}
