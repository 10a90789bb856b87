//! Hashing passwords: slow by design, so only few at once, by turns of who asks.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use pith_core::error::PulpError;
use pith_engine::Caller;
use pith_engine::turns::{Fairness, Turns};

/// Passwords hashed at once, to check one or to set one: each takes 19 MiB and a core.
const TURNS: Fairness = Fairness {
    at_once: 2,
    each: 2,
    waiting: 16,
};

/// Hashes and checks passwords on threads of their own.
pub struct Passwords(Turns<Caller>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Turns::new(TURNS))
    }
}

impl Passwords {
    /// Tells whether a password is the one of a hash.
    ///
    /// # Errors
    /// 429 when too many of the same caller wait.
    pub async fn verify(
        &self,
        caller: &Caller,
        password: &str,
        hash: &str,
    ) -> Result<bool, PulpError> {
        let turn = self.0.turn(caller).await?;
        let (password, hash) = (password.to_owned(), hash.to_owned());
        blocking(move || {
            // Until the work is done, even when nobody waits for it any more.
            let _turn = turn;
            Argon2::default()
                .verify_password(password.as_bytes(), hash.as_str())
                .is_ok()
        })
        .await
    }

    /// Hashes a password for storing: argon2id.
    ///
    /// # Errors
    /// 429 when too many of the same caller wait; when hashing fails, which takes a broken machine.
    pub async fn hash(&self, caller: &Caller, password: &str) -> Result<String, PulpError> {
        let turn = self.0.turn(caller).await?;
        let password = password.to_owned();
        let hash = blocking(move || {
            let _turn = turn;
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
        });
        hash.await?.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> PulpError {
    PulpError::execution(format!("the password could not be hashed: {error}"))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PulpError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_its_password_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&Caller::Nobody, "secret").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        for (password, hash, is_it) in [
            ("secret", hash.as_str(), true),
            ("Secret", &hash, false),
            ("", &hash, false),
            ("secret", "junk", false),
        ] {
            let verified = passwords.verify(&Caller::Nobody, password, hash);
            assert_eq!(verified.await.unwrap(), is_it, "{password}");
        }
    }
}
