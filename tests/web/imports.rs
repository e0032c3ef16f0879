//! Files sent in a browser: looked at first, then kept or discarded; and what was imported.

use std::io::Write as _;

use super::support::web::{Reply, Server, Visitor};
use super::support::{Home, row, row_of, tags};

fn good(project: &str, billed: &str) -> String {
    row(&format!("i-{project}"), "Compute", billed, billed, &tags("ada@example.edu", project, "PHYS-101"))
}

fn bytes(rows: &[String]) -> Vec<u8> {
    let mut text = format!("{}\n", super::support::HEADER);
    for row in rows {
        text.push_str(row);
        text.push('\n');
    }
    text.into_bytes()
}

/// Send files and wait until they have been looked at. Returns the address of the upload and its words.
fn send(visitor: &mut Visitor, files: &[(&str, &[u8])]) -> (String, String) {
    let reply = visitor.upload("/imports/uploads", &[], files);
    assert_eq!(reply.status, 303, "{}", reply.words());
    let address = reply.location().to_owned();
    let words = wait(visitor, &address);
    (address, words)
}

fn wait(visitor: &mut Visitor, address: &str) -> String {
    loop {
        let words = visitor.page(address);
        if !words.contains("the work goes on") {
            return words;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Press a button of an upload, and wait.
fn press(visitor: &mut Visitor, address: &str, button: &str, fields: &[(&str, &str)]) -> String {
    let reply = visitor.post(&format!("{address}/{button}"), fields);
    assert_eq!(reply.status, 303, "{button}: {}", reply.words());
    wait(visitor, address)
}

fn stored(home: &Home) -> usize {
    let folder = home.path().join("instance/uploads");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn serve(home: &Home) -> Server {
    home.accounts();
    home.serve()
}

#[test]
fn a_delivery_is_looked_at_and_then_kept() {
    let home = Home::new();
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let mut no_tags = good("apollo", "1.50");
    no_tags = no_tags.replace("PHYS-101", "");
    let file = bytes(&[good("apollo", "10.25"), good("gemini", "4.5"), no_tags]);
    let (address, words) = send(&mut reviewer, &[("aws_2025-01.csv", &file)]);
    for said in ["AWS, 2025-01", "3 of 3 rows", "$16.25", "missing_fund_org", "Keep this delivery"] {
        assert!(words.contains(said), "`{said}` is not said: {words}");
    }
    assert_eq!(home.json("imports list"), serde_json::json!([]), "nothing counts before it is kept");
    let words = press(&mut reviewer, &address, "0/keep", &[]);
    assert!(words.contains("Import 1 counts") && words.contains("Review what is held"), "{words}");
    assert!(!words.contains("Keep this delivery"), "{words}");
    let imports = home.json("imports list");
    assert_eq!((&imports[0]["source_name"], &imports[0]["charges"]), (&"AWS".into(), &3.into()));
    assert_eq!(imports[0]["files"][0]["name"], "aws_2025-01.csv", "under the name that its sender gave");
    assert_eq!(imports[0]["committed"]["by"], "reviewer");
    let listed = reviewer.page("/imports");
    assert!(listed.contains("AWS") && listed.contains("live"), "{listed}");
    let shown = reviewer.page("/imports/1");
    for said in ["16.25", "missing_fund_org", "Withdraw import 1", "no fund_org is named in the tags"] {
        assert!(shown.contains(said), "`{said}` is not said: {shown}");
    }
    // Twice the same: nothing to do.
    let (_, words) = send(&mut reviewer, &[("aws_2025-01.csv", &file)]);
    assert!(words.contains("these very bytes count already"), "{words}");
}

#[test]
fn several_files_are_sorted_by_source_and_period() {
    let home = Home::new();
    home.open("2025-02");
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let february = row_of("2025-02", "i-2", "Compute", "1", "1", &tags("ada@example.edu", "apollo", "P-1"));
    let files: [(&str, &[u8]); 4] = [
        ("aws_2025-01_part1.csv", &bytes(&[good("apollo", "1")])),
        ("aws_2025-01_part2.csv", &bytes(&[good("gemini", "2")])),
        ("aws_2025-02.csv", &bytes(&[february])),
        ("cluster.csv", &bytes(&[good("apollo", "4")])),
    ];
    let (address, words) = send(&mut reviewer, &files);
    assert!(words.contains("Nobody has looked at it yet"), "one source cannot be guessed: {words}");
    let sources = [("source", "AWS"), ("source", "AWS"), ("source", "AWS")];
    let periods = [("period", "2025-01"), ("period", "2025-01"), ("period", "2025-02"), ("period", "May")];
    let mut fields: Vec<(&str, &str)> = sources.into_iter().chain([("source", "")]).chain(periods).collect();
    let reply = reviewer.post(&format!("{address}/preview"), &fields);
    assert_eq!(reply.status, 422);
    let words = reply.words();
    assert!(words.contains("cluster.csv: the source is missing"), "{words}");
    assert!(words.contains("`May` is not a month such as 2025-01"), "{words}");
    (fields[3].1, fields[7].1) = ("HPC", "");
    let words = press(&mut reviewer, &address, "preview", &fields);
    for said in ["AWS, 2025-01", "AWS, 2025-02", "HPC", "Keep all 3 deliveries"] {
        assert!(words.contains(said), "`{said}` is not said: {words}");
    }
    let words = press(&mut reviewer, &address, "keep", &[]);
    assert_eq!(words.matches(" counts: ").count(), 3, "{words}");
    let imports = home.json("imports list");
    assert_eq!(imports.as_array().unwrap().len(), 3);
    assert_eq!(imports[0]["files"].as_array().unwrap().len(), 2, "two files of one delivery");
}

#[test]
fn problems_are_told_by_line_and_good_rows_can_be_taken() {
    let home = Home::new();
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let bad = good("apollo", "12.5x");
    let formula = good("=HYPERLINK(1)", "=1+1");
    let file = bytes(&[good("apollo", "10"), bad, formula]);
    let (address, words) = send(&mut reviewer, &[("aws_2025-01.csv", &file)]);
    assert!(words.contains("cannot be charges; nothing was imported"), "{words}");
    assert!(words.contains("12.5x") && !words.contains("Keep this delivery"), "{words}");
    let all = reviewer.get(&format!("{address}/0/problems.csv"));
    assert_eq!(all.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(all.text().lines().count() > 2 && all.text().contains("aws_2025-01.csv,3,"), "{}", all.text());
    assert!(!all.text().contains("Cost,=1+1") && all.text().contains("Cost,'=1+1,"), "{}", all.text());
    assert_eq!(reviewer.post(&format!("{address}/0/keep"), &[]).status, 422, "it cannot be kept as it is");
    let words =
        press(&mut reviewer, &address, "0/preview", &[("choice", "automatic"), ("quarantine", "yes")]);
    assert!(words.contains("2 rows kept aside") && words.contains("Keep this delivery"), "{words}");
    press(&mut reviewer, &address, "0/keep", &[]);
    let aside = reviewer.get("/imports/1/quarantined.csv");
    assert!(aside.text().contains("12.5x") && !aside.text().contains("Cost,=1+1"), "{}", aside.text());
    assert!(aside.header("content-disposition").unwrap().starts_with("attachment; filename=\"quarantined-1"));
    let delivered = reviewer.get("/imports/1/files/0");
    assert_eq!(delivered.body, file, "the very bytes that were sent");
    let mut viewer = server.sign_in("viewer");
    assert_eq!(viewer.get("/imports/1/files/0").status, 403);
    assert!(
        viewer.page("/imports/1").contains("kept aside") || viewer.page("/imports/1").contains("Kept aside")
    );
}

#[test]
fn what_it_takes_the_place_of_is_shown_before_and_after() {
    let home = Home::with("");
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let first = bytes(&[good("apollo", "10"), good("gemini", "5")]);
    let (address, _) = send(&mut reviewer, &[("hpc_2025-01.csv", &first)]);
    press(&mut reviewer, &address, "0/keep", &[]);
    let import = home.json("imports list")[0]["import"].to_string();
    // Half of it again, half new: nobody said how HPC delivers.
    let other = row("i-new", "Storage", "7", "7", &tags("ada@example.edu", "gemini", "PHYS-101"));
    let (address, words) =
        send(&mut reviewer, &[("hpc_2025-01_b.csv", &bytes(&[good("apollo", "10"), other]))]);
    assert!(words.contains(&format!("`--replace {import}`")), "{words}");
    let fields = [("choice", "replace"), ("replace", import.as_str())];
    let words = press(&mut reviewer, &address, "0/preview", &fields);
    for said in ["takes the place of import", "gemini", "$5.00", "$7.00", "$2.00"] {
        assert!(words.contains(said), "`{said}` is not said: {words}");
    }
    press(&mut reviewer, &address, "0/keep", &[]);
    let new = home.json("imports list")[1]["import"].to_string();
    let words = reviewer.page(&format!("/imports/{new}/difference"));
    assert!(words.contains("gemini") && words.contains("$2.00"), "{words}");
    assert!(reviewer.page(&format!("/imports/{import}")).contains("superseded"));
    for (state, shown) in [("live", &new), ("superseded", &import)] {
        let reply = reviewer.get(&format!("/imports?state={state}&source=HPC&period=2025-01"));
        assert_eq!(reply.status, 200);
        assert!(reply.text().contains(&format!("href=\"/imports/{shown}\"")), "{state}");
        assert_eq!(reply.text().matches("<th scope=\"row\"").count(), 1, "{state}");
    }
}

#[test]
fn another_delivery_that_came_meanwhile_is_not_passed_over() {
    let home = Home::new();
    let server = serve(&home);
    let mut one = server.sign_in("reviewer");
    let (address, words) = send(&mut one, &[("aws_2025-01.csv", &bytes(&[good("apollo", "10")]))]);
    assert!(words.contains("Keep this delivery"), "{words}");
    let other = home.focus("aws_2025-01_other.csv", &[good("gemini", "20")]);
    home.ok(&format!("ingest {} --source AWS", other.display()));
    let words = press(&mut one, &address, "0/keep", &[]);
    assert!(words.contains("looked at again and not kept yet"), "{words}");
    assert_eq!(home.json("imports list").as_array().unwrap().len(), 1);
    let words = press(&mut one, &address, "0/keep", &[]);
    assert!(words.contains(" counts: "), "{words}");
}

#[test]
fn an_upload_is_discarded_without_a_trace() {
    let home = Home::new();
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let (address, _) = send(&mut reviewer, &[("aws_2025-01.csv", &bytes(&[good("apollo", "10")]))]);
    assert_eq!(stored(&home), 1);
    let words = reviewer.act(&format!("{address}/discard"), &[]);
    assert!(words.contains("nothing was imported"), "{words}");
    assert_eq!((stored(&home), reviewer.get(&address).status), (0, 404));
    assert_eq!(home.json("imports list"), serde_json::json!([]));
}

#[test]
fn an_upload_without_token_or_file_leaves_nothing() {
    let home = Home::new();
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let file = bytes(&[good("apollo", "10")]);
    let refused = |reply: Reply, status: u16, what: &str| {
        assert_eq!(reply.status, status, "{what}: {}", reply.words());
    };
    let mut forged = reviewer.clone();
    forged.csrf = "0000".to_owned();
    refused(forged.upload("/imports/uploads", &[], &[("aws.csv", &file)]), 403, "another token");
    forged.csrf = String::new();
    refused(forged.upload("/imports/uploads", &[], &[("aws.csv", &file)]), 403, "no token");
    refused(reviewer.upload("/imports/uploads", &[], &[]), 422, "no file");
    refused(reviewer.upload("/imports/uploads", &[], &[("", b"")]), 422, "what browsers send for no file");
    refused(server.sign_in("viewer").upload("/imports/uploads", &[], &[("aws.csv", &file)]), 403, "a viewer");
    assert_eq!(stored(&home), 0);
}

#[test]
fn names_of_files_are_text_and_nothing_else() {
    let home = Home::new();
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let file = bytes(&[good("apollo", "10")]);
    let name = "<img src=x onerror=alert(1)> aws_2025-01.csv";
    let reply =
        reviewer.upload("/imports/uploads", &[], &[(name, &file), ("../../../aws_2025-01.csv", &file)]);
    let address = reply.location().to_owned();
    wait(&mut reviewer, &address);
    let page = reviewer.get(&address).text();
    assert!(!page.contains("<img src=x") && page.contains("&#60;img src=x"), "{page}");
    let mut names: Vec<String> =
        std::fs::read_dir(home.path().join("instance").join(address.trim_start_matches("/imports/")))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
    names.sort();
    assert_eq!(names, ["0", "1", "problems-0.csv", "upload.json"]);
}

#[test]
fn what_is_too_large_is_refused_packed_and_unpacked() {
    let home = Home::with("web: { upload_limit_mb: 1, unpacked_limit_mb: 4 }\n");
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    let large = vec![b'x'; 2 << 20];
    assert_eq!(reviewer.upload("/imports/uploads", &[], &[("aws.csv", &large)]).status, 413);
    let rows = vec![good("apollo", "10"); 60_000];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&bytes(&rows)).unwrap();
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let (_, words) = send(&mut reviewer, &[("aws_2025-01.csv.gz", &bomb)]);
    assert!(words.contains("more than 4 MB when it is unpacked"), "{words}");
    assert!(!words.contains("Keep this delivery"), "{words}");
}

/// Fifty megabytes come in while somebody asks whether we are there; the process stays small.
#[test]
fn a_large_file_streams_in_while_the_server_answers() {
    let home = Home::new();
    let server = serve(&home);
    let mut reviewer = server.sign_in("reviewer");
    // Not FOCUS at all: it is the way in that is tried, not the reading.
    let large = vec![b'x'; 50 << 20];
    let mut other = server.visitor();
    let sender = std::thread::spawn(move || {
        let reply = reviewer.upload("/imports/uploads", &[], &[("aws_2025-01.csv", &large)]);
        (reply.status, reply.location().to_owned(), reviewer)
    });
    let mut slowest = std::time::Duration::ZERO;
    while !sender.is_finished() {
        let asked = std::time::Instant::now();
        assert_eq!(other.get("/health").status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    let (status, address, mut reviewer) = sender.join().unwrap();
    assert_eq!(status, 303);
    assert!(slowest < std::time::Duration::from_secs(2), "/health took {slowest:?}");
    let words = wait(&mut reviewer, &address);
    assert!(!words.contains("Keep this delivery"), "{words}");
}

#[test]
fn an_import_is_read_again_and_withdrawn() {
    let home = Home::new();
    let server = serve(&home);
    home.focus("aws_2025-01.csv", &[good("apollo", "10")]);
    home.ok("ingest aws_2025-01.csv");
    let mut reviewer = server.sign_in("reviewer");
    let reply = reviewer.post("/imports/1/reread", &[]);
    let words = reviewer.job(reply.location());
    assert!(words.contains("nothing changes"), "{words}");
    assert_eq!(reviewer.post("/imports/1/withdraw", &[("reason", " ")]).status, 422);
    let words = reviewer.act("/imports/1/withdraw", &[("reason", "wrong month")]);
    assert!(words.contains("withdrawn") && words.contains("wrong month"), "{words}");
    assert_eq!(reviewer.get("/imports/99").status, 404);
}
