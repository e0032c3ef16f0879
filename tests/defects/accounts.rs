//! Who is signed in.

use super::support::Home;
use super::support::web::PASSWORD;

/// There the cookie was the session: signing out removed it from the browser alone, and a new password ended no
/// session. Here the server keeps sessions, and what ends one counts at once.
#[test]
fn defect_45_signing_out_or_a_new_password_ends_sessions() {
    let home = Home::new();
    home.accounts();
    let server = home.serve();
    let mut here = server.sign_in("viewer");
    let mut stolen = here.clone();
    assert_eq!(stolen.get("/periods").status, 200);
    here.post("/sign-out", &[]);
    assert_eq!(stolen.get("/periods").location(), "/sign-in?next=%2Fperiods");

    let (mut here, mut there) = (server.sign_in("viewer"), server.sign_in("viewer"));
    let new = [("old", PASSWORD), ("new", "another phrase of mine"), ("again", "another phrase of mine")];
    assert_eq!(here.post("/account/password", &new).status, 303);
    assert_eq!(there.get("/periods").location(), "/sign-in?next=%2Fperiods");
    assert_eq!(here.get("/periods").status, 200, "who changed it goes on");
}
