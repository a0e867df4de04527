//! What a valid access token says.

use std::sync::OnceLock;

use repository::{Access, Millis};

use crate::scope::Scopes;
use crate::{Client, Grant};

/// A token that counted at the moment it was looked at. Kept until it expires, and asked for again at each request.
#[derive(Debug)]
pub struct Verified {
    /// For a token of another issuer whose client is not registered here, one made of what the token and the settings say.
    pub client: Client,
    /// What it rests on. For Backend Services and tokens of other issuers, which have none in the vault, one made of what the token says; its `id`
    /// is then empty.
    pub grant: Grant,
    /// Already below what the client may ever have; without `patient/` where no patient is in context, and without `system/` where a person signed in.
    pub scopes: Scopes,
    /// Who issued it.
    pub issuer: String,
    /// The token's own id, `jti`.
    pub id: String,
    pub issued: Millis,
    /// When it must be looked at again, at the latest: most often it has expired then.
    pub expires: Millis,
    access: OnceLock<Access>,
}

impl Verified {
    pub(crate) fn new(client: Client, grant: Grant, scopes: Scopes, token: Stamp) -> Verified {
        let Stamp { issuer, id, issued, expires } = token;
        Verified { client, grant, scopes, issuer, id, issued, expires, access: OnceLock::new() }
    }

    /// The rights that it grants: made by whoever needs them first.
    pub fn access(&self, make: impl FnOnce(&Verified) -> Access) -> &Access {
        self.access.get_or_init(|| make(self))
    }
}

/// Whence a token comes, and how long it counts.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub(crate) issuer: String,
    pub(crate) id: String,
    pub(crate) issued: Millis,
    pub(crate) expires: Millis,
}
