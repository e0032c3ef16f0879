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
    // Imports, sources, settings, the guide
    ("GET",  "/imports",                        [303, 200, 200, 200]),
    ("GET",  "/imports/new",                    [303, 403, 200, 200]),
    ("POST", "/imports/uploads",                [401, 403, 400, 400]),
    ("GET",  "/imports/uploads/{upload}",       [303, 403, 404, 404]),
    ("POST", "/imports/uploads/{upload}/preview", [401, 403, 404, 404]),
    ("POST", "/imports/uploads/{upload}/keep",  [401, 403, 404, 404]),
    ("POST", "/imports/uploads/{upload}/discard", [401, 403, 404, 404]),
    ("POST", "/imports/uploads/{upload}/{delivery}/preview", [401, 403, 400, 400]),
    ("POST", "/imports/uploads/{upload}/{delivery}/keep", [401, 403, 400, 400]),
    ("GET",  "/imports/uploads/{upload}/{delivery}/problems.csv", [303, 403, 400, 400]),
    ("GET",  "/imports/{import}",               [303, 400, 400, 400]),
    ("GET",  "/imports/{import}/difference",    [303, 400, 400, 400]),
    ("GET",  "/imports/{import}/quarantined.csv", [303, 403, 400, 400]),
    ("GET",  "/imports/{import}/files/{file}",  [303, 403, 400, 400]),
    ("POST", "/imports/{import}/reread",        [401, 403, 400, 400]),
    ("POST", "/imports/{import}/withdraw",      [401, 403, 400, 400]),
    ("GET",  "/sources",                        [303, 200, 200, 200]),
    ("POST", "/sources",                        [401, 403, 400, 400]),
    ("GET",  "/settings",                       [303, 200, 200, 200]),
    ("POST", "/settings/patterns",              [401, 200, 200, 200]),
    ("POST", "/settings/unusual",               [401, 422, 422, 422]),
    ("GET",  "/settings/system",                [303, 200, 200, 200]),
    ("GET",  "/help",                           [303, 200, 200, 200]),
    ("GET",  "/help/{page}",                    [303, 404, 404, 404]),
    // Statements, e-mails, journals, reports, audit.
    ("GET",  "/periods/{period}/finalize",      [303, 403, 403, 400]),
    ("GET",  "/statements",                     [303, 200, 200, 200]),
    ("GET",  "/statements/list.csv",            [303, 200, 200, 200]),
    ("GET",  "/statements/all.zip",             [303, 422, 422, 422]),
    ("GET",  "/statements/{number}",            [303, 404, 404, 404]),
    ("GET",  "/statements/{number}/pdf",        [303, 404, 404, 404]),
    ("GET",  "/statements/{number}/lines.csv",  [303, 404, 404, 404]),
    ("GET",  "/statements/{number}/resources.csv", [303, 404, 404, 404]),
    ("POST", "/statements/{number}/send-again", [401, 403, 400, 400]),
    ("GET",  "/statements/generate",            [303, 200, 200, 200]),
    ("POST", "/statements/generate",            [401, 403, 400, 400]),
    ("POST", "/statements/preview",             [401, 403, 400, 400]),
    ("POST", "/statements/drafts",              [401, 403, 400, 400]),
    ("GET",  "/statements/previews/{job}",      [303, 400, 400, 400]),
    ("GET",  "/statements/previews/{job}/{at}/pdf", [303, 400, 400, 400]),
    ("GET",  "/emails",                         [303, 200, 200, 200]),
    ("GET",  "/emails/outgoing",                [303, 200, 200, 200]),
    ("POST", "/emails/send",                    [401, 403, 400, 400]),
    ("GET",  "/emails/{id}",                    [303, 404, 404, 404]),
    ("GET",  "/emails/{id}/html",               [303, 404, 404, 404]),
    ("GET",  "/journals",                       [303, 200, 200, 200]),
    ("POST", "/journals",                       [401, 403, 400, 400]),
    ("GET",  "/journals/preview",               [303, 200, 200, 200]),
    ("GET",  "/journals/{document}",            [303, 404, 404, 404]),
    ("POST", "/journals/{document}/copy",       [401, 403, 400, 400]),
    ("GET",  "/journals/{document}/files/{sha256}", [303, 404, 404, 404]),
    ("POST", "/journals/{document}/accept",     [401, 403, 422, 422]),
    ("POST", "/journals/{document}/reject",     [401, 403, 422, 422]),
    ("POST", "/journals/{document}/waive",      [401, 403, 422, 422]),
    ("GET",  "/reports",                        [303, 200, 200, 200]),
    ("GET",  "/reports/payers.csv",             [303, 200, 200, 200]),
    ("GET",  "/reports/charges",                [303, 200, 200, 200]),
    ("GET",  "/reports/charges.csv",            [303, 200, 200, 200]),
    ("GET",  "/audit",                          [303, 200, 200, 200]),
    ("GET",  "/audit/export",                   [303, 200, 200, 200]),
    ("GET",  "/audit/anchor",                   [303, 200, 200, 200]),
    ("POST", "/audit/verify",                   [401, 303, 303, 303]),
    ("GET",  "/audit/verified/{job}",           [303, 400, 400, 400]),
    ("GET",  "/audit/{number}",                 [303, 400, 400, 400]),
    ("GET",  "/verify",                         [303, 200, 200, 200]),
    ("POST", "/verify",                         [401, 303, 303, 303]),
    ("GET",  "/verify/{job}",                   [303, 400, 400, 400]),
    // Rules and people.
    ("GET",  "/changes/{id}",                     [303, 400, 400, 400]),
    ("GET",  "/known",                            [303, 200, 200, 200]),
    ("GET",  "/attribution",                      [303, 200, 200, 200]),
    ("GET",  "/attribution/new",                  [303, 403, 200, 200]),
    ("POST", "/attribution/new",                  [401, 403, 422, 422]),
    ("GET",  "/attribution/{id}",                 [303, 400, 400, 400]),
    ("POST", "/attribution/{id}/end",             [401, 403, 400, 400]),
    ("GET",  "/rates",                            [303, 200, 200, 200]),
    ("GET",  "/rates/new",                        [303, 403, 403, 200]),
    ("POST", "/rates/new",                        [401, 403, 403, 422]),
    ("GET",  "/rates/{id}",                       [303, 400, 400, 400]),
    ("POST", "/rates/{id}/end",                   [401, 403, 403, 400]),
    ("GET",  "/subsidies",                        [303, 200, 200, 200]),
    ("GET",  "/subsidies/new",                    [303, 403, 403, 200]),
    ("POST", "/subsidies/new",                    [401, 403, 403, 422]),
    ("GET",  "/subsidies/{id}",                   [303, 400, 400, 400]),
    ("POST", "/subsidies/{id}/end",               [401, 403, 403, 400]),
    ("GET",  "/credits",                          [303, 200, 200, 200]),
    ("GET",  "/credits/new",                      [303, 403, 403, 200]),
    ("POST", "/credits/new",                      [401, 403, 403, 422]),
    ("GET",  "/credits/{id}",                     [303, 400, 400, 400]),
    ("POST", "/credits/{id}/end",                 [401, 403, 403, 400]),
    ("GET",  "/splits",                           [303, 200, 200, 200]),
    ("GET",  "/splits/new",                       [303, 403, 200, 200]),
    ("POST", "/splits/new",                       [401, 403, 422, 422]),
    ("GET",  "/splits/{id}",                      [303, 400, 400, 400]),
    ("POST", "/splits/{id}/end",                  [401, 403, 400, 400]),
    ("GET",  "/attribution/export",               [303, 200, 200, 200]),
    ("GET",  "/attribution/import",               [303, 403, 200, 200]),
    ("POST", "/attribution/import",               [401, 403, 422, 422]),
    ("POST", "/attribution/apply",                [401, 403, 303, 303]),
    ("GET",  "/rates/export",                     [303, 200, 200, 200]),
    ("GET",  "/rates/import",                     [303, 403, 403, 200]),
    ("POST", "/rates/import",                     [401, 403, 403, 422]),
    ("POST", "/rates/apply",                      [401, 403, 403, 303]),
    ("GET",  "/attribution/test",                 [303, 200, 200, 200]),
    ("GET",  "/attribution/unreached",            [303, 200, 200, 200]),
    ("GET",  "/rates/diff",                       [303, 200, 200, 200]),
    ("GET",  "/rates/tried/{id}",                 [303, 400, 400, 400]),
    ("GET",  "/rates/tried/{id}/csv",             [303, 400, 400, 400]),
    ("GET",  "/subsidies/balances",               [303, 200, 200, 200]),
    ("GET",  "/credits/balances",                 [303, 200, 200, 200]),
    ("GET",  "/credits/{id}/move",                [303, 403, 403, 400]),
    ("POST", "/credits/{id}/move",                [401, 403, 403, 400]),
    ("GET",  "/import-config",                    [303, 403, 403, 200]),
    ("POST", "/import-config",                    [401, 403, 403, 422]),
    ("GET",  "/people",                           [303, 200, 200, 200]),
    ("GET",  "/people/new",                       [303, 403, 200, 200]),
    ("POST", "/people/new",                       [401, 403, 422, 422]),
    ("GET",  "/people/{person}",                  [303, 404, 404, 404]),
    ("POST", "/people/{person}/address",          [401, 403, 422, 422]),
    ("POST", "/people/{person}/merge",            [401, 403, 422, 422]),
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
    // Everything else.
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
        let signed_in = if at == 0 { server.visitor() } else { server.sign_in(role) };
        for (method, path, outcomes) in OUTCOMES {
            let ends_it = *path == "/sign-out" && at > 0;
            let mut visitor = if ends_it { server.sign_in(role) } else { signed_in.clone() };
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
