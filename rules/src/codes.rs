//! The registry of diagnostic codes.
//!
//! A code is permanent: it is never renumbered, and never used again once retired. The hundreds tell the stage: 0 files, 1
//! resources, 2 syntax, 3 names, 4 meaning, 5 outputs, 6 users' tests.

use crate::Severity;

/// One kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `VR` and four digits.
    pub id: &'static str,
    /// How much a finding of this kind weighs.
    pub severity: Severity,
    /// What kind of finding it is, in a few words.
    pub title: &'static str,
}

macro_rules! registry {
    ($($name:ident = $id:literal $severity:ident $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code { id: $id, severity: Severity::$severity, title: $title };)*

        /// Every code, in the order of their numbers.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

registry! {
    YAML = "VR0001" Error "the file is no YAML";
    FILE_LIMIT = "VR0002" Error "the file is too large or too complicated";
    DUPLICATE_KEY = "VR0003" Error "a key stands twice in a mapping";
    UNKNOWN_KIND = "VR0004" Warning "the file holds a resource of another kind";
    API_VERSION = "VR0005" Error "the resource has the wrong apiVersion or kind";
    UNKNOWN_FIELD = "VR0006" Warning "the resource has no such field";
    WRONG_TYPE = "VR0007" Error "a value has the wrong type";
    MISSING_FIELD = "VR0008" Error "a field is missing";
    NOT_A_RESOURCE = "VR0009" Error "a document is no resource";
    NO_RESOURCE = "VR0010" Warning "the file holds no resource";

    RULE_TYPE = "VR0101" Error "an entry has an unknown type";
    DUPLICATE_NAME = "VR0102" Error "a name is given twice in a resource";
    DUPLICATE_RESOURCE = "VR0103" Error "a resource is defined twice";
    PRIORITY = "VR0104" Error "a word is no priority";
    LEVEL = "VR0105" Error "a word is no audit level";
    IMPLICIT_ENABLE = "VR0106" Note "a rule does not say whether it is enabled";
    IMPLICIT_PRIORITY = "VR0107" Warning "a rule has no priority";
    NO_EFFECT = "VR0108" Warning "a field has no effect here";
    WEBHOOK_NAME = "VR0109" Warning "a Webhook has an unexpected name";
    WEBHOOKS = "VR0110" Error "several Webhooks could be in force";
    SELECTS_NOTHING = "VR0111" Warning "a selector takes no rule";
    NOT_SELECTED = "VR0112" Warning "no selector takes a resource";
    FOREIGN_IMAGE = "VR0113" Note "an image is meant for another program";
    CONTRADICTION = "VR0114" Warning "two fields contradict each other";
    RECEIVER = "VR0115" Error "a receiver cannot be used";
    SELECTOR = "VR0116" Error "a selector cannot be used";
    SELECTS_ALL = "VR0117" Warning "a selector takes everything";
    BAD_NAME = "VR0118" Error "a name cannot be used";
    EMPTY_LIST = "VR0119" Warning "a list is empty";
    COMPAT = "VR0120" Error "a word names no other system";

    UNEXPECTED = "VR0201" Error "a character has no meaning";
    UNTERMINATED = "VR0202" Error "a string or reference does not end";
    BAD_REFERENCE = "VR0203" Error "a reference names nothing";
    BAD_PATH = "VR0204" Error "a field path cannot be read";
    EXPECTED_CONDITION = "VR0205" Error "a condition is missing";
    EXPECTED_OPERATOR = "VR0206" Error "an operator is missing";
    EXPECTED_VALUE = "VR0207" Error "a value is missing";
    UNBALANCED = "VR0208" Error "a parenthesis has no partner";
    TRAILING = "VR0209" Error "something follows the end of a condition";
    KEYWORD_CASE = "VR0210" Error "a keyword is not in lower case";
    TOO_DEEP = "VR0211" Error "an expression nests too deep";
    TOO_LONG = "VR0212" Error "a text is too long";
    READS_OTHERWISE = "VR0213" Warning "KubeSphere reads this otherwise";
    IGNORED = "VR0214" Warning "KubeSphere ignores the rest of a condition";
    FOREIGN = "VR0215" Error "KubeSphere has no such thing";

    UNKNOWN_NAME = "VR0301" Error "a name is not defined";
    AMBIGUOUS_NAME = "VR0302" Error "a name fits more than one definition";
    CYCLE = "VR0303" Error "a definition refers to itself";
    WRONG_KIND = "VR0304" Error "a name stands for something else";
    UNUSED = "VR0305" Note "a definition is never used";
    SHADOWED = "VR0306" Warning "a definition hides another";

    ILL_TYPED = "VR0401" Error "a field and a value are of different types";
    REGEX = "VR0402" Error "a regular expression cannot be used";
    UNKNOWN_EVENT_FIELD = "VR0403" Warning "events have no such field";
    TIMESTAMP = "VR0404" Error "a text is no timestamp";
    BLIND = "VR0405" Warning "the audit level leaves out what a rule reads";
    NEVER_HOLDS = "VR0406" Warning "a comparison can never hold";
    TOO_BIG = "VR0407" Error "the rules together are too big";
    BARE_FIELD = "VR0408" Warning "a bare word looks like a field";
    DECIDES_OTHERWISE = "VR0409" Note "KubeSphere decides this otherwise";
    NETWORK = "VR0410" Error "a text is no network";
    FORGEABLE = "VR0411" Warning "a rule trusts what a client can write";
    DIFFERS = "VR0412" Note "a rule means something else to KubeSphere";

    OUTPUT_SYNTAX = "VR0501" Error "an output cannot be read";
    OUTPUT_NAME = "VR0502" Error "an output names nothing that is known";
    OUTPUT_KIND = "VR0503" Error "an output names something without a value";

    CASE_EVENT = "VR0601" Error "a case names no event of its test";
    CASE_RULE = "VR0602" Error "a case expects a rule that is not in force";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_in_order() {
        for pair in ALL.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} before {}", pair[0].id, pair[1].id);
        }
        for code in ALL {
            let digits = code.id.strip_prefix("VR").expect(code.id);
            assert!(digits.len() == 4 && digits.bytes().all(|it| it.is_ascii_digit()), "{}", code.id);
            let first = code.title.chars().next().unwrap();
            assert!(first.is_lowercase() || code.title.starts_with("KubeSphere"), "{}: {}", code.id, code.title);
            assert!(!code.title.ends_with('.'), "{}", code.id);
        }
    }
}
