//! No endpoint tells of records that the caller may not see: each answer is compared with what a plain filter over all
//! documents gives, for random callers and questions, on every engine.

mod alerts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config as Cases, RngSeed, TestRunner};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vedette_archive::{Archive, Mode, WriteBatch};
use vedette_audit::event::{Event, Placed};
use vedette_audit::{Document, Level};
use vedette_e2e::{Engine, SearchNode};
use vedette_service::Context;

use crate::access::Access;
use crate::api;
use crate::config::Config;
use crate::kubesphere;
use crate::metrics::Metrics;
use crate::scope::Scope;
use crate::scope::tests::caller;
use crate::search::Search;
use crate::serve::{Found, Permit, Read, Shared};
use crate::tenancy::{View, Visible};

/// 2026-11-20T00:00:00Z.
const START: i64 = 1_795_132_800;
const NAMES: [&str; 4] = ["shop", "payments", "kube-system", "default"];
const QUERIES: [&str; 14] = [
    "",
    "verb:get",
    "-verb:get",
    "ns:shop",
    "ns:\"\"",
    "actor:alice",
    "user:a*",
    "code:>=400",
    "res:secrets",
    "reads:payments/secrets/db",
    "change:yes",
    "alice or bob",
    "ws:demo",
    "ip:10.0.*",
];

/// Some hundred events in namespaces whose names recur, in workspaces, and in neither.
fn documents() -> Vec<Document> {
    let document = |number: i64| {
        // Every prime step visits all combinations.
        let pick =
            |step: i64, from: &[&'static str]| from[usize::try_from(number * step / 7 + number).unwrap() % from.len()];
        let cluster = pick(3, &["default", "member"]);
        let namespace = pick(5, &["", "shop", "payments", "kube-system", "default"]);
        let workspace = pick(11, &["", "", "demo", "other"]);
        let uid = pick(13, &["", "u1", "u2", "u3"]);
        let time = Timestamp::from_second(START + number * 600 % 300_000).unwrap();
        let stage = pick(17, &["RequestReceived", "ResponseComplete"]);
        let (verb, resource) =
            (pick(19, &["get", "list", "create", "update", "delete"]), pick(23, &["pods", "secrets"]));
        let code = [200, 201, 403, 404][usize::try_from(number).unwrap() % 4];
        let json = serde_json::json!({
            "level": "RequestResponse", "auditID": format!("id-{}", number / 2), "stage": stage, "verb": verb,
            "requestURI": format!("/api/{number}"), "user": { "username": pick(29, &["alice", "bob", "Ann"]), "groups": ["g"] },
            "sourceIPs": [pick(31, &["10.0.0.1", "10.0.0.2", "192.168.0.1"])],
            "objectRef": { "resource": resource, "namespace": namespace, "name": pick(37, &["db", "web", ""]) },
            "responseStatus": { "code": code },
            "requestObject": { "kind": "Pod", "metadata": { "name": "x" }, "number": number },
            "responseObject": { "kind": "Pod", "metadata": { "name": "x" }, "number": number },
            "requestReceivedTimestamp": time.to_string(), "stageTimestamp": time.to_string(), "workspace": workspace,
        })
        .to_string();
        let event = Event::parse(json.as_bytes()).unwrap();
        let placed =
            Placed { namespace_uid: Some(uid).filter(|uid| !uid.is_empty() && !namespace.is_empty()), workspace: None };
        let mut rewritten = Vec::new();
        event.rewrite_in(Level::RequestResponse, cluster, placed, None, &mut rewritten);
        Document::build(event.id(cluster), &rewritten, &["a.b".to_owned()], 0).unwrap()
    };
    (0..600).map(document).collect()
}

fn views() -> impl Strategy<Value = View> {
    let place = |names: &'static [&'static str]| {
        let place =
            (select(&["default", "member"][..]), select(names), select(&["u1", "u2", "u3", "u4"][..]), 0..300_000_i64);
        vec(place, 0..4).prop_map(|places| {
            let mut places: Vec<Visible> = places
                .into_iter()
                .map(|(cluster, name, uid, age)| Visible {
                    cluster: cluster.into(),
                    name: name.into(),
                    uid: uid.into(),
                    created_unix_seconds: START + age,
                })
                .collect();
            places.sort();
            places.dedup_by(|a, b| (&a.cluster, &a.name) == (&b.cluster, &b.name));
            places
        })
    };
    let cluster = prop::option::weighted(0.1, select(&["default", "member"][..]));
    (prop::bool::weighted(0.05), cluster, place(&NAMES), place(&["demo", "other"])).prop_map(
        |(everything, cluster, namespaces, workspaces)| View {
            everything,
            clusters: cluster.into_iter().map(Into::into).collect(),
            namespaces,
            workspaces,
        },
    )
}

/// An archive with the documents behind the API, without its gate.
struct Subject {
    documents: Vec<Document>,
    shared: Arc<Shared>,
    runtime: Runtime,
    /// How far the number of distinct requests may be off, in hundredths.
    off_by: u64,
}

impl Subject {
    fn new(runtime: Runtime, archive: Arc<dyn Archive>, refresh: impl FnOnce(&Runtime), off_by: u64) -> Self {
        let documents = documents();
        let batch = WriteBatch { key: "b".to_owned(), documents: documents.clone() };
        let reports = runtime.block_on(archive.write(&[batch])).unwrap();
        assert_eq!(reports[0].stored, documents.len() as u64, "{reports:?}");
        refresh(&runtime);
        let config = Config { token: Some("correct-horse-battery".into()), ..Config::default() };
        let (_, archive) = watch::channel(Some(archive));
        let (_, bus) = watch::channel(None);
        let (_, policy) = watch::channel(None);
        let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
        let ctx = Context::new("console", prometheus::Registry::new(), CancellationToken::new());
        let access = runtime.block_on(Access::start(&config, &metrics, &ctx, &ctx.shutdown)).unwrap();
        let found = Found { archive, bus, policy };
        let read = Read::default();
        alerts::log(&documents).into_iter().for_each(|step| read.alerts.lock().apply(step, Timestamp::now()));
        let shared = Shared::new(&config, access, found, read, metrics, &ctx.shutdown);
        Self { documents, shared: Arc::new(shared), runtime, off_by }
    }

    fn holds(&self, cases: u32) {
        let config = Cases { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Cases::default() };
        let strategy = (views(), select(&QUERIES[..]), any::<Index>());
        let result = TestRunner::new(config).run(&strategy, |(view, query, one)| {
            Asking::new(self, view, query).all(one.index(self.documents.len()));
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// One caller with one question.
struct Asking<'a> {
    subject: &'a Subject,
    api: Router,
    query: &'static str,
    /// Whether that is everything.
    everything: bool,
    /// What they may see at all.
    visible: Vec<&'a Document>,
    /// What of it they ask for, the oldest first.
    expected: Vec<&'a Document>,
}

impl<'a> Asking<'a> {
    fn new(subject: &'a Subject, view: View, query: &'static str) -> Self {
        let scope = Arc::new(Scope::of(&caller("someone"), &view, 0));
        let place = Arc::new(Semaphore::new(1));
        let let_in = move |mut request: Request, next: Next| {
            let (scope, place) = (Arc::clone(&scope), Arc::clone(&place));
            async move {
                let place = place.acquire_owned().await.unwrap();
                request.extensions_mut().insert(Permit { _place: Arc::new(place), _share: None });
                request.extensions_mut().insert(scope);
                next.run(request).await
            }
        };
        let api = Router::new().merge(api::router()).merge(kubesphere::router());
        let api = api.layer(middleware::from_fn(let_in)).with_state(Arc::clone(&subject.shared));
        let allowed = |document: &&Document| {
            let fields = &document.fields;
            let uid = fields.tenant.split_once('/').map(|(_, uid)| uid);
            view.allows(&fields.cluster, &fields.workspace, &fields.namespace, uid, document.time_micros)
        };
        let mut visible: Vec<&Document> = subject.documents.iter().filter(allowed).collect();
        visible.sort_by_key(|document| (document.time_micros, document.id));
        let search = Search::parse(query, Timestamp::now()).unwrap();
        let expected = visible.iter().copied().filter(|document| search.filter.matches(document)).collect();
        Self { subject, api, query, everything: view.everything, visible, expected }
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> (StatusCode, String) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let request = Request::get(format!("{path}?{}", query.finish())).body(Body::empty()).unwrap();
        self.subject.runtime.block_on(async {
            let answer = self.api.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            (status, String::from_utf8(body.to_vec()).unwrap())
        })
    }

    fn ask(&self, path: &str, more: &[(&str, &str)]) -> Value {
        let (status, text) = self.get(path, &[&[("q", self.query)], more].concat());
        assert_eq!(status, StatusCode::OK, "{path} {}: {text}", self.query);
        serde_json::from_str(&text).unwrap()
    }

    fn all(&self, one: usize) {
        self.pages();
        self.one(one);
        self.counts();
        self.groups();
        self.exports();
        self.coverage();
        if self.query.is_empty() {
            self.alerts();
            self.kubesphere();
            self.administration();
        }
    }

    fn ids(&self) -> Vec<String> {
        self.expected.iter().map(|document| document.id.to_string()).collect()
    }

    fn pages(&self) {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after: Vec<(&str, &str)> = cursor.iter().map(|cursor| ("cursor", cursor.as_str())).collect();
            let page = self.ask("/api/v1/events", &[&[("limit", "150"), ("sort", "asc")], &after[..]].concat());
            if cursor.is_none() {
                assert_eq!(page["total"], self.expected.len());
            }
            let items = page["items"].as_array().unwrap();
            found.extend(items.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(found, self.ids());
    }

    /// Whatever event is asked for by its id, and what is told beside it.
    fn one(&self, at: usize) {
        let visible: BTreeSet<String> = self.visible.iter().map(|document| document.id.to_string()).collect();
        let id = self.subject.documents[at].id.to_string();
        let (status, text) = self.get(&format!("/api/v1/events/{id}"), &[]);
        if !visible.contains(&id) {
            let none = self.get(&format!("/api/v1/events/{}", "0".repeat(32)), &[]);
            assert_eq!((status, text), none, "what may not be seen is not told from what is not there");
            return;
        }
        assert_eq!(status, StatusCode::OK, "{text}");
        let whole: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(whole["event"]["id"], *id);
        let beside = whole["stages"].as_array().unwrap().iter().chain(whole["change"].get("before"));
        for event in beside {
            assert!(visible.contains(event["id"].as_str().unwrap()), "{event}");
        }
    }

    fn counts(&self) {
        let statistics = self.ask("/api/v1/statistics", &[]);
        assert_eq!(statistics["events"], self.expected.len());
        let requests: BTreeSet<&str> = self.expected.iter().map(|document| document.fields.audit_id.as_str()).collect();
        let off = statistics["requests"].as_u64().unwrap().abs_diff(requests.len() as u64);
        assert!(off * 100 <= self.subject.off_by * requests.len() as u64, "{statistics}");
        let histogram = self.ask("/api/v1/histogram", &[("interval", "6h"), ("by", "verb")]);
        assert_eq!(histogram["total"], self.expected.len());
        let mut hours = BTreeMap::<i64, u64>::new();
        for document in &self.expected {
            *hours.entry(document.time_micros.div_euclid(6 * 3_600_000_000)).or_default() += 1;
        }
        let buckets = histogram["buckets"].as_array().unwrap();
        let counts = |bucket: &Value| bucket["count"].as_u64().unwrap();
        let found: Vec<u64> = buckets.iter().map(counts).filter(|count| *count > 0).collect();
        assert_eq!(found, hours.into_values().collect::<Vec<_>>());
    }

    fn groups(&self) {
        let facets = self.ask("/api/v1/facets", &[("by", "namespace,actor,cluster"), ("top", "100")]);
        let count = |value: fn(&Document) -> String| {
            let mut counts = BTreeMap::<String, u64>::new();
            self.expected.iter().for_each(|document| *counts.entry(value(document)).or_default() += 1);
            counts
        };
        let values: [fn(&Document) -> String; 3] =
            [|it| it.fields.namespace.clone(), |it| it.fields.actor.clone(), |it| it.fields.cluster.clone()];
        for (facet, value) in facets["facets"].as_array().unwrap().iter().zip(values) {
            let found: BTreeMap<String, u64> = facet["values"].as_array().unwrap().iter().map(pair).collect();
            assert_eq!(found, count(value), "{}", facet["field"]);
            assert_eq!(facet["other"], 0);
        }
        let groups = self.ask("/api/v1/groups", &[("by", "namespace,ip"), ("top", "1000")]);
        let expected = count(|it| format!("{} {}", it.fields.namespace, it.fields.source_ip));
        let found: BTreeMap<String, u64> = groups["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let value = |at: usize| row["values"][at].as_str().unwrap();
                (format!("{} {}", value(0), value(1)), row["count"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(groups["total"], expected.len());
    }

    fn exports(&self) {
        let (_, lines) = self.get("/api/v1/export", &[("q", self.query), ("sort", "asc")]);
        assert_eq!(lines.lines().map(id).collect::<Vec<_>>(), self.ids());
        let (_, csv) =
            self.get("/api/v1/export", &[("q", self.query), ("sort", "asc"), ("format", "csv"), ("columns", "id")]);
        assert_eq!(csv.lines().skip(1).collect::<Vec<_>>(), self.ids());
    }

    fn coverage(&self) {
        let coverage = self.ask("/api/v1/coverage", &[]);
        let time = |document: Option<&&Document>| match document {
            Some(document) => {
                let time = Timestamp::from_microsecond(document.time_micros).unwrap();
                Value::from(format!("{time:.6}"))
            }
            None => Value::Null,
        };
        assert_eq!(coverage["oldest"], time(self.visible.first()));
        assert_eq!(coverage["newest"], time(self.visible.last()));
        let everything = self.visible.len() == self.subject.documents.len();
        assert!(everything || (coverage["losses"].is_null() && coverage["gaps"].is_null()), "{coverage}");
    }

    /// Dead letters hold what was received from everybody.
    fn administration(&self) {
        let everything = self.visible.len() == self.subject.documents.len();
        // There is no broker here.
        let expected = if everything { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
        let letters = "/api/v1/dead-letters";
        for (method, path) in [("GET", ""), ("GET", "/1"), ("DELETE", "/1"), ("POST", "/1/requeue")] {
            let request =
                Request::builder().method(method).uri(format!("{letters}{path}")).body(Body::empty()).unwrap();
            let answer = self.subject.runtime.block_on(self.api.clone().oneshot(request)).unwrap();
            assert_eq!(answer.status(), expected, "{method} {path}");
        }
    }

    /// The other endpoints, which have a language of their own.
    fn kubesphere(&self) {
        for path in
            ["/kapis/tenant.kubesphere.io/v1alpha2/auditing/events", "/kapis/logging.kubesphere.io/v1alpha2/auditing"]
        {
            let ask = |parameters: &[(&str, &str)]| -> Value {
                let (status, text) = self.get(path, parameters);
                assert_eq!(status, StatusCode::OK, "{path}: {text}");
                serde_json::from_str(&text).unwrap()
            };
            let found = ask(&[("size", "1000"), ("sort", "asc")]);
            assert_eq!(found["query"]["total"], self.expected.len());
            let records = found["query"]["records"].as_array().cloned().unwrap_or_default();
            let ids: Vec<&str> = records.iter().map(|it| it["Vedette"]["EventID"].as_str().unwrap()).collect();
            assert_eq!(ids, self.ids());
            assert_eq!(ask(&[("operation", "statistics")])["statistics"]["events"], self.expected.len());
            let histogram = ask(&[("operation", "histogram"), ("start_time", "0"), ("interval", "1d")]);
            assert_eq!(histogram["histogram"]["total"], self.expected.len());
            let (_, lines) = self.get(path, &[("operation", "export"), ("sort", "asc")]);
            assert_eq!(lines.lines().map(id).collect::<Vec<_>>(), self.ids());
        }
    }
}

fn id(line: &str) -> String {
    let document: Value = serde_json::from_str(line).unwrap();
    document["Vedette"]["EventID"].as_str().unwrap().to_owned()
}

fn pair(value: &Value) -> (String, u64) {
    (value["value"].as_str().unwrap().to_owned(), value["count"].as_u64().unwrap())
}

fn runtime() -> Runtime {
    vedette_service::tls::install_provider();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn nothing_leaks_from_the_embedded_archive() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let config = vedette_archive::Config::embedded(folder.path());
    let archive = runtime.block_on(vedette_archive::open(&config, Mode::Write)).unwrap();
    Subject::new(runtime, archive, |_| {}, 0).holds(150);
}

#[test]
fn nothing_leaks_from_search_engines() {
    for engine in [Engine::Es7, Engine::Es9, Engine::OpenSearch] {
        let (node, runtime) = (SearchNode::start(engine), runtime());
        let config = vedette_archive::Config::search(node.url());
        let archive = runtime.block_on(vedette_archive::open(&config, Mode::Write)).unwrap();
        let refresh = |runtime: &Runtime| {
            let asked = reqwest::Client::new().post(format!("{}/_refresh", node.url())).send();
            assert!(runtime.block_on(asked).unwrap().status().is_success());
        };
        Subject::new(runtime, archive, refresh, 2).holds(30);
    }
}
