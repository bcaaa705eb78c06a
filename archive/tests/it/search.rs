//! Elasticsearch 7 and 9 and OpenSearch, real ones, one after the other: conformance, what KubeSphere's own apiserver asks,
//! and an engine that is read-only, killed, or not ours alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use vedette_archive::{Archive, Config, Field, Filter, Mode, Page, Query, open};
use vedette_e2e::{Engine, SearchNode};

use crate::corpus;
use crate::suite::Subject;

const PREFIX: &str = "ks-whizard-auditing";
/// What an engine may take for anything.
const LIMIT: Duration = Duration::from_secs(120);

struct Rig {
    name: &'static str,
    node: SearchNode,
    runtime: Runtime,
    client: reqwest::Client,
}

impl Rig {
    fn start(engine: Engine) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { name: engine.name(), node: SearchNode::start(engine), runtime, client }
    }

    fn config(&self) -> Config {
        let mut config = Config::search(self.node.url());
        config.search.bulk_documents = 700;
        config
    }

    fn open(&self) -> Arc<dyn Archive> {
        self.runtime.block_on(open(&self.config(), Mode::Write)).unwrap()
    }

    fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.client.request(method, format!("{}/{path}", self.node.url()));
        let request = if body.is_null() { request } else { request.json(&body) };
        self.runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() })
    }

    fn refresh(&self) {
        self.ask(Method::POST, &format!("{PREFIX}-*/_refresh"), Value::Null);
    }

    fn clear(&self, archive: &Arc<dyn Archive>) {
        self.runtime.block_on(archive.purge(i64::MAX)).unwrap();
    }

    fn conforms(&self) {
        let archive = self.open();
        let refresh = Box::new(|| self.refresh());
        // The engine counts distinct values approximately.
        Subject { name: self.name, archive, runtime: &self.runtime, refresh, off_by: 1, cases: 50 }.conforms();
    }

    /// Bodies are kept and shown (the suite has seen that) and are not in the mapping.
    fn keeps_bodies_out_of_the_mapping(&self, archive: &Arc<dyn Archive>) {
        let template = self.ask(Method::GET, &format!("_index_template/vedette-{PREFIX}"), Value::Null);
        let template = &template["index_templates"][0]["index_template"]["template"]["mappings"]["properties"];
        let mut expected: Vec<String> = template.as_object().unwrap().keys().cloned().collect();
        expected.sort();
        let odd: Vec<_> = corpus::batches("x").pop().into_iter().collect();
        self.runtime.block_on(archive.write(&odd)).unwrap();
        let mapping = self.ask(Method::GET, &format!("{PREFIX}-2026.11.11/_mapping"), Value::Null);
        let mapping = &mapping[format!("{PREFIX}-2026.11.11")]["mappings"]["properties"];
        let mut fields: Vec<String> = mapping.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, expected, "{}", self.name);
        assert_eq!(mapping["RequestObject"], json!({ "type": "object", "enabled": false }));
        self.clear(archive);
    }

    /// The fields that KubeSphere's apiserver queries, each as it queries it.
    fn answers_kubesphere(&self, archive: &Arc<dyn Archive>) {
        let events = [
            r#"{"AuditID":"k-1","Verb":"create","Level":"Metadata","Workspace":"ws","RequestReceivedTimestamp":"2026-11-20T01:00:00.000001Z",
                "User":{"Username":"alice","Groups":["system:authenticated"]},"SourceIPs":["10.1.2.3"],
                "ObjectRef":{"Resource":"deployments","Namespace":"shop","Name":"web","Subresource":"scale"},
                "ResponseStatus":{"code":403,"status":"Failure","reason":"Forbidden"}}"#,
            r#"{"AuditID":"k-2","Verb":"delete","Level":"Request","RequestReceivedTimestamp":"2026-11-20T02:00:00Z",
                "User":{"Username":"bob"},"ObjectRef":{"Resource":"nodes","Name":"n1"},"ResponseStatus":{"code":200}}"#,
        ];
        let documents = events.iter().map(|event| corpus::document(event)).collect();
        let batch = vedette_archive::WriteBatch { key: "k".to_owned(), documents };
        self.runtime.block_on(archive.write(&[batch])).unwrap();
        self.refresh();
        let check = |clause: Value, expected: &[&str]| {
            let body =
                json!({ "query": { "bool": { "filter": [clause] } }, "sort": [{ "RequestReceivedTimestamp": "asc" }] });
            let found = self.ask(Method::POST, &format!("{PREFIX}-2026.11.20/_search"), body.clone());
            let hits = found["hits"]["hits"].as_array().unwrap_or_else(|| panic!("{body}: {found}"));
            let ids: Vec<&str> = hits.iter().map(|hit| hit["_source"]["AuditID"].as_str().unwrap()).collect();
            assert_eq!(ids, expected, "{}: {body}", self.name);
        };
        check(json!({ "terms": { "Workspace.keyword": [""] } }), &["k-2"]);
        check(json!({ "terms": { "ObjectRef.Namespace.keyword": ["shop"] } }), &["k-1"]);
        check(json!({ "terms": { "ObjectRef.Namespace.keyword": [""] } }), &["k-2"]);
        check(json!({ "wildcard": { "ObjectRef.Name.keyword": "*we*" } }), &["k-1"]);
        check(json!({ "terms": { "Verb.keyword": ["create", "delete"] } }), &["k-1", "k-2"]);
        check(json!({ "terms": { "Level.keyword": ["Request"] } }), &["k-2"]);
        check(json!({ "terms": { "User.Username.keyword": ["alice"] } }), &["k-1"]);
        check(json!({ "wildcard": { "User.Groups.keyword": "*auth*" } }), &["k-1"]);
        check(json!({ "wildcard": { "SourceIPs.keyword": "*1.2*" } }), &["k-1"]);
        check(json!({ "match_phrase_prefix": { "ObjectRef.Resource": "deploy" } }), &["k-1"]);
        check(json!({ "match_phrase_prefix": { "ObjectRef.Subresource": "sca" } }), &["k-1"]);
        check(json!({ "terms": { "ResponseStatus.code": [200] } }), &["k-2"]);
        check(json!({ "terms": { "ResponseStatus.status.keyword": ["Failure"] } }), &["k-1"]);
        check(json!({ "range": { "RequestReceivedTimestamp": { "gte": "2026-11-20T01:30:00Z" } } }), &["k-2"]);
        let body = json!({ "size": 0, "aggs": {
            "ids": { "cardinality": { "field": "AuditID.keyword" } },
            "times": { "date_histogram": { "field": "RequestReceivedTimestamp", "fixed_interval": "30m" } },
        } });
        let found = self.ask(Method::POST, &format!("{PREFIX}-2026.11.20/_search"), body);
        assert_eq!(found["aggregations"]["ids"]["value"], 2);
        assert_eq!(found["aggregations"]["times"]["buckets"].as_array().unwrap().len(), 3);
        self.clear(archive);
    }

    /// What KubeSphere wrote is found beside what we wrote, and comes back as it is.
    fn reads_what_kubesphere_wrote(&self, archive: &Arc<dyn Archive>) {
        let written = r#"{"Workspace":"ws","Verb":"create","AuditID":"foreign","User":{"Username":"Carol"},"RequestReceivedTimestamp":"2026-11-19T01:00:00.5Z"}"#;
        let path = format!("{PREFIX}-2026.11.19/_doc?refresh=true");
        self.ask(Method::POST, &path, serde_json::from_str(written).unwrap());
        let query = Query::of(Filter::contains(Field::User, ["CAR"]));
        let hits = self.runtime.block_on(archive.search(&query, &Page::default())).unwrap();
        let found: Vec<Value> = hits.documents.iter().map(|json| serde_json::from_slice(json).unwrap()).collect();
        assert_eq!(found, [serde_json::from_str::<Value>(written).unwrap()]);
        self.clear(archive);
    }

    fn a_newer_template_stays(&self) {
        let path = format!("_index_template/vedette-{PREFIX}");
        let newer = json!({ "index_patterns": [format!("{PREFIX}-*")], "priority": 500, "version": 1_000_000 });
        self.ask(Method::PUT, &path, newer);
        drop(self.open());
        let kept = self.ask(Method::GET, &path, Value::Null);
        assert_eq!(kept["index_templates"][0]["index_template"]["version"], 1_000_000);
        self.ask(Method::DELETE, &path, Value::Null);
        drop(self.open());
        let ours = self.ask(Method::GET, &path, Value::Null);
        assert_eq!(ours["index_templates"][0]["index_template"]["version"], 1);
    }

    /// Read-only indices refuse: nothing is lost, nothing is taken for a bad document, health says why.
    fn waits_for_a_read_only_engine(&self, archive: &Arc<dyn Archive>) {
        let batches: Vec<_> = corpus::batches("r").into_iter().take(4).collect();
        self.runtime.block_on(archive.write(&batches[..2])).unwrap();
        let block = |on: Value| {
            let settings = json!({ "index.blocks.read_only_allow_delete": on });
            self.ask(Method::PUT, &format!("{PREFIX}-2026.11.17/_settings"), settings);
        };
        block(json!(true));
        let refused = self.runtime.block_on(archive.write(&batches)).unwrap_err();
        assert!(refused.is_retryable() && refused.to_string().contains("read-only"), "{refused}");
        let health = self.runtime.block_on(archive.health());
        assert!(!health.ready && health.detail.contains("read-only"), "{health:?}");
        block(Value::Null);
        for (batch, report) in batches.iter().zip(self.runtime.block_on(archive.write(&batches)).unwrap()) {
            assert_eq!((report.stored, report.duplicate), (batch.documents.len() as u64, 0));
            assert_eq!(report.rejected, []);
        }
        assert!(self.runtime.block_on(archive.health()).ready);
        self.clear(archive);
    }

    /// Killed in the middle of writing, and back: everything once.
    fn survives_a_killed_node(&mut self, archive: &Arc<dyn Archive>) {
        let batches = corpus::batches("s");
        let writing = {
            let (archive, batches) = (Arc::clone(archive), batches.clone());
            // Again and again, so that it is killed in the middle however fast the engine is.
            self.runtime.spawn(async move {
                loop {
                    for batch in batches.chunks(4) {
                        if let Err(error) = archive.write(batch).await {
                            return error;
                        }
                    }
                }
            })
        };
        let limit = Instant::now() + LIMIT;
        while self.ask(Method::GET, &format!("{PREFIX}-*/_count"), Value::Null)["count"].as_u64().unwrap_or(0) == 0 {
            assert!(Instant::now() < limit, "nothing is written");
            self.refresh();
        }
        self.node.kill();
        let error = self.runtime.block_on(async { tokio::time::timeout(LIMIT, writing).await }).unwrap().unwrap();
        assert!(error.is_retryable(), "{error}");
        let health = self.runtime.block_on(archive.health());
        assert!(!health.ready, "{health:?}");
        // Opening does not need the engine: whoever writes waits for it.
        drop(self.open());
        self.node.start_again();
        for some in batches.chunks(16) {
            for (batch, report) in some.iter().zip(self.runtime.block_on(archive.write(some)).unwrap()) {
                assert_eq!((report.stored, report.duplicate), (batch.documents.len() as u64, 0), "{}", batch.key);
            }
        }
        self.refresh();
        let count = self.runtime.block_on(archive.count(&Query::default())).unwrap();
        assert_eq!(count, corpus::documents().len() as u64);
    }
}

#[test]
fn search_engines_conform() {
    for engine in [Engine::Es7, Engine::Es9, Engine::OpenSearch] {
        let mut rig = Rig::start(engine);
        println!("{}: started", rig.name);
        rig.conforms();
        let archive = rig.open();
        rig.clear(&archive);
        rig.keeps_bodies_out_of_the_mapping(&archive);
        rig.answers_kubesphere(&archive);
        rig.reads_what_kubesphere_wrote(&archive);
        rig.a_newer_template_stays();
        rig.waits_for_a_read_only_engine(&archive);
        rig.survives_a_killed_node(&archive);
        println!("{}: done", rig.name);
    }
}
