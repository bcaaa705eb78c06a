//! What is asked of a text: its parts, its pattern, its network, and each without regard to case.

use std::ops::Range;
use std::sync::Arc;

use super::reference::ListPart;
use super::{Compiler, Context, Field};
use crate::codes;
use crate::glob::Glob;
use crate::pattern::PatternError;
use crate::program::{Comparison, Literal, Matcher, Test};
use crate::schema::Kind;
use crate::syntax::ast::{self, LiteralKind, Operator, Right};
use crate::syntax::{Problem, quoted};
use crate::text::{Networks, fold, network};
use crate::value::Number;

impl Compiler<'_, '_> {
    /// `contains`, `startswith`, `endswith`, `like`, `regex`
    pub(super) fn text_test(
        &mut self,
        context: &mut Context<'_>,
        field: &Field,
        kind: Kind,
        test: &ast::Test,
    ) -> Option<(Test, Matcher)> {
        let Right::Value(value) = &test.right else { return None };
        let operator = test.operator.as_str();
        let text = match &value.kind {
            LiteralKind::Text(text) | LiteralKind::Word(text) | LiteralKind::Number(text) => text.clone(),
            LiteralKind::Bool(value) => value.to_string(),
            LiteralKind::Reference(name) => {
                self.lookup(context, name, &value.span)?;
                let message = format!("`{operator}` takes a text, not a reference");
                let problem = Problem::new(codes::WRONG_KIND, value.span.clone(), message)
                    .help("only `in`, `within` and `=` take references");
                self.sources.report_in(context.text, problem);
                return None;
            }
        };
        if let Kind::Number | Kind::Duration = kind {
            let (what, example) = match kind {
                Kind::Number => ("a number", format!("compare it: `{0} >= 400 and {0} < 500`", field.spelled)),
                _ => ("a duration", format!("compare it: `{} > 30s`", field.spelled)),
            };
            let message = format!("`{operator}` takes text, and {} is {what}", quoted(&field.spelled));
            let problem = Problem::new(codes::ILL_TYPED, test.operand.span.clone(), message).help(example);
            self.sources.report_in(context.text, problem);
            return None;
        }
        let compiled = match test.operator {
            Operator::Contains => Ok((Test::Contains(text), Matcher::None)),
            Operator::StartsWith => Ok((Test::StartsWith(text), Matcher::None)),
            Operator::EndsWith => Ok((Test::EndsWith(text), Matcher::None)),
            Operator::Like => {
                let compiled = self.built(context.text, |builder| Glob::new(&text, builder))?;
                compiled.map(|glob| (Test::Like(text), Matcher::Glob(glob)))
            }
            _ => {
                let compiled = self.built(context.text, |builder| builder.regex(&text))?;
                compiled.map(|regex| (Test::Regex(text), Matcher::Regex(regex)))
            }
        };
        compiled.map_err(|error| self.sources.report_in(context.text, pattern_error(value.span.clone(), &error))).ok()
    }

    /// `within (…)` and `within ${list}`
    pub(super) fn within(
        &mut self,
        context: &mut Context<'_>,
        field: &Field,
        kind: Kind,
        test: &ast::Test,
    ) -> Option<(Test, Matcher)> {
        if !matches!(kind, Kind::Text | Kind::Texts | Kind::Any | Kind::Unknown(_) | Kind::Never) {
            let message = format!("{} is no address", quoted(&field.spelled));
            let problem = Problem::new(codes::ILL_TYPED, test.operand.span.clone(), message)
                .help("`within` is asked of a text: `SourceIP within (\"10.0.0.0/8\")`");
            self.sources.report_in(context.text, problem);
            return None;
        }
        let mut networks = Vec::new();
        let mut whole = true;
        for literal in test.right.literals() {
            let texts = match &literal.kind {
                LiteralKind::Reference(name) => self.listed_texts(context, name, &literal.span)?,
                LiteralKind::Text(text) | LiteralKind::Word(text) | LiteralKind::Number(text) => {
                    vec![text.as_str().into()]
                }
                LiteralKind::Bool(value) => vec![value.to_string().into()],
            };
            for text in texts {
                if let Some(network) = network(&text) {
                    networks.push(network);
                    continue;
                }
                let problem =
                    Problem::new(codes::NETWORK, literal.span.clone(), format!("{} is no network", quoted(&text)))
                        .help("a network is like `\"10.0.0.0/8\"` or `\"fd00::/8\"`, and an address stands for itself");
                self.sources.report_in(context.text, problem);
                whole = false;
            }
        }
        whole.then(|| (Test::Within(Networks::new(networks)), Matcher::None))
    }

    /// The items of a list that holds nothing but texts.
    fn listed_texts(&mut self, context: &mut Context<'_>, name: &str, span: &Range<usize>) -> Option<Vec<Arc<str>>> {
        let id = self.lookup(context, name, span)?;
        let texts = if self.kind_of(id) == "list" {
            let list = self.compared(context, id, span)?;
            let text = |part: &ListPart| match part {
                ListPart::Text(text) => Some(text.clone()),
                ListPart::Field(..) => None,
            };
            list.parts.iter().map(text).collect::<Option<Vec<_>>>()
        } else {
            None
        };
        if texts.is_none() {
            let problem =
                Problem::new(codes::WRONG_KIND, span.clone(), format!("`${{{name}}}` is no list of networks"))
                    .help("`within` takes networks, and lists of nothing else");
            self.sources.report_in(context.text, problem);
        }
        texts
    }

    /// The test without regard to case.
    pub(super) fn folded(
        &mut self,
        context: &Context<'_>,
        test: Test,
        matcher: Matcher,
        written: &ast::Test,
        span: &Range<usize>,
    ) -> Option<(Test, Matcher)> {
        let small = |text: &str| fold(text).into_owned();
        let (test, matcher) = match test {
            Test::Compare(Comparison::Equal, Literal::Text(text, _)) => {
                (Test::Compare(Comparison::Equal, Literal::Text(small(&text), None)), matcher)
            }
            Test::OneOf(mut items) if items.fields.is_empty() && !items.texts.is_empty() => {
                items.texts = items.texts.iter().map(|text| small(text).into()).collect();
                items.sort();
                (Test::OneOf(items), matcher)
            }
            Test::Contains(text) => (Test::Contains(small(&text)), matcher),
            Test::StartsWith(text) => (Test::StartsWith(small(&text)), matcher),
            Test::EndsWith(text) => (Test::EndsWith(small(&text)), matcher),
            Test::Like(pattern) => {
                let pattern = small(&pattern);
                match self.built(context.text, |builder| Glob::new(&pattern, builder))? {
                    Ok(glob) => (Test::Like(pattern), Matcher::Glob(glob)),
                    Err(error) => {
                        self.sources.report_in(context.text, pattern_error(span.clone(), &error));
                        return None;
                    }
                }
            }
            Test::Regex(pattern) => {
                let pattern = format!("(?i:{pattern})");
                match self.built(context.text, |builder| builder.regex(&pattern))? {
                    Ok(regex) => return Some((Test::Regex(pattern), Matcher::Regex(regex))),
                    Err(error) => {
                        self.sources.report_in(context.text, pattern_error(span.clone(), &error));
                        return None;
                    }
                }
            }
            _ => {
                // The word is the last of the test.
                let word = span.end.saturating_sub("nocase".len())..span.end;
                let field = written.right.literals().iter().find_map(|literal| match &literal.kind {
                    LiteralKind::Reference(name) => Some(name),
                    _ => None,
                });
                let (message, help) = match (&test, field) {
                    (Test::OneOf(items), Some(name)) if !items.fields.is_empty() => (
                        format!("`nocase` compares with texts, and `${{{name}}}` is a field, or holds one"),
                        "leave it out: two fields are compared as they are",
                    ),
                    _ => (
                        "`nocase` has no meaning here".to_owned(),
                        "it stands behind texts, after `=`, `!=`, `in`, `contains`, `startswith`, `endswith`, `like` and `regex`",
                    ),
                };
                self.sources.report_in(context.text, Problem::new(codes::ILL_TYPED, word, message).help(help));
                return None;
            }
        };
        Some((Test::Folded(Box::new(test)), matcher))
    }
}

/// What is wrong with a pattern.
pub(super) fn pattern_error(span: Range<usize>, error: &PatternError) -> Problem {
    // The first lines draw the pattern again, which is under the span already.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
    let help = match error {
        PatternError::Syntax(_) => "it is a regular expression as RE2 has it: without look-around and back-references",
        PatternError::TooBig(_) | PatternError::Build(_) => "repeat less, or take `[0-9A-Za-z_]` for `\\w`",
    };
    Problem::new(codes::REGEX, span, format!("this pattern cannot be used: {reason}")).help(help)
}

/// The seconds of `1m30s`, `250ms`, `1.5h`.
pub(super) fn duration(text: &str) -> Option<Number> {
    let mut nanoseconds = 0_u128;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|it: char| !it.is_ascii_digit() && it != '.')?);
        let (unit, after) = after.split_at(after.find(|it: char| !it.is_ascii_alphabetic()).unwrap_or(after.len()));
        let unit: u128 = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit()) && (1..=9).contains(&text.len());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        nanoseconds += whole.parse::<u128>().ok()? * unit + fraction.parse::<u128>().ok()? * unit / scale;
        rest = after;
    }
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    (!text.is_empty()).then(|| Number::parse(&format!("{seconds}.{rest:09}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds() {
        let seconds = |text: &str| duration(text).and_then(|it| Some(it.cmp(&Number::parse("90")?)));
        assert_eq!(seconds("90s"), Some(std::cmp::Ordering::Equal));
        assert_eq!(seconds("1m30s"), Some(std::cmp::Ordering::Equal));
        assert_eq!(seconds("1.5m"), Some(std::cmp::Ordering::Equal));
        assert_eq!(seconds("89999ms"), Some(std::cmp::Ordering::Less));
        assert_eq!(seconds("1d"), Some(std::cmp::Ordering::Greater));
        assert_eq!(duration("0.25s"), Number::parse("0.25"));
        for text in ["", "30", "s", "1.s", "-1s", "1w", "1m 30s", "1.2.3s", "9999999999s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
