//! The subject of a certificate: a user or a consumer (pulp2/people#certificates).

use rcgen::{DistinguishedName, DnType};

/// The attribute `UID` of a distinguished name.
const UID: [u64; 7] = [0, 9, 2342, 19_200_300, 100, 1, 1];

/// The subject of a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `CN`.
    pub common_name: String,
    /// `UID`, which certificates of consumers have.
    pub uid: Option<String>,
}

impl Subject {
    /// A user: `admin:<login>:<user _id>`.
    #[must_use]
    pub fn user(login: &str, oid: &str) -> Self {
        Self {
            common_name: format!("admin:{login}:{oid}"),
            uid: None,
        }
    }

    /// A consumer: its id, and its `_id` as `UID`.
    #[must_use]
    pub fn consumer(id: &str, oid: &str) -> Self {
        Self {
            common_name: id.to_owned(),
            uid: Some(oid.to_owned()),
        }
    }

    /// Login and `_id`, when a common name is that of a user.
    #[must_use]
    pub fn parse_user(common_name: &str) -> Option<(&str, &str)> {
        // Neither logins nor ids have a colon.
        let (login, oid) = common_name.strip_prefix("admin:")?.split_once(':')?;
        (!login.is_empty() && !oid.is_empty() && !oid.contains(':')).then_some((login, oid))
    }

    pub(crate) fn name(&self) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, self.common_name.clone());
        if let Some(uid) = &self.uid {
            name.push(DnType::CustomDnType(UID.to_vec()), uid.clone());
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_user_is_read_as_one() {
        let subject = Subject::user("ann@example.org", "5638e2f7a21e1a0d9c8a7b11");
        assert_eq!(
            Subject::parse_user(&subject.common_name),
            Some(("ann@example.org", "5638e2f7a21e1a0d9c8a7b11"))
        );
        for other in [
            "consumer-1",
            "admin",
            "admin:ann",
            "admin::x",
            "admin:a:",
            "admin:a:b:c",
            "x:a:b",
        ] {
            assert_eq!(Subject::parse_user(other), None, "{other}");
        }
    }
}
