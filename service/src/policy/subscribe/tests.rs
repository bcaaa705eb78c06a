use std::fs;
use std::time::Duration;

use prost::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use vedette_rules::{Built, Receiver, SourceFile};

use super::super::compiler::compile;
use super::*;
use crate::operator::script::{self, Authority, End, Heard, LIMIT, Operator, Wire, until};
use crate::snapshot::Snapshot;

fn rules(condition: &str, name: &str) -> String {
    format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: archiving-rule\n  labels: {{type: archiving}}\n\
         spec:\n  rules:\n  - name: {name}\n    type: rule\n    condition: {condition}\n    priority: INFO\n    enable: true\n"
    )
}

fn packed(generation: u64, text: String) -> proto::Snapshot {
    let document = SourceFile { name: "namespaces/a/rules/archiving-rule".to_owned(), text };
    Snapshot::pack(generation, vec![document]).unwrap().message()
}

fn good(generation: u64, name: &str) -> proto::Snapshot {
    packed(generation, rules("Verb = \"create\"", name))
}

fn broken(generation: u64) -> proto::Snapshot {
    packed(generation, rules("Verb ==", "broken"))
}

struct Bench {
    folder: tempfile::TempDir,
    operator: OperatorConfig,
    ctx: Context,
    pace: Pace,
}

impl Bench {
    fn new(url: &str) -> Self {
        let subscriber = Some("pod-1".to_owned());
        let operator = OperatorConfig { url: url.to_owned(), subscriber, ..OperatorConfig::default() };
        let folder = tempfile::tempdir().unwrap();
        Self { folder, operator, ctx: context(), pace: script::pace() }
    }

    fn of(operator: &Operator) -> Self {
        Self::new(&format!("http://{}", operator.address))
    }

    fn config(&self) -> PolicyConfig {
        let (operator, state_dir) = (Some(self.operator.clone()), Some(self.folder.path().join("state")));
        PolicyConfig { operator, state_dir, ..PolicyConfig::default() }
    }

    async fn watch(&self) -> Result<PolicyWatch, PolicyError> {
        self.watch_with(compile).await
    }

    async fn watch_with(&self, compile: Compile) -> Result<PolicyWatch, PolicyError> {
        self.config().validate()?;
        watch_with(&self.config(), &self.operator, &self.ctx, self.pace, compile).await
    }

    /// Ends, as a service does.
    async fn stop(&mut self) {
        self.ctx.shutdown.cancel();
        assert!(self.ctx.join(LIMIT).await, "the subscriber did not end");
        self.ctx = context();
    }

    fn metric(&self, name: &str) -> u64 {
        let page = String::from_utf8(crate::metrics::render(&self.ctx.registry)).unwrap();
        let name = format!("vedette_test_policy_{name} ");
        page.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }

    fn on_disk(&self) -> String {
        fs::read_to_string(self.folder.path().join("state/test-snapshot.json")).unwrap()
    }
}

fn context() -> Context {
    Context::new("test", prometheus::Registry::new(), CancellationToken::new())
}

fn names(policy: &PolicyWatch) -> Vec<String> {
    policy.current().rules.rules().map(|rule| rule.name.clone()).collect()
}

async fn reaches(policy: &mut PolicyWatch, generation: u64) {
    let reached = async {
        while policy.current().generation != generation {
            policy.changed().await;
        }
    };
    let result = tokio::time::timeout(LIMIT, reached).await;
    assert!(result.is_ok(), "still at generation {}", policy.current().generation);
}

fn applied(generation: u64, rules: u64) -> Heard {
    Heard::Applied(proto::Applied { generation, rules })
}

#[track_caller]
fn check_refused(heard: Heard, generation: u64, reason: &str) -> proto::Refused {
    let Heard::Refused(refused) = heard else { panic!("{heard:?}") };
    assert!(refused.generation == generation && refused.reason.contains(reason), "{refused:?}");
    refused
}

#[tokio::test]
async fn snapshots_are_applied_and_acknowledged_with_the_count_of_rules() {
    let mut operator = Operator::start(Some(good(5, "first")));
    let mut bench = Bench::of(&operator);
    let mut policy = bench.watch().await.unwrap();
    assert_eq!((names(&policy), policy.current().generation), (vec!["first".to_owned()], 5));
    assert!(bench.ctx.health.is_ready());
    let hello = proto::Hello {
        subscriber: "pod-1".to_owned(),
        service: "test".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        generation: 0,
        hash: Bytes::new(),
    };
    assert_eq!(operator.heard().await, Heard::Hello(hello, None));
    assert_eq!(operator.heard().await, applied(5, 1));

    let two = rules("Verb = \"get\"", "b")
        + "  - {name: c, type: rule, condition: 'Verb = \"list\"', priority: INFO, enable: true}\n";
    operator.send(packed(9, two));
    reaches(&mut policy, 9).await;
    assert_eq!(names(&policy), ["b", "c"]);
    assert_eq!(operator.heard().await, applied(9, 2));
    assert_eq!((bench.metric("generation"), bench.metric("changes_total"), bench.metric("connected")), (9, 1, 1));
    bench.stop().await;
}

#[tokio::test]
async fn a_broken_snapshot_is_refused_with_its_diagnostics_and_changes_nothing() {
    let mut operator = Operator::start(Some(good(5, "kept")));
    let mut bench = Bench::of(&operator);
    let policy = bench.watch().await.unwrap();
    let (before, kept) = (policy.current(), bench.on_disk());
    assert_eq!(operator.answer().await, applied(5, 1));
    operator.send(broken(6));
    let refused = check_refused(operator.answer().await, 6, "the rules have errors");
    let [diagnostic] = &refused.diagnostics[..] else { panic!("{refused:?}") };
    assert!(diagnostic.code.starts_with("VR") && !diagnostic.message.is_empty());
    assert_eq!(diagnostic.severity(), proto::diagnostic::Severity::Error);
    assert_eq!(
        (&*diagnostic.document, &*diagnostic.field, diagnostic.line),
        ("namespaces/a/rules/archiving-rule", "spec.rules[0].condition", 10)
    );
    assert!(Arc::ptr_eq(&before, &policy.current()));
    assert_eq!(bench.on_disk(), kept);
    assert!(bench.ctx.health.is_ready(), "the last good rules are as ready as any");
    assert_eq!((bench.metric("rejections_total"), bench.metric("refused")), (1, 1));
    // Offered again, it is no news; taken back, it has never been.
    operator.send(broken(6));
    assert_eq!(operator.answer().await, Heard::Refused(refused));
    assert_eq!(bench.metric("rejections_total"), 1);
    operator.send(good(5, "kept"));
    assert_eq!(operator.answer().await, applied(5, 1));
    assert_eq!(bench.metric("refused"), 0);
    bench.stop().await;
}

#[tokio::test]
async fn generations_only_grow() {
    let mut operator = Operator::start(Some(good(5, "kept")));
    let mut bench = Bench::of(&operator);
    let mut policy = bench.watch().await.unwrap();
    assert_eq!(operator.answer().await, applied(5, 1));
    operator.send(good(4, "older"));
    check_refused(operator.answer().await, 4, "older than generation 5, which is in force");
    operator.send(good(5, "other"));
    check_refused(operator.answer().await, 5, "generation 5 is in force with other documents");
    operator.send(good(5, "kept"));
    assert_eq!(operator.answer().await, applied(5, 1));
    assert_eq!((names(&policy), bench.metric("changes_total")), (vec!["kept".to_owned()], 0));
    // The same rules may come with a larger generation.
    operator.send(good(8, "kept"));
    assert_eq!(operator.answer().await, applied(8, 1));
    reaches(&mut policy, 8).await;
    bench.stop().await;
    // That holds over a restart.
    operator.send(good(7, "older"));
    let policy = bench.watch().await.unwrap();
    check_refused(operator.answer().await, 7, "older than generation 8");
    assert_eq!((names(&policy), policy.current().generation), (vec!["kept".to_owned()], 8));
    bench.stop().await;
}

#[tokio::test]
async fn a_service_starts_from_disk_without_an_operator() {
    let operator = Operator::start(Some(good(5, "kept")));
    let wire = Wire::to(End::Server(operator.address)).await;
    let mut bench = Bench::new(&wire.url("http"));
    bench.watch().await.unwrap();
    bench.stop().await;
    wire.lead(End::Nobody);
    drop(operator);

    let mut policy = bench.watch().await.unwrap();
    assert_eq!((names(&policy), policy.current().generation), (vec!["kept".to_owned()], 5));
    assert!(bench.ctx.health.is_ready());
    wire.tried().await;
    assert!(bench.ctx.health.is_ready());
    assert_eq!(bench.metric("connected"), 0);
    // It comes: with the same rules there is nothing to send.
    let mut operator = Operator::start(Some(good(5, "kept")));
    wire.lead(End::Server(operator.address));
    let Heard::Hello(hello, _) = operator.heard().await else { panic!("no greeting") };
    assert_eq!((hello.generation, hello.hash), (5, good(5, "kept").hash));
    operator.send(good(6, "new"));
    reaches(&mut policy, 6).await;
    assert_eq!(operator.heard().await, applied(6, 1));
    bench.stop().await;
}

#[tokio::test]
async fn an_operator_that_dies_and_returns_is_found_again() {
    let operator = Operator::start(Some(good(5, "first")));
    let wire = Wire::to(End::Server(operator.address)).await;
    let mut bench = Bench::new(&wire.url("http"));
    let token = bench.folder.path().join("token");
    fs::write(&token, "one\n").unwrap();
    bench.operator.token_file = Some(token.clone());
    let mut policy = bench.watch().await.unwrap();
    for (generation, secret) in [(6, "two"), (7, "three")] {
        wire.lead(End::Nobody);
        until(|| bench.metric("connected") == 0).await;
        // An attempt under way may have read the old one: those that come after it have not.
        fs::write(&token, secret).unwrap();
        wire.tried().await;
        assert!(bench.ctx.health.is_ready(), "what is in force is as good as before");
        let mut next = Operator::start(Some(good(generation, secret)));
        wire.lead(End::Server(next.address));
        let Heard::Hello(hello, said) = next.heard().await else { panic!("no greeting") };
        assert_eq!((hello.generation, said), (generation - 1, Some(format!("Bearer {secret}"))));
        reaches(&mut policy, generation).await;
        assert_eq!(next.heard().await, applied(generation, 1));
    }
    assert_eq!((names(&policy), bench.metric("reconnects_total")), (vec!["three".to_owned()], 2));
    drop(operator);
    bench.stop().await;
}

#[tokio::test]
async fn an_operator_that_falls_silent_is_noticed() {
    let operator = Operator::start(Some(good(5, "first")));
    let wire = Wire::to(End::Server(operator.address)).await;
    let mut bench = Bench::new(&wire.url("http"));
    bench.pace.ping = Duration::from_millis(300);
    bench.pace.pong = Duration::from_millis(300);
    let mut policy = bench.watch().await.unwrap();
    wire.lead(End::Silence);
    until(|| bench.metric("connected") == 0).await;
    let next = Operator::start(Some(good(6, "second")));
    wire.lead(End::Server(next.address));
    reaches(&mut policy, 6).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_is_not_as_said_is_refused_and_may_come_again() {
    let mut operator = Operator::start(Some(good(5, "kept")));
    let mut bench = Bench::of(&operator);
    let mut policy = bench.watch().await.unwrap();
    assert_eq!(operator.answer().await, applied(5, 1));
    let whole = good(6, "new");
    let garbage = proto::Snapshot { documents: Bytes::from_static(b"garbage"), ..whole.clone() };
    let other = proto::Snapshot { hash: Bytes::from_static(b"x"), ..whole.clone() };
    let bomb = zstd::bulk::compress(&vec![0; crate::snapshot::LIMIT + 1], 1).unwrap();
    let bomb = proto::Snapshot { documents: bomb.into(), ..whole.clone() };
    for (sent, reason) in [(garbage, "unpack the documents"), (other, "hash"), (bomb, "more than 64 MiB")] {
        operator.send(sent);
        check_refused(operator.answer().await, 6, reason);
    }
    // What is too large to be looked at breaks the stream.
    let reconnects = bench.metric("reconnects_total");
    operator.send(proto::Snapshot { documents: vec![7; MESSAGE_LIMIT + 1].into(), ..whole.clone() });
    until(|| bench.metric("reconnects_total") > reconnects).await;
    assert_eq!((names(&policy), policy.current().generation), (vec!["kept".to_owned()], 5));
    // Its generation and hash were refused: whole, it is taken all the same.
    operator.send(whole);
    reaches(&mut policy, 6).await;
    assert_eq!(operator.answer().await, applied(6, 1));
    bench.stop().await;
}

/// A compiler with a mistake in it.
fn fragile(
    files: &[SourceFile],
    generation: u64,
    receivers: &[Receiver],
) -> Result<Built, Vec<vedette_rules::Diagnostic>> {
    assert!(files.iter().all(|file| !file.text.contains("poison")), "a mistake in the compiler");
    compile(files, generation, receivers)
}

#[tokio::test]
async fn a_compiler_that_panics_refuses_and_the_stream_goes_on() {
    let mut operator = Operator::start(Some(good(5, "kept")));
    let mut bench = Bench::of(&operator);
    let mut policy = bench.watch_with(fragile).await.unwrap();
    assert_eq!(operator.answer().await, applied(5, 1));
    operator.send(good(6, "poison"));
    check_refused(operator.answer().await, 6, "the compiler failed");
    assert_eq!(names(&policy), ["kept"]);
    operator.send(good(7, "better"));
    reaches(&mut policy, 7).await;
    assert_eq!(operator.answer().await, applied(7, 1));
    bench.stop().await;
}

#[tokio::test]
async fn without_rules_a_service_waits_for_the_first() {
    // The operator is there, but has none yet; then has broken ones.
    let mut operator = Operator::start(None);
    let mut bench = Bench::of(&operator);
    let ((), policy) = tokio::join!(
        async {
            assert!(matches!(operator.heard().await, Heard::Hello(..)));
            assert!(!bench.ctx.health.is_ready());
            operator.send(broken(1));
            check_refused(operator.answer().await, 1, "the rules have errors");
            operator.send(good(2, "first"));
        },
        bench.watch()
    );
    assert_eq!(names(&policy.unwrap()), ["first"]);
    assert_eq!(bench.metric("refused"), 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_service_that_gets_no_rules_says_from_where_and_why() {
    let wire = Wire::to(End::Nobody).await;
    let mut bench = Bench::new(&wire.url("http"));
    bench.pace.first = Duration::from_millis(500);
    let error = bench.watch().await.unwrap_err();
    let said = crate::chain(&error).to_string();
    assert!(said.starts_with(&format!("get the rules from {}: ", bench.operator.url)), "{said}");
    bench.stop().await;

    bench.operator.token_file = Some(bench.folder.path().join("gone"));
    let said = crate::chain(&bench.watch().await.unwrap_err()).to_string();
    assert!(said.contains(": read bearer token from ") && said.contains("gone: No such file"), "{said}");
    bench.operator.token_file = None;
    bench.stop().await;

    let operator = Operator::start(Some(broken(1)));
    wire.lead(End::Server(operator.address));
    bench.pace.first = Duration::from_secs(2);
    let error = bench.watch().await.unwrap_err();
    assert!(matches!(error, PolicyError::Rejected { .. }), "{error}");
    bench.stop().await;
}

#[tokio::test]
async fn stopping_ends_the_wait_for_the_first_rules() {
    let wire = Wire::to(End::Nobody).await;
    let mut bench = Bench::new(&wire.url("http"));
    let (result, ()) = tokio::join!(bench.watch(), async {
        wire.tried().await;
        bench.ctx.shutdown.cancel();
    });
    assert!(matches!(result, Err(PolicyError::Stopped)));
    bench.stop().await;
}

#[tokio::test]
async fn a_damaged_state_file_is_as_good_as_none() {
    let operator = Operator::start(Some(good(5, "kept")));
    let mut bench = Bench::of(&operator);
    let state = bench.folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::write(state.join("test-snapshot.json"), "{").unwrap();
    assert_eq!(names(&bench.watch().await.unwrap()), ["kept"]);
    assert!(bench.on_disk().contains("\"generation\":5"));
    bench.stop().await;
}

#[tokio::test]
async fn each_side_knows_the_other_and_certificates_are_renewed_without_a_restart() {
    crate::tls::install_provider();
    let (old, new) = (Authority::new(), Authority::new());
    let mut operator = Operator::start_with(Some(good(5, "first")), Some(old.server()));
    let wire = Wire::to(End::Server(operator.address)).await;
    let mut bench = Bench::new(&wire.url("https"));
    let [ca, certificate, key] = old.write(bench.folder.path());
    bench.operator.ca = Some(ca);
    bench.pace.first = Duration::from_secs(1);
    // Without a certificate of its own, it is not known.
    assert!(matches!(bench.watch().await, Err(PolicyError::Operator { .. })));
    assert_eq!(operator.has_heard(), None);
    bench.stop().await;
    (bench.operator.certificate, bench.operator.key, bench.pace.first) = (Some(certificate), Some(key), LIMIT);
    let mut policy = bench.watch().await.unwrap();
    assert_eq!(operator.answer().await, applied(5, 1));

    // Another authority: neither side knows the other until the files are new too.
    let mut operator = Operator::start_with(Some(good(6, "second")), Some(new.server()));
    wire.lead(End::Server(operator.address));
    until(|| bench.metric("connected") == 0).await;
    wire.tried().await;
    assert_eq!((operator.has_heard(), policy.current().generation), (None, 5));
    new.write(bench.folder.path());
    reaches(&mut policy, 6).await;
    assert_eq!(operator.answer().await, applied(6, 1));
    bench.stop().await;
}
