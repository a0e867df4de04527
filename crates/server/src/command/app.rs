//! `flint app`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use repository::{Access, Key};
use smart::{Client, ClientAuth, Clients, NewAuth, NewClient, Random, system_random};

use super::Data;
use crate::State;

/// What `flint app` takes.
#[derive(Args)]
pub(super) struct App {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Register an app or a system in a store that no server has open; prints its client id, and its secret, which nobody can read again.
    Add(Add),
    /// List the apps and systems of a store.
    List(List),
    /// Stop apps and systems: they get no tokens, and those that they have count no longer.
    Remove(Remove),
    /// Make a new secret; the former one counts no longer.
    Secret(Secret),
}

/// What `flint app add` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
struct Add {
    /// As people read it when they are asked what it may do
    #[arg(long)]
    name: String,
    /// The most that it can ever be granted, such as `launch/patient openid fhirUser offline_access patient/*.rs` or `system/*.rs`
    #[arg(long, required = true, num_args = 1, value_name = "SCOPES")]
    scope: Vec<String>,
    /// Where people come back to; compared to the letter
    #[arg(long, value_name = "URL")]
    redirect_uri: Vec<String>,
    /// Where an EHR launch begins
    #[arg(long, value_name = "URL")]
    launch_uri: Option<String>,
    /// It keeps a secret, which is made for it
    #[arg(long, group = "auth")]
    confidential: bool,
    /// It signs with the keys of this JWK Set
    #[arg(long, group = "auth", value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// It signs with the keys that it publishes here
    #[arg(long, group = "auth", value_name = "URL")]
    jwks_uri: Option<String>,
    /// Whose it is, as consents name it
    #[arg(long, value_name = "Organization/ID")]
    organization: Option<String>,
    /// Another name by which consents may name it
    #[arg(long, value_name = "SYSTEM|VALUE")]
    identifier: Vec<String>,
    /// What it uses records for, a code of v3-ActReason such as TREAT, PATRQT or HRESCH
    #[arg(long, value_name = "CODE")]
    purpose: Vec<String>,
    /// It is the record keeper's own system, which asks for itself alone: consents do not narrow what it sees
    #[arg(long)]
    custodian: bool,
    #[command(flatten)]
    data: Data,
}

const AFTER_HELP: &str = "\
Without --confidential, --jwks or --jwks-uri it is a public client, such as an app in a browser or on a phone. Scopes that begin with `system/` need \
--jwks or --jwks-uri.";

/// What `flint app list` takes.
#[derive(Args)]
struct List {
    #[command(flatten)]
    data: Data,
}

/// What `flint app remove` takes.
#[derive(Args)]
struct Remove {
    #[arg(required = true, value_name = "CLIENT_ID")]
    ids: Vec<String>,
    #[command(flatten)]
    data: Data,
}

/// What `flint app secret` takes.
#[derive(Args)]
struct Secret {
    #[arg(value_name = "CLIENT_ID")]
    id: String,
    #[command(flatten)]
    data: Data,
}

impl App {
    /// Does what was asked.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let random = system_random();
        match self.action {
            Action::Add(add) => add.run(&random),
            Action::List(list) => list.run(&random),
            Action::Remove(remove) => remove.run(&random),
            Action::Secret(secret) => secret.run(&random),
        }
    }
}

impl Add {
    fn run(self, random: &Random) -> Result<(), Box<dyn Error>> {
        let auth = self.auth()?;
        let state = Data::open(self.data.settings()?)?;
        check_organization(&state, self.organization.as_deref())?;
        let new = NewClient {
            name: self.name,
            auth,
            redirect_uris: self.redirect_uri,
            launch_uri: self.launch_uri,
            scope: self.scope.join(" "),
            organization: self.organization,
            identifiers: self.identifier,
            purposes: self.purpose,
            custodian: self.custodian,
            ..NewClient::default()
        };
        let registered = clients(&state, random).register(new, state.repository.now().as_millis())?;
        println!("client id: {}", registered.client.id);
        if let Some(secret) = registered.secret {
            println!("client secret: {secret}");
        }
        Ok(())
    }

    fn auth(&self) -> Result<NewAuth, Box<dyn Error>> {
        Ok(match (&self.jwks, &self.jwks_uri) {
            (Some(path), _) => {
                NewAuth::Jwks(fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?)
            }
            (None, Some(url)) => NewAuth::JwksUri(url.clone()),
            (None, None) if self.confidential => NewAuth::Secret,
            (None, None) => NewAuth::Public,
        })
    }
}

impl List {
    fn run(self, random: &Random) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        let clients = clients(&state, random);
        let mut after: Option<String> = None;
        loop {
            let page = clients.list(after.as_deref())?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id.clone());
            page.iter().for_each(tell);
        }
    }
}

impl Remove {
    fn run(self, random: &Random) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        for id in &self.ids {
            if !clients(&state, random).disable(id)? {
                return Err(unknown(id));
            }
            println!("`{id}` gets no more tokens");
        }
        Ok(())
    }
}

impl Secret {
    fn run(self, random: &Random) -> Result<(), Box<dyn Error>> {
        let state = self.data.open_existing()?;
        let secret = clients(&state, random).replace_secret(&self.id)?;
        println!("client secret: {}", secret.ok_or_else(|| format!("`{}` is no client with a secret", self.id))?);
        Ok(())
    }
}

/// Refuses an organization that is not there: consents for the app could not be written.
fn check_organization(state: &State, organization: Option<&str>) -> Result<(), Box<dyn Error>> {
    let Some(key) = organization.and_then(Key::parse).filter(|key| key.collection() == "Organization") else {
        return Ok(());
    };
    state.repository.open(Access::full()).read(&key)?;
    Ok(())
}

fn clients<'a>(state: &'a State, random: &'a Random) -> Clients<'a> {
    Clients::new(state.repository.vault(), random)
}

fn tell(client: &Client) {
    let kind = match client.auth {
        ClientAuth::Public => "public",
        ClientAuth::Secret(_) => "secret",
        ClientAuth::Jwks(_) | ClientAuth::JwksUri(_) => "keys",
    };
    let kind = if client.disabled { "removed" } else { kind };
    println!("{} ({kind}) {}: {}", client.id, client.name, client.scope);
}

fn unknown(id: &str) -> Box<dyn Error> {
    format!("there is no client `{id}`").into()
}
