//! The keys that this server signs with: kept in the vault, renewed, and published as long as a token of theirs counts.
//!
//! ES256 signs access tokens, for it is the fastest to sign. RS256 signs ID tokens, for SMART demands it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fhir::{IssueType, Outcome};
use repository::{Edit, Millis, Vault};
use serde::{Deserialize, Serialize};

use crate::access_tokens::LIFETIME_MAX;
use crate::epoch::{self, Epoch};
use crate::jose::{Algorithm, Jwk, KeySet, PrivateKey, Unsigned};
use crate::record::{Stored, add};
use crate::secret::{Random, new_name};

/// How long a key signs, in milliseconds: 90 days.
const KEY_AGE_MAX: Millis = 90 * 24 * 60 * 60 * 1000;

const NAME: &str = "key/ring";

/// The keys of one time.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Signs access tokens.
    pub(crate) access: PrivateKey,
    /// Signs ID tokens.
    pub(crate) id: PrivateKey,
    former: Vec<Former>,
    made: Millis,
}

/// The keys, read once as long as nothing changes.
#[derive(Default)]
pub(crate) struct Signing {
    ring: Mutex<Option<(Epoch, Arc<Ring>)>>,
}

/// As the vault keeps it.
#[derive(Serialize, Deserialize)]
struct StoredRing {
    access: StoredKey,
    id: StoredKey,
    former: Vec<Former>,
    made: Millis,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    kid: String,
    /// In base64.
    pkcs8: String,
}

/// A key that signs no longer, and how long what it signed may count.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Former {
    key: Jwk,
    until: Millis,
}

impl Ring {
    /// What is published at this time.
    pub(crate) fn published(&self, now: Millis) -> KeySet {
        let former = self.former.iter().filter(|former| now < former.until).map(|former| former.key.clone());
        KeySet { keys: [self.access.public(), self.id.public()].into_iter().chain(former).collect() }
    }
}

impl Signing {
    /// The keys that sign now. The first call makes them, and one makes new ones when they are too old.
    pub(crate) fn ring(&self, vault: Vault<'_>, random: &Random, now: Millis) -> Result<Arc<Ring>, Outcome> {
        let mut held = self.lock();
        loop {
            let epoch = epoch::current(vault)?;
            match &*held {
                Some((seen, ring)) if *seen == epoch && now < ring.made + KEY_AGE_MAX => return Ok(ring.clone()),
                _ => {}
            }
            match Stored::<StoredRing>::find(vault, NAME.to_owned())? {
                Some(stored) if now < stored.value.made + KEY_AGE_MAX => {
                    *held = Some((epoch, Arc::new(stored.value.open().map_err(unusable)?)));
                }
                // Another process may be faster: then its keys are read.
                stored => {
                    renew(vault, stored, random, now, FormerKeys::Keep)?;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Epoch, Arc<Ring>)>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of what former keys signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormerKeys {
    /// It counts until it expires.
    Keep,
    /// It counts no longer: somebody else may have a key.
    Drop,
}

/// Makes keys that sign from now on.
pub fn rotate_keys(vault: Vault<'_>, random: &Random, now: Millis, former: FormerKeys) -> Result<(), Outcome> {
    while !renew(vault, Stored::find(vault, NAME.to_owned())?, random, now, former)? {}
    Ok(())
}

fn renew(
    vault: Vault<'_>,
    stored: Option<Stored<StoredRing>>,
    random: &Random,
    now: Millis,
    former: FormerKeys,
) -> Result<bool, Outcome> {
    let mut ring = StoredRing {
        access: StoredKey::generate(Algorithm::Es256, random).map_err(unusable)?,
        id: StoredKey::generate(Algorithm::Rs256, random).map_err(unusable)?,
        former: Vec::new(),
        made: now,
    };
    let edit: Edit = match stored {
        None => add(NAME, &ring),
        Some(stored) => {
            if former == FormerKeys::Keep {
                ring.former = stored.value.retired(now).map_err(unusable)?;
            }
            stored.replace(&ring)
        }
    };
    vault.edit(vec![edit, epoch::next(random)])
}

impl StoredRing {
    fn open(self) -> Result<Ring, Unsigned> {
        let access = self.access.open(Algorithm::Es256)?;
        Ok(Ring { access, id: self.id.open(Algorithm::Rs256)?, former: self.former, made: self.made })
    }

    /// The former keys once these sign no longer.
    fn retired(&self, now: Millis) -> Result<Vec<Former>, Unsigned> {
        let until = now + LIFETIME_MAX;
        let access = Former { key: self.access.open(Algorithm::Es256)?.public(), until };
        let id = Former { key: self.id.open(Algorithm::Rs256)?.public(), until };
        let former = self.former.iter().filter(|former| now < former.until).cloned();
        Ok([access, id].into_iter().chain(former).collect())
    }
}

impl StoredKey {
    fn generate(algorithm: Algorithm, random: &Random) -> Result<StoredKey, Unsigned> {
        let pkcs8 = STANDARD.encode(PrivateKey::generate(algorithm)?);
        Ok(StoredKey { kid: new_name(random), pkcs8 })
    }

    fn open(&self, algorithm: Algorithm) -> Result<PrivateKey, Unsigned> {
        let pkcs8 = STANDARD.decode(&self.pkcs8).map_err(|_| Unsigned)?;
        PrivateKey::read(self.kid.clone(), algorithm, &pkcs8)
    }
}

fn unusable(error: Unsigned) -> Outcome {
    Outcome::new(IssueType::Exception, error.to_string())
}
