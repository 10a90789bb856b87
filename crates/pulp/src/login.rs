//! `POST /v2/actions/login/`: certificates to come back with (pulp2/people#certificates, pulp2/people#login).

use std::sync::Arc;

use pith_core::error::{ErrorDetail, PulpError};
use pith_engine::{Error, acting};
use pith_trust::{Authority, Issued, Subject};

use crate::Pulp;
use crate::auth::Account;

/// The time for which a login certificate counts, in days.
const LOGIN_DAYS: u32 = 7;

fn failed(error: impl std::fmt::Display) -> Error {
    PulpError::execution(format!("no certificate could be made: {error}")).into()
}

impl Pulp {
    /// Names the authority that signs certificates; the first call counts.
    pub fn use_authority(&self, authority: Arc<Authority>) {
        let _ = self.authority.set(authority);
    }

    /// The authority that signs certificates.
    ///
    /// # Errors
    /// When none was named.
    pub fn authority(&self) -> Result<&Arc<Authority>, Error> {
        let missing = || failed("this server has no certificate authority");
        self.authority.get().ok_or_else(missing)
    }

    /// A certificate for a user that counts for seven days, or until their password is changed.
    ///
    /// # Errors
    /// 401 when the account was changed since it was read; when there is no authority, or the certificate cannot be made.
    pub async fn login_certificate(&self, account: &Account) -> Result<Issued, Error> {
        // Not from before the password: the account may have been changed in this very second.
        let from = self.engine.clock.now().max(account.password_changed);
        // A request may take its time between its first byte and its last. What changes after this look is dated later.
        let known = self.engine.store.user_get(&account.login).await;
        let same = known?.is_some_and(|user| {
            user.oid == account.oid && user.password_changed == account.password_changed
        });
        if !same {
            let detail = ErrorDetail::new("PLP0025", "Authentication failed.");
            return Err(PulpError::unauthenticated(detail, "authentication_failed").into());
        }
        let subject = Subject::user(&account.login, account.oid.as_str());
        self.issue(move |authority| authority.issue_client(&subject, from, LOGIN_DAYS))
            .await
    }

    /// Makes one certificate at a time, on a thread of its own, by turns of who asks.
    pub(crate) async fn issue<T: Send + 'static>(
        &self,
        make: impl FnOnce(&Authority) -> Result<T, pith_trust::TrustError> + Send + 'static,
    ) -> Result<T, Error> {
        let authority = Arc::clone(self.authority()?);
        let turn = self.issuing.turn(&acting::caller()).await?;
        let made = tokio::task::spawn_blocking(move || {
            // Until it is made, even when nobody waits for it any more.
            let _turn = turn;
            make(&authority)
        });
        made.await.map_err(failed)?.map_err(failed)
    }
}
