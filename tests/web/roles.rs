//! Every route and role has a stated outcome; a route without one fails here.

use web::access::Access;

use super::support::Home;
use super::support::web::ROLES;

/// Method, path, what the command of it is called, and the status for a visitor, a viewer, a reviewer and an
/// admin. Paths stand as they are registered; those with a parameter are asked with one that does not exist.
/// `0` is any status that is no refusal of access.
#[rustfmt::skip]
const OUTCOMES: &[(&str, &str, [u16; 4])] = &[
    ("GET",  "/health",                         [200, 200, 200, 200]),
    ("GET",  "/metrics",                        [200, 200, 200, 200]),
    ("GET",  "/assets/{digest}/{name}",         [404, 404, 404, 404]),
    ("POST", "/theme",                          [400, 400, 400, 400]),
    ("GET",  "/sign-in",                        [200, 200, 200, 200]),
    ("POST", "/sign-in",                        [400, 400, 400, 400]),
    ("GET",  "/sign-in/code",                   [303, 200, 200, 200]),
    ("POST", "/sign-in/code",                   [401, 400, 400, 400]),
    ("POST", "/sign-out",                       [401, 0, 0, 0]),
    ("GET",  "/set-up/{link}",                  [200, 200, 200, 200]),
    ("POST", "/set-up/{link}",                  [400, 400, 400, 400]),
    ("GET",  "/",                               [303, 200, 200, 200]),
    ("GET",  "/palette",                        [303, 200, 200, 200]),
    ("GET",  "/jobs/{id}",                      [303, 400, 400, 400]),
    ("GET",  "/jobs/{id}/state",                [303, 400, 400, 400]),
    ("GET",  "/periods",                        [303, 200, 200, 200]),
    ("POST", "/periods",                        [401, 403, 400, 400]),
    ("GET",  "/periods/{period}",               [303, 400, 400, 400]),
    ("POST", "/periods/{period}/close",         [401, 403, 400, 400]),
    ("POST", "/periods/{period}/reopen",        [401, 403, 400, 400]),
    ("POST", "/periods/{period}/finalize",      [401, 403, 403, 400]),
    // One's own account, and those of others.
    ("GET",  "/account",                        [303, 200, 200, 200]),
    ("POST", "/account/name",                   [401, 400, 400, 400]),
    ("GET",  "/account/password",               [303, 200, 200, 200]),
    ("POST", "/account/password",               [401, 400, 400, 400]),
    ("POST", "/account/sessions/{id}/end",      [401, 422, 422, 422]),
    ("POST", "/account/sessions/end-others",    [401, 303, 303, 303]),
    ("POST", "/account/tokens",                 [401, 400, 400, 400]),
    ("POST", "/account/tokens/{id}/revoke",     [401, 400, 400, 400]),
    ("GET",  "/account/second-factor",          [303, 200, 200, 200]),
    ("POST", "/account/second-factor",          [401, 400, 400, 400]),
    ("POST", "/account/second-factor/confirm",  [401, 400, 400, 400]),
    ("POST", "/account/second-factor/codes",    [401, 400, 400, 400]),
    ("POST", "/account/second-factor/remove",   [401, 400, 400, 400]),
    ("GET",  "/users",                          [303, 403, 403, 200]),
    ("POST", "/users",                          [401, 403, 403, 400]),
    ("GET",  "/users/{name}",                   [303, 403, 403, 404]),
    ("POST", "/users/{name}",                   [401, 403, 403, 400]),
    ("POST", "/users/{name}/role",              [401, 403, 403, 400]),
    ("POST", "/users/{name}/password",          [401, 403, 403, 422]),
    ("POST", "/users/{name}/sign-out",          [401, 403, 403, 422]),
    ("POST", "/users/{name}/second-factor/remove", [401, 403, 403, 422]),
    ("POST", "/users/{name}/remove",            [401, 403, 403, 400]),
    // The API. Whoever is not signed in is told so in JSON.
    ("GET",  "/api/openapi.json",               [401, 200, 200, 200]),
    ("GET",  "/api/docs",                       [303, 200, 200, 200]),
    ("GET",  "/api/v1/periods",                   [401, 200, 200, 200]),
    ("POST", "/api/v1/periods",                   [401, 403, 400, 400]),
    ("GET",  "/api/v1/periods/{period}",          [401, 400, 400, 400]),
    ("POST", "/api/v1/periods/{period}/close",    [401, 403, 400, 400]),
    ("POST", "/api/v1/periods/{period}/reopen",   [401, 403, 400, 400]),
    ("POST", "/api/v1/periods/{period}/finalize", [401, 403, 403, 400]),
    ("GET",  "/api/v1/imports",                   [401, 200, 200, 200]),
    ("POST", "/api/v1/imports",                   [401, 403, 400, 400]),
    ("GET",  "/api/v1/imports/{import}",          [401, 400, 400, 400]),
    ("GET",  "/api/v1/imports/{import}/quarantined", [401, 400, 400, 400]),
    ("POST", "/api/v1/imports/{import}/reread",   [401, 403, 400, 400]),
    ("POST", "/api/v1/imports/{import}/withdraw", [401, 403, 400, 400]),
    ("POST", "/api/v1/import-config",             [401, 403, 400, 400]),
    ("GET",  "/api/v1/sources",                   [401, 200, 200, 200]),
    ("POST", "/api/v1/sources",                   [401, 403, 400, 400]),
    ("GET",  "/api/v1/review",                    [401, 200, 200, 200]),
    ("POST", "/api/v1/review/approve",            [401, 403, 400, 400]),
    ("POST", "/api/v1/review/reject",             [401, 403, 400, 400]),
    ("POST", "/api/v1/review/defer",              [401, 403, 400, 400]),
    ("POST", "/api/v1/review/reassign",           [401, 403, 400, 400]),
    ("POST", "/api/v1/review/undo",               [401, 403, 400, 400]),
    ("GET",  "/api/v1/review/rules/try",          [401, 200, 200, 200]),
    ("GET",  "/api/v1/charges",                   [401, 200, 200, 200]),
    ("GET",  "/api/v1/charges/{charge}",          [401, 400, 400, 400]),
    ("GET",  "/api/v1/statements",                [401, 200, 200, 200]),
    ("GET",  "/api/v1/statements/{number}",       [401, 400, 400, 400]),
    ("GET",  "/api/v1/statements/{number}/pdf",   [401, 400, 400, 400]),
    ("GET",  "/api/v1/statements/{number}/csv",   [401, 400, 400, 400]),
    ("GET",  "/api/v1/statements/{number}/diff",  [401, 422, 422, 422]),
    ("POST", "/api/v1/periods/{period}/generate", [401, 403, 400, 400]),
    ("POST", "/api/v1/periods/{period}/send",     [401, 403, 400, 400]),
    ("POST", "/api/v1/statements/{number}/send",  [401, 403, 400, 400]),
    ("GET",  "/api/v1/journals",                  [401, 200, 200, 200]),
    ("GET",  "/api/v1/journals/{journal}",        [401, 422, 422, 422]),
    ("GET",  "/api/v1/journals/{journal}/file",   [401, 422, 422, 422]),
    ("POST", "/api/v1/periods/{period}/journal",  [401, 403, 400, 400]),
    ("POST", "/api/v1/journals/{journal}/accept", [401, 403, 400, 400]),
    ("POST", "/api/v1/journals/{journal}/reject", [401, 403, 400, 400]),
    ("POST", "/api/v1/journals/{journal}/waive",  [401, 403, 400, 400]),
    ("GET",  "/api/v1/report",                    [401, 200, 200, 200]),
    ("GET",  "/api/v1/payers",                    [401, 200, 200, 200]),
    ("GET",  "/api/v1/pis/{pi}",                  [401, 400, 400, 400]),
    ("GET",  "/api/v1/why",                       [401, 400, 400, 400]),
    ("POST", "/api/v1/verify",                    [401, 403, 400, 400]),
    ("GET",  "/api/v1/attribution",               [401, 200, 200, 200]),
    ("POST", "/api/v1/attribution",               [401, 403, 400, 400]),
    ("POST", "/api/v1/attribution/{rule}/end",    [401, 403, 400, 400]),
    ("POST", "/api/v1/attribution/import",        [401, 403, 422, 422]),
    ("GET",  "/api/v1/attribution/export",        [401, 200, 200, 200]),
    ("POST", "/api/v1/attribution/test",          [401, 400, 400, 400]),
    ("POST", "/api/v1/attribution/apply",         [401, 403, 400, 400]),
    ("GET",  "/api/v1/attribution/unreached",     [401, 200, 200, 200]),
    ("GET",  "/api/v1/rates",                     [401, 200, 200, 200]),
    ("POST", "/api/v1/rates",                     [401, 403, 400, 400]),
    ("POST", "/api/v1/rates/{rate}/end",          [401, 403, 400, 400]),
    ("POST", "/api/v1/rates/import",              [401, 403, 422, 422]),
    ("POST", "/api/v1/rates/check",               [401, 422, 422, 422]),
    ("GET",  "/api/v1/rates/export",              [401, 200, 200, 200]),
    ("GET",  "/api/v1/rates/diff",                [401, 200, 200, 200]),
    ("POST", "/api/v1/rates/diff",                [401, 422, 422, 422]),
    ("POST", "/api/v1/rates/try",                 [401, 400, 400, 400]),
    ("POST", "/api/v1/rates/apply",               [401, 403, 400, 400]),
    ("GET",  "/api/v1/subsidies",                 [401, 200, 200, 200]),
    ("POST", "/api/v1/subsidies",                 [401, 403, 400, 400]),
    ("POST", "/api/v1/subsidies/{rule}/end",      [401, 403, 400, 400]),
    ("GET",  "/api/v1/subsidies/balances",        [401, 400, 400, 400]),
    ("GET",  "/api/v1/credits",                   [401, 200, 200, 200]),
    ("POST", "/api/v1/credits",                   [401, 403, 400, 400]),
    ("POST", "/api/v1/credits/{credit}/move",     [401, 403, 400, 400]),
    ("POST", "/api/v1/credits/{credit}/end",      [401, 403, 400, 400]),
    ("GET",  "/api/v1/credits/balances",          [401, 200, 200, 200]),
    ("GET",  "/api/v1/splits",                    [401, 200, 200, 200]),
    ("POST", "/api/v1/splits",                    [401, 403, 400, 400]),
    ("POST", "/api/v1/splits/{rule}/end",         [401, 403, 400, 400]),
    ("GET",  "/api/v1/people",                    [401, 200, 200, 200]),
    ("GET",  "/api/v1/people/{person}",           [401, 422, 422, 422]),
    ("POST", "/api/v1/people",                    [401, 403, 400, 400]),
    ("POST", "/api/v1/people/{person}/address",   [401, 403, 400, 400]),
    ("POST", "/api/v1/people/{person}/merge",     [401, 403, 400, 400]),
    ("GET",  "/api/v1/audit",                     [401, 200, 200, 200]),
    ("GET",  "/api/v1/audit/export",              [401, 200, 200, 200]),
    ("GET",  "/api/v1/audit/anchor",              [401, 200, 200, 200]),
    ("GET",  "/api/v1/audit/verify",              [401, 200, 200, 200]),
    ("GET",  "/api/v1/configuration",             [401, 403, 403, 200]),
    ("GET",  "/api/v1/me",                        [401, 200, 200, 200]),
    ("GET",  "/api/v1/tokens",                    [401, 200, 200, 200]),
    ("POST", "/api/v1/tokens",                    [401, 400, 400, 400]),
    ("DELETE", "/api/v1/tokens/{token}",            [401, 400, 400, 400]),
    ("GET",  "/api/v1/users",                     [401, 403, 403, 200]),
    ("POST", "/api/v1/users",                     [401, 403, 403, 400]),
    ("POST", "/api/v1/users/{name}",              [401, 403, 403, 400]),
    ("DELETE", "/api/v1/users/{name}",              [401, 403, 403, 422]),
    ("POST", "/api/v1/users/{name}/role",         [401, 403, 403, 400]),
    ("POST", "/api/v1/users/{name}/password",     [401, 403, 403, 400]),
    ("GET",  "/api/v1/users/{name}/sessions",     [401, 403, 403, 422]),
    ("DELETE", "/api/v1/users/{name}/sessions",     [401, 403, 403, 422]),
    ("DELETE", "/api/v1/users/{name}/second-factor", [401, 403, 403, 422]),
    ("GET",  "/api/v1/jobs",                      [401, 200, 200, 200]),
    ("GET",  "/api/v1/jobs/{job}",                [401, 400, 400, 400]),
];

#[test]
fn every_route_has_a_stated_outcome_for_every_role() {
    let (listed, _) = web::routes().build();
    let stated: Vec<(&str, &str)> = OUTCOMES.iter().map(|(method, path, _)| (*method, *path)).collect();
    let routes: Vec<(&str, &str)> = listed.iter().map(|route| (route.method, route.path)).collect();
    let unstated: Vec<_> = routes.iter().filter(|route| !stated.contains(route)).collect();
    let gone: Vec<_> = stated.iter().filter(|route| !routes.contains(route)).collect();
    assert!(unstated.is_empty() && gone.is_empty(), "without an outcome: {unstated:#?}\nno route: {gone:#?}");

    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut wrong = Vec::new();
    for (at, role) in std::iter::once("visitor").chain(ROLES).enumerate() {
        for (method, path, outcomes) in OUTCOMES {
            let mut visitor = if at == 0 { server.visitor() } else { server.sign_in(role) };
            let address: String = path
                .split('/')
                .map(|part| if part.starts_with('{') { "none-such" } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let reply = match *method {
                "GET" => visitor.get(&address),
                "POST" => visitor.post(&address, &[("a-field", "that nobody knows")]),
                method => visitor.ask(method, &address, &[("x-csrf-token", &visitor.csrf.clone())], b""),
            };
            let expected = outcomes[at];
            let is_as_stated = match expected {
                0 => ![401, 403].contains(&reply.status) && reply.status < 500,
                stated => reply.status == stated,
            };
            if !is_as_stated {
                wrong.push(format!("{method} {path} for a {role}: {} instead of {expected}", reply.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a role may do is said once, with the route.
#[test]
fn the_stated_outcomes_are_those_of_the_routes_access() {
    let (listed, _) = web::routes().build();
    for route in listed {
        let Some((_, _, outcomes)) =
            OUTCOMES.iter().find(|(method, path, _)| (*method, *path) == (route.method, route.path))
        else {
            continue;
        };
        let refused: Vec<bool> = outcomes[1..].iter().map(|status| *status == 403).collect();
        let expected = match route.access {
            Access::Public | Access::HalfSignedIn | Access::Viewer => [false, false, false],
            Access::Reviewer => [true, false, false],
            Access::Admin => [true, true, false],
        };
        assert_eq!(refused, expected, "{} {}", route.method, route.path);
        let is_open = ![303, 401].contains(&outcomes[0]);
        assert_eq!(is_open, route.access == Access::Public, "{} {}", route.method, route.path);
    }
}
