//! Invitations: how people come in, and how a lost password is set anew.

use std::time::Duration;

use domain::origin::Origin;
use domain::permission::{Credential, Principal, Role, Scopes};
use domain::{CompanyId, Fault, InvitationId, Text};
use store::audit::{Entry, Outcome};
use store::invitations::{Invitation, Settled, Waiting};
use store::logins::User;

use crate::access::{hash, need, random};
use crate::companies::check_name;
use crate::logins::LoggedIn;
use crate::{Engine, Error, passwords};

/// How long an invitation can be accepted.
const OPEN: Duration = Duration::from_secs(7 * 86_400);

/// An invitation to be.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The user's name.
    pub name: String,
    /// Where mail reaches the user.
    pub email: Option<String>,
    /// The role of one who is no member yet.
    pub role: Role,
}

/// What the one who accepts has to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A password of their choice: the account is new, or belongs to no other
    /// company.
    NewPassword,
    /// The password that the account has: another company relies on it, too,
    /// and whoever invites must not be able to take the account over.
    PresentPassword,
}

impl Engine {
    /// Invites somebody into a company, or has a member set a password anew;
    /// answers the secret of the link, which is shown this once.
    pub async fn invite(
        &self,
        who: &Principal,
        company: CompanyId,
        invited: Invited,
    ) -> Result<(Invitation, String), Error> {
        let Invited { name, email, role } = invited;
        // Who accepts is let in whole, so a narrowed token invites nobody.
        if let Some(missing) = Scopes::ALL.iter().find(|scope| !who.scopes.contains(*scope)) {
            return Err(Error::OutOfScope { needed: missing.as_str() });
        }
        let members = self.members(who, company).await?;
        need(who, Role::CompanyAdmin.max(role))?;
        check_name("name", &name)?;
        check_email(email.as_deref())?;
        if let Some(member) = members.iter().find(|member| member.name == name) {
            need(who, member.role)?;
        }
        let (secret, now) = (random(), self.clock.now());
        let invitation = Invitation {
            id: InvitationId::new(),
            company,
            secret_sha256: hash(&secret),
            name,
            email,
            role,
            created_by: who.user,
            created_at: now,
            expires_at: now.after(OPEN),
            accepted_at: None,
            revoked_at: None,
        };
        let resource = format!("{} as {}", invitation.name, role.as_str());
        let entry = Entry::by(who, "invitation.create", resource).in_company(company);
        match self.store.invite(invitation.clone(), who.role, entry).await? {
            Settled::Above(role) => need(who, role)?,
            Settled::Done | Settled::Missing => {}
        }
        Ok((invitation, secret))
    }

    /// The invitations of a company, newest first.
    pub async fn invitations(
        &self,
        who: &Principal,
        company: CompanyId,
    ) -> Result<Vec<Invitation>, Error> {
        self.may_manage(who, company).await?;
        Ok(self.store.invitations(company).await?)
    }

    /// Revokes an invitation.
    pub async fn revoke_invitation(
        &self,
        who: &Principal,
        company: CompanyId,
        id: InvitationId,
    ) -> Result<(), Error> {
        self.may_manage(who, company).await?;
        let entry = Entry::by(who, "invitation.revoke", id.to_string()).in_company(company);
        match self.store.revoke_invitation(company, id, who.role, entry).await? {
            Settled::Done => Ok(()),
            Settled::Missing => Err(Error::NotFound("invitation")),
            Settled::Above(role) => need(who, role),
        }
    }

    /// What an open invitation says, and what it asks for.
    pub async fn invitation(&self, secret: &str) -> Result<(Waiting, Shown), Error> {
        let waiting = self.store.invitation(hash(secret)).await?.ok_or(Error::InvitationGone)?;
        let shown = shown(waiting.user.as_ref())?;
        Ok((waiting, shown))
    }

    /// Accepts an invitation and opens a session.
    pub async fn accept_invitation(
        &self,
        secret: &str,
        password: String,
        replaced: Option<String>,
        origin: Origin,
    ) -> Result<LoggedIn, Error> {
        let (waiting, shown) = self.invitation(secret).await?;
        let Invitation { company, name, .. } = waiting.invitation.clone();
        let hash = match shown {
            Shown::NewPassword => {
                passwords::check("password", &password, &name)?;
                Some(self.passwords.hash(password).await?)
            }
            Shown::PresentPassword => {
                let known = waiting.user.as_ref().and_then(|(user, _)| user.password.clone());
                let now = self.clock.now();
                let attempt = self
                    .throttle
                    .begin(now, &name, origin.address)
                    .map_err(|retry_after| Error::TooManyLogins { retry_after })?;
                if !self.verify(&attempt, password, known).await? {
                    return Err(Error::WrongLogin);
                }
                self.throttle.succeeded(attempt);
                None
            }
        };
        let company_name = waiting.company_name.clone();
        let entry = Entry {
            company: Some(company),
            user: None,
            credential: Credential::Nothing,
            action: "invitation.accept",
            resource: name.clone(),
            outcome: Outcome::Done,
            address: origin.address,
            request_id: origin.request_id.clone(),
        };
        self.store.accept(waiting, hash, entry).await?.ok_or(Error::InvitationGone)?;
        self.forget_callers();
        let user = self.store.user_named(&name).await?.ok_or(Error::InvitationGone)?;
        self.open_session(&user, Some(&company_name), replaced, origin).await
    }

    async fn may_manage(&self, who: &Principal, company: CompanyId) -> Result<(), Error> {
        self.company(who, company).await?;
        need(who, Role::CompanyAdmin)
    }
}

/// What an invitation asks of whoever has its name already.
fn shown(user: Option<&(User, bool)>) -> Result<Shown, Error> {
    match user {
        None | Some((_, false)) => Ok(Shown::NewPassword),
        Some((User { password: Some(_), .. }, true)) => Ok(Shown::PresentPassword),
        Some((User { name, password: None, .. }, true)) => {
            Err(Error::NameTaken { what: "user", name: name.clone() })
        }
    }
}

fn check_email(email: Option<&str>) -> Result<(), Error> {
    let Some(email) = email else { return Ok(()) };
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !"<>,;\"".contains(c);
    let parts = email.rsplit_once('@');
    let valid = parts.is_some_and(|(local, host)| !local.is_empty() && host.contains('.'));
    if valid && email.chars().count() <= 254 && email.chars().all(plain) {
        return Ok(());
    }
    Err(Error::Invalid(vec![
        Fault::error(
            "email_invalid",
            Text::new(
                "expected an address such as eva@example.com",
                "attendu : une adresse telle que eva@example.com",
            ),
        )
        .at_key("/email"),
    ]))
}

#[cfg(test)]
mod tests {
    use domain::UserId;

    use super::*;

    #[test]
    fn an_account_that_another_company_relies_on_is_not_taken_over() {
        let user = |password: Option<&str>| User {
            id: UserId::new(),
            name: "eva".to_owned(),
            email: None,
            password: password.map(str::to_owned),
        };
        assert_eq!(shown(None).unwrap(), Shown::NewPassword);
        assert_eq!(shown(Some(&(user(Some("h")), false))).unwrap(), Shown::NewPassword);
        assert_eq!(shown(Some(&(user(Some("h")), true))).unwrap(), Shown::PresentPassword);
        let refused = shown(Some(&(user(None), true)));
        assert!(matches!(refused, Err(Error::NameTaken { .. })), "{refused:?}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for email in ["eva@example.com", "e.v+a@mail.example.com"] {
            assert!(check_email(Some(email)).is_ok(), "{email}");
        }
        for email in ["eva", "eva@host", "@example.com", "a b@example.com", "a\r\nb@example.com"] {
            assert!(check_email(Some(email)).is_err(), "{email}");
        }
    }
}
