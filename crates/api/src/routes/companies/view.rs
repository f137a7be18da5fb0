//! Companies, members and quotas as callers see them.

use domain::Timestamp;
use domain::permission::Role;
use engine::companies::Quotas;
use engine::store::accounts::{Budget, Company, Member};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::extract::json::Fields;

/// A company.
#[derive(Serialize, ToSchema)]
#[schema(as = Company)]
pub(crate) struct CompanyBody {
    /// Its id.
    pub(crate) company_id: Uuid,
    /// Its name, unique on the platform.
    name: String,
    /// What bounds it.
    quotas: QuotasBody,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What bounds a company.
#[derive(Serialize, ToSchema)]
#[schema(as = Quotas)]
pub(crate) struct QuotasBody {
    /// Its share of the workers relative to the others; 1 by default.
    weight: f64,
    /// Tasks it may run at once; null for no bound of its own.
    max_running: Option<u32>,
    /// Tasks it may have waiting; null for no bound of its own.
    max_queued: Option<u32>,
    /// Tasks it may have accepted in a day, from midnight in UTC; null for no
    /// bound.
    max_tasks_per_day: Option<u64>,
    /// CPU seconds after which a day's further tasks are refused; null for no
    /// bound.
    max_cpu_seconds_per_day: Option<f64>,
    /// Bytes of files, artifacts and large results that it may keep; null for
    /// no bound.
    max_storage_bytes: Option<u64>,
}

impl From<Company> for CompanyBody {
    fn from(company: Company) -> Self {
        Self {
            company_id: company.id.0,
            created_at: company.created_at,
            quotas: QuotasBody::from(&company),
            name: company.name,
        }
    }
}

impl From<&Company> for QuotasBody {
    fn from(company: &Company) -> Self {
        Self {
            weight: company.weight,
            max_running: company.max_running,
            max_queued: company.max_queued,
            max_tasks_per_day: company.budget.tasks_per_day,
            max_cpu_seconds_per_day: company.budget.cpu_s_per_day,
            max_storage_bytes: company.budget.storage_bytes,
        }
    }
}

/// Reads quotas out of a body; what is missing is as at first.
pub(crate) fn read_quotas(fields: &mut Fields<'_>) -> Quotas {
    const COUNT: (&str, &str) = ("a number of tasks, or null", "un nombre de tâches, ou null");
    Quotas {
        weight: fields
            .optional("weight", ("a number above 0", "un nombre supérieur à 0"))
            .unwrap_or(Quotas::default().weight),
        max_running: fields.whole("max_running", COUNT),
        max_queued: fields.whole("max_queued", COUNT),
        budget: Budget {
            tasks_per_day: fields.whole("max_tasks_per_day", COUNT),
            cpu_s_per_day: fields.optional(
                "max_cpu_seconds_per_day",
                ("a number of seconds, or null", "un nombre de secondes, ou null"),
            ),
            storage_bytes: fields.whole(
                "max_storage_bytes",
                ("a number of bytes, or null", "un nombre d'octets, ou null"),
            ),
        },
    }
}

/// A member of a company.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberBody {
    /// The user's id.
    pub(crate) user_id: Uuid,
    /// The user's name, unique on the platform.
    name: String,
    /// `member`, `company_admin` or `admin`.
    #[schema(value_type = String)]
    role: Role,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Member> for MemberBody {
    fn from(member: Member) -> Self {
        Self {
            user_id: member.user.0,
            name: member.name,
            role: member.role,
            created_at: member.created_at,
        }
    }
}
