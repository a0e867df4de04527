//! `flint audit`.

use std::error::Error;

use clap::{Args, Subcommand};
use repository::audit::Head;

use super::Data;
use crate::State;

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
        verify(&self.data.open_existing()?, self.noted)
    }
}

fn verify(state: &State, noted: Option<Head>) -> Result<(), Box<dyn Error>> {
    let report = state.repository.verify_audit(noted, |_, _| {})?;
    println!("{} blocks with {} records are whole", report.head.sequence, report.records);
    println!("{} records have their AuditEvents; the others get them later", report.events);
    if report.pending > 0 {
        println!("{} accounts wait for the next start of the server", report.pending);
    }
    println!("head: {}", report.head);
    match report.damage {
        Some(damage) => Err(damage.to_string().into()),
        None => Ok(()),
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

#[cfg(test)]
mod tests {
    use repository::Requester;
    use repository::audit::{Account, Act, Ending};
    use store::{Batch, Write};

    use super::*;
    use crate::Config;

    #[test]
    fn tells_damage_by_its_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = Config { data: directory.path().to_owned(), ..Config::default() };
        let state = State::open(config, "http://localhost/fhir".to_owned()).expect("a store");
        let verify = |noted| verify(&state, noted).map_err(|error| error.to_string());
        let account = Account {
            act: Act::SignIn,
            ending: Ending::Refused,
            requester: &Requester::default(),
            peer: None,
            request: "r-1",
            operation: "",
            note: "the password is wrong",
            query: "",
            subjects: &[],
        };
        assert_eq!(verify(None), Ok(()));
        assert_eq!(state.repository.ledger().append(&[account, account]).wait(), Ok(()));
        assert_eq!(state.repository.ledger().flush(), Ok(()));
        let noted = state.repository.ledger().head().expect("a head");
        assert_eq!((verify(None), verify(Some(noted))), (Ok(()), Ok(())));
        let later = Head { sequence: noted.sequence + 1, ..noted };
        assert!(verify(Some(later)).expect_err("cut off").contains("was changed or cut off"));
        let name = [b"audit/block/".as_slice(), &1_u64.to_be_bytes()].concat();
        let batch = Batch { preconditions: Vec::new(), writes: vec![Write::Release { name }] };
        state.repository.store().commit(batch).expect("written");
        assert!(verify(None).expect_err("damage").contains("should with"));
    }

    #[test]
    fn reads_heads() {
        for wrong in ["", "1", "1-abc", "x"] {
            assert!(head(wrong).is_err(), "{wrong}");
        }
        assert!(head(&Head::default().to_string()).is_ok());
    }
}
