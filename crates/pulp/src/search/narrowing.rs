//! The part of a filter on repositories, distributors and tasks that their columns can decide.

use pith_core::TaskId;
use pith_core::criteria::{Criteria, Filter, Test};
use pith_core::task::TaskState;
use pith_store::{DistributorListing, TaskListing, Texts, Window};
use serde_json::Value;

/// Most values that go along to the database; a longer list is decided here.
const MAX_VALUES: usize = 4_000;
/// Most tags that go along.
const MAX_TAGS: usize = 8;

/// The rows to look at, and whether all of them fulfil the filter.
#[derive(Debug)]
pub(super) struct Narrowed<L> {
    pub(super) listing: L,
    exact: bool,
}

impl<L: Default> Narrowed<L> {
    /// Hands each condition that must hold to `take`, which tells whether the listing then covers the condition.
    fn of(filter: Option<&Filter>, mut take: impl FnMut(&mut L, &str, &Test) -> bool) -> Self {
        let mut listing = L::default();
        let required = filter.map(Filter::required);
        let mut exact = required.as_ref().is_none_or(|required| required.is_all);
        for (path, test) in required.into_iter().flat_map(|required| required.all) {
            let [field] = path else {
                exact = false;
                continue;
            };
            exact &= take(&mut listing, field, test);
        }
        Self { listing, exact }
    }

    /// The part of the answer's window that the database can keep: all of it when nothing is left to decide or to sort.
    pub(super) fn window(&self, criteria: &Criteria) -> Window {
        if self.exact && criteria.sort.as_ref().is_none_or(Vec::is_empty) {
            Window {
                skip: criteria.skip,
                limit: criteria.limit,
            }
        } else {
            Window::default()
        }
    }
}

/// The texts that pass; `None` when that cannot be said. No column holds NUL.
fn passing(test: &Test) -> Option<(Texts, bool)> {
    match test {
        Test::Equal(Value::String(text)) => Some((Texts::OneOf(known([text])), true)),
        Test::In(values) if values.len() <= MAX_VALUES => {
            let texts = values.iter().filter_map(Value::as_str);
            Some((Texts::OneOf(known(texts)), true))
        }
        Test::Matches(pattern) => {
            let wanted = pattern.required();
            let known = wanted.at_start && !wanted.text.is_empty() && !wanted.text.contains('\0');
            known.then(|| {
                let exact = wanted.whole && !wanted.at_end;
                (Texts::StartingWith(wanted.text.clone()), exact)
            })
        }
        _ => None,
    }
}

fn known<'a>(texts: impl IntoIterator<Item = impl AsRef<str> + 'a>) -> Vec<String> {
    let texts = texts.into_iter();
    texts
        .map(|text| text.as_ref().to_owned())
        .filter(|text| !text.contains('\0'))
        .collect()
}

/// Narrows `slot`, which takes one condition, to what passes `test`; tells whether that covers the condition.
fn take(slot: &mut Texts, test: &Test) -> bool {
    match passing(test) {
        Some((texts, exact)) if *slot == Texts::Any => {
            *slot = texts;
            exact
        }
        _ => false,
    }
}

/// The ids of repositories.
pub(super) fn repositories(filter: Option<&Filter>) -> Narrowed<Texts> {
    Narrowed::of(filter, |ids, field, test| match field {
        "id" | "repo_id" => take(ids, test),
        _ => false,
    })
}

/// The logins of users.
pub(super) fn users(filter: Option<&Filter>) -> Narrowed<Texts> {
    Narrowed::of(filter, |logins, field, test| match field {
        "login" => take(logins, test),
        _ => false,
    })
}

/// Distributors by repository, id and type.
pub(super) fn distributors(filter: Option<&Filter>) -> Narrowed<DistributorListing> {
    Narrowed::of(
        filter,
        |listing: &mut DistributorListing, field, test| match field {
            "repo_id" => take(&mut listing.repos, test),
            "id" | "distributor_id" => take(&mut listing.ids, test),
            "distributor_type_id" => take(&mut listing.types, test),
            _ => false,
        },
    )
}

/// Tasks by id, state and tags.
pub(super) fn tasks(filter: Option<&Filter>) -> Narrowed<TaskListing> {
    Narrowed::of(
        filter,
        |listing: &mut TaskListing, field, test| match field {
            "task_id" if listing.ids.is_none() => {
                listing.ids = of_texts(test, TaskId::to_string);
                listing.ids.is_some()
            }
            "state" if listing.states.is_none() => {
                listing.states = of_texts(test, |state: &TaskState| state.name().to_owned());
                listing.states.is_some()
            }
            "tags" => add_tags(&mut listing.tags, test),
            _ => false,
        },
    )
}

/// The values whose text on the wire passes `test`.
fn of_texts<T: std::str::FromStr>(test: &Test, shown: impl Fn(&T) -> String) -> Option<Vec<T>> {
    let Some((Texts::OneOf(texts), _)) = passing(test) else {
        return None;
    };
    let values = texts.iter().filter_map(|text| {
        let value: T = text.parse().ok()?;
        (shown(&value) == *text).then_some(value)
    });
    Some(values.collect())
}

/// Adds the tags that a task must have to pass; whether they say all.
fn add_tags(tags: &mut Vec<String>, test: &Test) -> bool {
    match test {
        Test::Equal(Value::String(tag)) if tags.len() < MAX_TAGS && !tag.contains('\0') => {
            tags.push(tag.clone());
            true
        }
        Test::In(values) if values.len() == 1 => add_tags(tags, &Test::Equal(values[0].clone())),
        Test::Every(tests) if !tests.is_empty() => {
            let mut all = true;
            for test in tests {
                all &= add_tags(tags, test);
            }
            all
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(value: &Value) -> Option<Filter> {
        Some(Filter::parse(value).unwrap())
    }

    #[test]
    fn ids_and_starts_of_ids_are_looked_up() {
        for (asked, wanted, exact) in [
            (json!({}), Texts::Any, true),
            (json!({"id": "a"}), Texts::OneOf(vec!["a".into()]), true),
            (
                json!({"id": {"$in": ["a", "b", 3]}}),
                Texts::OneOf(vec!["a".into(), "b".into()]),
                true,
            ),
            (
                json!({"id": {"$regex": "^el7-"}}),
                Texts::StartingWith("el7-".into()),
                true,
            ),
            (
                json!({"id": {"$regex": "^el7-.*-x$"}}),
                Texts::StartingWith("el7-".into()),
                false,
            ),
            (json!({"id": {"$regex": "el7"}}), Texts::Any, false),
            (json!({"id": {"$ne": "a"}}), Texts::Any, false),
            (json!({"$nor": [{"id": "a"}]}), Texts::Any, false),
            (
                json!({"$or": [{"id": "a"}, {"id": "b"}]}),
                Texts::Any,
                false,
            ),
            (
                json!({"$and": [{"id": "a"}, {"notes.x": 1}]}),
                Texts::OneOf(vec!["a".into()]),
                false,
            ),
            (
                json!({"$and": [{"id": "a"}, {"repo_id": "b"}]}),
                Texts::OneOf(vec!["a".into()]),
                false,
            ),
            (json!({"id": "a\0"}), Texts::OneOf(vec![]), true),
        ] {
            let found = repositories(filter(&asked).as_ref());
            assert_eq!((found.listing, found.exact), (wanted, exact), "{asked}");
        }
    }

    #[test]
    fn tasks_are_looked_up_by_id_state_and_tags() {
        let id = TaskId::new();
        let asked = json!({
            "task_id": {"$in": [id, "nonsense", id.to_string().to_uppercase()]},
            "state": {"$in": ["running", "ghost"]},
            "tags": {"$all": ["a", "b"]},
        });
        let found = tasks(filter(&asked).as_ref());
        assert_eq!(found.listing.ids, Some(vec![id]));
        assert_eq!(found.listing.states, Some(vec![TaskState::Running]));
        assert_eq!(found.listing.tags, ["a", "b"]);
        assert!(found.exact);
        let many: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let found = tasks(filter(&json!({"tags": {"$all": many}})).as_ref());
        assert_eq!(found.listing.tags.len(), MAX_TAGS);
        assert!(!found.exact);
    }

    #[test]
    fn a_sort_keeps_the_window_here() {
        let window = |value: &Value| {
            let criteria = Criteria::parse(value).unwrap();
            repositories(criteria.filter.as_ref()).window(&criteria)
        };
        let pushed = Window {
            skip: 2,
            limit: Some(3),
        };
        assert_eq!(window(&json!({"skip": 2, "limit": 3})), pushed);
        let sorted = json!({"skip": 2, "limit": 3, "sort": [["id", "ascending"]]});
        assert_eq!(window(&sorted), Window::default());
        let judged = json!({"skip": 2, "limit": 3, "filters": {"description": "x"}});
        assert_eq!(window(&judged), Window::default());
    }
}
