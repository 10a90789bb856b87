//! The operation that a path means.

use std::collections::HashMap;

use crate::operation::{RestRoute, RestVerb};

/// The routes as a tree of segments.
pub(crate) struct Matcher {
    root: Node,
}

#[derive(Default)]
struct Node {
    fixed: HashMap<&'static str, Node>,
    variable: Option<Box<Node>>,
    routes: Vec<&'static RestRoute>,
}

/// A path that is known, with the values of its variables.
pub(crate) struct Matched<'a> {
    routes: &'a [&'static RestRoute],
    pub(crate) params: Vec<String>,
}

impl Matcher {
    pub(crate) fn new(routes: impl Iterator<Item = &'static RestRoute>) -> Self {
        let mut root = Node::default();
        for route in routes {
            let mut node = &mut root;
            for segment in segments(route.path) {
                node = if segment.starts_with('<') {
                    node.variable.get_or_insert_default()
                } else {
                    node.fixed.entry(segment).or_default()
                };
            }
            node.routes.push(route);
            node.routes.sort_by_key(|route| route.verb);
        }
        Self { root }
    }

    /// The operations of `path`, the part below the mount point, decoded. Fixed segments win over variables.
    pub(crate) fn find(&self, path: &str) -> Option<Matched<'_>> {
        let segments: Vec<&str> = segments(path).collect();
        let mut params = Vec::new();
        let node = descend(&self.root, &segments, &mut params)?;
        Some(Matched {
            routes: &node.routes,
            params,
        })
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn descend<'a>(node: &'a Node, segments: &[&str], params: &mut Vec<String>) -> Option<&'a Node> {
    let Some((first, rest)) = segments.split_first() else {
        return (!node.routes.is_empty()).then_some(node);
    };
    if let Some(next) = node.fixed.get(*first)
        && let Some(found) = descend(next, rest, params)
    {
        return Some(found);
    }
    let next = node.variable.as_deref()?;
    params.push((*first).to_owned());
    let found = descend(next, rest, params);
    if found.is_none() {
        params.pop();
    }
    found
}

impl Matched<'_> {
    /// The operation for a method; `HEAD` is answered by `GET`.
    pub(crate) fn route(&self, method: &str) -> Option<&'static RestRoute> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.routes
            .iter()
            .copied()
            .find(|route| route.verb.name() == method)
    }

    /// The `Allow` header.
    pub(crate) fn allow(&self) -> String {
        let mut names: Vec<&str> = self.routes.iter().map(|route| route.verb.name()).collect();
        if self.routes.iter().any(|route| route.verb == RestVerb::Get) {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::routes;

    fn path_of(path: &str, method: &str) -> Option<(&'static str, Vec<String>)> {
        let matcher = Matcher::new(routes());
        let matched = matcher.find(path)?;
        let route = matched.route(method)?;
        Some((route.path, matched.params))
    }

    #[test]
    fn fixed_segments_win_but_do_not_hide_longer_paths() {
        assert_eq!(
            path_of("/repositories/search/", "GET").unwrap().0,
            "/repositories/search/"
        );
        let (path, params) = path_of("/repositories/search/importers/", "HEAD").unwrap();
        assert_eq!(path, "/repositories/<repo>/importers/");
        assert_eq!(params, ["search"]);
        assert!(path_of("/repositories/a/b/", "GET").is_none());
        assert!(path_of("/", "GET").is_none());
    }

    #[test]
    fn allow_lists_methods_in_the_order_of_pulp() {
        let matcher = Matcher::new(routes());
        let allow = |path| matcher.find(path).unwrap().allow();
        assert_eq!(allow("/repositories/"), "GET, POST, HEAD, OPTIONS");
        assert_eq!(allow("/repositories/x/"), "GET, PUT, DELETE, HEAD, OPTIONS");
        assert_eq!(allow("/repositories/x/actions/sync/"), "POST, OPTIONS");
    }
}
