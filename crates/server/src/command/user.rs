//! `flint user`.

use std::error::Error;
use std::io::{BufRead, IsTerminal, stdin};

use clap::{Args, Subcommand};
use repository::{Access, Key, Millis};
use smart::people::{Account, FHIR_USERS, PASSWORD_BYTES_MAX, People, hash_password};
use smart::{Random, new_name, system_random};

use super::Data;
use crate::State;

/// What `flint user` takes.
#[derive(Args)]
pub(super) struct User {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add somebody who may sign in, to a store that no server has open.
    Add(Add),
    /// List who may sign in.
    List(List),
    /// Let somebody sign in no longer; who is signed in is signed out, and the tokens of the apps they allowed count no longer.
    Disable(Named),
    /// Let somebody sign in again.
    Enable(Named),
    /// Set a new password; who is signed in is signed out, and the tokens of the apps they allowed count no longer.
    Password(Named),
}

/// What `flint user add` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
struct Add {
    /// What is typed to sign in
    name: String,
    /// Whose account it is: `Patient/p1`, `RelatedPerson/rp1`, `Practitioner/dr1` or `PractitionerRole/r1`
    #[arg(long, value_name = "TYPE/ID")]
    fhir_user: String,
    #[command(flatten)]
    data: Data,
}

const AFTER_HELP: &str = "\
The password is the first line of standard input. When that is a terminal or empty, one is made and printed, once.";

/// What `flint user list` takes.
#[derive(Args)]
struct List {
    #[command(flatten)]
    data: Data,
}

/// What the other commands take.
#[derive(Args)]
struct Named {
    /// As `flint user list` shows it
    name: String,
    #[command(flatten)]
    data: Data,
}

impl User {
    /// Does what was asked.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        match self.action {
            Action::Add(add) => add.run(),
            Action::List(list) => list.run(),
            Action::Disable(named) => named.change(Account::disable),
            Action::Enable(named) => named.change(|account, _| account.disabled = false),
            Action::Password(named) => named.set_password(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        check_user(&state, &self.fhir_user)?;
        let random = system_random();
        let (password, hash) = new_password(&random)?;
        let account = Account {
            name: self.name,
            subject: new_name(&random),
            password: Some(hash),
            provider: None,
            fhir_user: Some(self.fhir_user),
            vot: None,
            created: state.repository.now().as_millis(),
            disabled: false,
            since: 0,
        };
        People::new(state.repository.vault()).add(&account)?;
        tell(password);
        Ok(())
    }
}

impl List {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        for account in People::new(state.repository.vault()).list()? {
            let user = account.fhir_user.as_deref().unwrap_or("-");
            let disabled = if account.disabled { " disabled" } else { "" };
            println!("{} {user}{disabled}", account.name);
        }
        Ok(())
    }
}

impl Named {
    fn change(self, change: impl Fn(&mut Account, Millis)) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        let now = state.repository.now().as_millis();
        let change = |account: &mut Account| change(account, now);
        Ok(People::new(state.repository.vault()).change(&self.name, &system_random(), change)?)
    }

    fn set_password(self) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        let people = People::new(state.repository.vault());
        if people.find(&self.name)?.is_none_or(|account| account.provider.is_some()) {
            return Err(format!("there is no account `{}` with a password", self.name).into());
        }
        let (password, hash) = new_password(&system_random())?;
        let now = state.repository.now().as_millis();
        people.change(&self.name, &system_random(), |account| account.set_password(hash.clone(), now))?;
        tell(password);
        Ok(())
    }
}

/// Refuses an account of somebody who is not there: from a mistyped id nothing would come, and look like success.
fn check_user(state: &State, user: &str) -> Result<(), Box<dyn Error>> {
    let key = Key::parse(user).filter(|key| FHIR_USERS.contains(&key.collection()));
    let key = key.ok_or_else(|| format!("`{user}` is no {}, such as `Patient/p1`", FHIR_USERS.join(", ")))?;
    state.repository.open(Access::full()).read(&key)?;
    Ok(())
}

/// A password that was made, if one was, and the hash of the password.
fn new_password(random: &Random) -> Result<(Option<String>, String), Box<dyn Error>> {
    let mut salt = [0; 16];
    random(&mut salt);
    match given_password()? {
        Some(password) => Ok((None, hash_password(&password, salt)?)),
        None => {
            let password = new_name(random);
            let hash = hash_password(&password, salt)?;
            Ok((Some(password), hash))
        }
    }
}

fn given_password() -> Result<Option<String>, Box<dyn Error>> {
    if stdin().is_terminal() {
        return Ok(None);
    }
    let mut line = String::new();
    // One more than fits, so that a longer one is refused instead of cut.
    std::io::Read::take(stdin().lock(), PASSWORD_BYTES_MAX as u64 + 2).read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    Ok((!password.is_empty()).then(|| password.to_owned()))
}

fn tell(password: Option<String>) {
    if let Some(password) = password {
        println!("{password}");
    }
}
