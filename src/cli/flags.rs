//! Every command and every flag, once: parser, help, completions and man page are readings of these definitions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use super::{eval, jd, moment::Since};

/// Shown by `emm --help` behind the lists.
const EXAMPLES: &str = "\
Examples:
  emm --role all                          make a home where there is none, and file what is dropped into its inbox
  emm --role all --vault ~/Vault --inbox ~/Downloads/UNSORTED --jd ~/Vault/jd.yaml
                                          the same with a vault that you have
  emm demo                                put 30 sample documents into the inbox
  emm file report.pdf letters/            file these once, without a server; they stay where they are
  emm review                              decide what emm was not sure of
  emm why 'Letter of the bank.md'         what a filing rested on
  emm undo --since 1h                     take back what was filed in the last hour

A command talks to the node that runs on the home, or to --node; where none runs, it does the work itself.
With --json standard output is exactly one JSON document: the reply, or {\"code\", \"message\"} where it failed. What is a
file in a form of its own (completions, man, jd starter, config default) comes as it is.

Exit codes: 0 done, 1 error, 2 wrong usage, 3 items need review.
Configuration: 'emm config default' explains every key. Defaults < pod profile (K8S_MODE=true) < file (--config,
EMM_CONFIG, or emm.toml in the home) < environment (EMM_SECTION__KEY) < flags.";

/// Expert Memory Machine: files documents into a Johnny.Decimal structure as notes in an Obsidian vault.
///
/// Drop a file into the inbox: emm reads it, decides by your jd.yaml and by what you filed before where it belongs,
/// and files it there as a note, with the original kept. Where it is not sure, it asks: 'emm review'. Everything it
/// does can be undone, and 'emm verify' accounts for every file it ever saw.
#[derive(Debug, Parser)]
#[command(name = "emm", version, after_help = "Begin with: emm --role all    More: emm --help", after_long_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Run as a node: 'all', or roles that 'emm roles' lists, with commas between them
    #[arg(long, value_name = "ROLES")]
    pub role: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub global: Global,
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
}

/// Flags that every command has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where emm keeps its own files [default: ~/.local/share/emm]
    #[arg(long, global = true, env = "EMM_HOME", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub home: Option<PathBuf>,
    /// The Obsidian vault [default: vault in the home]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub vault: Option<PathBuf>,
    /// The inbox [default: UNSORTED in the home]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub inbox: Option<PathBuf>,
    /// The structure [default: jd.yaml in the home, or in the vault]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub jd: Option<PathBuf>,
    /// The configuration file [default: emm.toml in the home, if there is one]
    #[arg(long, global = true, env = "EMM_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Where the node listens; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Talk to this node instead of the one that runs on the home
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub node: Option<String>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Say what would be done, and do nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Answer yes to what would be asked
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more (-v debug, -vv trace)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What a person can type.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// File documents once: copied into the inbox and filed from there
    #[command(after_help = "\
Examples:
  emm file invoice.pdf                the file stays where it is; emm works on a copy
  emm file --move ~/Downloads/*.pdf   the files leave their folder
  emm file --dry-run letters/         where everything would go; nothing is written

Exit code 3 says that something waits for 'emm review'.")]
    File {
        /// Files or folders
        #[arg(required = true, value_name = "PATH", value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
        /// Remove each from where it is, once the inbox has it
        #[arg(long = "move")]
        moves: bool,
    },
    /// Go once through the inbox now (--dry-run: say where everything would go)
    Sweep,
    /// Put sample documents of 30 kinds into the inbox, to see how it works
    Demo,
    /// Decide what emm was not sure of: one key each in a terminal, else a list
    #[command(after_help = "\
Examples:
  emm review                        one after the other, in a terminal
  emm review --json                 the list for a script
  emm review accept 1 2             item 1 goes to its second candidate
  emm review accept 3f9a 14.11      the item whose id begins with 3f9a goes to 14.11
  emm review skip 2                 item 2 stays in the inbox, and is not asked about again
  emm review undo                   the last answer is taken back")]
    Review {
        #[command(subcommand)]
        #[allow(missing_docs)]
        answer: Option<ReviewAnswer>,
    },
    /// Say what a filing rests on: candidates, decisive words, nearest notes, history
    Why {
        /// A note, a file in the inbox, or an item's id (or its beginning)
        #[arg(value_name = "NOTE|ITEM", value_hint = ValueHint::AnyPath)]
        item: String,
    },
    /// List what was done, newest first
    Log {
        /// Only this item: its id (or its beginning), or its note
        #[arg(value_hint = ValueHint::AnyPath)]
        item: Option<String>,
        /// Only from then on: 30m, 1h, 2d, 2026-01-31, or RFC 3339
        #[arg(long, value_name = "WHEN")]
        since: Option<Since>,
        /// Only this run
        #[arg(long, value_name = "ID")]
        run: Option<String>,
        /// At most so many
        #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// Take filings back: every effect is reversed, except where you edited since
    #[command(after_help = "\
Examples:
  emm undo                  the last filing
  emm undo 3f9a             the item whose id begins with 3f9a
  emm undo --since 1h       everything filed in the last hour
  emm undo --run ID         everything that one sweep filed ('emm file' and 'emm log' print its id)")]
    Undo {
        /// The item: its id (or its beginning), or its note
        #[arg(value_hint = ValueHint::AnyPath)]
        item: Option<String>,
        /// Everything filed since: 30m, 1h, 2d, 2026-01-31, or RFC 3339
        #[arg(long, value_name = "WHEN", conflicts_with_all = ["item", "run"])]
        since: Option<Since>,
        /// Everything that this run filed
        #[arg(long, value_name = "ID", conflicts_with = "item")]
        run: Option<String>,
    },
    /// Say how much is filed, indexed, waiting and failed; or what emm knows of one file
    Status {
        /// A document or a note
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Search notes and the text of originals; any word counts, in any language
    Search {
        /// The words
        #[arg(required = true)]
        words: Vec<String>,
        /// At most so many notes
        #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
        limit: usize,
    },
    /// Account for every file that emm ever saw
    Verify,
    /// List documents that no parser survived, or try them again
    Quarantine {
        #[command(subcommand)]
        #[allow(missing_docs)]
        action: QuarantineAction,
    },
    /// Make every index again from the journal and the vault
    Reindex,
    /// Look at the language model that is asked in doubt, and at what was sent to it
    Llm {
        #[command(subcommand)]
        #[allow(missing_docs)]
        action: LlmAction,
    },
    /// Keep a folder that Obsidian can open the same as a vault in a bucket
    Vault {
        #[command(subcommand)]
        #[allow(missing_docs)]
        action: VaultAction,
    },
    /// Check, show and extend the structure
    Jd {
        #[command(subcommand)]
        #[allow(missing_docs)]
        action: jd::Action,
    },
    /// Print what emm reads in a document
    Extract {
        /// The document
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Measure how well the engine would have filed what somebody filed by hand
    #[command(after_help = "\
Examples:
  emm eval --svg mine.svg                      over what you filed yourself; proposes a threshold
  emm eval --items items.jsonl --jd jd.yaml --protocol growing
  emm eval --items items.jsonl --jd jd.yaml --protocol warm --splits splits.json --json")]
    Eval(eval::Options),
    /// List the roles that a node can have
    Roles,
    /// Show, check or explain the configuration
    Config {
        #[command(subcommand)]
        #[allow(missing_docs)]
        action: ConfigAction,
    },
    /// Look at everything that emm needs, and say what to do about what is missing
    Doctor,
    /// Print the completions for a shell
    #[command(after_help = "\
Examples:
  emm completions bash > ~/.local/share/bash-completion/completions/emm
  emm completions zsh > ~/.zfunc/_emm
  emm completions fish > ~/.config/fish/completions/emm.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the man page, or write one page a command
    Man {
        /// Write the pages of all commands into this folder
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// Answers to reviews for scripts.
#[derive(Debug, Subcommand)]
pub enum ReviewAnswer {
    /// File an item
    Accept {
        /// Its number in the list, or its id (or the beginning, at least four digits)
        item: String,
        /// The number of a candidate (1, 2, 3), or the code of any place
        #[arg(value_name = "N|CODE", default_value = "1")]
        place: String,
    },
    /// Leave an item in the inbox and do not ask again
    Skip {
        /// Its number in the list, or its id (or the beginning, at least four digits)
        item: String,
    },
    /// File the items of a proposal, making the place that they miss
    Adopt {
        /// The number of the proposal in the list, its title, or its code
        #[arg(value_name = "N|TITLE")]
        proposal: String,
        /// Another title for a new place
        #[arg(long)]
        title: Option<String>,
    },
    /// Take the last answer back
    Undo,
}

/// What to do with the quarantine.
#[derive(Debug, Subcommand)]
pub enum QuarantineAction {
    /// What is in it, and why
    List,
    /// Put items back into the inbox and try them again
    Retry {
        /// The item's id (or its beginning)
        #[arg(required_unless_present = "all")]
        item: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "item")]
        all: bool,
    },
}

/// What to do with the language model.
#[derive(Debug, Subcommand)]
pub enum LlmAction {
    /// Ask it one question: whether it answers, keeps to the form, how fast, and what to do if not
    Check,
    /// What was sent, when, to whom, how much of it, and what came of it; newest first
    Log {
        /// Only this day
        #[arg(long, value_name = "YYYY-MM-DD")]
        day: Option<String>,
        /// At most so many
        #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
    /// Ask several models about what people have placed already, and say which of them is worth its price
    #[command(after_help = "\
Example:
  emm llm compare qwen3:4b gemma3:4b      both at the server of [llm], about the last 50 documents that people placed")]
    Compare {
        /// The models, as the server of [llm] names them
        #[arg(required = true, value_name = "MODEL")]
        models: Vec<String>,
        /// The last so many documents
        #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
}

/// What to do with a vault in a bucket.
#[derive(Debug, Subcommand)]
pub enum VaultAction {
    /// Bring what changed in a folder to the vault, and what changed in the vault to the folder
    #[command(after_help = "\
Examples:
  emm vault sync ~/Vault             once, both ways
  emm vault sync ~/Vault --watch     and again whenever something changes
  emm vault sync ~/Vault --dry-run   what would go where

Where both sides changed a file, both stay: yours becomes 'note (conflict 2026-01-31).md'. What goes from the folder lies in
its .trash, what goes from the vault in the trash of the store.")]
    Sync {
        /// The folder; made if it is missing
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
        /// Go on until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// The configuration in force, with secrets hidden
    Show,
    /// Say whether the configuration is right
    Check {
        /// A configuration file, instead of the one in force
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Every key with its default and what it means, to start a file of your own from
    Default,
}
