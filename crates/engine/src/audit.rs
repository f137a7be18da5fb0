//! The audit log as admins read it.

use domain::permission::{Principal, Role};
use store::audit::{Filter, Record};
use store::{Cursor, Page};

use crate::access::need;
use crate::{Engine, Error};

impl Engine {
    /// Rows of the audit log, newest first: a company's own for its admins,
    /// those of any company or of all for the platform's.
    pub async fn audit(
        &self,
        who: &Principal,
        mut filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Record>, Error> {
        need(who, Role::CompanyAdmin)?;
        if !who.is_admin() {
            // Another company's id answers as one that doesn't exist.
            if filter.company.is_some_and(|company| company != who.company) {
                return Err(Error::NotFound("company"));
            }
            filter.company = Some(who.company);
        } else if let Some(company) = filter.company {
            self.company(who, company).await?;
        }
        Ok(self.store.audit(filter, after, limit).await?)
    }
}
