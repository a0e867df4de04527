//! `flint keys`.

use std::error::Error;

use clap::{Args, Subcommand};
use smart::{FormerKeys, rotate_keys, system_random};

use super::Data;

/// What `flint keys` takes.
#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make new keys that sign tokens from now on, in a store that no server has open. Without it they are 90 days old at most.
    Rotate(Rotate),
}

/// What `flint keys rotate` takes.
#[derive(Args)]
struct Rotate {
    /// No token that a former key signed counts any longer: for when one was stolen. Apps get new ones with their refresh tokens
    #[arg(long)]
    drop_former: bool,
    #[command(flatten)]
    data: Data,
}

impl Keys {
    /// Does what was asked.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let Action::Rotate(rotate) = self.action;
        let former = if rotate.drop_former { FormerKeys::Drop } else { FormerKeys::Keep };
        let state = rotate.data.open_existing()?;
        let now = state.repository.now().as_millis();
        Ok(rotate_keys(state.repository.vault(), &system_random(), now, former)?)
    }
}
