//! A word to the steps of a path.

use std::ops::Range;

use super::ast::{Operand, Step};
use super::lexer::{Token, TokenKind, is_word, lex, quoted_length};
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
    let mut at = 0;
    loop {
        let rest = word.get(at..).unwrap_or_default();
        let (name, brackets) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
        let segment = at;
        at += name.len();
        // Only the first segment may lack a name: a step right after a reference.
        if name.is_empty() && (!brackets.starts_with('[') || !steps.is_empty()) {
            problems.push(
                Problem::new(codes::BAD_PATH, start..start + word.len(), format!("{} has an empty step", quoted(word)))
                    .help("names stand between the dots of a path"),
            );
            return None;
        }
        if let Some(odd) = name.chars().find(|it| !is_part_of_name(*it)) {
            let message = format!("{} cannot stand in the name of a field", quoted(odd.encode_utf8(&mut [0; 4])));
            let span = start + segment..start + at;
            problems.push(
                Problem::new(codes::BAD_PATH, span, message)
                    .help("write such a name in brackets and quotes: `[\"…\"]`"),
            );
            return None;
        }
        if !name.is_empty() {
            steps.push(Step::Key(name.to_owned()));
        }
        while let Some(rest) = word.get(at..).filter(|rest| !rest.is_empty() && !rest.starts_with('.')) {
            let Some((step, length)) = bracket(rest) else {
                let odd = rest.split_inclusive([']', '.']).next().unwrap_or(rest).trim_end_matches('.');
                let span = start + segment..start + at + odd.len();
                problems.push(Problem::new(codes::BAD_PATH, span, format!("{} is no array step", quoted(odd))).help(
                    "an array step is `[*]` any element, `[3]` that one, `[1:5]`, `[:5]` or `[1:]` all of a range",
                ));
                return None;
            };
            steps.push(step);
            at += length;
        }
        if at >= word.len() {
            break;
        }
        at += 1;
    }
    if steps.len() > STEP_LIMIT {
        let message = format!("a path of {} steps is too long", steps.len());
        let help = format!("at most {STEP_LIMIT} steps");
        problems.push(Problem::new(codes::BAD_PATH, start..start + word.len(), message).help(help));
        return None;
    }
    Some(steps)
}

/// Whether a name needs no quotes in a path.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|it| is_part_of_name(it) && it != '.')
}

fn is_part_of_name(it: char) -> bool {
    is_word(it) && !matches!(it, '*' | '?' | ':' | '%' | '+' | '~' | '@')
}

/// The step in brackets that `text` begins with, and its length.
fn bracket(text: &str) -> Option<(Step, usize)> {
    let inside = text.strip_prefix('[')?;
    if !inside.starts_with('"') {
        let length = text.find(']')? + 1;
        return Some((array_step(text.get(..length)?)?, length));
    }
    let length = quoted_length(inside);
    inside.get(length..)?.strip_prefix(']')?;
    let mut name = String::new();
    let mut escaped = false;
    for it in inside.get(1..length - 1)?.chars() {
        escaped = it == '\\' && !escaped;
        if !escaped {
            name.push(it);
        }
    }
    (!name.is_empty()).then_some((Step::Key(name), length + 2))
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
