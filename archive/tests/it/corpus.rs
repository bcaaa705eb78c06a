//! The documents: all events of the repository's sample, spread over a week, and some that real senders seldom send.

use std::io::Read;
use std::sync::OnceLock;

use vedette_archive::WriteBatch;
use vedette_audit::Level;
use vedette_audit::document::Document;
use vedette_audit::event::Event;
use vedette_audit::list::{Cutter, Limits};

/// When they were received, nanoseconds since the Unix epoch: 2026-11-22T01:00:00Z.
const RECEIVED: i64 = 1_795_309_200_000_000_000;
/// Documents in a batch.
const BATCH: usize = 250;

/// Every document, each with an id of its own.
pub(crate) fn documents() -> &'static [Document] {
    static DOCUMENTS: OnceLock<Vec<Document>> = OnceLock::new();
    DOCUMENTS.get_or_init(|| {
        let mut documents: Vec<Document> = sample();
        documents.extend(odd().iter().map(|event| document(event)));
        documents
    })
}

/// The documents in batches, with keys of their own.
pub(crate) fn batches(prefix: &str) -> Vec<WriteBatch> {
    let chunks = documents().chunks(BATCH).enumerate();
    chunks.map(|(at, chunk)| WriteBatch { key: format!("{prefix}-{at}"), documents: chunk.to_vec() }).collect()
}

/// The document of an event as a sender spells it.
pub(crate) fn document(json: &str) -> Document {
    let event = Event::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"));
    let cluster = if json.contains("Workspace\":\"demo\"") { "member-1" } else { "default" };
    let mut rewritten = Vec::new();
    event.rewrite(Level::RequestResponse, cluster, &mut rewritten);
    let rules = ["archiving-rule.archiving".to_owned()];
    Document::build(event.id(cluster), &rewritten, &rules, RECEIVED).unwrap()
}

/// The sample, its one hour spread over seven days: by day what was by chance.
fn sample() -> Vec<Document> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
    let mut lines = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut lines).unwrap();
    let mut documents = Vec::new();
    for line in lines.lines() {
        let mut cutter = Cutter::new(Limits::default());
        cutter
            .push(line.as_bytes(), &mut |item| {
                let day = 16 + documents.len() % 7;
                let json = String::from_utf8(item.bytes.to_vec()).unwrap();
                let json = json.replace("\"2026-11-22T", &format!("\"2026-11-{day:02}T"));
                documents.push(document(&json));
            })
            .unwrap();
        cutter.finish().unwrap();
    }
    assert!(documents.len() > 15_000, "{} events", documents.len());
    documents
}

/// Values that are data, whatever they look like.
pub(crate) fn hostile() -> Vec<&'static str> {
    vec![
        "*",
        "?",
        "**",
        r"\\",
        r"\*",
        "\\",
        "\"",
        "'",
        r#"" OR "1"="1"#,
        "</script><script>alert(1)</script>",
        "a AND NOT b",
        "user:(a OR b)",
        "/.*/",
        "[a TO b}",
        "_exists_:verb",
        "a~2^3",
        "+a -b && !c || d",
        "#@&<>~",
        "(a|b)*.{1,2}$^",
        "${x}",
        "{{x}}",
        "%00\u{0}",
        "a\nb\tc",
        "..%2f..%2f_all",
        "\u{202e}evil",
        "😀*",
    ]
}

/// Events of KubeSphere's spelling, and those with which an engine could have trouble.
pub(crate) fn odd() -> Vec<String> {
    let event = |n: usize, more: &str| {
        format!(
            r#"{{"AuditID":"odd-{n}","Stage":"ResponseComplete","Level":"RequestResponse","Verb":"create",
            "RequestReceivedTimestamp":"2026-11-1{}T10:00:0{}.5Z"{more}}}"#,
            n % 10,
            n % 7
        )
    };
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let digits = "9".repeat(3_000);
    let wide: String = (0..2_000).map(|n| format!(r#","field{n}":{{"a":{n}}}"#)).collect();
    let bodies = [
        r#"{"a":1,"a":2}"#.to_owned(),
        format!(r#"{{"n":{digits}}}"#),
        format!(r#"{{"n":1e{}}}"#, &digits[..300]),
        deep,
        format!(r#"{{"":1,".":2,"a..b":3,"a.b":4,"a":5,"_id":"x"{wide}}}"#),
        "\"a text\"".to_owned(),
        "null".to_owned(),
        "[1,\"a\",{}]".to_owned(),
        "{\n\t\"pretty\" :\r\n [ 1 ]\n}".to_owned(),
        format!(r#"{{"long":"{}"}}"#, "x".repeat(40_000)),
        r#"{"u":"\ud800 \udc00 \u0000 \u2028"}"#.to_owned(),
    ];
    let mut events: Vec<String> = bodies
        .iter()
        .enumerate()
        .map(|(n, body)| {
            let more = format!(r#","User":{{"Username":"Odd Body"}},"ObjectRef":{{"Resource":"odd"}},"RequestObject":{body},"Annotations":{{"k":"v"}}"#);
            event(n, &more)
        })
        .collect();
    let longest = "n".repeat(9_000);
    let more = [
        r#","Workspace":"Demo-Workspace","Devops":"d","Cluster":"Host","User":{"Username":"Jörg Ärger","Groups":["Größe","ADMIN*s"]},
        "ObjectRef":{"Resource":"Pods","Namespace":"Kube?","Name":"a\\b*c?d"},"SourceIPs":["10.0.0.1","FE80::1"],"ResponseStatus":{"code":200}"#
            .to_owned(),
        r#","Workspace":"demo","User":{"Username":"JÖRG","Groups":[]},"SourceIPs":["fe80::1"],"ResponseStatus":{"code":-1,"status":"Failure"}"#
            .to_owned(),
        format!(r#","User":{{"Username":"{longest}","Groups":["{longest}","short"]}},"ResponseStatus":{{"code":9000000000}}"#),
        r#","User":{"Username":""},"unknown":{"deep":{"er":1}},"User.Username":{"x":1},"HostName":"h""#.to_owned(),
        r#","User":{"Username":"forger"},"Vedette.Tenant":"default/forged","ObjectRef.Namespace":"kube-system","Vedette\u002eActor":"root""#
            .to_owned(),
        r#","ImpersonatedUser":{"Username":"root","Groups":["system:masters"]},"ObjectRef":{"Resource":"POD","Subresource":"Exec"}"#
            .to_owned(),
    ];
    events.extend(more.iter().enumerate().map(|(n, more)| event(20 + n, more)));
    // What would mean something if it were ever taken for a part of a query or a page.
    events.extend(hostile().into_iter().enumerate().map(|(n, text)| {
        let text = serde_json::to_string(text).unwrap();
        let more = format!(
            r#","User":{{"Username":{text},"Groups":[{text}]}},"ObjectRef":{{"Resource":"odd","Name":{text}}},"ResponseStatus":{{"reason":{text}}}"#
        );
        event(40 + n, &more)
    }));
    // Times that no engine reads, or that say the day otherwise.
    for (n, time) in
        ["", "\"\"", "\"yesterday\"", "\"2026-11-18T23:30:00-01:00\"", "\"2026-11-18 12:00:00Z\""].iter().enumerate()
    {
        let time = if time.is_empty() { String::new() } else { format!(r#","RequestReceivedTimestamp":{time}"#) };
        events.push(format!(
            r#"{{"AuditID":"time-{n}","Verb":"get","StageTimestamp":"2026-11-17T05:00:00.25Z","User":{{"Username":"odd"}}{time}}}"#
        ));
    }
    events
}
