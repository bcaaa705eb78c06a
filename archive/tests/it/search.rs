//! Elasticsearch 7 and 9 and OpenSearch, real ones, one after the other: conformance, what KubeSphere's own apiserver asks,
//! and an engine that is read-only, killed, or not ours alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use vedette_archive::{Archive, BatchReport, By, Config, Field, Filter, Interval, Mode, Page, Query, WriteBatch, open};
use vedette_e2e::{Engine, SearchNode};

use crate::corpus;
use crate::suite::Subject;

pub(crate) const PREFIX: &str = "ks-whizard-auditing";
/// What an engine may take for anything.
const LIMIT: Duration = Duration::from_secs(120);

/// A way to the engine that can be made slow.
struct Slow {
    url: String,
    delay_millis: Arc<AtomicU64>,
}

impl Slow {
    fn before(runtime: &Runtime, url: String) -> Self {
        let delay_millis = Arc::new(AtomicU64::new(0));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let slow =
            Self { url: format!("http://{}", listener.local_addr().unwrap()), delay_millis: Arc::clone(&delay_millis) };
        let target = url.strip_prefix("http://").unwrap().to_owned();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, delay) = (target.clone(), Arc::clone(&delay_millis));
                tokio::spawn(async move {
                    let server = TcpStream::connect(target).await?;
                    let ((from_client, mut to_client), (mut from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::spawn(async move {
                        let (mut from, mut to) = (from_client, to_server);
                        tokio::io::copy(&mut from, &mut to).await
                    });
                    let mut chunk = vec![0; 16 << 10];
                    loop {
                        let read = from_server.read(&mut chunk).await?;
                        if read == 0 {
                            return Ok::<(), std::io::Error>(());
                        }
                        tokio::time::sleep(Duration::from_millis(delay.load(Ordering::SeqCst))).await;
                        to_client.write_all(&chunk[..read]).await?;
                    }
                });
            }
        });
        slow
    }
}

/// An engine, and what asks it.
pub(crate) struct Rig {
    pub(crate) name: &'static str,
    node: SearchNode,
    pub(crate) runtime: Runtime,
    client: reqwest::Client,
}

impl Rig {
    pub(crate) fn start(engine: Engine) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { name: engine.name(), node: SearchNode::start(engine), runtime, client }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::search(self.node.url());
        config.search.bulk_documents = 700;
        config
    }

    pub(crate) fn open(&self) -> Arc<dyn Archive> {
        self.runtime.block_on(open(&self.config(), Mode::Write)).unwrap()
    }

    pub(crate) fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.client.request(method, format!("{}/{path}", self.node.url()));
        let request = if body.is_null() { request } else { request.json(&body) };
        self.runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() })
    }

    pub(crate) fn refresh(&self) {
        self.ask(Method::POST, &format!("{PREFIX}-*/_refresh"), Value::Null);
    }

    pub(crate) fn clear(&self, archive: &Arc<dyn Archive>) {
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
        let documents = corpus::odd().iter().map(|event| corpus::document(event)).collect();
        let odd = WriteBatch { key: "x".to_owned(), documents };
        self.runtime.block_on(archive.write(&[odd])).unwrap();
        let mapping = self.ask(Method::GET, &format!("{PREFIX}-2026.11.11/_mapping"), Value::Null);
        let mapping = &mapping[format!("{PREFIX}-2026.11.11")]["mappings"]["properties"];
        let mut fields: Vec<String> = mapping.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, expected, "{}", self.name);
        assert_eq!(mapping["RequestObject"], json!({ "type": "object", "enabled": false }));
        self.clear(archive);
    }

    /// The fields that KubeSphere's apiserver queries, each as it queries it, and all of them together.
    fn answers_kubesphere(&self, archive: &Arc<dyn Archive>) {
        let events = [
            r#"{"AuditID":"k-1","Verb":"create","Level":"Metadata","Workspace":"ws","RequestReceivedTimestamp":"2026-11-20T01:00:00.000001Z",
                "User":{"Username":"alice","Groups":["system:authenticated"]},"SourceIPs":["10.1.2.3"],
                "ObjectRef":{"Resource":"deployments","Namespace":"shop","Name":"web","Subresource":"scale"},
                "ResponseStatus":{"code":403,"status":"Failure","reason":"Forbidden"}}"#,
            r#"{"AuditID":"k-2","Verb":"delete","Level":"Request","RequestReceivedTimestamp":"2026-11-20T02:00:00Z",
                "User":{"Username":"bob"},"ObjectRef":{"Resource":"nodes","Name":"n1"},"ResponseStatus":{"code":200}}"#,
            r#"{"AuditID":"k-3","Verb":"update","Level":"Metadata","Workspace":"other","RequestReceivedTimestamp":"2026-11-20T03:00:00Z",
                "User":{"Username":"carol"},"ObjectRef":{"Resource":"services","Namespace":"bank","Name":"s"},"ResponseStatus":{"code":200}}"#,
        ];
        let documents = events.iter().map(|event| corpus::document(event)).collect();
        let batch = WriteBatch { key: "k".to_owned(), documents };
        self.runtime.block_on(archive.write(&[batch])).unwrap();
        self.refresh();
        let search = |body: &Value| self.ask(Method::POST, &format!("{PREFIX}-2026.11.20/_search"), body.clone());
        let check = |clause: Value, expected: &[&str]| {
            let body = json!({
                "query": { "bool": { "filter": [clause] } },
                "sort": [{ "RequestReceivedTimestamp": { "order": "asc" } }], "from": 0, "size": 10,
            });
            let found = search(&body);
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
        check(json!({ "terms": { "ResponseStatus.code": [403] } }), &["k-1"]);
        check(json!({ "terms": { "ResponseStatus.status.keyword": ["Failure"] } }), &["k-1"]);
        check(json!({ "range": { "RequestReceivedTimestamp": { "gte": "2026-11-20T02:30:00Z" } } }), &["k-3"]);
        // Who sees what: a namespace or a workspace from its creation on, in the apiserver's own time zone, and what has
        // neither for those who see the whole cluster.
        let since = |field: &str, value: &str, time: &str| {
            json!({ "bool": { "filter": [
                { "match_phrase": { field: value } },
                { "range": { "RequestReceivedTimestamp": { "gte": time } } },
            ] } })
        };
        let tenancy = |should: &[Value]| json!({ "bool": { "should": should, "minimum_should_match": 1 } });
        let namespace = |name: &str, time: &str| since("ObjectRef.Namespace.keyword", name, time);
        let workspace = |name: &str, time: &str| since("Workspace.keyword", name, time);
        let (old, new) = ("2026-11-20T08:00:00+08:00", "2026-11-20T10:30:00.5+08:00");
        check(tenancy(&[namespace("shop", old), namespace("bank", old)]), &["k-1", "k-3"]);
        check(tenancy(&[namespace("shop", new), namespace("bank", new)]), &["k-3"]);
        check(tenancy(&[workspace("ws", old), namespace("bank", new)]), &["k-1", "k-3"]);
        check(tenancy(&[workspace("", "1970-01-01T00:00:00Z"), workspace("ws", old)]), &["k-1", "k-2"]);
        check(tenancy(&[namespace("", old)]), &["k-2"]);
        let query = json!({ "bool": { "filter": [
            tenancy(&[workspace("", old), namespace("bank", old)]),
            { "range": { "RequestReceivedTimestamp": { "gte": "2026-11-20T00:00:00Z", "lte": "2026-11-20T12:00:00Z" } } },
        ] } });
        let statistics = json!({ "resources": { "cardinality": { "field": "AuditID.keyword" } } });
        let found = search(&json!({ "query": query, "size": 0, "aggs": statistics }));
        assert_eq!(found["aggregations"]["resources"]["value"], 2, "{found}");
        assert_eq!(found["hits"]["total"]["value"], 2, "{found}");
        let times = json!({ "field": "RequestReceivedTimestamp", "fixed_interval": "30m" });
        let found = search(&json!({ "query": query, "size": 0, "aggs": { "times": { "date_histogram": times } } }));
        let buckets = found["aggregations"]["times"]["buckets"].as_array().unwrap_or_else(|| panic!("{found}"));
        let counts: Vec<_> = buckets.iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).collect();
        assert_eq!(counts, [1, 0, 1], "{found}");
        assert_eq!(buckets[0]["key"], 1_795_140_000_000_i64);
        self.clear(archive);
    }

    /// What KubeSphere wrote, in an index that is as it made it, is found beside what we wrote, and comes back as it is.
    fn reads_what_kubesphere_wrote(&self, archive: &Arc<dyn Archive>) {
        self.ask(Method::DELETE, &format!("_index_template/vedette-{PREFIX}"), Value::Null);
        let mut written = Vec::new();
        for n in 0..60 {
            // Sixteen in a millisecond, two stages of a request, some without an id, and some written twice.
            let mut event = json!({
                "Workspace": "ws", "Verb": "create", "User": { "Username": "Carol" }, "ObjectRef": { "Resource": "pods" },
                "AuditID": format!("foreign-{}", n / 2 % 7), "Stage": if n % 2 == 0 { "RequestReceived" } else { "ResponseComplete" },
                "RequestReceivedTimestamp": format!("2026-11-19T01:00:00.{:03}Z", n / 16),
            });
            if n % 7 == 0 {
                event.as_object_mut().unwrap().remove("AuditID");
            }
            self.ask(Method::POST, &format!("{PREFIX}-2026.11.19/_doc"), event.clone());
            written.push(event);
        }
        let mapping = self.ask(Method::GET, &format!("{PREFIX}-2026.11.19/_mapping"), Value::Null);
        let time = &mapping[format!("{PREFIX}-2026.11.19")]["mappings"]["properties"]["RequestReceivedTimestamp"];
        assert_eq!(time["type"], "date", "as it is without our template");
        // Ours, in the same millisecond and in an index of our own.
        let ours = self.open();
        let times = ["2026-11-19T01:00:00.001Z", "2026-11-20T01:00:00Z", "2026-11-20T01:00:00Z"].iter().enumerate();
        let document = |(n, time): (usize, &&str)| {
            let user = r#""User":{"Username":"Dave"}"#;
            corpus::document(&format!(
                r#"{{"AuditID":"ours-{n}","Verb":"create",{user},"RequestReceivedTimestamp":"{time}"}}"#
            ))
        };
        let batch = WriteBatch { key: "beside".to_owned(), documents: times.map(document).collect() };
        self.runtime.block_on(ours.write(&[batch])).unwrap();
        self.refresh();
        let theirs = Query::of(Filter::contains(Field::User, ["CAR"]));
        let key = |json: &Value| {
            let text = |name: &str| json[name].as_str().unwrap_or("").to_owned();
            (text("RequestReceivedTimestamp"), text("AuditID"), text("Stage"))
        };
        written.sort_by_key(key);
        for (query, expected) in [(&theirs, 0), (&Query::default(), 3)] {
            for newest_first in [true, false] {
                let mut page = Page { size: 7, newest_first, ..Page::default() };
                let (mut found, mut own) = (Vec::<Value>::new(), 0);
                loop {
                    let hits = self.runtime.block_on(archive.search(query, &page)).unwrap();
                    for document in hits.documents {
                        let document: Value = serde_json::from_slice(&document).unwrap();
                        if document["Workspace"] == "ws" { found.push(document) } else { own += 1 }
                    }
                    let Some(next) = hits.next else { break };
                    page.after = Some(next.to_string().parse().unwrap());
                }
                let times: Vec<&str> =
                    found.iter().filter_map(|json| json["RequestReceivedTimestamp"].as_str()).collect();
                assert!(if newest_first { times.iter().rev().is_sorted() } else { times.is_sorted() }, "{times:?}");
                found.sort_by_key(key);
                assert_eq!(found, written, "{}: each once", self.name);
                assert_eq!(own, expected);
            }
        }
        let by = [By::Field(Field::Verb), By::Field(Field::Rule)];
        let groups = self.runtime.block_on(archive.group(&Query::default(), &by[..1], 10)).unwrap();
        assert_eq!((groups.total, groups.rows[0].count), (1, 63));
        let facets = self.runtime.block_on(archive.facets(&theirs, &by, 10)).unwrap();
        assert_eq!(facets[1].values, [(String::new(), 60)], "no rule of ours matched what KubeSphere wrote");
        let hours = self.runtime.block_on(archive.histogram(&Query::default(), Interval::seconds(3_600))).unwrap();
        assert_eq!(hours.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [61, 2]);
        self.clear(archive);
    }

    fn a_newer_template_stays(&self) {
        let path = format!("_index_template/vedette-{PREFIX}");
        let version = || {
            let templates = self.ask(Method::GET, &path, Value::Null);
            templates["index_templates"][0]["index_template"]["version"].as_u64().unwrap()
        };
        let ours = version();
        let newer = json!({ "index_patterns": [format!("{PREFIX}-*")], "priority": 500, "version": 1_000_000 });
        self.ask(Method::PUT, &path, newer);
        drop(self.open());
        assert_eq!(version(), 1_000_000);
        self.ask(Method::DELETE, &path, Value::Null);
        drop(self.open());
        assert_eq!(version(), ours);
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

    /// Each cluster in indices of its own: written, read whether or not the query says which, and dropped.
    fn keeps_each_cluster_in_its_own_indices(&self) {
        let mut config = self.config();
        config.search.index_prefix = "{cluster}-auditing".to_owned();
        let archive = self.runtime.block_on(open(&config, Mode::Write)).unwrap();
        let batches: Vec<_> = corpus::batches("c").into_iter().rev().take(2).collect();
        let all: Vec<_> = batches.iter().flat_map(|batch| &batch.documents).collect();
        for _ in 0..2 {
            for (batch, report) in batches.iter().zip(self.runtime.block_on(archive.write(&batches)).unwrap()) {
                assert_eq!((report.stored, report.duplicate), (batch.documents.len() as u64, 0));
            }
        }
        self.ask(Method::POST, "*-auditing-*/_refresh", Value::Null);
        let indices = self.ask(Method::GET, "_cat/indices/*-auditing-*?format=json&h=index", Value::Null);
        let names: Vec<&str> =
            indices.as_array().unwrap().iter().map(|index| index["index"].as_str().unwrap()).collect();
        for prefix in ["default-auditing-2026.11.", "member-1-auditing-2026.11."] {
            assert!(names.iter().any(|name| name.starts_with(prefix)), "{names:?}");
        }
        let count = |filter: Filter| self.runtime.block_on(archive.count(&Query::of(filter))).unwrap();
        let of = |cluster: &str| all.iter().filter(|document| document.fields.cluster == cluster).count() as u64;
        assert_eq!(count(Filter::everything()), all.len() as u64);
        assert_eq!(count(Filter::is(Field::Cluster, ["member-1"])), of("member-1"));
        assert_eq!(count(Filter::is(Field::Cluster, ["default", "member-1"])), of("default") + of("member-1"));
        assert_eq!(count(Filter::is(Field::Cluster, ["no-such"])), 0);
        let days = self.runtime.block_on(archive.days()).unwrap();
        assert!(days.len() < names.len() && days.is_sorted_by_key(|day| day.start_micros), "{days:?}");
        assert_eq!(days.iter().map(|day| day.events).sum::<u64>(), all.len() as u64);
        let purged = self.runtime.block_on(archive.purge(i64::MAX)).unwrap();
        assert_eq!((purged.days, purged.events), (days.len() as u64, all.len() as u64));
        assert_eq!(self.runtime.block_on(archive.warnings()), Vec::<String>::new(), "nobody else deletes here");
        self.ask(Method::DELETE, "_index_template/vedette-each-cluster-auditing", Value::Null);
    }

    /// An index that takes nothing of ours: its documents are refused with the engine's reason, the others stored.
    fn tells_why_a_document_is_refused(&self, archive: &Arc<dyn Archive>) {
        let batch = corpus::batches("p").remove(0);
        let day = 1_795_046_400_000_000..1_795_132_800_000_000_i64;
        let mappings = json!({ "dynamic": "strict", "properties": {} });
        let name = format!("{PREFIX}-2026.11.19");
        self.ask(Method::DELETE, &format!("_index_template/vedette-{PREFIX}"), Value::Null);
        self.ask(Method::PUT, &name, json!({ "mappings": mappings }));
        let archive_again = self.open();
        let refused: Vec<usize> =
            (0..batch.documents.len()).filter(|at| day.contains(&batch.documents[*at].time_micros)).collect();
        assert!(!refused.is_empty() && refused.len() < batch.documents.len());
        for _ in 0..2 {
            let report = self.runtime.block_on(archive_again.write(std::slice::from_ref(&batch))).unwrap().remove(0);
            assert_eq!((report.stored, report.duplicate), ((batch.documents.len() - refused.len()) as u64, 0));
            assert_eq!(report.rejected.iter().map(|rejected| rejected.index).collect::<Vec<_>>(), refused);
            assert!(
                report.rejected.iter().all(|rejected| rejected.reason.starts_with("strict_dynamic_mapping_exception"))
            );
        }
        self.clear(archive);
    }

    /// A node that answers too late: tried again by who writes, told in health, and nothing twice.
    fn waits_for_a_slow_engine(&self) {
        let slow = Slow::before(&self.runtime, self.node.url());
        let mut config = self.config();
        config.search.urls = vec![slow.url.clone()];
        config.search.timeout_seconds = 2;
        let archive = self.runtime.block_on(open(&config, Mode::Write)).unwrap();
        let batches: Vec<_> = corpus::batches("l").into_iter().take(4).collect();
        slow.delay_millis.store(5_000, Ordering::SeqCst);
        let late = self.runtime.block_on(archive.write(&batches)).unwrap_err();
        assert!(late.is_retryable() && late.to_string().contains("did not answer in time"), "{late}");
        let health = self.runtime.block_on(archive.health());
        assert!(!health.ready && health.detail.contains("did not answer in time"), "{health:?}");
        slow.delay_millis.store(0, Ordering::SeqCst);
        config.search.timeout_seconds = 60;
        for archive in [&archive, &self.runtime.block_on(open(&config, Mode::Write)).unwrap()] {
            for (batch, report) in batches.iter().zip(self.runtime.block_on(self.until_written(archive, &batches))) {
                assert_eq!((report.stored, report.duplicate), (batch.documents.len() as u64, 0), "{}", batch.key);
            }
        }
        assert!(self.runtime.block_on(archive.health()).ready);
        self.clear(&archive);
    }

    async fn until_written(&self, archive: &Arc<dyn Archive>, batches: &[WriteBatch]) -> Vec<BatchReport> {
        let limit = Instant::now() + LIMIT;
        loop {
            match archive.write(batches).await {
                Ok(reports) => return reports,
                Err(error) => assert!(error.is_retryable() && Instant::now() < limit, "{error}"),
            }
        }
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

fn conforms(engine: Engine) {
    let mut rig = Rig::start(engine);
    println!("{}: started", rig.name);
    rig.conforms();
    let archive = rig.open();
    rig.clear(&archive);
    rig.keeps_bodies_out_of_the_mapping(&archive);
    rig.answers_kubesphere(&archive);
    rig.reads_what_kubesphere_wrote(&archive);
    rig.a_newer_template_stays();
    rig.keeps_each_cluster_in_its_own_indices();
    rig.tells_why_a_document_is_refused(&archive);
    rig.waits_for_a_slow_engine();
    rig.waits_for_a_read_only_engine(&archive);
    rig.survives_a_killed_node(&archive);
}

#[test]
fn search_engines_conform_elasticsearch_7() {
    conforms(Engine::Es7);
}

#[test]
fn search_engines_conform_elasticsearch_9() {
    conforms(Engine::Es9);
}

#[test]
fn search_engines_conform_opensearch() {
    conforms(Engine::OpenSearch);
}
