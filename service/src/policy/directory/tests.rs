use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use vedette_rules::{Diagnostic, Receiver, SourceFile};

use super::super::compiler::compile;
use super::super::files;
use super::*;

/// Far more than any of these should take: a test that waits this long has failed.
const LIMIT: Duration = Duration::from_secs(30);
/// Longer than any test: what is seen was told by the system.
const NEVER: Duration = Duration::from_secs(3600);

const BROKEN: &str = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {name: a}\nspec:\n  rules:\n  - {name: r, type: rule, condition: 'Verb ==', priority: INFO}\n";

/// A rule resource with one rule of this name.
fn rules(name: &str) -> String {
    format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: archiving-rule\n  labels: {{type: archiving}}\n\
         spec:\n  rules:\n  - name: {name}\n    type: rule\n    condition: Verb = \"create\"\n    priority: INFO\n    enable: true\n"
    )
}

struct Bench {
    folder: tempfile::TempDir,
    config: PolicyConfig,
    ctx: Context,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("rules");
        fs::create_dir(&dir).unwrap();
        let config = PolicyConfig { dir, state_dir: Some(folder.path().join("state")), ..PolicyConfig::default() };
        Self { folder, config, ctx: context() }
    }

    fn write(&self, name: &str, text: &str) {
        // As an editor does: beside, then into place.
        let draft = self.folder.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.config.dir.join(name)).unwrap();
    }

    async fn watch(&self) -> Result<PolicyWatch, PolicyError> {
        watch_with(&self.config, &self.ctx, NEVER, compile).await
    }

    /// Stops, as a service does, and starts again.
    async fn restart(&mut self) -> Result<PolicyWatch, PolicyError> {
        self.ctx.shutdown.cancel();
        assert!(self.ctx.join(LIMIT).await, "the watch did not end");
        self.ctx = context();
        self.watch().await
    }

    fn rejections(&self) -> u64 {
        self.metric("vedette_test_policy_rejections_total")
    }

    fn metric(&self, name: &str) -> u64 {
        let page = String::from_utf8(crate::metrics::render(&self.ctx.registry)).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    }
}

fn context() -> Context {
    Context::new("test", prometheus::Registry::new(), CancellationToken::new())
}

fn names(policy: &PolicyWatch) -> Vec<String> {
    policy.current().rules.rules().map(|rule| rule.name.clone()).collect()
}

/// Waits until the rules in force are called so.
async fn becomes(policy: &mut PolicyWatch, wanted: &[&str]) {
    let reached = async {
        while names(policy) != wanted {
            policy.changed().await;
        }
    };
    let result = tokio::time::timeout(LIMIT, reached).await;
    assert!(result.is_ok(), "the rules are still {:?}, not {wanted:?}", names(policy));
}

/// Waits until changed files have been refused this many times.
async fn refused(bench: &Bench, times: u64) {
    until(|| bench.rejections() >= times).await;
}

async fn until(check: impl Fn() -> bool) {
    let reached = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while !check() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, reached).await.unwrap();
}

#[tokio::test]
async fn a_change_is_in_force_without_a_restart_and_its_generation_is_larger() {
    let bench = Bench::new();
    bench.write("a.yaml", &rules("first"));
    let mut policy = bench.watch().await.unwrap();
    assert_eq!(names(&policy), ["first"]);
    assert!(bench.ctx.health.is_ready());
    let mut last = policy.current().generation;
    for name in ["second", "third", "fourth"] {
        bench.write("a.yaml", &rules(name));
        becomes(&mut policy, &[name]).await;
        let generation = policy.current().generation;
        assert!(generation > last, "{generation} after {last}");
        last = generation;
    }
    let generation =
        bench.ctx.registry.gather().iter().find(|f| f.name() == "vedette_test_policy_generation").unwrap().get_metric()
            [0]
        .get_gauge()
        .get_value();
    assert_eq!(generation as u64, last);
}

#[tokio::test]
async fn broken_files_keep_the_last_good_rules_and_are_refused_once() {
    let bench = Bench::new();
    bench.write("a.yaml", &rules("good"));
    let mut policy = bench.watch().await.unwrap();
    let before = policy.current();
    bench.write("a.yaml", BROKEN);
    refused(&bench, 1).await;
    assert!(Arc::ptr_eq(&before, &policy.current()));
    assert!(bench.ctx.health.is_ready(), "the last good rules are as ready as any");
    // Seen again, the same files are not news; other broken ones are.
    bench.write("a.yaml", BROKEN);
    bench.write("b.yaml", BROKEN);
    refused(&bench, 2).await;
    fs::remove_file(bench.config.dir.join("b.yaml")).unwrap();
    // Taken back, the change has never been.
    bench.write("a.yaml", &rules("good"));
    until(|| bench.metric("vedette_test_policy_refused") == 0).await;
    assert!(Arc::ptr_eq(&before, &policy.current()));
    bench.write("a.yaml", &rules("better"));
    becomes(&mut policy, &["better"]).await;
    fs::remove_dir_all(&bench.config.dir).unwrap();
    bench.ctx.shutdown.cancel();
    assert_eq!(names(&policy), ["better"]);
}

/// A compiler with a mistake in it.
fn fragile(files: &[SourceFile], generation: u64, receivers: &[Receiver]) -> Result<Built, Vec<Diagnostic>> {
    assert!(files.iter().all(|file| !file.text.contains("poison")), "a mistake in the compiler");
    compile(files, generation, receivers)
}

#[tokio::test]
async fn a_compiler_that_panics_keeps_the_last_good_rules_and_the_watch() {
    let bench = Bench::new();
    bench.write("a.yaml", &rules("good"));
    let mut policy = watch_with(&bench.config, &bench.ctx, NEVER, fragile).await.unwrap();
    bench.write("a.yaml", &rules("poison"));
    refused(&bench, 1).await;
    assert_eq!((names(&policy), bench.metric("vedette_test_policy_refused")), (vec!["good".to_owned()], 1));
    bench.write("a.yaml", &rules("better"));
    becomes(&mut policy, &["better"]).await;
    let poisoned = Bench::new();
    poisoned.write("a.yaml", &rules("poison"));
    let error = watch_with(&poisoned.config, &poisoned.ctx, NEVER, fragile).await.unwrap_err();
    assert!(matches!(error, PolicyError::Panicked { .. }), "{error}");
}

#[tokio::test]
async fn a_service_refuses_to_start_with_broken_rules_and_names_the_place() {
    let bench = Bench::new();
    bench.write("a.yaml", BROKEN);
    let error = bench.watch().await.unwrap_err().to_string();
    assert!(error.contains("a.yaml:6:") && error.contains("error["), "{error}");
    let empty = Bench::new();
    assert!(matches!(empty.watch().await, Err(PolicyError::Empty { .. })));
    fs::remove_dir(&empty.config.dir).unwrap();
    let missing = Bench { ctx: context(), ..empty };
    assert!(matches!(missing.watch().await, Err(PolicyError::Read { .. })));
}

#[tokio::test]
async fn the_last_good_rules_and_their_generation_outlive_a_restart() {
    let mut bench = Bench::new();
    bench.write("a.yaml", &rules("kept"));
    let generation = bench.watch().await.unwrap().current().generation;

    bench.write("a.yaml", BROKEN);
    let policy = bench.restart().await.unwrap();
    assert_eq!((names(&policy), policy.current().generation), (vec!["kept".to_owned()], generation));

    fs::remove_dir_all(&bench.config.dir).unwrap();
    let policy = bench.restart().await.unwrap();
    assert_eq!((names(&policy), policy.current().generation), (vec!["kept".to_owned()], generation));

    // Files older than those before them (restored from a backup, say) are newer rules all the same.
    fs::create_dir(&bench.config.dir).unwrap();
    bench.write("a.yaml", &rules("restored"));
    let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    fs::File::open(bench.config.dir.join("a.yaml")).unwrap().set_modified(old).unwrap();
    fs::File::open(&bench.config.dir).unwrap().set_modified(old).unwrap();
    let policy = bench.restart().await.unwrap();
    assert_eq!((names(&policy), policy.current().generation), (vec!["restored".to_owned()], generation + 1));

    let policy = bench.restart().await.unwrap();
    assert_eq!(policy.current().generation, generation + 1, "the same rules are the same generation");
}

#[tokio::test]
async fn the_generation_is_the_time_of_the_newest_file_in_milliseconds() {
    let bench = Bench::new();
    bench.write("a.yaml", &rules("a"));
    let future = std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_123);
    fs::File::open(bench.config.dir.join("a.yaml")).unwrap().set_modified(future).unwrap();
    assert_eq!(bench.watch().await.unwrap().current().generation, 4_000_000_000_123);
}

#[tokio::test]
async fn a_damaged_state_file_is_no_reason_not_to_start() {
    let mut bench = Bench::new();
    bench.write("a.yaml", &rules("a"));
    bench.watch().await.unwrap();
    fs::write(bench.config.state_dir.as_ref().unwrap().join("test-policy.json"), b"{").unwrap();
    assert_eq!(names(&bench.restart().await.unwrap()), ["a"]);
}

/// Kubernetes replaces a mounted ConfigMap by pointing the link `..data` to another directory.
#[tokio::test]
async fn a_config_map_that_is_replaced_is_seen() {
    let bench = Bench::new();
    let dir = &bench.config.dir;
    let publish = |version: &str, name: &str| {
        fs::create_dir(dir.join(version)).unwrap();
        fs::write(dir.join(version).join("rules.yaml"), rules(name)).unwrap();
        symlink(version, dir.join("..new")).unwrap();
        fs::rename(dir.join("..new"), dir.join("..data")).unwrap();
    };
    publish("..v1", "first");
    symlink("..data/rules.yaml", dir.join("rules.yaml")).unwrap();
    let mut policy = bench.watch().await.unwrap();
    assert_eq!(names(&policy), ["first"]);
    publish("..v2", "second");
    becomes(&mut policy, &["second"]).await;
}

#[tokio::test]
async fn looking_regularly_finds_what_nobody_told() {
    let bench = Bench::new();
    bench.write("a.yaml", &rules("first"));
    let mut policy = watch_with(&bench.config, &bench.ctx, Duration::from_millis(20), compile).await.unwrap();
    // The directory is another one now: whoever watches the old one hears nothing.
    let aside = bench.folder.path().join("aside");
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("a.yaml"), rules("second")).unwrap();
    fs::rename(&bench.config.dir, bench.folder.path().join("gone")).unwrap();
    fs::rename(&aside, &bench.config.dir).unwrap();
    becomes(&mut policy, &["second"]).await;
}

#[tokio::test]
async fn a_single_file_is_a_policy_too_and_is_watched() {
    let mut bench = Bench::new();
    bench.write("only.yaml", &rules("first"));
    bench.write("other.yaml", &rules("other"));
    let dir = bench.config.dir.clone();
    bench.config.dir = dir.join("only.yaml");
    let mut policy = bench.watch().await.unwrap();
    assert_eq!(names(&policy), ["first"]);
    fs::write(dir.join("draft"), rules("second")).unwrap();
    fs::rename(dir.join("draft"), dir.join("only.yaml")).unwrap();
    becomes(&mut policy, &["second"]).await;
}

#[tokio::test]
async fn hidden_files_and_other_kinds_are_left_out() {
    let bench = Bench::new();
    bench.write("a.yml", &rules("a"));
    bench.write(".b.yaml", BROKEN);
    bench.write("c.yaml~", BROKEN);
    bench.write("README.md", "# rules");
    fs::create_dir(bench.config.dir.join("d.yaml")).unwrap();
    symlink("nowhere", bench.config.dir.join("e.yaml")).unwrap();
    assert_eq!(names(&bench.watch().await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_change_in_several_files_is_one_change() {
    let bench = Bench::new();
    bench.write("a.yaml", &rules("a"));
    let mut policy = bench.watch().await.unwrap();
    // Each rule resource needs a name of its own.
    let other = rules("b").replace("archiving-rule", "another");
    for _ in 0..5 {
        bench.write("b.yaml", BROKEN);
        bench.write("b.yaml", &other);
    }
    tokio::time::timeout(LIMIT, policy.changed()).await.unwrap();
    assert_eq!(policy.current().rules.rules().count(), 2);
    assert_eq!(bench.rejections(), 0);
}

#[test]
fn too_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("a.yaml")).unwrap();
    file.set_len(33 * 1024 * 1024).unwrap();
    assert!(matches!(files::Places::new(folder.path(), &[]).read(), Err(PolicyError::TooLarge { .. })));
}
