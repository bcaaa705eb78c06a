use std::collections::BTreeMap;

use proptest::prelude::*;
use vedette_audit::list::ListErrorCode;
use vedette_proto::bus::v1::{DeadLetter, EventBatch, IngestCounts};
use vedette_service::namespaces::Namespace;

use super::*;

fn terms(level: Level, k8s: bool) -> Terms {
    Terms {
        cluster: "c1".into(),
        received_unix_nanos: 1_795_308_043_123_456_789,
        generation: 7,
        audit_level: level,
        k8s_auditing_enabled: k8s,
        namespaces: Cluster::default(),
        redactor: None,
    }
}

/// Terms of a cluster whose namespaces `shop` and `bare` are in the workspace `retail` and in none.
fn terms_with_namespaces() -> Terms {
    let namespace = |workspace: Option<&str>| Namespace {
        uid: "u".into(),
        workspace: workspace.map(Into::into),
        created_unix_seconds: 0,
    };
    let namespaces = [("shop", namespace(Some("retail"))), ("bare", namespace(None))];
    Terms { namespaces: namespaces.into_iter().collect(), ..terms(Level::RequestResponse, true) }
}

fn take_with(body: &[u8], terms: Terms, piece: usize) -> Result<Vec<Finished>, ListError> {
    let mut intake = Intake::new(terms, list::Limits::default());
    for piece in body.chunks(piece) {
        intake.push(piece)?;
    }
    intake.finish()
}

fn take(body: &str) -> Result<Vec<Finished>, ListError> {
    take_with(body.as_bytes(), terms(Level::RequestResponse, true), usize::MAX)
}

fn unpack(part: &Finished) -> EventBatch {
    vedette_bus::decode(&part.message, vedette_bus::MAX_RAW_BYTES).unwrap()
}

fn letter(letter: &Letter) -> DeadLetter {
    vedette_bus::decode(&letter.message, vedette_bus::MAX_RAW_BYTES).unwrap()
}

fn events(parts: &[Finished]) -> Vec<String> {
    let json =
        |part: &Finished| unpack(part).events.into_iter().map(|event| String::from_utf8(event.json.to_vec()).unwrap());
    parts.iter().flat_map(json).collect()
}

fn list(items: &[String]) -> String {
    format!(r#"{{"items":[{}]}}"#, items.join(","))
}

/// Events of about `size` bytes, all different.
fn sized(count: usize, size: usize) -> Vec<String> {
    (0..count)
        .map(|index| {
            let body = "x".repeat(size);
            format!(r#"{{"verb":"get","auditID":"{index}","objectRef":{{"resource":"r"}},"requestObject":"{body}"}}"#)
        })
        .collect()
}

#[test]
fn one_small_list_is_one_message() {
    let items = [
        r#"{"verb":"get","level":"Request","objectRef":{"resource":"r"},"requestObject":{"a":1}}"#,
        r#"{"kind":"Event","requestURI":"/x"}"#,
    ];
    let parts = take(&list(&items.map(str::to_owned))).unwrap();
    let [part] = &parts[..] else { panic!("{} parts", parts.len()) };
    let batch = unpack(part);
    assert_eq!((&*batch.cluster, batch.received_unix_nanos, batch.generation), ("c1", 1_795_308_043_123_456_789, 7));
    let ids = items.map(|item| Event::parse(item.as_bytes()).unwrap().id("c1"));
    for (event, id) in batch.events.iter().zip(&ids) {
        assert_eq!(&event.id[..], id.as_bytes());
    }
    assert_eq!(
        events(&parts),
        [
            r#"{"Cluster":"c1","verb":"get","level":"Request","objectRef":{"resource":"r"},"requestObject":{"a":1}}"#,
            r#"{"Cluster":"c1","kind":"Event","requestURI":"/x"}"#
        ]
    );
    assert_eq!(part.counts, IngestCounts { received: 2, published: 2, ..IngestCounts::default() });
    let name = blake3::hash(&[ids[0].as_bytes().as_slice(), ids[1].as_bytes()].concat());
    assert_eq!(part.batch, name.to_hex()[..32]);
}

#[test]
fn an_empty_list_is_no_message() {
    assert!(take(r#"{"items":[]}"#).unwrap().is_empty());
}

#[test]
fn settings_decide_what_goes_on_but_not_the_cut_nor_the_names() {
    let items = sized(40, 100_000);
    let body = list(&items);
    let all = take_with(body.as_bytes(), terms(Level::RequestResponse, true), 16_384).unwrap();
    assert_eq!(all.len(), 4, "ten events of 100 kB make a megabyte");
    for settings in [terms(Level::Metadata, true), terms(Level::None, true), terms(Level::Request, false)] {
        let parts = take_with(body.as_bytes(), settings.clone(), 1_000).unwrap();
        let names = |parts: &[Finished]| {
            parts.iter().map(|part| (part.batch.clone(), part.counts.received)).collect::<Vec<_>>()
        };
        assert_eq!(names(&parts), names(&all), "{settings:?}");
    }
}

#[test]
fn a_part_holds_a_mebibyte_or_one_event() {
    let [small, big] = [sized(1, 10).remove(0), sized(1, PART_BYTES).remove(0)];
    let fits = PART_BYTES - small.len();
    let rest = sized(1, fits - sized(1, 0)[0].len()).remove(0);
    assert_eq!(rest.len() + small.len(), PART_BYTES);
    let received = |items: &[&String]| {
        let items: Vec<_> = items.iter().map(|item| (*item).clone()).collect();
        take(&list(&items)).unwrap().iter().map(|part| part.counts.received).collect::<Vec<_>>()
    };
    assert_eq!(received(&[&small, &rest]), [2]);
    assert_eq!(received(&[&small, &rest, &small]), [2, 1]);
    assert_eq!(received(&[&small, &big, &small]), [1, 1, 1]);
}

#[test]
fn drops_are_counted_by_reason() {
    let items = [r#"{"verb":"get"}"#, r#"{"verb":"list","level":"None"}"#].map(str::to_owned);
    let counts = |body: &str, terms| {
        let parts = take_with(body.as_bytes(), terms, usize::MAX).unwrap();
        assert_eq!(unpack(&parts[0]).events.len() as u64, parts[0].counts.published);
        (parts[0].counts.published, parts[0].counts.dropped.clone())
    };
    let reasons = |reasons: &[(&str, u64)]| {
        reasons.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect::<BTreeMap<_, _>>()
    };
    let kubernetes = list(&items);
    let kubesphere = kubernetes.replace("items", "Items");
    assert_eq!(counts(&kubernetes, terms(Level::Request, true)), (1, reasons(&[("level_none", 1)])));
    assert_eq!(counts(&kubernetes, terms(Level::None, true)), (0, reasons(&[("level_none", 2)])));
    assert_eq!(counts(&kubernetes, terms(Level::Request, false)), (0, reasons(&[("k8s_auditing_disabled", 2)])));
    assert_eq!(counts(&kubesphere, terms(Level::Request, false)), (1, reasons(&[("level_none", 1)])));
}

#[test]
fn events_that_lack_a_workspace_get_that_of_their_namespace() {
    let filled = [
        r#"{"verb":"get","objectRef":{"resource":"pods","namespace":"shop"}}"#,
        r#"{"Verb":"get","Workspace":"","ObjectRef":{"Namespace":"shop"}}"#,
        // Of a namespace that is made, its name alone may be known.
        r#"{"verb":"create","objectRef":{"resource":"namespaces","name":"shop"}}"#,
        r#"{"verb":"get","objectRef":{"resource":"namespaces","namespace":"shop","name":"shop"}}"#,
    ];
    let left = [
        r#"{"verb":"get","workspace":"own","objectRef":{"namespace":"shop"}}"#,
        r#"{"verb":"get","objectRef":{"resource":"pods","namespace":"bare"}}"#,
        r#"{"verb":"get","objectRef":{"resource":"pods","namespace":"unknown"}}"#,
        r#"{"verb":"get","objectRef":{"resource":"nodes","name":"shop"}}"#,
        r#"{"verb":"get","objectRef":{"resource":"namespaces","apiGroup":"other.example.com","name":"shop"}}"#,
        r#"{"verb":"get","requestURI":"/api/v1/namespaces/shop"}"#,
    ];
    let workspaces = |items: &[&str]| {
        let items: Vec<_> = items.iter().map(|item| (*item).to_owned()).collect();
        let parts = take_with(list(&items).as_bytes(), terms_with_namespaces(), usize::MAX).unwrap();
        let found = events(&parts);
        assert_eq!(found.len(), items.len());
        found.iter().map(|json| Event::parse(json.as_bytes()).unwrap().workspace().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(workspaces(&filled), ["retail"; 4]);
    assert_eq!(workspaces(&left), ["own", "", "", "", "", ""]);
}

#[test]
fn events_belong_to_the_namespace_that_was_there_at_their_time() {
    let created =
        |created_unix_seconds| Namespace { uid: "u-2".into(), workspace: Some("retail".into()), created_unix_seconds };
    // 2026-11-22T00:00:10Z, and not known.
    let namespaces = [("shop", created(1_795_305_610)), ("old", created(0))];
    let terms = Terms { namespaces: namespaces.into_iter().collect(), ..terms(Level::RequestResponse, true) };
    let at = |namespace: &str, received: &str, stage: &str| {
        let times = format!(r#""requestReceivedTimestamp":"{received}","stageTimestamp":"{stage}""#);
        format!(r#"{{"verb":"get","objectRef":{{"resource":"pods","namespace":"{namespace}"}},{times}}}"#)
    };
    let forged = r#"{"verb":"get","objectRef":{"resource":"nodes"},"vedette":{"NamespaceUID":"u-2"},"VEDETTE":{"namespaceuid":"u-2"}}"#;
    for (item, inside) in [
        (at("shop", "2026-11-22T00:00:11.000000Z", ""), true),
        (at("shop", "2026-11-22T00:00:09.999999Z", "2026-11-22T00:00:11Z"), false),
        // In the second of the creation nobody knows whose it is.
        (at("shop", "2026-11-22T00:00:10.000000Z", ""), false),
        (at("shop", "2026-11-22T00:00:10.999999Z", "2026-11-22T00:00:11Z"), false),
        (at("shop", "2026-11-22T01:00:11+01:00", "2020-11-22T00:00:00Z"), true),
        (at("shop", "never", "2026-11-22T00:00:11Z"), true),
        (at("shop", "", "2026-11-22T00:00:09Z"), false),
        (at("shop", "", ""), true),
        (at("old", "1999-01-01T00:00:00Z", ""), true),
        (at("other", "2026-11-22T00:00:10Z", ""), false),
        (forged.to_owned(), false),
        (forged.replace("nodes\"", "pods\",\"namespace\":\"shop\"").replace("u-2", "u-1"), true),
    ] {
        let parts = take_with(list(std::slice::from_ref(&item)).as_bytes(), terms.clone(), usize::MAX).unwrap();
        let json = events(&parts).remove(0);
        let event = Event::parse(json.as_bytes()).unwrap();
        let expected = if inside { ("u-2", "retail") } else { ("", "") };
        assert_eq!((&*event.namespace_uid(), &*event.workspace()), expected, "{item}");
        assert_eq!(json.to_ascii_lowercase().matches("vedette").count(), usize::from(inside), "{json}");
    }
}

#[test]
fn bad_events_become_letters_and_good_ones_go_on() {
    let items = [r#"{"verb":"get"}"#, "[1, 2]", r#"{"verb":7}"#, r#"{"verb":"list"}"#].map(str::to_owned);
    let parts = take(&list(&items)).unwrap();
    assert_eq!(events(&parts).len(), 2);
    let letters: Vec<_> = parts[0]
        .letters
        .iter()
        .map(|packed| (packed.index, packed.code, String::from_utf8(letter(packed).payload.to_vec()).unwrap()))
        .collect();
    let expected = [(1, BadCode::NotObject, "[1, 2]".to_owned()), (2, BadCode::WrongType, r#"{"verb":7}"#.to_owned())];
    assert_eq!(letters, expected);
    let wrong = letter(&parts[0].letters[1]);
    assert_eq!(wrong.detail, "wrong_type: expected `verb` to be a string at byte 8 of the event");
    assert_eq!((&*wrong.service, &*wrong.cluster, &*wrong.reason), ("ingest", "c1", "wrong_type"));
    assert_eq!(wrong.unix_nanos, terms(Level::None, true).received_unix_nanos);
    let expected = [("not_object".to_owned(), 1), ("wrong_type".to_owned(), 1)].into();
    assert_eq!((parts[0].counts.received, &parts[0].counts.dead_lettered), (4, &expected));
    assert_ne!(parts[0].batch, take(&list(&[items[0].clone(), items[3].clone()])).unwrap()[0].batch);
}

#[test]
fn very_many_bad_events_share_letters() {
    let items = vec!["null".to_owned(); 1000];
    let parts = take(&list(&items)).unwrap();
    assert_eq!(parts[0].counts.dead_lettered["not_object"], 1000);
    assert_eq!(parts[0].letters.len(), 401);
    let shared = parts[0].letters.last().unwrap();
    assert_eq!(shared.index, 400);
    assert_eq!(letter(shared).payload, items[400..].join(",").as_bytes());
}

#[test]
fn an_event_too_large_without_its_bodies_is_a_letter_too() {
    let item = format!(r#"{{"verb":"get","unknown":"{}"}}"#, "x".repeat(MAX_EVENT_BYTES));
    let parts = take(&list(std::slice::from_ref(&item))).unwrap();
    let letter = letter(&parts[0].letters[0]);
    assert_eq!((&*letter.reason, &letter.payload[..]), ("too_large", &item.as_bytes()[..MAX_EVENT_BYTES]));
    assert!(letter.detail.ends_with(&format!("only the first 8388608 of its {} bytes are kept", item.len())));
    assert_eq!(parts[0].counts.published, 0);
}

#[test]
fn an_event_of_just_the_limit_goes_on_whole() {
    let frame = sized(1, 0)[0].len();
    let item = sized(1, MAX_EVENT_BYTES - frame).remove(0);
    assert_eq!(item.len(), MAX_EVENT_BYTES);
    let parts = take(&list(std::slice::from_ref(&item))).unwrap();
    assert_eq!(parts[0].counts, IngestCounts { received: 1, published: 1, ..IngestCounts::default() });
    assert_eq!(events(&parts), [item.replacen('{', r#"{"Cluster":"c1","#, 1)]);
    assert!(parts[0].message.len() < vedette_bus::MAX_PAYLOAD);
}

#[test]
fn an_oversize_event_goes_on_without_its_bodies() {
    let parts = take(&list(&sized(1, MAX_EVENT_BYTES))).unwrap();
    assert_eq!((parts[0].counts.published, parts[0].counts.oversize), (1, 1));
    assert_eq!(
        events(&parts),
        [
            r#"{"Cluster":"c1","Annotations":{"vedette.dev/oversize":"true"},"verb":"get","auditID":"0","objectRef":{"resource":"r"}}"#
        ]
    );
}

#[test]
fn an_item_over_its_limit_is_a_letter_and_the_others_go_on() {
    let limits = list::Limits { item_bytes: 20_000, ..list::Limits::default() };
    let name = |filler: &str| {
        let items = [sized(1, 10).remove(0), format!(r#"{{"verb":"get","x":"{filler}"}}"#), sized(2, 9).remove(1)];
        let mut intake = Intake::new(terms(Level::RequestResponse, true), limits);
        for piece in list(&items).as_bytes().chunks(999) {
            intake.push(piece).unwrap();
            assert!(intake.held() < 100_000, "{}", intake.held());
        }
        let parts = intake.finish().unwrap();
        assert_eq!((parts.len(), parts[0].counts.published, &parts[0].counts.dead_lettered["too_large"]), (1, 2, &1));
        let letter = letter(&parts[0].letters[0]);
        assert_eq!((&*letter.reason, &letter.payload[..]), ("too_large", &items[1].as_bytes()[..20_000]));
        let detail = format!("only the first 20000 of its {} bytes are kept", items[1].len());
        assert!(letter.detail.ends_with(&detail), "{}", letter.detail);
        parts[0].batch.clone()
    };
    let filler = "x".repeat(500_000);
    assert_eq!(name(&filler), name(&filler));
    assert_ne!(name(&filler), name(&format!("{filler}y")), "the whole item counts, not its beginning alone");
}

#[test]
fn lengths_are_right_however_much_is_added_or_taken() {
    // Around every number of bytes at which a length takes one byte more.
    for size in (60..130).chain(16_310..16_390).chain([2_097_080, 2_097_100, 2_097_152]) {
        let item = format!(r#"{{"verb":"get","unknown":"{}"}}"#, "x".repeat(size));
        let about = r#"{"verb":"get","objectRef":{"resource":"r"}"#;
        let stripped = format!(r#"{about},"requestObject":"{}"}}"#, "x".repeat(size));
        for level in [Level::RequestResponse, Level::Metadata] {
            let body = list(&[item.clone(), stripped.clone(), r#"{"verb":"list"}"#.to_owned()]);
            let parts = take_with(body.as_bytes(), terms(level, true), usize::MAX).unwrap();
            let found = events(&parts);
            let mut expected = vec![item.clone(), stripped.clone(), r#"{"verb":"list"}"#.to_owned()];
            if level == Level::Metadata {
                expected[1] = format!("{about}}}");
            }
            for (found, expected) in found.iter().zip(&expected) {
                assert!(*found == expected.replacen('{', r#"{"Cluster":"c1","#, 1), "{size}");
            }
            assert_eq!(found.len(), 3);
        }
    }
}

#[test]
fn the_first_error_is_the_one_told() {
    let error = take(r#"{"items":[{"verb":"get"},{"verb":tru},{"verb":x}],]"#).unwrap_err();
    assert_eq!((error.code, error.offset), (ListErrorCode::Syntax, 36));
    let error = take(r#"{"items":[{"verb":"get"}],"kind":"PodList"}"#).unwrap_err();
    assert_eq!((error.code, error.offset), (ListErrorCode::NotList, 33));
}

#[test]
fn what_is_held_is_what_is_said_to_be_held() {
    let mut intake = Intake::new(terms(Level::RequestResponse, true), list::Limits::default());
    let body = list(&sized(200, 100_000));
    let mut most = 0;
    for piece in body.as_bytes().chunks(16_384) {
        intake.push(piece).unwrap();
        most = most.max(intake.held());
    }
    assert!(most > PART_BYTES / 2, "{most}");
    // One part unpacked with room to grow, twenty packed ones, and one event.
    assert!(most < 3 * PART_BYTES, "{most}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_of_the_body_change_nothing(
        sizes in proptest::collection::vec(prop_oneof![0..200usize, 300_000..1_200_000usize], 0..8),
        piece in 1_000..400_000usize,
    ) {
        let items: Vec<_> = sizes.iter().enumerate().map(|(index, size)| {
            if index == 3 { "\"bad\"".to_owned() } else { sized(index + 1, *size).remove(index) }
        }).collect();
        let body = list(&items);
        let terms = || terms(Level::Request, true);
        let summary = |parts: Vec<Finished>| parts.into_iter()
            .map(|part| (part.batch, part.counts, part.message, part.letters)).collect::<Vec<_>>();
        let whole = summary(take_with(body.as_bytes(), terms(), usize::MAX).unwrap());
        let pieced = summary(take_with(body.as_bytes(), terms(), piece).unwrap());
        prop_assert_eq!(whole, pieced);
    }

    #[test]
    fn a_workspace_changes_neither_identity_nor_cut_nor_counts(
        sizes in proptest::collection::vec(prop_oneof![0..200usize, 300_000..700_000usize], 0..6),
        namespaces in proptest::collection::vec(prop::sample::select(vec!["shop", "bare", "unknown", ""]), 6),
    ) {
        let items: Vec<_> = sizes.iter().zip(&namespaces).enumerate().map(|(index, (size, namespace))| {
            let item = sized(index + 1, *size).remove(index);
            item.replace(r#""resource":"r""#, &format!(r#""resource":"r","namespace":"{namespace}""#))
        }).collect();
        let body = list(&items);
        let with = take_with(body.as_bytes(), terms_with_namespaces(), usize::MAX).unwrap();
        let without = take_with(body.as_bytes(), terms(Level::RequestResponse, true), usize::MAX).unwrap();
        prop_assert_eq!(with.len(), without.len());
        for (with, without) in with.iter().zip(&without) {
            prop_assert_eq!((&with.batch, &with.counts), (&without.batch, &without.counts));
            for (with, without) in unpack(with).events.iter().zip(&unpack(without).events) {
                prop_assert_eq!(&with.id, &without.id);
                let plain = String::from_utf8(without.json.to_vec()).unwrap();
                let added = if plain.contains(r#""namespace":"shop""#) {
                    r#""c1","Workspace":"retail","Vedette":{"NamespaceUID":"u"},"#
                } else if plain.contains(r#""namespace":"bare""#) {
                    r#""c1","Vedette":{"NamespaceUID":"u"},"#
                } else {
                    r#""c1","#
                };
                let filled = plain.replacen(r#""c1","#, added, 1);
                prop_assert_eq!(&with.json, filled.as_bytes());
            }
        }
    }
}
