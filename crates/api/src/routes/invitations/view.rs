//! Invitations as a company's admins see them.

use domain::Timestamp;
use domain::permission::Role;
use engine::store::invitations::Invitation;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An invitation, without its link.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationBody {
    /// Its id.
    invitation_id: Uuid,
    /// The user's name.
    name: String,
    /// Where mail reaches the user.
    email: Option<String>,
    /// The role of one who is no member yet.
    #[schema(value_type = String)]
    role: Role,
    /// Who invites.
    created_by: Uuid,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it was accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    accepted_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl From<Invitation> for InvitationBody {
    fn from(invitation: Invitation) -> Self {
        Self {
            invitation_id: invitation.id.0,
            name: invitation.name,
            email: invitation.email,
            role: invitation.role,
            created_by: invitation.created_by.0,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
            accepted_at: invitation.accepted_at,
            revoked_at: invitation.revoked_at,
        }
    }
}

/// An invitation that was made just now.
#[derive(Serialize, ToSchema)]
#[schema(as = NewInvitation)]
pub(crate) struct NewInvitation {
    /// The invitation.
    pub(crate) invitation: InvitationBody,
    /// Path of the page that accepts it, to be sent to the invited; shown this
    /// once, null in an answer that is given again.
    pub(crate) path: Option<String>,
}
