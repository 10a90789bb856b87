//! Paths with variables.

/// The path of a route, cut into segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Segments before the one that stands for several, or all of them.
    front: Vec<Segment>,
    /// The name of that one, and the segments behind it.
    tail: Option<(&'static str, Vec<Segment>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Fixed(&'static str),
    Variable(&'static str),
}

/// The path of a route that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no path of a route")]
pub struct BadTemplate(pub &'static str);

/// Values of the variables in a path, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The value of `name`; empty when the path of the route has no such variable.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl Template {
    /// Reads the path of a route.
    ///
    /// # Errors
    /// [`BadTemplate`]: empty segments, braces that do not close, two variables for several segments.
    pub fn new(path: &'static str) -> Result<Self, BadTemplate> {
        let mut this = Self {
            front: Vec::new(),
            tail: None,
        };
        for segment in path.split('/') {
            let name = segment
                .strip_prefix('<')
                .and_then(|rest| rest.strip_suffix('>'));
            let segment = match name.map(|name| name.strip_suffix("...").ok_or(name)) {
                None if segment.is_empty() || segment.contains(['<', '>']) => {
                    return Err(BadTemplate(path));
                }
                None => Segment::Fixed(segment),
                Some(Err(name)) => Segment::Variable(name),
                Some(Ok(_)) if this.tail.is_some() => return Err(BadTemplate(path)),
                Some(Ok(name)) => {
                    this.tail = Some((name, Vec::new()));
                    continue;
                }
            };
            match &mut this.tail {
                Some((_, behind)) => behind.push(segment),
                None => this.front.push(segment),
            }
        }
        Ok(this)
    }

    /// The values of the variables when `path`, decoded segments, is one of these paths.
    #[must_use]
    pub fn find(&self, path: &[&str]) -> Option<Params> {
        let mut params = Vec::new();
        let (front, rest) = path.split_at_checked(self.front.len())?;
        take(&self.front, front, &mut params)?;
        match &self.tail {
            None => rest.is_empty().then_some(())?,
            Some((name, behind)) => {
                let several = rest
                    .len()
                    .checked_sub(behind.len())
                    .filter(|count| *count > 0)?;
                let (several, end) = rest.split_at(several);
                params.push((*name, several.join("/")));
                take(behind, end, &mut params)?;
            }
        }
        Some(Params(params))
    }
}

/// Takes the values of as many segments as there are.
fn take(wanted: &[Segment], path: &[&str], params: &mut Vec<(&'static str, String)>) -> Option<()> {
    for (wanted, given) in wanted.iter().zip(path) {
        match wanted {
            Segment::Fixed(text) if text != given => return None,
            Segment::Fixed(_) => {}
            Segment::Variable(name) => params.push((*name, (*given).to_owned())),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
        let path: Vec<&str> = path.split('/').collect();
        Template::new(template)
            .unwrap()
            .find(&path)
            .map(|found| found.0)
    }

    #[test]
    fn one_variable_may_stand_for_several_segments_wherever_it_is() {
        let blob = "v2/<name...>/blobs/<digest>";
        let found = find(blob, "v2/library/busybox/blobs/sha256:1").unwrap();
        let expected = [("name", "library/busybox"), ("digest", "sha256:1")];
        assert_eq!(
            found,
            expected.map(|(name, value)| (name, value.to_owned()))
        );
        assert!(find(blob, "v2/blobs/sha256:1").is_none());
        assert!(find(blob, "v2/x/blobs").is_none());
        assert!(find(blob, "v2/x/manifests/1").is_none());
        assert!(find("v2", "v2").is_some());
        assert!(find("v2", "v2/x").is_none());
        assert!(find("v3/<tail...>", "v3").is_none());
        assert_eq!(find("v3/<tail...>", "v3/a/b").unwrap()[0].1, "a/b");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "/v2", "v2/", "v2/<name", "v2/x<y>", "<a...>/<b...>"] {
            assert!(Template::new(path).is_err(), "{path}");
        }
    }
}
