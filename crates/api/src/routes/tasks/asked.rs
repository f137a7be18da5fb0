//! The fields that every request for a calculation has.

use domain::Text;
use domain::task::Priority;

use crate::extract::json::Fields;

impl Fields<'_> {
    /// The place among the company's tasks.
    pub(crate) fn priority(&mut self) -> Priority {
        let expected = (
            "an integer from 0 to 9 (9 is the most urgent)",
            "un entier de 0 à 9 (9 est le plus urgent)",
        );
        self.optional("priority", expected).unwrap_or_default()
    }

    /// The time limit in seconds.
    pub(crate) fn timeout(&mut self) -> Option<f64> {
        self.optional("timeout", ("a number of seconds", "un nombre de secondes"))
    }

    /// Says clearly that nobody is called, instead of ignoring who is named.
    pub(crate) fn refuse_webhook(&mut self) {
        if self.has("webhook") {
            self.refuse(
                "webhook",
                "not_offered",
                Text::new(
                    "webhooks come with a later release; wait with ?wait= or follow /tasks/{id}/events",
                    "les webhooks viendront plus tard ; attendez avec ?wait= ou suivez /tasks/{id}/events",
                ),
            );
        }
    }
}
