//! Who a request speaks for: tokens, checked against the database and
//! remembered for a moment.

use std::sync::Arc;
use std::time::Duration;

use domain::permission::{Principal, Role};
use domain::{Digest, Timestamp, TokenId, UserId};
use moka::sync::Cache;
use sha2::Digest as _;

use crate::{Engine, Error};

/// How long another process's revocation may stay unseen here.
const REMEMBERED: Duration = Duration::from_secs(2);

/// Tokens that were checked a moment ago, by the hash of their secret.
pub(crate) type Checked = Cache<Digest, Arc<(Principal, Option<Timestamp>)>>;

pub(crate) fn checked() -> Checked {
    Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build()
}

/// A token that was made just now; the secret is shown this once.
#[derive(Debug)]
pub struct Minted {
    /// Its row.
    pub token: store::accounts::Token,
    /// `mecapy_` and 43 characters of base64url: 256 random bits.
    pub secret: String,
}

impl Engine {
    /// The caller that `secret` stands for.
    pub async fn authenticate(&self, secret: &str) -> Result<Principal, Error> {
        let hash = hash(secret);
        let now = self.clock.now();
        if let Some(known) = self.checked_tokens.get(&hash)
            && known.1.is_none_or(|end| now < end)
        {
            return Ok(known.0.clone());
        }
        let found = self.store.authenticate(hash).await?.ok_or(Error::Unauthenticated)?;
        let principal = Principal {
            user: found.token.user,
            company: found.token.company,
            company_name: found.company_name,
            role: found.role,
        };
        self.checked_tokens.insert(hash, Arc::new((principal.clone(), found.token.expires_at)));
        Ok(principal)
    }

    /// Makes a token for `user` in the caller's company. Members make their
    /// own; a company's admins also those of its members.
    pub async fn create_token(
        &self,
        who: &Principal,
        user: UserId,
        name: String,
        expires_at: Option<Timestamp>,
    ) -> Result<Minted, Error> {
        if user != who.user {
            need(who, Role::CompanyAdmin)?;
            // A token acts with its user's role: nobody makes one above their own.
            need(who, self.member(who.company, user).await?.role)?;
        }
        self.mint(who.company, user, name, expires_at).await
    }

    /// One member of a company.
    pub(crate) async fn member(
        &self,
        company: domain::CompanyId,
        user: UserId,
    ) -> Result<store::accounts::Member, Error> {
        let members = self.store.members(company).await?;
        members.into_iter().find(|member| member.user == user).ok_or(Error::NotFound("member"))
    }

    /// The caller's own tokens.
    pub async fn tokens(&self, who: &Principal) -> Result<Vec<store::accounts::Token>, Error> {
        Ok(self.store.tokens(who.company, who.user).await?)
    }

    /// Revokes a token of the caller, or of a member where the caller is the
    /// company's admin. It is refused from the next request on.
    pub async fn revoke_token(&self, who: &Principal, id: TokenId) -> Result<(), Error> {
        let own = self.store.tokens(who.company, who.user).await?;
        if !own.iter().any(|token| token.id == id) && who.role < Role::CompanyAdmin {
            return Err(Error::NotFound("token"));
        }
        if !self.store.revoke_token(who.company, id).await? {
            return Err(Error::NotFound("token"));
        }
        self.checked_tokens.invalidate_all();
        Ok(())
    }

    pub(crate) async fn mint(
        &self,
        company: domain::CompanyId,
        user: UserId,
        name: String,
        expires_at: Option<Timestamp>,
    ) -> Result<Minted, Error> {
        use base64::Engine as _;
        let random: [u8; 32] = rand::random();
        let secret =
            format!("mecapy_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random));
        let token = store::accounts::Token {
            id: TokenId::new(),
            company,
            user,
            name,
            secret_sha256: hash(&secret),
            created_at: self.clock.now(),
            expires_at,
            revoked_at: None,
        };
        self.store.create_token(token.clone()).await?;
        Ok(Minted { token, secret })
    }
}

/// Refuses callers below `role`.
pub(crate) fn need(who: &Principal, role: Role) -> Result<(), Error> {
    if who.role >= role {
        return Ok(());
    }
    Err(Error::Forbidden {
        needed: match role {
            Role::Member => "member",
            Role::CompanyAdmin => "company_admin",
            Role::Admin => "admin",
        },
    })
}

fn hash(secret: &str) -> Digest {
    Digest(sha2::Sha256::digest(secret.as_bytes()).into())
}
