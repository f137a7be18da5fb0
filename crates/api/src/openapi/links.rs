//! Links: what can be asked next with what an answer holds.

use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

/// From an operation's answers to operations that take what it holds: each
/// parameter with the place of its value.
type From = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const TASK: &[(&str, &str)] = &[("id", "$response.body#/task_id")];
const OF_TASKS: &[&str] =
    &["getTask", "getResult", "getLogs", "watchTask", "listArtifacts", "cancelTask", "deleteTask"];
const FUNCTION: &[(&str, &str)] = &[("id", "$response.body#/function_id")];
const OF_FUNCTIONS: &[&str] =
    &["getFunction", "listVersions", "getArchive", "executeFunction", "deleteFunction"];

const LINKS: &[From] = &[
    ("executeFunction", OF_TASKS, TASK),
    ("runCode", OF_TASKS, TASK),
    (
        "deployFunction",
        &["getDeployment", "watchDeployment"],
        &[("id", "$response.body#/deployment_id")],
    ),
    ("deployFunction", OF_FUNCTIONS, FUNCTION),
    ("getDeployment", OF_FUNCTIONS, FUNCTION),
    ("getFunction", OF_FUNCTIONS, FUNCTION),
    (
        "listArtifacts",
        &["getArtifact"],
        &[("id", "$request.path.id"), ("artifact", "$response.body#/items/0/artifact_id")],
    ),
    ("uploadFile", &["getFile"], &[("ref", "$response.body#/ref")]),
    (
        "createCompany",
        &[
            "getCompany",
            "getQuotas",
            "setQuotas",
            "listMembers",
            "putMember",
            "listInvitations",
            "invite",
        ],
        &[("id", "$response.body#/company/company_id")],
    ),
    (
        "putMember",
        &["removeMember"],
        &[("id", "$request.path.id"), ("user", "$response.body#/member/user_id")],
    ),
    (
        "invite",
        &["revokeInvitation"],
        &[("id", "$request.path.id"), ("invitation", "$response.body#/invitation/invitation_id")],
    ),
    ("createToken", &["revokeToken"], &[("id", "$response.body#/token/token_id")]),
];

/// Adds the links to the answers that hold something.
pub(super) fn add(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        let own = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in own.into_iter().flatten() {
            of_operation(operation);
        }
    }
}

fn of_operation(operation: &mut Operation) {
    let id = operation.operation_id.clone().unwrap_or_default();
    for (_, targets, parameters) in LINKS.iter().filter(|(from, ..)| *from == id) {
        for (status, answer) in &mut operation.responses.responses {
            let RefOr::T(answer) = answer else { continue };
            if !status.starts_with('2') || answer.content.is_empty() {
                continue;
            }
            // A deployment that was only accepted is no function yet.
            if status == "202" && *parameters == FUNCTION {
                continue;
            }
            for target in *targets {
                answer.links.insert((*target).to_owned(), RefOr::T(link(target, parameters)));
            }
        }
    }
}

fn link(target: &str, parameters: &[(&str, &str)]) -> Link {
    let link = LinkBuilder::new().operation_id(target);
    let link = parameters.iter().fold(link, |link, (name, place)| link.parameter(*name, *place));
    link.build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::openapi::operations;

    #[test]
    fn links_lead_from_operations_to_operations_by_parameters_that_they_take() {
        let document = crate::router::document();
        let known: BTreeMap<_, _> = operations(&document)
            .map(|(path, own)| (own.operation_id.clone().unwrap(), path))
            .collect();
        for (from, targets, parameters) in LINKS {
            assert!(known.contains_key(*from), "{from}");
            for target in *targets {
                let path = known[*target];
                for (name, _) in *parameters {
                    assert!(path.contains(&format!("{{{name}}}")), "{target} takes no {name}");
                }
                assert_eq!(path.matches('{').count(), parameters.len(), "{from} to {target}");
            }
        }
    }
}
