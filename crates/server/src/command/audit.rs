//! `flint audit`.

use std::error::Error;

use clap::{Args, Subcommand};
use repository::audit::Head;

use super::Data;

/// What `flint audit` takes.
#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Check that nothing of the audit of a store that no server has open was changed or taken away.
    Verify(Verify),
    /// Print the head of the audit: noted elsewhere, it shows later that the end of the audit was cut off.
    Head(Show),
}

/// What `flint audit verify` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
struct Verify {
    /// A head from before, as `flint audit head` prints it and the server logs it: it must stand in the chain
    #[arg(long = "head", value_name = "HEAD", value_parser = head)]
    noted: Option<Head>,
    #[command(flatten)]
    data: Data,
}

const AFTER_HELP: &str = "\
Every block of the audit holds the hash of the one before it, and every AuditEvent follows from its record. The first damage is named, and the \
exit code is then 1. Whoever can write the store can also cut off its end: that shows only against a head that was noted elsewhere.";

/// What `flint audit head` takes.
#[derive(Args)]
struct Show {
    #[command(flatten)]
    data: Data,
}

impl Audit {
    /// Does what was asked.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.action {
            Action::Verify(verify) => verify.run(),
            Action::Head(show) => show.run(),
        }
    }
}

impl Verify {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        let report = state.repository.verify_audit(self.noted, |_, _| {})?;
        println!("{} blocks with {} records are whole", report.head.sequence, report.records);
        println!("{} records have their AuditEvents, the others are made later", report.events);
        if report.pending > 0 {
            println!("{} accounts of writes wait for the next start of the server", report.pending);
        }
        println!("head: {}", report.head);
        match report.damage {
            Some(damage) => Err(damage.to_string().into()),
            None => Ok(()),
        }
    }
}

impl Show {
    fn run(self) -> Result<(), Box<dyn Error>> {
        println!("{}", self.data.open_existing()?.repository.ledger().head()?);
        Ok(())
    }
}

fn head(text: &str) -> Result<Head, String> {
    Head::parse(text).ok_or_else(|| "a head is a number, `-` and 64 hexadecimal digits".to_owned())
}
