use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::StatementNumber;
use crate::settings::{JournalSettings, Settings, SourceSettings};
use crate::statement::testing::{any_groups, group};
use crate::statement::{LineKind, PostedLine, PostingGroup, post_statement};

fn period() -> Period {
    "2025-01".parse().unwrap()
}

fn settings() -> Settings {
    let sources = [("AWS", "IT-AWS"), ("HPC", "IT-HPC")].map(|(name, fund_org)| SourceSettings {
        fund_org: Some(fund_org.to_owned()),
        ..SourceSettings::new(name, &name.to_lowercase())
    });
    let journal = JournalSettings { default_account: "54000".to_owned(), ..JournalSettings::default() };
    Settings { sources: sources.to_vec(), journal, ..Settings::default() }
}

#[derive(Debug)]
struct Issued {
    number: StatementNumber,
    pi_email: String,
    project_id: String,
    lines: Vec<PostedLine>,
}

impl Issued {
    fn new(sequence: u32, pi: &str, project: &str, groups: Vec<PostingGroup>) -> Issued {
        Issued {
            number: StatementNumber::new(period(), sequence),
            pi_email: format!("{pi}@example.edu"),
            project_id: project.to_owned(),
            lines: post_statement(groups, 2).0,
        }
    }

    fn lines(&self) -> StatementLines<'_> {
        StatementLines {
            number: &self.number,
            pi_email: &self.pi_email,
            project_id: &self.project_id,
            lines: &self.lines,
        }
    }
}

fn journal(issued: &[Issued], settings: &Settings) -> Result<Journal, Vec<CannotPost>> {
    let statements: Vec<StatementLines<'_>> = issued.iter().map(Issued::lines).collect();
    Journal::from_statements(period(), "J-2025-01-1".to_owned(), &statements, settings)
}

fn charge(source: &str, fund_org: &str, account: &str, cost: &str) -> PostingGroup {
    PostingGroup {
        source: source.to_owned(),
        fund_org: Some(fund_org.to_owned()).filter(|text| !text.is_empty()),
        account_code: Some(account.to_owned()).filter(|text| !text.is_empty()),
        ..group(&format!("{source} service"), LineKind::Usage, cost, cost)
    }
}

fn shown(journal: &Journal) -> String {
    let mut text = Vec::new();
    for entry in &journal.entries {
        text.push(format!("{}:", entry.source_name()));
        for line in entry.lines() {
            let amounts = match line.side {
                Side::Debit => format!("{:>8}         ", line.amount.decimal(2)),
                Side::Credit => format!("         {:>8}", line.amount.decimal(2)),
            };
            text.push(format!(
                "  {:8}{:6}{amounts}  {:15}{:17}{:3}{}",
                line.fund_org,
                line.account,
                line.reference_id,
                line.pi_email.as_deref().unwrap_or("-"),
                line.project_id.as_deref().unwrap_or("-"),
                line.description,
            ));
        }
    }
    text.join("\n")
}

fn month() -> Vec<Issued> {
    vec![
        Issued::new(
            2,
            "bohr",
            "q",
            vec![charge("HPC", "PHYS-1", "", "30"), charge("AWS", "PHYS-1", "", "5.5")],
        ),
        Issued::new(
            1,
            "ada",
            "p",
            vec![
                charge("AWS", "PHYS-1", "", "10.004"),
                charge("AWS", "CHEM-2", "51000", "20"),
                charge("aws", "CHEM-2", "", "-3"),
                charge("HPC", "BIO-3", "", "0"),
            ],
        ),
        Issued::new(3, "ada", "r", vec![charge("HPC", "PHYS-1", "", "-40")]),
    ]
}

#[test]
fn every_line_debits_its_fund_and_every_source_is_credited_once() {
    let journal = journal(&month(), &settings()).unwrap();
    // A credit swaps sides, a line of zero is left out, a project with two fund_orgs debits both
    // (defect 8), and each line has its own account (defect 28).
    assert_snapshot!(shown(&journal), @"
    AWS:
      CHEM-2  51000    20.00           S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      PHYS-1  54000    10.00           S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      CHEM-2  54000              3.00  S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      PHYS-1  54000     5.50           S-2025-01-0002 bohr@example.edu q  AWS 2025-01 Research Computing Charges
      IT-AWS  54000             32.50  J-2025-01-1    -                -  AWS 2025-01 Research Computing Charges
    HPC:
      PHYS-1  54000             40.00  S-2025-01-0003 ada@example.edu  r  HPC 2025-01 Research Computing Charges
      PHYS-1  54000    30.00           S-2025-01-0002 bohr@example.edu q  HPC 2025-01 Research Computing Charges
      IT-HPC  54000    10.00           J-2025-01-1    -                -  HPC 2025-01 Research Computing Charges
    ");
    let totals = journal.control_totals();
    assert_eq!((totals.lines, totals.debits, totals.credits), (8, Minor::new(7550), Minor::new(7550)));
    assert_eq!((totals.balance(), totals.document_total()), (Minor::ZERO, Minor::new(15_100)));
    assert_eq!(totals.hash_total, 7 * 54_000 + 51_000);
}

#[test]
fn a_summary_has_a_line_per_pi_and_project() {
    let descriptions = Descriptions::compile(&settings().journal).unwrap();
    let journal = journal(&month(), &settings()).unwrap();
    assert_snapshot!(shown(&journal.grouped(Grouping::Summary, &descriptions)), @"
    AWS, HPC:
      CHEM-2  51000    20.00           S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      CHEM-2  54000              3.00  S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      PHYS-1  54000    10.00           S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      PHYS-1  54000             40.00  S-2025-01-0003 ada@example.edu  r  HPC 2025-01 Research Computing Charges
      PHYS-1  54000    35.50           S-2025-01-0002 bohr@example.edu q  AWS, HPC 2025-01 Research Computing Charges
      IT-AWS  54000             32.50  J-2025-01-1    -                -  AWS 2025-01 Research Computing Charges
      IT-HPC  54000    10.00           J-2025-01-1    -                -  HPC 2025-01 Research Computing Charges
    ");
}

#[test]
fn a_gl_journal_has_a_line_per_source_fund_and_account() {
    let descriptions = Descriptions::compile(&settings().journal).unwrap();
    let journal = journal(&month(), &settings()).unwrap();
    assert_snapshot!(shown(&journal.grouped(Grouping::Gl, &descriptions)), @"
    AWS:
      CHEM-2  51000    20.00           S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      CHEM-2  54000              3.00  S-2025-01-0001 ada@example.edu  p  AWS 2025-01 Research Computing Charges
      PHYS-1  54000    15.50           J-2025-01-1    -                -  AWS 2025-01 Research Computing Charges
      IT-AWS  54000             32.50  J-2025-01-1    -                -  AWS 2025-01 Research Computing Charges
    HPC:
      PHYS-1  54000             10.00  J-2025-01-1    -                -  HPC 2025-01 Research Computing Charges
      IT-HPC  54000    10.00           J-2025-01-1    -                -  HPC 2025-01 Research Computing Charges
    ");
    assert_eq!(journal.grouped(Grouping::Detail, &descriptions), journal);
}

#[test]
fn everything_missing_is_said_at_once_with_the_yaml_to_paste() {
    let mut settings = settings();
    settings.sources[0].fund_org = None;
    settings.sources[1].fund_org = Some("nonsense".to_owned());
    settings.sources[1].account_code = Some("5x".to_owned());
    settings.journal.default_account = String::new();
    settings.journal.account_code_regex = r"\d{5}$".to_owned();
    let issued = [
        Issued::new(
            1,
            "ada",
            "p",
            vec![
                charge("AWS", "PHYS-1", "", "1"),
                charge("AWS", "", "51000", "1"),
                charge("HPC", "CHEMISTRY", "510", "1"),
                charge("New GPUs", "PHYS-1", "51000", "1"),
            ],
        ),
        Issued::new(2, "bohr", "p", vec![charge("AWS", "PHYS-1", "", "1")]),
    ];
    let problems = journal(&issued, &settings).unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_snapshot!(text.join("\n"), @"
    source `AWS` has no `account_code` under imports.known_sources, and journal.default_account is empty
    statement S-2025-01-0001: charges of source `AWS` have no fund_org to debit
    fund_org `CHEMISTRY` of statement S-2025-01-0001 does not match journal.fund_org_regex
    account code `510` of statement S-2025-01-0001 does not match journal.account_code_regex
    source `AWS` has no `fund_org` to credit under imports.known_sources
    fund_org `nonsense` of source `HPC` does not match journal.fund_org_regex
    account code `5x` of source `HPC` does not match journal.account_code_regex
    source `New GPUs` has no `fund_org` to credit under imports.known_sources
    source `New GPUs` has no `account_code` under imports.known_sources, and journal.default_account is empty
    ");
    assert_snapshot!(settings_to_paste(&problems, &settings).unwrap(), @r#"
    imports:
      known_sources:
        - name: AWS
          pattern: aws
          fund_org: ""  # fill in: the fund_org to credit
          account_code: ""  # fill in: the account to post to (or set journal.default_account)
        - name: HPC
          pattern: hpc
          fund_org: nonsense
          account_code: "5x"
        - name: "New GPUs"
          pattern: "new gpus"
          fund_org: ""  # fill in: the fund_org to credit
          account_code: ""  # fill in: the account to post to (or set journal.default_account)
    "#);
    assert_eq!(settings_to_paste(&[], &settings), None);
}

#[test]
fn bad_patterns_and_descriptions_are_said_before_anything_is_posted() {
    let mut settings = settings();
    settings.journal.fund_org_regex = "(".to_owned();
    settings.journal.account_code_regex = "[".to_owned();
    settings.journal.debit_description = "{who}".to_owned();
    assert_eq!(journal(&[], &settings).unwrap_err().len(), 3);
}

#[test]
fn a_source_with_nothing_to_post_needs_no_fund() {
    let mut settings = settings();
    settings.sources[0].fund_org = None;
    let free = [Issued::new(1, "ada", "p", vec![charge("AWS", "PHYS-1", "", "0.001")])];
    assert_eq!(journal(&free, &settings).unwrap().entries, []);
}

#[test]
fn a_source_whose_charges_net_to_nothing_has_no_line_of_its_own() {
    let issued = [
        Issued::new(1, "ada", "p", vec![charge("AWS", "PHYS-1", "", "7")]),
        Issued::new(2, "bohr", "q", vec![charge("AWS", "CHEM-1", "", "-7")]),
    ];
    let journal = journal(&issued, &settings()).unwrap();
    assert!(journal.lines().all(|line| line.party == Party::Payer));
    assert_eq!(journal.control_totals().debits, Minor::new(700));
}

#[test]
fn a_subsidy_that_nobody_pays_is_refused() {
    let mut issued = Issued::new(1, "ada", "p", vec![charge("AWS", "PHYS-1", "", "7")]);
    issued.lines[0].subsidy = Minor::new(1);
    assert_eq!(
        journal(&[issued], &settings()).unwrap_err()[0].to_string(),
        "statement S-2025-01-0001: a subsidy on charges of source `AWS` has nobody who pays it"
    );
}

#[test]
fn texts_fit_the_ledger_that_takes_them_and_numbers_are_never_cut() {
    let journal = journal(&month(), &settings()).unwrap();
    let no_limits = journal.clone().within(&JournalLimits::default()).unwrap();
    assert_eq!(no_limits, (journal.clone(), Shortened::default()));

    let limits = JournalLimits { document: Some(11), description: Some(20), reference: Some(11) };
    let (short, shortened) = journal.clone().within(&limits).unwrap();
    assert_eq!(shortened, Shortened { descriptions: 8, references: 6 });
    assert!(short.lines().all(|line| line.description.ends_with("2025-01 Research")));
    assert!(short.lines().all(|line| line.reference_id == "J-2025-01-1"));
    assert_eq!(short.control_totals(), journal.control_totals());

    let too_long = |document, reference| {
        let limits = JournalLimits { document, description: None, reference };
        journal.clone().within(&limits).unwrap_err().to_string()
    };
    assert_snapshot!(too_long(Some(8), None), @"document number `J-2025-01-1` has 11 characters, more than journal.limits.document (8)");
    assert_snapshot!(too_long(None, Some(8)), @"reference `J-2025-01-1` has 11 characters, more than journal.limits.reference (8)");
}

#[test]
fn an_unbalanced_entry_cannot_be_built_nor_read() {
    let balanced = journal(&month(), &settings()).unwrap().entries.remove(0);
    let mut lines = balanced.lines().to_vec();
    assert_eq!(JournalEntry::balanced("AWS".to_owned(), lines.clone()), Ok(balanced.clone()));
    let json = serde_json::to_string(&balanced).unwrap();
    assert_eq!(serde_json::from_str::<JournalEntry>(&json).unwrap(), balanced);
    assert!(serde_json::from_str::<JournalEntry>(&json.replacen("\"amount\":", "\"amount\":1", 1)).is_err());
    lines[0].amount += Minor::new(1);
    assert_snapshot!(JournalEntry::balanced("AWS".to_owned(), lines.clone()).unwrap_err(), @"entry of source `AWS`: debits of 3551 and credits of 3550 minor units differ");
    lines[0].amount = Minor::ZERO;
    assert_snapshot!(JournalEntry::balanced("AWS".to_owned(), lines).unwrap_err(), @"entry of source `AWS`: a line on `CHEM-2` is 0 minor units, not above zero");
}

#[test]
fn payers_owe_what_their_statements_say() {
    let mut issued = month();
    let journal = journal(&issued, &settings()).unwrap();
    let check =
        |issued: &[Issued]| journal.check_payers(&issued.iter().map(Issued::lines).collect::<Vec<_>>());
    assert_eq!(check(&issued), Ok(()));
    issued.pop();
    assert_snapshot!(check(&issued).unwrap_err(), @"document `J-2025-01-1`: payers are debited 2250 minor units, their statements come to 6250");
}

fn any_month() -> impl Strategy<Value = Vec<Issued>> {
    prop::collection::vec(any_groups(), 0..8).prop_map(|all| {
        all.into_iter()
            .zip(1..)
            .map(|(groups, n)| {
                Issued::new(n, ["ada", "bohr"][n as usize % 2], &format!("p{}", n / 3), groups)
            })
            .collect()
    })
}

/// Debits less credits by party, `fund_org` and account.
fn nets(journal: &Journal) -> BTreeMap<(Party, String, String), Minor> {
    let mut nets = BTreeMap::new();
    for line in journal.lines() {
        *nets.entry((line.party, line.fund_org.clone(), line.account.clone())).or_default() +=
            line.debit_less_credit();
    }
    nets.retain(|_, net: &mut Minor| !net.is_zero());
    nets
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_journal_balances_in_every_grouping(issued in any_month()) {
        let settings = settings();
        let descriptions = Descriptions::compile(&settings.journal).unwrap();
        let detail = journal(&issued, &settings).unwrap();
        let statements: Vec<StatementLines<'_>> = issued.iter().map(Issued::lines).collect();
        let posted = issued.iter().flat_map(|one| &one.lines).filter(|line| !line.due.is_zero()).count();
        prop_assert_eq!(detail.lines().filter(|line| line.party == Party::Payer).count(), posted);
        for grouping in [Grouping::Detail, Grouping::Summary, Grouping::Gl] {
            let journal = detail.grouped(grouping, &descriptions);
            prop_assert_eq!(journal.check_payers(&statements), Ok(()));
            prop_assert_eq!(nets(&journal), nets(&detail));
            for entry in &journal.entries {
                let again = JournalEntry::balanced(entry.source_name().to_owned(), entry.lines().to_vec());
                prop_assert!(again.is_ok(), "{:?}", again);
            }
            prop_assert!(journal.lines().all(|line| line.reference_id.len() <= 25));
        }
    }

    #[test]
    fn a_journal_does_not_depend_on_the_order_of_statements(issued in any_month()) {
        let settings = settings();
        let forward = journal(&issued, &settings);
        let mut reversed = issued;
        reversed.reverse();
        prop_assert_eq!(forward, journal(&reversed, &settings));
    }
}
