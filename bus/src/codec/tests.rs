use proptest::prelude::*;
use vedette_proto::bus::v1::{Event, EventBatch};

use super::*;

fn batch(events: Vec<Event>) -> EventBatch {
    EventBatch { cluster: "default".to_owned(), received_unix_nanos: 7, generation: 3, events }
}

fn event(json: impl Into<Bytes>) -> Event {
    Event { id: Bytes::from_static(&[7; 16]), json: json.into() }
}

#[test]
fn a_message_reads_back() {
    let sent = batch(vec![event(&b"{\"verb\":\"get\"}"[..]); 400]);
    assert_eq!(decode::<EventBatch>(&encode(&sent), MAX_RAW_BYTES).unwrap(), sent);
}

#[test]
fn a_frame_without_its_size_reads_back_too() {
    let sent = batch(vec![event(vec![b'x'; 300_000])]);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    std::io::Write::write_all(&mut encoder, &sent.encode_to_vec()).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(zstd::zstd_safe::get_frame_content_size(&packed).unwrap(), None);
    assert_eq!(decode::<EventBatch>(&packed, MAX_RAW_BYTES).unwrap(), sent);
}

#[test]
fn a_bomb_is_refused_whether_it_declares_its_size_or_not() {
    let zeros = vec![0_u8; 80 * 1024 * 1024];
    let declared = zstd::bulk::compress(&zeros, 19).unwrap();
    assert!(declared.len() < 16 * 1024, "{} bytes", declared.len());
    let silent = zstd::stream::encode_all(&zeros[..], 19).unwrap();
    for packed in [declared, silent] {
        let error = decode::<EventBatch>(&packed, MAX_RAW_BYTES).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { limit: MAX_RAW_BYTES }), "{error}");
    }
}

#[test]
fn a_lie_about_the_size_is_refused() {
    let mut packed = zstd::bulk::compress(&vec![0_u8; 1 << 20], 1).unwrap();
    assert_eq!(packed[4] >> 6, 2, "the size stands in four bytes");
    packed[5..9].copy_from_slice(&64_u32.to_le_bytes());
    assert!(matches!(decode::<EventBatch>(&packed, MAX_RAW_BYTES), Err(DecodeError::Unpack(_))));
}

#[test]
fn a_frame_that_wants_a_huge_window_is_refused() {
    // Window descriptor of 2^27 bytes, no content size, one empty last block.
    let packed = [0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3, 1, 0, 0];
    assert!(matches!(decode::<EventBatch>(&packed, MAX_RAW_BYTES), Err(DecodeError::Unpack(_))));
}

#[test]
fn millions_of_empty_entries_are_refused_before_they_become_structs() {
    // Field 4, length 0: two bytes each.
    let raw = [0x22_u8, 0].repeat(MAX_ITEMS + 1);
    let packed = zstd::bulk::compress(&raw, 1).unwrap();
    assert!(matches!(decode::<EventBatch>(&packed, MAX_RAW_BYTES), Err(DecodeError::TooMany { .. })));
}

#[test]
fn what_is_no_message_is_refused() {
    assert!(matches!(decode::<EventBatch>(b"{}", MAX_RAW_BYTES), Err(DecodeError::Unpack(_))));
    let text = zstd::bulk::compress(b"no protobuf at all", 1).unwrap();
    assert!(matches!(decode::<EventBatch>(&text, MAX_RAW_BYTES), Err(DecodeError::Protobuf(_))));
    let mut cut = encode(&batch(vec![event(vec![b'y'; 100])])).to_vec();
    cut.truncate(cut.len() - 3);
    assert!(matches!(decode::<EventBatch>(&cut, MAX_RAW_BYTES), Err(DecodeError::Unpack(_))));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = decode::<EventBatch>(&bytes, 1 << 20);
        let _ = decode::<EventBatch>(&zstd::bulk::compress(&bytes, 1).unwrap(), 1 << 20);
    }
}
