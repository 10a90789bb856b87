//! Regular expressions of filters, with what can be said of their matches without running them.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::CriteriaError;
use super::error::refused;

/// Longest regular expression, in bytes.
pub const MAX_PATTERN: usize = 2_000;
/// Most memory that one of the first few compiled expressions of a filter may take, in bytes.
const MAX_PROGRAM: usize = 1 << 20;
/// The number of expressions of a filter that may be that large.
const FEW: usize = 8;
/// Most memory that each of the others may take, in bytes.
const MAX_SMALL_PROGRAM: usize = 128 << 10;

/// A compiled regular expression. Matching takes time linear in the text.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    required: Required,
}

/// A text that is part of everything a [`Pattern`] matches: what a database can look for in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Required {
    /// The text; empty when nothing is known.
    pub text: String,
    /// Is true when it stands at the start.
    pub at_start: bool,
    /// Is true when it stands at the end.
    pub at_end: bool,
    /// Is true when having the text there is all that the expression asks for.
    pub whole: bool,
}

impl Pattern {
    /// Compiles `pattern` with the options `i`, `m`, `s`, `x`, `u`. `earlier` is how many expressions the filter has
    /// already: the first few may be large, so that a filter of thousands does not take all memory.
    pub(super) fn new(pattern: &str, options: &str, earlier: usize) -> Result<Self, CriteriaError> {
        if pattern.len() > MAX_PATTERN {
            return Err(refused(format!(
                "the regular expression is longer than {MAX_PATTERN} bytes"
            )));
        }
        let mut builder = RegexBuilder::new(pattern);
        let size = if earlier < FEW {
            MAX_PROGRAM
        } else {
            MAX_SMALL_PROGRAM
        };
        builder.size_limit(size).dfa_size_limit(size);
        let mut parser = ParserBuilder::new();
        for option in options.chars() {
            match option {
                'i' => {
                    builder.case_insensitive(true);
                    parser.case_insensitive(true);
                }
                'm' => {
                    builder.multi_line(true);
                    parser.multi_line(true);
                }
                's' => {
                    builder.dot_matches_new_line(true);
                    parser.dot_matches_new_line(true);
                }
                'x' => {
                    builder.ignore_whitespace(true);
                    parser.ignore_whitespace(true);
                }
                'u' => {}
                _ => {
                    return Err(refused(format!(
                        "unknown regular expression option: {option}"
                    )));
                }
            }
        }
        let regex = builder.build().map_err(|error| {
            let reason = match &error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                other => other.to_string(),
            };
            refused(format!(
                "the regular expression cannot be used ({reason}); look-around and back-references are not supported"
            ))
        })?;
        let required = parser
            .build()
            .parse(pattern)
            .map(|hir| required(&hir))
            .unwrap_or_default();
        Ok(Self { regex, required })
    }

    /// Tells whether the expression is found in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Returns what every text has in which the expression is found.
    #[must_use]
    pub fn required(&self) -> &Required {
        &self.required
    }
}

/// The pieces of an expression that follow each other, without groups.
fn pieces<'a>(hir: &'a Hir, into: &mut Vec<&'a Hir>) {
    match hir.kind() {
        HirKind::Concat(parts) => {
            for part in parts {
                pieces(part, into);
            }
        }
        HirKind::Capture(group) => pieces(&group.sub, into),
        HirKind::Empty => {}
        _ => into.push(hir),
    }
}

/// Repetitions that may as well be left out: at an end that is not anchored, `x*` takes nothing away.
fn optional(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Repetition(repetition) if repetition.min == 0)
}

fn required(hir: &Hir) -> Required {
    let mut all = Vec::new();
    pieces(hir, &mut all);
    let mut rest = all.as_slice();
    let is = |hir: &Hir, wanted: Look| matches!(hir.kind(), HirKind::Look(look) if *look == wanted);
    let at_start = rest.first().is_some_and(|hir| is(hir, Look::Start));
    let at_end = rest.last().is_some_and(|hir| is(hir, Look::End));
    rest = rest.get(usize::from(at_start)..).unwrap_or_default();
    rest = rest
        .get(..rest.len().saturating_sub(usize::from(at_end)))
        .unwrap_or_default();
    while let Some((first, tail)) = rest.split_first()
        && !at_start
        && optional(first)
    {
        rest = tail;
    }
    while let Some((last, head)) = rest.split_last()
        && !at_end
        && optional(last)
    {
        rest = head;
    }
    let literal = |hir: &Hir| match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(str::to_owned),
        _ => None,
    };
    // Neighbouring literals of different groups are one text.
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    for (at, hir) in rest.iter().enumerate() {
        let Some(text) = literal(hir) else { continue };
        match runs.last_mut() {
            Some((_, end, run)) if *end == at => {
                run.push_str(&text);
                *end = at + 1;
            }
            _ => runs.push((at, at + 1, text)),
        }
    }
    let longest = runs.into_iter().max_by_key(|(_, _, text)| text.len());
    let Some((start, end, text)) = longest else {
        let whole = rest.is_empty();
        return Required {
            text: String::new(),
            at_start: at_start && whole,
            at_end: at_end && whole,
            whole,
        };
    };
    Required {
        at_start: at_start && start == 0,
        at_end: at_end && end == rest.len(),
        whole: start == 0 && end == rest.len(),
        text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(pattern: &str, options: &str) -> (String, bool, bool, bool) {
        let Required {
            text,
            at_start,
            at_end,
            whole,
        } = Pattern::new(pattern, options, 0).unwrap().required;
        (text, at_start, at_end, whole)
    }

    #[test]
    fn what_a_match_must_have_is_known() {
        let case = |text: &str, a, b, c| (text.to_owned(), a, b, c);
        assert_eq!(of("kernel", ""), case("kernel", false, false, true));
        assert_eq!(of("^ker(nel)", ""), case("kernel", true, false, true));
        assert_eq!(of("^kernel$", ""), case("kernel", true, true, true));
        assert_eq!(of(".*kernel.*", ""), case("kernel", false, false, true));
        assert_eq!(of("^.*kernel", ""), case("kernel", false, false, false));
        assert_eq!(of("^lib.*-devel$", ""), case("-devel", false, true, false));
        assert_eq!(of("a|b", ""), case("", false, false, false));
        assert_eq!(of("kernel", "i").0, "");
        assert_eq!(of("^kernel$", "m"), case("kernel", false, false, false));
        assert_eq!(of("ker nel", "x"), case("kernel", false, false, true));
        assert_eq!(of("", ""), case("", false, false, true));
        assert_eq!(of(".*", ""), case("", false, false, true));
        assert_eq!(of("kernel-?core", ""), case("kernel", false, false, false));
    }

    #[test]
    fn many_expressions_do_not_take_all_memory() {
        let large = "\\w{12}";
        assert!(Pattern::new(large, "", 0).is_ok());
        assert!(Pattern::new(large, "", 1000).is_err());
        assert!(Pattern::new("^[a-z0-9.-]+$", "i", 1000).is_ok());
    }

    proptest! {
        #[test]
        fn a_match_has_what_is_required(
            pattern in "(\\^)?([ab]|\\.\\*|\\.|a\\*|\\(ab\\)|b\\?|a\\|b|\\(a\\|b\\)|\\\\b){0,5}(\\$)?",
            options in "[ims]{0,1}",
            texts in prop::collection::vec("[abAB\n]{0,6}", 1..8),
        ) {
            let pattern = Pattern::new(&pattern, &options, 0).unwrap();
            let Required { text: wanted, at_start, at_end, whole } = pattern.required().clone();
            for text in texts {
                let has = match (at_start, at_end) {
                    (true, true) if whole => text == wanted,
                    (true, true) => text.starts_with(&wanted) && text.ends_with(&wanted),
                    (true, false) => text.starts_with(&wanted),
                    (false, true) => text.ends_with(&wanted),
                    (false, false) => text.contains(&wanted),
                };
                if whole {
                    prop_assert_eq!(pattern.is_match(&text), has, "{:?}", &text);
                } else {
                    prop_assert!(has || !pattern.is_match(&text), "{:?}", &text);
                }
            }
        }
    }
}
