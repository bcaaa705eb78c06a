//! Any text as a condition, in either dialect: parsing ends, and every problem points into the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_rules::Dialect;
use vedette_rules::syntax::parse_condition;

fuzz_target!(|text: &str| {
    for dialect in [Dialect::Vedette, Dialect::KubeSphere] {
        for problem in parse_condition(text, dialect).problems {
            assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len(), "{:?}", problem.span);
        }
    }
});
