//! The broker's topology: streams, subjects, envelopes, acknowledgement and back-pressure.
//!
//! Every rule that makes "answered 200" mean "will be stored" on the broker's side lives here and nowhere else: which streams
//! there are and when they refuse, which durables must exist before a message may be published, what a message id is, when
//! a message counts as done. Services say what they want to send or receive; they never name a subject.
//!
//! **Invariants.** A publish returns `Ok` only after JetStream has acknowledged it. A delivery leaves its stream only by
//! [`Delivery::ack`]. Whatever the broker does, nothing here holds more than its configured number of bytes in flight.

mod announce;
mod codec;
mod config;
mod connect;
mod counts;
mod dead;
mod delivery;
mod follow;
mod overview;
mod passing;
mod publish;
mod pull;
mod shelf;
mod time;
mod topology;
mod trace;

pub use announce::{AnnounceError, Announced, Announcement};
pub use codec::{DecodeError, MAX_ITEMS, MAX_RAW_BYTES, decode, encode, pack};
pub use config::{Config, Limits};
pub use connect::{Bus, ConnectError};
pub use counts::{CountsError, format_counts, parse_counts};
pub use dead::{DeadLetters, Letter, LetterError, LetterFilter, LetterPage, LetterSummary};
pub use delivery::{AckError, Delivery, Undecodable};
pub use follow::Followed;
pub use overview::{ConsumerView, Overview, OverviewError, StreamView};
pub use publish::{PublishError, Published, Unavailable, pack_letter};
pub use shelf::{SHELF_BYTES, Shelf, ShelfError};
pub use time::unix_nanos;
pub use topology::{EnsureError, Kind, NotReady, is_label, partition};
pub use trace::Trace;

/// The largest message that a Vedette broker takes, in bytes: `max_payload` of the nats-server.
pub const MAX_PAYLOAD: usize = 9 * 1024 * 1024;
