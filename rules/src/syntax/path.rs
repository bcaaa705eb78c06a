//! A word to the steps of a path.

use std::ops::Range;

use super::ast::{Operand, Step};
use super::lexer::{Token, TokenKind, lex};
use super::{Problem, quoted};
use crate::codes;

/// How many steps a path may have.
const STEP_LIMIT: usize = 64;

/// Reads a text that is one operand and nothing else: the value of an alias, or what stands in an output's `${…}`.
pub(crate) fn parse_operand(text: &str, problems: &mut Vec<Problem>) -> Option<Operand> {
    let before = problems.len();
    let tokens = lex(text, problems);
    match tokens.as_slice() {
        [Token { kind: TokenKind::Word(word), span }] => path(word, span.clone(), problems),
        [Token { kind: TokenKind::Reference(name, rest), span }] => referred(name, rest, span.clone(), problems),
        _ => {
            if problems.len() == before {
                problems.push(
                    Problem::new(codes::BAD_PATH, 0..text.len(), format!("{} is no field path", quoted(text)))
                        .help("a path is like `ObjectRef.Name` or `RequestObject.spec.containers[*].image`"),
                );
            }
            None
        }
    }
}

/// The operand that `${name}` and what follows it make.
pub(super) fn referred(name: &str, rest: &str, span: Range<usize>, problems: &mut Vec<Problem>) -> Option<Operand> {
    let steps = if rest.is_empty() {
        Vec::new()
    } else {
        let start = span.end - rest.len();
        // The path goes on after a dot or directly with an array step.
        let (rest, start) = rest.strip_prefix('.').map_or((rest, start), |after| (after, start + 1));
        steps(rest, start, problems)?
    };
    Some(Operand { reference: Some(name.to_owned()), steps, span })
}

/// The operand that a word makes.
pub(super) fn path(word: &str, span: Range<usize>, problems: &mut Vec<Problem>) -> Option<Operand> {
    let steps = steps(word, span.start, problems)?;
    if matches!(steps.first(), Some(Step::Key(_))) {
        return Some(Operand { reference: None, steps, span });
    }
    problems.push(Problem::new(codes::BAD_PATH, span, format!("{} is no field path", quoted(word))));
    None
}

fn steps(word: &str, start: usize, problems: &mut Vec<Problem>) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut at = start;
    for segment in word.split('.') {
        let span = at..at + segment.len();
        at = span.end + 1;
        let (name, brackets) = segment.split_at(segment.find('[').unwrap_or(segment.len()));
        // Only the first segment may lack a name: a step right after a reference.
        if name.is_empty() && (brackets.is_empty() || !steps.is_empty()) {
            problems.push(
                Problem::new(codes::BAD_PATH, start..start + word.len(), format!("{} has an empty step", quoted(word)))
                    .help("names stand between the dots of a path"),
            );
            return None;
        }
        if let Some(odd) = name.chars().find(|it| matches!(it, '*' | '?' | ':' | '%' | '+' | '~' | '@')) {
            let message = format!("{} cannot stand in the name of a field", quoted(odd.encode_utf8(&mut [0; 4])));
            problems.push(Problem::new(codes::BAD_PATH, span, message));
            return None;
        }
        if !name.is_empty() {
            steps.push(Step::Key(name.to_owned()));
        }
        for bracket in brackets.split_inclusive(']') {
            let Some(step) = array_step(bracket) else {
                problems.push(
                    Problem::new(codes::BAD_PATH, span, format!("{} is no array step", quoted(bracket))).help(
                        "an array step is `[*]` any element, `[3]` that one, `[1:5]`, `[:5]` or `[1:]` all of a range",
                    ),
                );
                return None;
            };
            steps.push(step);
        }
    }
    if steps.len() > STEP_LIMIT {
        let message = format!("a path of {} steps is too long", steps.len());
        let help = format!("at most {STEP_LIMIT} steps");
        problems.push(Problem::new(codes::BAD_PATH, start..start + word.len(), message).help(help));
        return None;
    }
    Some(steps)
}

fn array_step(bracket: &str) -> Option<Step> {
    let inside = bracket.strip_prefix('[')?.strip_suffix(']')?;
    let number = |digits: &str| digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok())?;
    match inside.split_once(':') {
        _ if inside == "*" => Some(Step::Any),
        None => number(inside).map(Step::Index),
        Some((from, to)) => {
            let from = if from.is_empty() { 0 } else { number(from)? };
            let to = if to.is_empty() { None } else { Some(number(to)?) };
            to.is_none_or(|to| from < to).then_some(Step::Range(from, to))
        }
    }
}
