//! Who a request speaks for: tokens and sessions, checked against the
//! database and remembered for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::origin::Origin;
use domain::permission::{Credential, Principal, Role, Scopes};
use domain::{CompanyId, Digest, Timestamp, TokenId, UserId};
use moka::sync::Cache;
use sha2::Digest as _;
use store::audit::Entry;

use crate::{Engine, Error};

/// How long another process's revocation may stay unseen here.
const REMEMBERED: Duration = Duration::from_secs(2);
/// How exactly it is known when a token or session was used last.
const USE_KNOWN: Duration = Duration::from_secs(60);
/// How much of a token's secret its listing shows: `mecapy_` and six of its
/// 43 characters, which leaves 220 bits to guess.
const SHOWN: usize = 13;

/// Callers that were checked a moment ago, by the hash of their secret.
pub(crate) struct Checked {
    callers: Cache<Digest, Known>,
    /// How often something was revoked. What was read before is not served
    /// after.
    revocations: AtomicU64,
}

#[derive(Clone)]
struct Known {
    principal: Arc<Principal>,
    until: Option<Timestamp>,
    revocations: u64,
}

impl Default for Checked {
    fn default() -> Self {
        let callers = Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build();
        Self { callers, revocations: AtomicU64::new(0) }
    }
}

impl Checked {
    /// Forgets everybody: a token, session or role has changed.
    pub(crate) fn forget(&self) {
        self.revocations.fetch_add(1, Ordering::SeqCst);
        self.callers.invalidate_all();
    }

    /// The count that goes with what is read from now on.
    fn revocations(&self) -> u64 {
        self.revocations.load(Ordering::SeqCst)
    }

    fn get(&self, hash: &Digest, now: Timestamp) -> Option<Principal> {
        let known = self.callers.get(hash)?;
        let valid = known.until.is_none_or(|end| now < end);
        let fresh = known.revocations == self.revocations();
        (valid && fresh).then(|| Principal::clone(&known.principal))
    }

    fn insert(&self, hash: Digest, principal: &Principal, until: Option<Timestamp>, read_at: u64) {
        let principal = Arc::new(principal.clone());
        self.callers.insert(hash, Known { principal, until, revocations: read_at });
    }
}

/// A token that was made just now; the secret is shown this once.
#[derive(Debug)]
pub struct Minted {
    /// Its row.
    pub token: store::accounts::Token,
    /// `mecapy_` and 43 characters of base64url: 256 random bits.
    pub secret: String,
}

/// A token to be.
#[derive(Clone, Debug)]
pub struct TokenWanted {
    /// What its owner calls it.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What it lets through; all that the caller's own credential does where
    /// absent.
    pub scopes: Option<Scopes>,
}

impl Engine {
    /// The caller that a token's `secret` stands for.
    pub async fn authenticate(&self, secret: &str) -> Result<Principal, Error> {
        let hash = hash(secret);
        let now = self.clock.now();
        // A session's secret is no token, known or not.
        if let Some(known) = self.checked.get(&hash, now)
            && matches!(known.credential, Credential::Token(_))
        {
            return Ok(known);
        }
        let read_at = self.checked.revocations();
        let found = self.store.authenticate(hash).await?.ok_or(Error::Unauthenticated)?;
        let token = found.token;
        let principal = Principal {
            user: token.user,
            company: token.company,
            company_name: found.company_name,
            role: found.role,
            scopes: token.scopes,
            credential: Credential::Token(token.id),
            origin: Origin::default(),
        };
        self.checked.insert(hash, &principal, token.expires_at, read_at);
        if token.last_used_at.is_none_or(|last| now.since(last) >= USE_KNOWN) {
            let store = self.store.clone();
            self.in_passing(async move { store.touch_token(token.company, token.id).await });
        }
        Ok(principal)
    }

    /// The caller that the `secret` of a session's cookie stands for.
    pub async fn authenticate_session(&self, secret: &str) -> Result<Principal, Error> {
        let hash = hash(secret);
        let now = self.clock.now();
        if let Some(known) = self.checked.get(&hash, now)
            && matches!(known.credential, Credential::Session(_))
        {
            return Ok(known);
        }
        let read_at = self.checked.revocations();
        let idle = self.sessions.idle;
        let open = self.store.session(hash, idle).await?.ok_or(Error::Unauthenticated)?;
        let principal = Principal {
            user: open.user,
            company: open.company,
            company_name: open.company_name,
            role: open.role,
            scopes: Scopes::ALL,
            credential: Credential::Session(open.id),
            origin: Origin::default(),
        };
        let until = open.expires_at.min(open.seen_at.after(idle));
        self.checked.insert(hash, &principal, Some(until), read_at);
        if now.since(open.seen_at) >= USE_KNOWN.min(idle / 2) {
            let store = self.store.clone();
            self.in_passing(async move { store.touch_session(open.id).await });
        }
        Ok(principal)
    }

    /// Whether `secret` still stands for `who`, without counting as a use of
    /// it.
    pub async fn is_still(&self, who: &Principal, secret: &str) -> Result<bool, Error> {
        let known = |user, company, role, scopes| {
            (user, company, role, scopes) == (who.user, who.company, who.role, who.scopes)
        };
        let hash = hash(secret);
        match who.credential {
            Credential::Nothing => Ok(true),
            Credential::Token(_) => {
                let found = self.store.authenticate(hash).await?;
                Ok(found.is_some_and(|found| {
                    let token = found.token;
                    known(token.user, token.company, found.role, token.scopes)
                }))
            }
            Credential::Session(_) => {
                let found = self.store.session(hash, self.sessions.idle).await?;
                Ok(found.is_some_and(|open| known(open.user, open.company, open.role, Scopes::ALL)))
            }
        }
    }

    /// Writes what nobody waits for.
    fn in_passing(&self, write: impl Future<Output = Result<(), store::Error>> + Send + 'static) {
        self.jobs.spawn(async move {
            if let Err(error) = write.await {
                tracing::debug!(%error, "the last use of a credential was not remembered");
            }
        });
    }

    /// Makes a token for `user` in the caller's company. Members make their
    /// own; a company's admins also those of its members.
    pub async fn create_token(
        &self,
        who: &Principal,
        user: UserId,
        wanted: TokenWanted,
    ) -> Result<Minted, Error> {
        if user != who.user {
            need(who, Role::CompanyAdmin)?;
            // A token acts with its user's role: nobody makes one above their own.
            need(who, self.member(who.company, user).await?.role)?;
        }
        let scopes = wanted.scopes.unwrap_or(who.scopes);
        if !scopes.within(who.scopes) {
            let missing = scopes.iter().find(|scope| !who.scopes.contains(*scope));
            return Err(Error::OutOfScope { needed: missing.map_or("admin", |s| s.as_str()) });
        }
        let entry = Entry::by(who, "token.create", format!("{} ({scopes})", wanted.name));
        let (name, expires_at) = (wanted.name, wanted.expires_at);
        self.mint(who.company, user, name, expires_at, scopes, Some(entry)).await
    }

    /// One member of a company.
    pub(crate) async fn member(
        &self,
        company: CompanyId,
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
        let entry = Entry::by(who, "token.revoke", id.to_string());
        if !self.store.revoke_token(who.company, id, Some(entry)).await? {
            return Err(Error::NotFound("token"));
        }
        self.forget_callers();
        Ok(())
    }

    pub(crate) async fn mint(
        &self,
        company: CompanyId,
        user: UserId,
        name: String,
        expires_at: Option<Timestamp>,
        scopes: Scopes,
        entry: Option<Entry>,
    ) -> Result<Minted, Error> {
        let secret = format!("mecapy_{}", random());
        let token = store::accounts::Token {
            id: TokenId::new(),
            company,
            user,
            name,
            secret_sha256: hash(&secret),
            prefix: Some(secret[..SHOWN].to_owned()),
            scopes,
            created_at: self.clock.now(),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        self.store.create_token(token.clone(), entry).await?;
        Ok(Minted { token, secret })
    }
}

/// Refuses callers below `role`.
pub(crate) fn need(who: &Principal, role: Role) -> Result<(), Error> {
    if who.role >= role {
        return Ok(());
    }
    Err(Error::Forbidden { needed: role.as_str() })
}

/// 256 random bits in base64url.
pub(crate) fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is stored of a secret.
pub(crate) fn hash(secret: &str) -> Digest {
    Digest(sha2::Sha256::digest(secret.as_bytes()).into())
}

/// What a page must send beside the session's cookie: made from the cookie's
/// secret, so that it is nowhere to be stored and ends with it.
#[must_use]
pub fn csrf_token(session_secret: &str) -> String {
    let hash = sha2::Sha256::new().chain_update(b"mecapy csrf\0").chain_update(session_secret);
    URL_SAFE_NO_PAD.encode(hash.finalize())
}
