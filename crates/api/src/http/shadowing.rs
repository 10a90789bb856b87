//! Ids that would be taken for operations.

use pith_core::Document;
use pith_core::error::PulpError;
use serde_json::Value;

/// The paths of all operations, below `/pulp/api/v2`.
#[derive(Default)]
pub(crate) struct OperationPaths(Vec<&'static str>);

impl FromIterator<&'static str> for OperationPaths {
    fn from_iter<I: IntoIterator<Item = &'static str>>(paths: I) -> Self {
        Self(paths.into_iter().collect())
    }
}

impl OperationPaths {
    /// Refuses an id under which something new would be taken for an operation: rights on it would be rights on that operation.
    ///
    /// # Errors
    /// 400 PLP0015 for `key`, when a path below `collection`, such as `/repositories/`, goes on with this very name.
    pub(super) fn refuse_shadowing(
        &self,
        collection: &str,
        body: &Document,
        key: &str,
    ) -> Result<(), PulpError> {
        let id = body.get(key).and_then(Value::as_str);
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Ok(());
        };
        let mut rests = (self.0.iter()).filter_map(|path| path.strip_prefix(collection));
        if rests.any(|rest| rest.split('/').next() == Some(id)) {
            return Err(PulpError::invalid_value(&[key]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::routes::routes;

    #[test]
    fn what_is_new_cannot_have_the_name_of_an_operation() {
        let paths: OperationPaths = routes().map(|route| route.path).collect();
        let refused = |collection, id| {
            let body = Document::from_iter([("id".to_owned(), json!(id))]);
            paths.refuse_shadowing(collection, &body, "id").is_err()
        };
        for collection in ["/repositories/", "/repo_groups/", "/users/"] {
            assert!(refused(collection, "search"), "{collection}");
            assert!(!refused(collection, "searches"), "{collection}");
        }
        assert!(refused("/repositories/", "actions"));
        assert!(!refused("/users/", "actions"));
        assert!(!refused("/users/", ""), "another message says so");
        assert!(!refused("/repositories/", "<repo>x"));
    }
}
