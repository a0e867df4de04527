//! The rights of a request.

use std::net::IpAddr;

use fhir::{IssueType, Outcome};
use repository::{Access, Act, Acts, Key, Name, Permit, Repository, Requester};

use crate::access_tokens::{Refused, Verified};
use crate::exchange::{Reply, Request};
use crate::scope::{Letters, Level, Scope};
use crate::server::AuthorizationServer;
use crate::{Client, Grant};

/// Decides the rights of requests.
pub enum Authority {
    /// `--auth off`: full access. The server then listens on loopback only.
    Off,
    /// Who asks shows an access token.
    On(Box<AuthorizationServer>),
}

impl Authority {
    /// The rights of a request with this `Authorization` header; who shows no valid token is refused with [`IssueType::Login`].
    pub fn access(&self, repository: &Repository, authorization: Option<&str>) -> Result<Access, Outcome> {
        let Authority::On(server) = self else { return Ok(Access::full()) };
        let Some(authorization) = authorization else {
            let text = "this needs an access token: `Authorization: Bearer` and the token";
            return Err(Outcome::new(IssueType::Login, text));
        };
        let token = bearer(authorization).ok_or_else(|| invalid(&Refused::InvalidToken))?;
        let verified = server.desk(repository).verify(token).map_err(|refused| match refused {
            Refused::Fault(outcome) => outcome,
            refused => invalid(&refused),
        })?;
        Ok(verified.access(|verified| server.rights(repository, verified)).clone())
    }

    /// Whether [`Authority::access`] may wait until keys of another issuer are fetched, and so belongs on a thread that may block.
    pub fn may_wait(&self, repository: &Repository, authorization: Option<&str>) -> bool {
        let Authority::On(server) = self else { return false };
        let token = authorization.and_then(bearer);
        token.is_some_and(|token| server.desk(repository).may_wait(token))
    }

    /// The rights of who needs none: for what is open to everybody.
    pub fn open_access(&self) -> Access {
        match self {
            Authority::Off => Access::full(),
            Authority::On(_) => Access::limited([], Requester::default()),
        }
    }

    /// Answers a request to the authorization server; `None` where there is none.
    pub fn handle(&self, repository: &Repository, request: &Request<'_>) -> Option<Reply> {
        match self {
            Authority::Off => None,
            Authority::On(server) => Some(server.handle(repository, request)),
        }
    }

    /// The reply of [`AuthorizationServer::unread`]; `None` where there is none.
    pub fn unread(&self, repository: &Repository, path: &str, peer: IpAddr, reason: &str) -> Option<Reply> {
        self.server()?.unread(repository, path, peer, reason)
    }

    /// The endpoints of the authorization server by the names that a CapabilityStatement has for them; none where there is none.
    pub fn endpoints(&self) -> Vec<(&'static str, String)> {
        let Authority::On(server) = self else { return Vec::new() };
        let names = ["authorize", "token", "introspect", "revoke", "manage"];
        names.into_iter().map(|name| (name, server.url(name))).collect()
    }

    /// The authorization server; `None` where there is none.
    pub fn server(&self) -> Option<&AuthorizationServer> {
        match self {
            Authority::Off => None,
            Authority::On(server) => Some(server),
        }
    }

    /// Whether callers show who they are.
    pub fn is_on(&self) -> bool {
        matches!(self, Authority::On(_))
    }
}

impl AuthorizationServer {
    /// What a token grants. A scope that nothing can be made of grants nothing.
    pub(crate) fn rights(&self, repository: &Repository, verified: &Verified) -> Access {
        let requester = match self.requester(repository, verified) {
            Ok(requester) => requester,
            Err(outcome) => {
                tracing::error!(%outcome, "a token grants nothing, for it cannot be found out who asks");
                return Access::limited([], Requester::default());
            }
        };
        let permits = verified.scopes.data.iter().map(permit);
        let understood = permits.filter(|permit| {
            let alone = repository.grant(std::slice::from_ref(permit), requester.clone());
            alone.inspect_err(|outcome| tracing::info!(%outcome, "a scope grants nothing")).is_ok()
        });
        let permits: Vec<_> = understood.collect();
        let access = repository.grant(&permits, requester.clone());
        access.unwrap_or_else(|_| Access::limited([], requester))
    }

    fn requester(&self, repository: &Repository, verified: &Verified) -> Result<Requester, Outcome> {
        let Verified { client, grant, .. } = verified;
        let user = grant.fhir_user.as_deref().and_then(Key::parse);
        let requester = requester(repository, &self.issuer, client, user)?;
        // A consent that cannot be found permits nothing.
        let unknown = || Key::new("Consent", "-").expect("a type and an id");
        let consents = grant.consents.iter().map(|consent| Key::parse(consent).unwrap_or_else(unknown));
        let purposes = if grant.purposes.is_empty() { requester.purposes } else { grant.purposes.clone() };
        Ok(Requester {
            purposes,
            patient: grant.patient.as_deref().and_then(|id| Key::new("Patient", id)),
            consents: consents.collect(),
            custodian: requester.custodian && is_of_system(grant),
            ..requester
        })
    }
}

/// Who asks where this person uses this client, or the client asks alone: without a patient in context.
pub(crate) fn requester(
    repository: &Repository,
    issuer: &str,
    client: &Client,
    user: Option<Key>,
) -> Result<Requester, Outcome> {
    let named = client.identifiers.iter().filter_map(|identifier| identifier.split_once('|'));
    let own = (format!("{issuer}/clients"), client.id.clone());
    let identifiers: Vec<_> = named.map(|(system, value)| (system.to_owned(), value.to_owned())).collect();
    let names = identifiers.iter().cloned().chain([own]);
    let organization = client.organization.as_deref().and_then(Key::parse);
    let mut names: Vec<_> = names.map(|(system, value)| Name::Identifier { system, value }).collect();
    for key in user.iter().chain(&organization) {
        names.extend(repository.names(key)?);
    }
    let purposes = match client.purposes.as_slice() {
        [] => vec![usual_purpose(user.as_ref()).to_owned()],
        purposes => purposes.to_vec(),
    };
    Ok(Requester {
        client: client.id.clone(),
        client_name: client.name.clone(),
        custodian: client.custodian && user.is_none(),
        user,
        organization,
        identifiers,
        names,
        purposes,
        patient: None,
        consents: Vec::new(),
    })
}

/// Whether nobody stands behind a grant: the record keeper's own system is the keeper only as long as it asks for itself.
fn is_of_system(grant: &Grant) -> bool {
    grant.account.is_none() && grant.fhir_user.is_none() && grant.patient.is_none() && grant.consents.is_empty()
}

/// The purpose of use where nobody states one, of v3-ActReason: patients ask for themselves, staff to treat, and systems to run the service,
/// which is what patients may opt out of.
fn usual_purpose(user: Option<&Key>) -> &'static str {
    match user.map(Key::collection) {
        Some("Patient" | "RelatedPerson" | "Person") => "PATRQT",
        Some(_) => "TREAT",
        None => "HSYSADMIN",
    }
}

fn permit(scope: &Scope) -> Permit {
    let letters = [
        (Letters::CREATE, Act::Create),
        (Letters::READ, Act::Read),
        (Letters::UPDATE, Act::Update),
        (Letters::DELETE, Act::Delete),
        (Letters::SEARCH, Act::Search),
    ];
    let acts = letters.into_iter().filter(|(letter, _)| scope.letters.contains(*letter)).map(|(_, act)| act);
    Permit {
        of_patient: scope.level == Level::Patient,
        resource_type: scope.resource_type,
        acts: acts.collect::<Acts>(),
        parameters: scope.parameters.clone(),
    }
}

/// The token in `Authorization: Bearer token`.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

fn invalid(refused: &Refused) -> Outcome {
    Outcome::new(IssueType::Login, refused.to_string())
}
