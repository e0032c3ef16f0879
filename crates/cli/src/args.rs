//! What can be typed: the tree of commands, their arguments and their help. Values are checked here, so
//! that from here on a period is a period.

mod accounts;
mod administration;
mod attribution;
mod connectors;
mod credits;
mod given;
mod imports;
mod keeping;
mod overview;
mod people;
mod rates;
mod review;
mod splits;
mod statements;
mod subsidies;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub use accounts::{KeepPassword, TokenAddArgs, TokenCommand, UserCommand, UserName};
pub use administration::{
    AuditCommand, AuditFormat, AuditRows, ConfigCommand, InitArgs, VerifyArgs, WebArgs,
};
pub use attribution::{
    AddArgs, AttributionCommand, EndArgs, GivesArgs, ImportConfigArgs, RuleExportArgs, RuleFileArgs,
    RuleListArgs, RuleTestArgs, SureArgs, UnreachedArgs,
};
pub use connectors::{ConnectorCommand, ConvertArgs};
pub use credits::{
    CreditAddArgs, CreditCommand, CreditEndArgs, CreditListArgs, CreditMoveArgs, CreditShowArgs,
};
pub use given::{PaidArgs, ReachedArgs};
pub use imports::{
    DemoArgs, ImportCommand, ImportRef, IngestArgs, PeriodCommand, PeriodNotes, PeriodReason, PeriodRef,
    SourceCommand, WithdrawArgs,
};
pub use keeping::{BackupArgs, LakeCommand, LedgerCommand, PruneArgs, RestoreArgs};
pub use rates::{
    RateAddArgs, RateCommand, RateDiffArgs, RateEndArgs, RateFileArgs, RateImportArgs, RateListArgs,
    RateTryArgs,
};
pub use review::{
    ChargeCommand, ChargeExportArgs, ChargeFilter, ChargeFormat, ChargeListArgs, DecisionArgs, DeferArgs,
    PatternArgs, ReassignArgs, ReviewCommand, ReviewFilter, RulesCommand, StateName, TryArgs, UndoArgs,
};
pub use statements::{
    EmailCommand, ExportArgs, GenerateArgs, JournalCommand, JournalFormat, JournalRef, PayersArgs,
    ReportArgs, ReportFormat, ReportState, SendArgs, ShowArgs, StatementCommand, StatementFilter, WhyArgs,
};

pub use overview::{OverviewArgs, PiCommand, ProjectCommand, SpanArgs, UntilArgs};
pub use people::{PeopleAddArgs, PeopleAddressArgs, PeopleCommand, PeopleMergeArgs};
pub use splits::{SplitAddArgs, SplitCommand, SplitEndArgs, SplitListArgs};
pub use subsidies::{SubsidyAddArgs, SubsidyCommand, SubsidyEndArgs, SubsidyListArgs, SubsidyShowArgs};

/// Research computing bills that can be explained to the cent
#[derive(Debug, Parser)]
#[command(
    name = "focus-billing",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Start here:\n  focus-billing demo\n  focus-billing config init\n  \
                  focus-billing ingest sample_data/aws_2025-01.csv"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// Configuration file [default: config.yaml or instance/config.yaml of the home]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that holds `instance/` [default: that of the configuration file]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub home: Option<PathBuf>,
    /// Write data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what is asked for, and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Who acts, for the audit trail [default: $USER]
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub acting_as: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bill a whole month of bundled sample data, start to end
    #[command(after_help = "Example:\n  focus-billing demo --dir demo")]
    Demo(DemoArgs),
    /// A month at a glance: what is done, what comes next, and the money
    #[command(after_help = overview::OVERVIEW_EXAMPLES)]
    Overview(OverviewArgs),
    /// Import the files of one delivery of one source
    #[command(after_help = imports::INGEST_EXAMPLES)]
    Ingest(IngestArgs),
    /// Usage in a system's own files (Slurm …) as a FOCUS file; nothing is imported
    #[command(after_help = connectors::CONVERT_EXAMPLES)]
    Convert(ConvertArgs),
    /// Systems whose own files are read, and what their sources lack
    #[command(subcommand)]
    Connectors(ConnectorCommand),
    /// Deliveries: what came, what counts, what replaced what
    #[command(subcommand)]
    Imports(ImportCommand),
    /// Billing periods: open, close, reopen, finalize
    #[command(subcommand)]
    Periods(PeriodCommand),
    /// Who supplies charges and is credited
    #[command(subcommand)]
    Sources(SourceCommand),
    /// Whose what is: rules from accounts, labels, paths and aliases to PIs, projects and funds
    #[command(subcommand)]
    Attribution(AttributionCommand),
    /// What things cost: the rate book, and what other prices would come to
    #[command(subcommand)]
    Rates(RateCommand),
    /// People: their addresses, and which is current
    #[command(subcommand)]
    People(PeopleCommand),
    /// Rules from the files of earlier integrations: accounts.json, tiers.json, subsidies.json, …
    #[command(after_help = attribution::IMPORT_CONFIG_EXAMPLES)]
    ImportConfig(ImportConfigArgs),
    /// Who else pays: rules of subsidies, and what is left of them
    #[command(subcommand)]
    Subsidies(SubsidyCommand),
    /// Amounts that were granted: who may use them, and what is left of them
    #[command(subcommand)]
    Credits(CreditCommand),
    /// Charges over several funds
    #[command(subcommand)]
    Splits(SplitCommand),
    /// Decide about flagged charges: approve, reject, defer, reassign
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Charges: list, and show one as it was delivered
    #[command(subcommand)]
    Charges(ChargeCommand),
    /// Projects: what each used, and one in full
    #[command(subcommand)]
    Projects(ProjectCommand),
    /// PIs: what each used, and one in full
    #[command(subcommand)]
    Pis(PiCommand),
    /// A PI's month by project
    #[command(after_help = "Example:\n  focus-billing show maren.okafor@example.edu --period 2025-01")]
    Show(ShowArgs),
    /// Make the statements of a closed period
    #[command(after_help = statements::GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
    /// Statements that were made
    #[command(subcommand)]
    Statements(StatementCommand),
    /// E-mail the statements that have not been sent
    #[command(after_help = statements::SEND_EXAMPLES)]
    Send(SendArgs),
    /// Messages that were made: what became of each
    #[command(subcommand)]
    Emails(EmailCommand),
    /// Write the journal of a closed period for accounting
    #[command(after_help = statements::EXPORT_EXAMPLES)]
    ExportJournal(ExportArgs),
    /// Journals that were exported: what accounting made of them
    #[command(subcommand)]
    Journals(JournalCommand),
    /// Follow a number back to the delivered line
    #[command(after_help = statements::WHY_EXAMPLES)]
    Why(WhyArgs),
    /// Exact sums by any attribute
    #[command(after_help = statements::REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Who paid what: discounts, subsidies by payer and amounts due, as statements say
    #[command(after_help = statements::PAYERS_EXAMPLES)]
    Payers(PayersArgs),
    /// Serve pages and the API, until Ctrl C
    #[command(after_help = "Examples:\n  focus-billing web\n  focus-billing web --port 8080")]
    Web(WebArgs),
    /// Accounts for the web interface
    #[command(subcommand)]
    Users(UserCommand),
    /// Tokens, by which programs act for people
    #[command(subcommand)]
    Tokens(TokenCommand),
    /// Prove that what was issued follows from what was delivered and decided
    #[command(
        after_help = "Examples:\n  focus-billing verify\n  focus-billing verify --period 2025-01 --deep"
    )]
    Verify(VerifyArgs),
    /// The chain of everything that was done
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Copy the installation to a folder, while others work
    #[command(after_help = keeping::BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Put a backup back, into an empty home
    #[command(after_help = keeping::RESTORE_EXAMPLES)]
    Restore(RestoreArgs),
    /// The ledger's database: copy it to another
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// The lake: make room in it
    #[command(subcommand)]
    Lake(LakeCommand),
    /// Configuration: write, check, show
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completions of a shell, to be sourced by it
    #[command(after_help = "Example:\n  focus-billing completions bash")]
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the version
    #[command(after_help = "Example:\n  focus-billing version")]
    Version,
}

impl Cli {
    /// Read the command line, with the checks that clap cannot make itself.
    ///
    /// # Errors
    /// What clap says; its exit code is 2, or 0 for help and version.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let mut command = Cli::command();
        let cli = Cli::from_arg_matches(&command.try_get_matches_from_mut(arguments)?)?;
        if let Command::Review(review) = &cli.command
            && let Some(reason) = review.refuses_to_guess()
        {
            return Err(command.error(clap::error::ErrorKind::MissingRequiredArgument, reason));
        }
        Ok(cli)
    }
}

#[cfg(test)]
mod tests;
