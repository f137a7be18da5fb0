//! Companies, their members and quotas.

use domain::origin::Origin;
use domain::permission::{Credential, Principal, Role, Scopes};
use domain::{CompanyId, Fault, Text, UserId};
use store::accounts::{Budget, Company, Drafting, Member};
use store::audit::Entry;
use store::{Cursor, Page};

use crate::access::{Minted, need};
use crate::{Engine, Error};

/// What bounds a company.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotas {
    /// Its share of the workers relative to the others.
    pub weight: f64,
    /// Tasks it may run at once.
    pub max_running: Option<u32>,
    /// Tasks it may have waiting.
    pub max_queued: Option<u32>,
    /// What it may use of the platform.
    pub budget: Budget,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { weight: 1.0, max_running: None, max_queued: None, budget: Budget::default() }
    }
}

/// The largest whole number that every reader of JSON takes exactly.
const EXACT: u64 = (1 << 53) - 1;

/// The name of the company that an embedded server starts with.
pub const FIRST_COMPANY: &str = "main";
/// The name of the administrator that a server starts with.
pub const FIRST_ADMIN: &str = "admin";

impl Engine {
    /// Creates a company with its first admin, and a token for that admin.
    pub async fn create_company(
        &self,
        who: &Principal,
        name: &str,
        admin: &str,
        quotas: Quotas,
    ) -> Result<(Company, Minted), Error> {
        need(who, Role::Admin)?;
        check_name("name", name)?;
        check_name("admin", admin)?;
        check(quotas)?;
        let company = self.company_to_be(name, quotas);
        // A platform's log, and the new company's own.
        let entry = Entry::by(who, "company.create", name);
        let of_admin = Entry::by(who, "member.put", format!("{admin} as company_admin"));
        let of_admin = of_admin.in_company(company.id);
        let user = self.store.create_company_of(company.clone(), admin, entry, of_admin);
        let user = user.await.map_err(taken)?;
        let minted = self.mint_first(company.id, user, "first", who.scopes).await?;
        Ok((company, minted))
    }

    /// All companies, for platform admins.
    pub async fn companies(
        &self,
        who: &Principal,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Company>, Error> {
        need(who, Role::Admin)?;
        Ok(self.store.companies(after, limit).await?)
    }

    /// One company: the caller's own, or any for platform admins.
    pub async fn company(&self, who: &Principal, id: CompanyId) -> Result<Company, Error> {
        self.may_see(who, id)?;
        self.store.company(id).await?.ok_or(Error::NotFound("company"))
    }

    /// Sets what bounds a company.
    pub async fn set_quotas(
        &self,
        who: &Principal,
        id: CompanyId,
        quotas: Quotas,
    ) -> Result<Company, Error> {
        need(who, Role::Admin)?;
        check(quotas)?;
        let Quotas { weight, max_running, max_queued, budget } = quotas;
        let entry = Entry::by(who, "company.quotas", format!("{quotas:?}")).in_company(id);
        let store = &self.store;
        let set =
            store.set_company_quotas(id, weight, max_running, max_queued, budget, Some(entry));
        if !set.await? {
            return Err(Error::NotFound("company"));
        }
        self.companies_seen.invalidate(&id);
        // What had no bound was not counted.
        self.recount(id);
        self.company(who, id).await
    }

    /// The members of a company.
    pub async fn members(&self, who: &Principal, id: CompanyId) -> Result<Vec<Member>, Error> {
        self.may_see(who, id)?;
        if self.store.company(id).await?.is_none() {
            return Err(Error::NotFound("company"));
        }
        Ok(self.store.members(id).await?)
    }

    /// Adds a member or changes its role, and makes a token where the member
    /// is new, so that it can sign in.
    pub async fn put_member(
        &self,
        who: &Principal,
        id: CompanyId,
        name: &str,
        role: Role,
    ) -> Result<(Member, Option<Minted>), Error> {
        self.may_see(who, id)?;
        need(who, Role::CompanyAdmin.max(role))?;
        check_name("name", name)?;
        let before = self.members(who, id).await?;
        let known = before.iter().find(|member| member.name == name);
        if let Some(known) = known {
            need(who, known.role)?;
        }
        let resource = format!("{name} as {}", role.as_str());
        let entry = Entry::by(who, "member.put", resource).in_company(id);
        // Adding makes a token, which would be in the name of whoever belongs to
        // other companies: who is somebody already is invited, and agrees.
        let user = self.store.put_member(id, name, role, Drafting::Refused, Some(entry));
        let user = user.await.map_err(taken)?;
        self.forget_callers();
        let minted = match known {
            Some(_) => None,
            None => Some(self.mint_first(id, user, "first", who.scopes).await?),
        };
        Ok((self.member(id, user).await?, minted))
    }

    /// Takes a member out of a company, with its tokens there.
    pub async fn remove_member(
        &self,
        who: &Principal,
        id: CompanyId,
        user: UserId,
    ) -> Result<(), Error> {
        self.may_see(who, id)?;
        need(who, Role::CompanyAdmin)?;
        let member = self.member(id, user).await?;
        need(who, member.role)?;
        let entry = Entry::by(who, "member.remove", member.name).in_company(id);
        if !self.store.remove_member(id, user, Some(entry)).await? {
            return Err(Error::NotFound("member"));
        }
        self.forget_callers();
        Ok(())
    }

    /// Makes sure that a new platform has its first company and
    /// administrator; answers the administrator's token where it made one.
    pub async fn found(&self) -> Result<Option<Minted>, Error> {
        let company = match self.store.company_named(FIRST_COMPANY).await? {
            Some(company) => company,
            None => {
                let company = self.company_to_be(FIRST_COMPANY, Quotas::default());
                self.store.create_company(company.clone(), None).await.map_err(taken)?;
                company
            }
        };
        if self.store.members(company.id).await?.iter().any(|m| m.name == FIRST_ADMIN) {
            return Ok(None);
        }
        let user = self.put_first_admin(company.id).await?;
        self.mint_first(company.id, user, "admin.token", Scopes::ALL).await.map(Some)
    }

    /// A fresh administrator's token, for an operator who lost the first.
    pub async fn new_admin_token(&self) -> Result<Minted, Error> {
        let company = self.first_company().await?;
        let user = self.put_first_admin(company.id).await?;
        self.mint_first(company.id, user, "admin.token", Scopes::ALL).await
    }

    /// The administrator that an embedded server starts with, for servers
    /// that ask for no token.
    pub async fn administrator(&self) -> Result<Principal, Error> {
        let company = self.first_company().await?;
        let members = self.store.members(company.id).await?;
        let admin = members.into_iter().find(|member| member.name == FIRST_ADMIN);
        let admin = admin.ok_or(Error::NotFound("member"))?;
        Ok(Principal {
            user: admin.user,
            company: company.id,
            company_name: company.name,
            role: admin.role,
            scopes: Scopes::ALL,
            credential: Credential::Nothing,
            origin: Origin::default(),
        })
    }

    async fn put_first_admin(&self, company: CompanyId) -> Result<UserId, Error> {
        let drafting = Drafting::Allowed;
        Ok(self.store.put_member(company, FIRST_ADMIN, Role::Admin, drafting, None).await?)
    }

    /// A token with which somebody new can sign in, no wider than what the
    /// maker's own credential lets through.
    async fn mint_first(
        &self,
        company: CompanyId,
        user: UserId,
        name: &str,
        scopes: Scopes,
    ) -> Result<Minted, Error> {
        self.mint(company, user, name.to_owned(), None, scopes, None).await
    }

    async fn first_company(&self) -> Result<Company, Error> {
        self.store.company_named(FIRST_COMPANY).await?.ok_or(Error::NotFound("company"))
    }

    fn company_to_be(&self, name: &str, quotas: Quotas) -> Company {
        Company {
            id: CompanyId::new(),
            name: name.to_owned(),
            weight: quotas.weight,
            max_running: quotas.max_running,
            max_queued: quotas.max_queued,
            budget: quotas.budget,
            created_at: self.clock.now(),
        }
    }

    /// Another company's id answers as one that doesn't exist.
    fn may_see(&self, who: &Principal, id: CompanyId) -> Result<(), Error> {
        if who.company == id || who.is_admin() {
            return Ok(());
        }
        Err(Error::NotFound("company"))
    }
}

fn taken(error: store::Error) -> Error {
    match error {
        store::Error::NameTaken { what, name } => Error::NameTaken { what, name },
        error => error.into(),
    }
}

pub(crate) fn check_name(key: &str, name: &str) -> Result<(), Error> {
    if domain::function::is_name(name) {
        return Ok(());
    }
    Err(Error::Invalid(vec![
        Fault::error(
            "name_invalid",
            Text::new(
                format!("expected 1 to 63 characters of a-z, 0-9 and -, found {name:?}"),
                format!("attendu : 1 à 63 caractères parmi a-z, 0-9 et - ; reçu : {name:?}"),
            ),
        )
        .at_key(format!("/{key}")),
    ]))
}

fn check(quotas: Quotas) -> Result<(), Error> {
    let mut faults = Vec::new();
    for (key, number) in [
        ("/max_tasks_per_day", quotas.budget.tasks_per_day),
        ("/max_storage_bytes", quotas.budget.storage_bytes),
    ] {
        if number.is_some_and(|number| number > EXACT) {
            let message = Text::new(
                format!("expected a number up to {EXACT}"),
                format!("attendu : un nombre jusqu'à {EXACT}"),
            );
            faults.push(Fault::error("quota_invalid", message).at_key(key));
        }
    }
    if quotas.budget.cpu_s_per_day.is_some_and(|seconds| !seconds.is_finite() || seconds < 0.0) {
        faults.push(
            Fault::error(
                "quota_invalid",
                Text::new(
                    "expected a number of seconds from 0",
                    "attendu : un nombre de secondes à partir de 0",
                ),
            )
            .at_key("/max_cpu_seconds_per_day"),
        );
    }
    if !quotas.weight.is_finite() || quotas.weight <= 0.0 {
        faults.push(
            Fault::error(
                "weight_invalid",
                Text::new(
                    format!("expected a weight above 0, found {}", quotas.weight),
                    format!("attendu : un poids supérieur à 0 ; reçu : {}", quotas.weight),
                ),
            )
            .at_key("/weight"),
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}
