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
    ("POST", "/sign-out",                       [401,   0,   0,   0]),
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
    // Review, charges, projects.
    ("GET",  "/review",                         [303, 200, 200, 200]),
    ("GET",  "/review/history",                 [303, 200, 200, 200]),
    ("POST", "/review/preview",                 [401, 403, 422, 422]),
    ("POST", "/review/approve",                 [401, 403, 400, 400]),
    ("POST", "/review/reject",                  [401, 403, 400, 400]),
    ("POST", "/review/defer",                   [401, 403, 400, 400]),
    ("POST", "/review/reassign",                [401, 403, 400, 400]),
    ("POST", "/review/undo",                    [401, 403, 422, 422]),
    ("GET",  "/charges",                        [303, 200, 200, 200]),
    ("GET",  "/charges/export.csv",             [303, 200, 200, 200]),
    ("GET",  "/charges/export.parquet",         [303, 200, 200, 200]),
    ("GET",  "/charges/{id}",                   [303, 400, 400, 400]),
    ("GET",  "/charges/{id}/evidence",          [303, 400, 400, 400]),
    ("GET",  "/projects",                       [303, 200, 200, 200]),
    ("GET",  "/projects/{id}",                  [303, 404, 404, 404]),
    ("GET",  "/pis/{email}",                    [303, 404, 404, 404]),
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
