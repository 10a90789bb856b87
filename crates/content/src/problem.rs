//! Problems of configurations: each with its setting, and all of a configuration at once.

use std::fmt;

use pith_core::Document;
use pith_core::error::ErrorDetail;
use serde_json::Value;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The setting.
    pub field: String,
    /// The code that clients know it by, such as `DKR1004`; `None` where Pulp told it by its text.
    pub code: Option<&'static str>,
    /// The text for people.
    pub text: String,
    /// Values that the text was made of.
    pub data: Document,
}

impl Problem {
    /// A problem of the setting `field` that is told by its text.
    pub fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            code: None,
            text: text.into(),
            data: Document::new(),
        }
    }

    /// A problem of the setting `field` with a code of its own. Its data names the setting.
    pub fn coded(code: &'static str, field: &str, text: impl Into<String>) -> Self {
        let problem = Self {
            code: Some(code),
            ..Self::new(field, text)
        };
        problem.with("field", field)
    }

    /// Adds a value to the data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// The problem as it stands among the `sub_errors` of an error; PLP0000 without a code of its own.
    #[must_use]
    pub fn detail(&self) -> ErrorDetail {
        ErrorDetail {
            code: self.code.unwrap_or("PLP0000").to_owned(),
            description: self.text.clone(),
            data: self.data.clone(),
            sub_errors: Vec::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text that clients are told of problems without codes. Pulp's plugins differed, and clients show it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// All of them, each on a line.
    Lines,
    /// All of them, each on a line below this heading.
    Under(&'static str),
    /// The first problems, so many, each on a line.
    First(usize),
}

/// The reason why a configuration is refused: all that is wrong with it, at least one thing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Problems {
    found: Vec<Problem>,
    wording: Wording,
}

impl Problems {
    /// Refuses a configuration of which these problems were found.
    ///
    /// # Errors
    /// The problems, unless there are none.
    pub fn check(found: Vec<Problem>, wording: Wording) -> Result<(), Self> {
        match found.is_empty() {
            true => Ok(()),
            false => Err(Self { found, wording }),
        }
    }

    /// All that is wrong, in the order in which it was found.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.found
    }

    /// Tells whether clients know a problem by its code, and so are told of each by itself.
    #[must_use]
    pub fn is_coded(&self) -> bool {
        self.found.iter().any(|problem| problem.code.is_some())
    }

    fn text(&self) -> String {
        let all = self.found.iter().map(|problem| problem.text.as_str());
        let lines: Vec<&str> = match self.wording {
            Wording::Lines => all.collect(),
            Wording::Under(heading) => std::iter::once(heading).chain(all).collect(),
            Wording::First(count) => all.take(count).collect(),
        };
        lines.join("\n")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self {
            found: vec![problem],
            wording: Wording::Lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(wording: Wording) -> Problems {
        let found = vec![Problem::new("a", "no a"), Problem::new("b", "no b")];
        Problems::check(found, wording).unwrap_err()
    }

    #[test]
    fn every_problem_is_there_and_the_text_is_what_the_wording_says() {
        for (wording, text) in [
            (Wording::Lines, "no a\nno b"),
            (Wording::Under("Errors:"), "Errors:\nno a\nno b"),
            (Wording::First(1), "no a"),
        ] {
            let problems = problems(wording);
            assert_eq!(problems.to_string(), text);
            assert_eq!(problems.all().len(), 2);
            assert!(!problems.is_coded());
        }
        assert_eq!(Problems::check(Vec::new(), Wording::Lines), Ok(()));
    }

    #[test]
    fn a_coded_problem_names_its_setting_in_its_data() {
        let problem = Problem::coded("DKR1004", "protected", "no boolean").with("value", 5);
        let detail = problem.detail();
        assert_eq!(detail.code, "DKR1004");
        assert_eq!(
            Value::Object(detail.data),
            json!({"field": "protected", "value": 5})
        );
        assert!(Problems::from(problem).is_coded());
        assert_eq!(Problem::new("a", "no a").detail().code, "PLP0000");
    }
}
