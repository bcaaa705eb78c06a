//! What a policy needs besides the rules that are measured, as an administrator would write it.

use std::path::Path;

use vedette_e2e::tools;
use vedette_rules::SourceFile;

use crate::sets::file;

/// The `Webhook` that lets everything through, with these receivers (the text of a YAML list).
pub(crate) fn webhook(receivers: &str) -> SourceFile {
    SourceFile {
        name: "webhook.yaml".to_owned(),
        text: format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata:\n  name: kube-auditing-webhook\nspec:\n  \
             auditLevel: RequestResponse\n  k8sAuditingEnabled: true\n  receivers: {receivers}\n"
        ),
    }
}

/// A rule that stores every event.
pub(crate) fn archive_all() -> SourceFile {
    file("everything", std::iter::once(r#"verb exists or requestURI exists"#.to_owned()))
}

/// The rules that are shipped: KubeSphere's defaults and the evidence rule.
pub(crate) fn shipped() -> Vec<SourceFile> {
    let folder = tools::repository("deploy/rules");
    let mut files: Vec<SourceFile> = std::fs::read_dir(folder)
        .expect("the shipped rules can be listed")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| SourceFile {
            name: path.file_name().expect("a file has a name").to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).expect("a rule file can be read"),
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

/// Writes them into a folder.
pub(crate) fn write(folder: &Path, files: &[SourceFile]) {
    std::fs::create_dir_all(folder).expect("the folder of rules can be made");
    for file in files {
        std::fs::write(folder.join(&file.name), &file.text).expect("a rule file can be written");
    }
}
