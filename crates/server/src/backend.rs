//! Which store a configuration names, and opening it.

use std::fs;
use std::sync::Arc;

use store::{Embedded, Store, StoreError};

use crate::config::Config;

/// Opens the store, or makes it.
pub(crate) fn open(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    match &config.store {
        None => Ok(Arc::new(Embedded::open(&config.data, config.clock.clone())?)),
        Some(url) => open_database(url, config),
    }
}

/// Opens the store that is there to be read only, be it served meanwhile or not.
pub(crate) fn open_beside(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    match &config.store {
        None => Ok(Arc::new(Embedded::open_beside(&config.data)?)),
        Some(url) => database_beside(url),
    }
}

/// Whether there is anything where the store is to be.
pub(crate) fn exists(config: &Config) -> Result<bool, StoreError> {
    match &config.store {
        None => Ok(fs::read_dir(&config.data).is_ok_and(|mut entries| entries.next().is_some())),
        Some(url) => database_exists(url),
    }
}

/// Where the store is, for people; never with the password that its URL may have.
pub(crate) fn place(config: &Config) -> String {
    match &config.store {
        None => format!("`{}`", config.data.display()),
        Some(_) => "the database that --store names".to_owned(),
    }
}

#[cfg(feature = "mongodb")]
fn open_database(url: &str, config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(store::MongoDb::open(url, &config.data, config.clock.clone())?))
}

#[cfg(feature = "mongodb")]
fn database_beside(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(store::MongoDb::open_beside(url)?))
}

#[cfg(feature = "mongodb")]
fn database_exists(url: &str) -> Result<bool, StoreError> {
    store::MongoDb::exists(url)
}

#[cfg(not(feature = "mongodb"))]
fn open_database(_url: &str, _config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    Err(no_driver())
}

#[cfg(not(feature = "mongodb"))]
fn database_beside(_url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(no_driver())
}

#[cfg(not(feature = "mongodb"))]
fn database_exists(_url: &str) -> Result<bool, StoreError> {
    Err(no_driver())
}

#[cfg(not(feature = "mongodb"))]
fn no_driver() -> StoreError {
    StoreError::Unusable("this program was built without its feature `mongodb`".to_owned())
}
