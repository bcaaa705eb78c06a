//! Any text as a condition: parsing ends, and every problem points into the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_rules::syntax::parse_condition;

fuzz_target!(|text: &str| {
    for problem in parse_condition(text).problems {
        assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len(), "{:?}", problem.span);
    }
});
