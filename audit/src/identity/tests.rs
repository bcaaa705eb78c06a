use proptest::prelude::*;

use super::*;
use crate::{Event, event::tests::respaced};

#[test]
fn the_vectors_hold() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../testdata/identity.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() > 20);
    for vector in vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let event = Event::parse(text("item").as_bytes()).unwrap();
        assert_eq!(event.id(text("cluster")).to_string(), text("id"), "{}", text("name"));
    }
}

#[test]
fn an_id_is_written_as_32_digits_and_read_back() {
    let id = EventId::from_bytes(*b"0123456789abcdef");
    assert_eq!(id.to_string(), "30313233343536373839616263646566");
    assert_eq!(id.to_string().parse(), Ok(id));
    for wrong in ["", "30", "3031323334353637383961626364656g", "303132333435363738396162636465666"] {
        assert_eq!(wrong.parse::<EventId>(), Err(ParseEventIdError), "{wrong}");
    }
}

#[test]
fn a_batch_is_its_events_in_order() {
    let ids = [EventId::from_bytes([1; 16]), EventId::from_bytes([2; 16])];
    let batch = |ids: &[EventId]| {
        let mut hasher = BatchHasher::new();
        ids.iter().for_each(|id| hasher.push(*id));
        hasher.finish()
    };
    let mut both = [1; 32];
    both[16..].fill(2);
    assert_eq!(batch(&ids), blake3::hash(&both).to_hex()[..32]);
    assert_ne!(batch(&ids), batch(&[ids[1], ids[0]]));
    assert_ne!(batch(&ids), batch(&ids[..1]));
}

#[test]
fn an_item_that_is_no_event_counts_verbatim() {
    assert_ne!(EventId::of_bad("default", b"[1]"), EventId::of_bad("default", b"[ 1]"));
    assert_ne!(EventId::of_bad("default", b"[1]"), EventId::of_bad("other", b"[1]"));
    assert_ne!(EventId::of_bad("default", b"\",\""), EventId::of_bad("default", b"\"\""));
    let over = |cluster, item: &[u8]| EventId::of_over(cluster, blake3::hash(item).as_bytes());
    assert_ne!(over("default", b"[1]"), over("default", b"[2]"));
    assert_ne!(over("default", b"[1]"), over("other", b"[1]"));
}

#[test]
fn runs_of_any_length_are_hashed_alike() {
    for length in (0..5000).step_by(7).chain([2047, 2048, 2049, 100_000]) {
        let bare = format!(r#"{{"verb":"{}","a":[1,2]}}"#, "x".repeat(length));
        let typed = format!(r#"{{"kind":"Event", "verb":"{}" ,"a":[ 1,2]}}"#, "x".repeat(length));
        let id = |item: &str| Event::parse(item.as_bytes()).unwrap().id("c");
        assert_eq!(id(&typed), id(&bare), "{length}");
    }
}

proptest! {
    #[test]
    fn white_space_and_types_never_matter(
        spaces in proptest::collection::vec(0..6usize, 1..40),
        first in any::<bool>(),
        last in any::<bool>(),
        body in "[a-z \\[\\]{},:]{0,12}",
    ) {
        let members = format!(r#""verb":"get","requestObject":{{"kind":"{body}","a":[1,{{}},"x \\\" y"]}}"#);
        let bare = format!("{{{members}}}");
        let typed = format!(
            "{{{}{members}{}}}",
            if first { r#""kind":"Event","apiVersion":"audit.k8s.io/v1","# } else { "" },
            if last { r#","apiVersion":"audit.k8s.io/v1","kind":"Event""# } else { "" },
        );
        let spaced = respaced(&typed, &spaces);
        let id = Event::parse(bare.as_bytes()).unwrap().id("c");
        prop_assert_eq!(Event::parse(typed.as_bytes()).unwrap().id("c"), id);
        prop_assert_eq!(Event::parse(spaced.as_bytes()).unwrap().id("c"), id);
    }
}
