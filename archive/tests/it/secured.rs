//! A search engine that asks who is there, over https.

use vedette_archive::{Config, Mode, Page, Query, open};
use vedette_e2e::SecuredNode;

use crate::corpus;

#[test]
fn a_secured_search_engine_is_written_to_and_searched() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let node = SecuredNode::start();
    let config = |scheme: &str, password: &str| {
        let mut config = Config::search(format!("{scheme}://{}", node.address()));
        config.search.user = Some(SecuredNode::USER.to_owned());
        config.search.password = Some(password.into());
        config.search.ca_file = Some(node.ca().to_owned());
        config
    };
    let batch = corpus::batches("secured").remove(0);
    let batches = std::slice::from_ref(&batch);
    // None of these is for ever: a password is changed, a certificate trusted, without the archiver's being told.
    let refused = |config: &Config, expected: &str| {
        let archive = runtime.block_on(open(config, Mode::Write)).unwrap();
        let error = runtime.block_on(archive.write(batches)).unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains(expected), "{error}");
        let health = runtime.block_on(archive.health());
        assert!(!health.ready && health.detail.contains(expected), "{health:?}");
        assert!(!health.detail.contains("wrong-password"), "{health:?}");
    };
    refused(&config("https", "wrong-password"), "does not let us in (401)");
    refused(&config("http", SecuredNode::PASSWORD), "no answer from the engine");
    let mut unknown = config("https", SecuredNode::PASSWORD);
    unknown.search.ca_file = None;
    refused(&unknown, "certificate");

    let archive = runtime.block_on(open(&config("https", SecuredNode::PASSWORD), Mode::Write)).unwrap();
    let report = runtime.block_on(archive.write(batches)).unwrap().remove(0);
    assert_eq!((report.stored, report.duplicate), (batch.documents.len() as u64, 0));
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let hits = runtime.block_on(archive.search(&Query::default(), &Page::default())).unwrap();
        if hits.total == report.stored {
            assert_eq!(hits.documents.len(), 10);
            break;
        }
        assert!(std::time::Instant::now() < limit, "found only {}", hits.total);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(runtime.block_on(archive.health()).ready);
    assert_eq!(runtime.block_on(archive.purge(i64::MAX)).unwrap().events, report.stored);
}
