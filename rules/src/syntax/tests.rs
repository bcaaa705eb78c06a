use proptest::prelude::*;

use super::*;

#[test]
fn placeholder() { let _ = parse_condition("a = b"); }
