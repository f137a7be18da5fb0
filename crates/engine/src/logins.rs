//! Logging in with a password, and what a logged-in user does with the own
//! account.

use std::time::Duration;

use domain::origin::Origin;
use domain::permission::{Credential, Principal, Scopes};
use domain::{CompanyId, Fault, SessionId, Text, Timestamp};
use store::audit::{Entry, Outcome};
use store::logins::{Membership, Session, User};

use crate::access::{hash, random};
use crate::throttle::Attempt;
use crate::{Engine, Error, passwords};

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// How long one may be unused.
    pub idle: Duration,
    /// How long one lasts, however much it is used.
    pub longest: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { idle: Duration::from_secs(12 * 3600), longest: Duration::from_secs(7 * 86_400) }
    }
}

/// A login to be.
pub struct Login {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The name of the company to act for; the last one where absent.
    pub company: Option<String>,
    /// The cookie that the browser had before, which ends.
    pub replaced: Option<String>,
    /// Where the request came from.
    pub origin: Origin,
}

/// Somebody who logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// The secret of the session's cookie.
    pub secret: String,
    /// When the session ends at the latest.
    pub expires_at: Timestamp,
    /// Whom it speaks for.
    pub principal: Principal,
}

/// The caller's own account.
#[derive(Debug)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The companies to choose from, by name.
    pub companies: Vec<Membership>,
}

impl Engine {
    /// Opens a session. The answer is the same, after the same work, whether
    /// the user does not exist or the password is wrong.
    pub async fn log_in(&self, login: Login) -> Result<LoggedIn, Error> {
        let Login { name, password, company, replaced, origin } = login;
        // No user has a name that is none; such names take no memory here.
        let account = if domain::function::is_name(&name) { name.as_str() } else { "" };
        let attempt = self
            .throttle
            .begin(self.clock.now(), account, origin.address)
            .map_err(|retry_after| Error::TooManyLogins { retry_after })?;
        let user = match account {
            "" => None,
            name => self.store.user_named(name).await?,
        };
        let known = user.as_ref().and_then(|user| user.password.clone());
        let right = self.verify(&attempt, password, known).await?;
        let Some(user) = user.filter(|_| right) else {
            self.record_refusal(account, &origin).await?;
            return Err(Error::WrongLogin);
        };
        self.throttle.succeeded(attempt);
        self.open_session(&user, company.as_deref(), replaced, origin).await
    }

    /// Looks at a password; an attempt that could not be looked at is withdrawn.
    pub(crate) async fn verify(
        &self,
        attempt: &Attempt,
        password: String,
        known: Option<String>,
    ) -> Result<bool, Error> {
        let verified = self.passwords.verify(password, known).await;
        verified.inspect_err(|_| self.throttle.withdraw(attempt))
    }

    /// Records a refused login of a user that exists. What is no user's name
    /// may be a password typed into the wrong field, and is kept nowhere.
    async fn record_refusal(&self, name: &str, origin: &Origin) -> Result<(), Error> {
        let Some(user) = self.store.user_named(name).await? else { return Ok(()) };
        let company = self.store.memberships(user.id).await?.first().map(|m| m.company);
        let entry = Entry {
            company,
            user: Some(user.id),
            credential: Credential::Nothing,
            action: "login",
            resource: user.name,
            outcome: Outcome::Refused,
            address: origin.address,
            request_id: origin.request_id.clone(),
        };
        Ok(self.store.record(entry).await?)
    }

    /// Opens a session of a user whose password was right.
    pub(crate) async fn open_session(
        &self,
        user: &User,
        company: Option<&str>,
        replaced: Option<String>,
        origin: Origin,
    ) -> Result<LoggedIn, Error> {
        let companies = self.store.memberships(user.id).await?;
        let chosen = match company {
            Some(name) => companies.into_iter().find(|m| m.company_name == name),
            None => {
                let last = self.store.last_company(user.id).await?;
                let at = companies.iter().position(|m| Some(m.company) == last).unwrap_or(0);
                companies.into_iter().nth(at)
            }
        };
        let chosen = chosen.ok_or(Error::NoCompany)?;
        let (secret, now) = (random(), self.clock.now());
        let session = Session {
            id: SessionId::new(),
            secret_sha256: hash(&secret),
            user: user.id,
            company: chosen.company,
            address: origin.address,
            created_at: now,
            seen_at: now,
            expires_at: now.after(self.sessions.longest),
        };
        let (id, expires_at) = (session.id, session.expires_at);
        let principal = Principal {
            user: user.id,
            company: chosen.company,
            company_name: chosen.company_name,
            role: chosen.role,
            scopes: Scopes::ALL,
            credential: Credential::Session(id),
            origin,
        };
        let entry = Entry::by(&principal, "login", user.name.clone());
        let replaced = replaced.map(|secret| hash(&secret));
        self.store.create_session(session, replaced, entry).await?;
        self.forget_callers();
        Ok(LoggedIn { secret, expires_at, principal })
    }

    /// Ends what the request showed: its session, or its token.
    pub async fn log_out(&self, who: &Principal) -> Result<(), Error> {
        match who.credential {
            Credential::Session(id) => {
                self.store.end_session(id, Entry::by(who, "logout", "session")).await?;
            }
            Credential::Token(id) => {
                let entry = Entry::by(who, "token.revoke", id.to_string());
                self.store.revoke_token(who.company, id, Some(entry)).await?;
            }
            Credential::Nothing => {}
        }
        self.forget_callers();
        Ok(())
    }

    /// The caller's own account.
    pub async fn account(&self, who: &Principal) -> Result<Account, Error> {
        let user = self.store.user(who.user).await?.ok_or(Error::NotFound("user"))?;
        let mut companies = self.store.memberships(who.user).await?;
        // A token tells of its company alone: others may have made it.
        if matches!(who.credential, Credential::Token(_)) {
            companies.retain(|membership| membership.company == who.company);
        }
        Ok(Account { user, companies })
    }

    /// Sets the caller's own password, and ends the caller's other sessions.
    /// Whoever has one shows it; the first needs no other.
    pub async fn set_password(
        &self,
        who: &Principal,
        present: Option<String>,
        new: String,
    ) -> Result<(), Error> {
        let user = self.store.user(who.user).await?.ok_or(Error::NotFound("user"))?;
        passwords::check("new_password", &new, &user.name)?;
        if user.password.is_some() {
            let attempt = self
                .throttle
                .begin(self.clock.now(), &user.name, who.origin.address)
                .map_err(|retry_after| Error::TooManyLogins { retry_after })?;
            let right = match present {
                Some(present) => self.verify(&attempt, present, user.password.clone()).await?,
                None => false,
            };
            if !right {
                return Err(Error::Invalid(vec![wrong_present()]));
            }
            self.throttle.succeeded(attempt);
        } else if self.store.memberships(user.id).await?.len() > 1 {
            // Any of the companies could have made the token that asks.
            return Err(Error::Invalid(vec![by_link()]));
        }
        let new = self.passwords.hash(new).await?;
        let kept = match who.credential {
            Credential::Session(id) => Some(id),
            _ => None,
        };
        let entry = Entry::by(who, "password.set", user.name);
        if !self.store.set_password(user.id, user.password, new, kept, entry).await? {
            return Err(Error::Invalid(vec![wrong_present()]));
        }
        self.forget_callers();
        Ok(())
    }

    /// Has the caller's session act for another of the caller's companies.
    pub async fn switch_company(
        &self,
        who: &Principal,
        company: CompanyId,
    ) -> Result<Principal, Error> {
        let Credential::Session(id) = who.credential else {
            return Err(Error::Invalid(vec![
                Fault::error(
                    "company_fixed",
                    Text::new(
                        "expected a session: a token acts for one company; make another token",
                        "attendu : une session ; un jeton agit pour une seule entreprise, créez-en un autre",
                    ),
                )
                .at_key("/company_id"),
            ]));
        };
        let companies = self.store.memberships(who.user).await?;
        let chosen = companies.into_iter().find(|membership| membership.company == company);
        let chosen = chosen.ok_or(Error::NotFound("company"))?;
        let Membership { company, company_name, role } = chosen;
        let entry = Entry::by(who, "session.company", company_name.clone()).in_company(company);
        if !self.store.move_session(id, company, entry).await? {
            return Err(Error::NotFound("company"));
        }
        self.forget_callers();
        Ok(Principal { company, company_name, role, ..who.clone() })
    }
}

fn by_link() -> Fault {
    Fault::error(
        "password_by_link",
        Text::new(
            "the first password of somebody who belongs to several companies is set by the link of an invitation; ask an administrator for one",
            "le premier mot de passe de qui appartient à plusieurs entreprises se choisit par le lien d’une invitation ; demandez-en un à un administrateur",
        ),
    )
    .at_key("/new_password")
}

fn wrong_present() -> Fault {
    Fault::error(
        "password_wrong",
        Text::new("expected the present password", "attendu : le mot de passe actuel"),
    )
    .at_key("/current_password")
}
