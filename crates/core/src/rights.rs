//! The rights of callers on resources (pulp2/people#rights).

use std::collections::HashMap;
use std::str::FromStr;

/// The right that a caller must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `CREATE`
    Create,
    /// `READ`
    Read,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `EXECUTE`
    Execute,
}

/// A name that no operation has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no operation: CREATE, READ, UPDATE, DELETE and EXECUTE are")]
pub struct NotAnOperation(String);

impl Operation {
    /// All of them, by their numbers.
    pub const ALL: [Self; 5] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Delete,
        Self::Execute,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Execute => "EXECUTE",
        }
    }

    /// The number that is stored.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Create => 0,
            Self::Read => 1,
            Self::Update => 2,
            Self::Delete => 3,
            Self::Execute => 4,
        }
    }

    /// The operation that a number stands for.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operation| u64::from(operation.number()) == number)
    }
}

impl FromStr for Operation {
    type Err = NotAnOperation;

    /// Reads a name, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| NotAnOperation(text.to_owned()))
    }
}

/// The resource that rights on a repository are granted on.
#[must_use]
pub fn of_repository(id: &str) -> String {
    format!("/v2/repositories/{id}/")
}

/// The operations that somebody may do, by resource. A right on a resource holds for everything below it; there is no
/// way to take one away further down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(HashMap<String, u8>);

impl Rights {
    /// Adds operations on a resource, a path such as `/v2/repositories/`.
    pub fn grant(&mut self, resource: impl Into<String>, operations: &[Operation]) {
        let bits = operations
            .iter()
            .fold(0, |bits, operation| bits | 1 << operation.number());
        *self.0.entry(resource.into()).or_default() |= bits;
    }

    /// Tells whether `operation` may be done on `path`, which starts and ends with a slash.
    #[must_use]
    pub fn allow(&self, operation: Operation, path: &str) -> bool {
        self.allow_within("", operation, path)
    }

    /// Does what [`Self::allow`] does, by rights on `within` or on something below it alone: those on what is above do not count.
    #[must_use]
    pub fn allow_within(&self, within: &str, operation: Operation, path: &str) -> bool {
        let bit = 1 << operation.number();
        path.starts_with(within)
            && path
                .match_indices('/')
                .map(|(at, _)| &path[..=at])
                .filter(|resource| resource.len() >= within.len())
                .filter_map(|resource| self.0.get(resource))
                .any(|granted| granted & bit != 0)
    }

    /// Every resource with the operations that were granted on it.
    pub fn granted(&self) -> impl Iterator<Item = (&str, Operation)> {
        self.0.iter().flat_map(|(resource, bits)| {
            Operation::ALL
                .into_iter()
                .filter(move |operation| bits & 1 << operation.number() != 0)
                .map(move |operation| (resource.as_str(), operation))
        })
    }
}

impl<R: Into<String>> FromIterator<(R, Vec<Operation>)> for Rights {
    fn from_iter<I: IntoIterator<Item = (R, Vec<Operation>)>>(granted: I) -> Self {
        let mut rights = Self::default();
        for (resource, operations) in granted {
            rights.grant(resource, &operations);
        }
        rights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_holds_for_everything_below_its_resource_and_nothing_beside_it() {
        let mut rights = Rights::default();
        rights.grant("/v2/repositories/x/", &[Operation::Read]);
        for path in ["/v2/repositories/x/", "/v2/repositories/x/importers/y/"] {
            assert!(rights.allow(Operation::Read, path));
            assert!(!rights.allow(Operation::Update, path));
        }
        for path in ["/v2/repositories/", "/v2/repositories/xy/", "/v2/", "/", ""] {
            assert!(!rights.allow(Operation::Read, path), "{path}");
        }
        rights.grant("/", &[Operation::Update]);
        assert!(rights.allow(Operation::Update, "/v2/tasks/"));
        // Resources that are not written like paths never match one.
        rights.grant("noslash", &[Operation::Delete]);
        rights.grant("/v2/tasks", &[Operation::Delete]);
        assert!(!rights.allow(Operation::Delete, "/v2/tasks/"));
        assert!(!rights.allow(Operation::Delete, "noslash"));
        assert_eq!(rights.granted().count(), 4);
        assert!(
            rights
                .granted()
                .any(|granted| granted == ("/", Operation::Update))
        );
    }

    #[test]
    fn rights_within_a_resource_are_those_on_it_and_below() {
        let path = "/v2/repositories/x/importers/";
        let allowed = |resource: &str, within: &str| {
            let mut rights = Rights::default();
            rights.grant(resource, &[Operation::Create]);
            rights.allow_within(within, Operation::Create, path)
        };
        for resource in ["/v2/repositories/x/", path] {
            assert!(allowed(resource, "/v2/repositories/x/"), "{resource}");
            assert!(!allowed(resource, "/v2/repositories/y/"), "{resource}");
        }
        for resource in ["/", "/v2/", "/v2/repositories/"] {
            assert!(allowed(resource, ""), "{resource}");
            assert!(!allowed(resource, "/v2/repositories/x/"), "{resource}");
        }
    }

    #[test]
    fn operations_have_names_in_any_case_and_numbers() {
        for operation in Operation::ALL {
            let lower = operation.name().to_lowercase();
            assert_eq!(lower.parse(), Ok(operation));
            assert_eq!(
                Operation::from_number(operation.number().into()),
                Some(operation)
            );
        }
        assert!("R".parse::<Operation>().is_err());
        assert_eq!(Operation::from_number(5), None);
    }
}
