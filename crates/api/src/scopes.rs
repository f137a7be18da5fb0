//! What each route needs of a token: the one table of it. The OpenAPI
//! document shows it, and [`Caller`](crate::extract::Caller) enforces it.

use std::collections::HashMap;
use std::sync::OnceLock;

use axum::http::Method;
use domain::permission::Scope;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// A token or session, whatever its scopes.
    Anybody,
    /// A session, or a token with this scope.
    Scope(Scope),
}

use self::Needs::{Anybody, Nothing, Scope as Only};
use domain::permission::Scope::{Admin, Deploy, Read, Run};

/// Every documented route.
#[rustfmt::skip]
const ROUTES: &[(&str, &[(&str, Needs)])] = &[
    ("/functions", &[("GET", Only(Read)), ("POST", Only(Deploy))]),
    ("/functions/{id}", &[("GET", Only(Read)), ("DELETE", Only(Deploy))]),
    ("/functions/{id}/versions", &[("GET", Only(Read))]),
    ("/functions/{id}/archive", &[("GET", Only(Read))]),
    ("/functions/{id}/execute", &[("POST", Only(Run))]),
    ("/deployments/{id}", &[("GET", Only(Read))]),
    ("/deployments/{id}/events", &[("GET", Only(Read))]),
    ("/tasks", &[("GET", Only(Read)), ("POST", Only(Run))]),
    ("/tasks/{id}", &[("GET", Only(Read)), ("DELETE", Only(Run))]),
    ("/tasks/{id}/result", &[("GET", Only(Read))]),
    ("/tasks/{id}/logs", &[("GET", Only(Read))]),
    ("/tasks/{id}/events", &[("GET", Only(Read))]),
    ("/tasks/{id}/artifacts", &[("GET", Only(Read))]),
    ("/tasks/{id}/artifacts/{artifact}", &[("GET", Only(Read))]),
    ("/tasks/{id}/cancel", &[("POST", Only(Run))]),
    ("/files", &[("POST", Only(Run))]),
    ("/files/{ref}", &[("GET", Only(Read))]),
    ("/companies", &[("GET", Only(Read)), ("POST", Only(Admin))]),
    ("/companies/{id}", &[("GET", Only(Read))]),
    ("/companies/{id}/quotas", &[("GET", Only(Read)), ("PUT", Only(Admin))]),
    ("/companies/{id}/members", &[("GET", Only(Read)), ("POST", Only(Admin))]),
    ("/companies/{id}/members/{user}", &[("DELETE", Only(Admin))]),
    ("/companies/{id}/invitations", &[("GET", Only(Admin)), ("POST", Only(Admin))]),
    ("/companies/{id}/invitations/{invitation}", &[("DELETE", Only(Admin))]),
    ("/tokens", &[("GET", Only(Read)), ("POST", Only(Admin))]),
    ("/tokens/{id}", &[("DELETE", Only(Admin))]),
    ("/audit", &[("GET", Only(Admin))]),
    ("/auth/login", &[("GET", Nothing), ("POST", Nothing)]),
    ("/auth/accept", &[("POST", Nothing)]),
    ("/auth/logout", &[("POST", Anybody)]),
    ("/auth/me", &[("GET", Anybody)]),
    ("/auth/password", &[("POST", Only(Admin))]),
    ("/auth/company", &[("POST", Only(Admin))]),
    ("/queue", &[("GET", Only(Read))]),
    ("/queue/events", &[("GET", Only(Read))]),
    ("/workers", &[("GET", Only(Read))]),
    ("/health", &[("GET", Nothing)]),
    ("/health/live", &[("GET", Nothing)]),
    ("/health/ready", &[("GET", Nothing)]),
    ("/metrics", &[("GET", Nothing)]),
];

/// What a route needs. One that stands in no table needs the most.
pub(crate) fn needed(method: &Method, route: &str) -> Needs {
    static TABLE: OnceLock<HashMap<&str, &[(&str, Needs)]>> = OnceLock::new();
    let table = TABLE.get_or_init(|| ROUTES.iter().copied().collect());
    // Whoever may see a thing may ask whether it is there.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let methods = table.get(route).copied().unwrap_or_default();
    methods.iter().find(|(own, _)| *own == method).map_or(Only(Admin), |(_, needs)| *needs)
}

/// A route without the prefix under which it answers, too.
pub(crate) fn route(path: &str) -> &str {
    path.strip_prefix("/api").filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_route_stands_in_the_table_and_no_other() {
        let document = serde_json::to_value(crate::router::document()).unwrap();
        let mut documented = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            documented.extend(methods.map(|method| (path.clone(), method.to_uppercase())));
        }
        let mut listed: Vec<_> = ROUTES
            .iter()
            .flat_map(|(path, methods)| {
                methods.iter().map(|(method, _)| ((*path).to_owned(), (*method).to_owned()))
            })
            .collect();
        documented.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, documented);
    }

    #[test]
    fn what_stands_nowhere_needs_the_most() {
        assert_eq!(needed(&Method::GET, "/elsewhere"), Only(Admin));
        assert_eq!(needed(&Method::PUT, "/tasks"), Only(Admin));
        assert_eq!(needed(&Method::HEAD, "/tasks"), Only(Read));
        assert_eq!(route("/api/tasks"), "/tasks");
        assert_eq!(route("/apis"), "/apis");
    }
}
