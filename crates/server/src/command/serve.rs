//! `flint serve`.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;

use crate::{Settings, telemetry};

/// What `flint serve` takes.
#[derive(Args)]
pub(super) struct Serve {
    /// A TOML file with any of the settings below; flags and environment go before it.
    #[arg(long, env = "FLINT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Serve {
    /// Serves until a signal ends it.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        let settings = match &self.config {
            Some(path) => self.settings.or(Settings::read(path)?),
            None => self.settings,
        };
        telemetry::log_to_stderr(&settings)?;
        let config = settings.resolve()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            // One more looks at the store for `/health`.
            .max_blocking_threads(config.limits.threads + 1)
            .build()?;
        runtime.block_on(crate::serve(config))?;
        Ok(())
    }
}
