//! What compiled rules keep of memory, for the subject `rules`: a program of its own, since its allocator counts, which takes time.
//!
//! Prints a line for each set: its name, how many rules, bytes a rule.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark has nothing better to do with an error than to stop and say so"
)]

#[path = "../sets.rs"]
mod sets;

fn main() {
    for (name, make) in [("shared", sets::shared as fn(usize) -> _), ("diverse", sets::diverse)] {
        for count in [100, 1_000, 10_000] {
            let file = make(count);
            let mut set = None;
            let taken =
                allocation_counter::measure(|| set = Some(sets::compile(std::slice::from_ref(&file)))).bytes_current;
            println!("{name} {count} {}", taken / count as i64);
            drop(set);
        }
    }
}
