//! A transaction in the making, as rules see it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fhir::json::{Document, Node};
use fhir::{Definitions, Outcome};
use store::{Batch, Filter, Find, Key, Millis, Precondition, Put, Snapshot, Version, Write};

use crate::access::{Known, Sight, accepts};
use crate::audit::{Act, Datum};
use crate::parameters::Generation;
use crate::search::Runner;
use crate::session::parse_stored;
use crate::trail::{self, Seen};
use crate::transact::content::{Content, arrange};
use crate::{Access, Method, Planned, Requester, Session, access, consent, fault, library};

/// How many resources with one identifier are looked at.
const IDENTIFIED_MAX: usize = 10;

/// The planned writes over a snapshot. What is read here is checked again by the commit: if another request changed it meanwhile, the whole
/// transaction is made anew.
pub struct Transaction<'a> {
    pub(crate) session: &'a Session<'a>,
    pub(crate) snapshot: &'a dyn Snapshot,
    now: Millis,
    pub(crate) writes: Vec<PlannedWrite>,
    by_key: HashMap<Key, usize>,
    /// The versions that everything here rests on.
    read: BTreeMap<Key, u64>,
    stored: HashMap<Key, Option<Arc<Document>>>,
    /// The names looked at: what each held before this transaction, and must still hold when it is committed.
    names: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The names taken and given back: what each shall hold.
    claims: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The names that shall hold what they never held.
    stirred: BTreeSet<Vec<u8>>,
    /// The stored values to be.
    pub(crate) settings: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A write that is to be.
pub(crate) struct PlannedWrite {
    pub(crate) key: Key,
    /// The newest version, a deletion included.
    pub(crate) current: Option<Version>,
    /// `None` for a deletion.
    pub(crate) content: Option<Arc<Content>>,
    pub(crate) method: Method,
    /// The position of the caller's change; `None` for what a rule added.
    pub(crate) change: Option<usize>,
    /// [`Planned::changed_twice`].
    pub(crate) changed_twice: Option<String>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(session: &'a Session<'a>, snapshot: &'a dyn Snapshot) -> Transaction<'a> {
        Transaction {
            session,
            snapshot,
            now: session.setup().clock.now(),
            writes: Vec::new(),
            by_key: HashMap::default(),
            read: BTreeMap::new(),
            stored: HashMap::default(),
            names: BTreeMap::new(),
            claims: BTreeMap::new(),
            stirred: BTreeSet::new(),
            settings: BTreeMap::new(),
        }
    }

    /// The content as this transaction leaves it: planned writes first, then the store. `None` when there is none or it is deleted.
    pub fn read(&mut self, key: &Key) -> Result<Option<Arc<Document>>, Outcome> {
        match self.by_key.get(key) {
            Some(&at) => Ok(self.writes[at].content.as_ref().map(|content| content.document.clone())),
            None => self.read_stored(key),
        }
    }

    /// The content before this transaction.
    pub fn read_stored(&mut self, key: &Key) -> Result<Option<Arc<Document>>, Outcome> {
        if let Some(stored) = self.stored.get(key) {
            return Ok(stored.clone());
        }
        let current = self.current(key)?;
        let body = current.as_ref().and_then(|version| version.body.as_ref());
        let document = body.map(|body| parse_stored(key, body)).transpose()?.map(Arc::new);
        self.stored.insert(key.clone(), document.clone());
        Ok(document)
    }

    /// Whether the caller's own changes write this resource.
    pub fn is_written(&self, key: &Key) -> bool {
        self.by_key.get(key).is_some_and(|&at| self.writes[at].change.is_some())
    }

    /// The position of the caller's own change that writes this resource.
    pub fn change_of(&self, key: &Key) -> Option<usize> {
        self.by_key.get(key).and_then(|&at| self.writes[at].change)
    }

    /// Plans a new version with this content (validated and indexed like any other), in place of an earlier plan for the same key.
    pub fn put(&mut self, key: &Key, document: Document) -> Result<(), Outcome> {
        let content =
            Some(Arc::new(Content::new(self.session, &self.session.library(), &arrange(&document, key, &[]))?));
        match self.by_key.get(key) {
            Some(&at) => self.writes[at].content = content,
            None => {
                let current = self.current(key)?;
                let is_there = current.as_ref().is_some_and(|version| version.body.is_some());
                let method = if is_there { Method::Put } else { Method::Post };
                self.plan(PlannedWrite {
                    key: key.clone(),
                    current,
                    content,
                    method,
                    change: None,
                    changed_twice: None,
                });
            }
        }
        Ok(())
    }

    /// A key that no resource has, for [`Transaction::put`] to create one.
    pub fn new_key(&self, resource_type: &str) -> Result<Key, Outcome> {
        let id = (self.session.setup().ids)();
        Key::new(resource_type, &id).ok_or_else(|| fault::exception("the server made an id that none can be"))
    }

    /// A resource of the type that has this identifier as the transaction leaves it, whatever the caller may see.
    pub fn identified(&mut self, resource_type: &str, system: &str, value: &str) -> Result<Option<Key>, Outcome> {
        let filter = self.session.registry().coded(resource_type, "identifier", Some(system), value);
        let Some(filter) = filter else { return Ok(None) };
        let found = self.snapshot.find(&Find::new(filter, IDENTIFIED_MAX)).map_err(fault::outcome)?;
        let planned = self.writes.iter().map(|write| &write.key).filter(|key| key.collection() == resource_type);
        let candidates: Vec<_> = found.hits.into_iter().map(|hit| hit.key).chain(planned.cloned()).collect();
        for key in candidates {
            if self.read(&key)?.is_some_and(|document| has_identifier(&document, system, value)) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// Whether the caller may learn that this resource is there, as a reference to it would tell.
    pub fn is_told(&self, key: &Key) -> Result<bool, Outcome> {
        if self.is_written(key) {
            return Ok(true);
        }
        match self.session.sight(self.snapshot)?.known(key.collection()) {
            Known::Untold | Known::All => Ok(true),
            Known::Only(filter) => accepts(self.snapshot, key, &filter),
        }
    }

    /// What a name holds as this transaction leaves it; `None` when nobody holds it.
    pub fn claimed(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Outcome> {
        match self.claims.get(name) {
            Some(planned) => Ok(planned.clone()),
            None => self.held(name),
        }
    }

    /// What a name held before this transaction.
    fn held(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Outcome> {
        if let Some(held) = self.names.get(name) {
            return Ok(held.clone());
        }
        let held = self.snapshot.value(name).map_err(fault::outcome)?;
        self.names.insert(name.to_vec(), held.clone());
        Ok(held)
    }

    /// Takes a name that only one may hold; somebody else's claim refuses the transaction with `refusal`. The same claim again is fine.
    pub fn claim(&mut self, name: Vec<u8>, value: Vec<u8>, refusal: Outcome) -> Result<(), Outcome> {
        match self.claimed(&name)? {
            Some(held) if held != value => Err(refusal),
            _ => {
                self.claims.insert(name, Some(value));
                Ok(())
            }
        }
    }

    /// Gives a name back.
    pub fn release(&mut self, name: Vec<u8>) {
        self.claims.insert(name, None);
    }

    /// Lets a name hold another value, `None` for nothing, whatever it holds: of two transactions that exchange one value for another, the
    /// second is made anew over what the first has left.
    pub fn exchange(&mut self, name: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), Outcome> {
        self.held(&name)?;
        self.claims.insert(name, value);
        Ok(())
    }

    /// Lets a name that nobody claims hold what it never held before, if anything is written: whoever has looked at it and is committed later is
    /// made anew. Two that stir one name at the same time do not wait for each other.
    pub fn stir(&mut self, name: Vec<u8>) {
        self.stirred.insert(name);
    }

    /// The resource of this server that a literal reference leads to; `None` for any other reference.
    pub fn local(&self, reference: &str) -> Option<Key> {
        self.session.local(reference)
    }

    /// Whether what is planned for a key is there already.
    pub fn changes_nothing(&self, key: &Key) -> bool {
        self.by_key.get(key).is_some_and(|at| self.writes[*at].changes_nothing())
    }

    pub(crate) fn definitions(&self) -> &'static Definitions {
        self.session.setup().definitions
    }

    /// The generation of search parameters that the rows are made in.
    pub(crate) fn generation(&self) -> Generation {
        self.session.live.generation
    }

    /// The time of the request.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Who asks; `None` when nobody needs to say.
    pub fn requester(&self) -> Option<&Requester> {
        self.session.requester()
    }

    /// Whether the caller may read what is stored under this key now: what a refusal tells of it is told to nobody else.
    pub fn may_read(&self, key: &Key) -> Result<bool, Outcome> {
        self.session.sight(self.snapshot)?.accepts(access::Act::Read, self.snapshot, key)
    }

    /// Whether the caller may update what is stored under this key now.
    pub fn may_update(&self, key: &Key) -> Result<bool, Outcome> {
        if self.session.access.permit(access::Act::Update, key.collection()).is_err() {
            return Ok(false);
        }
        self.session.sight(self.snapshot)?.accepts(access::Act::Update, self.snapshot, key)
    }

    /// The first resources of a type that a query string (without `?`) finds among what was stored before this transaction, whoever may see
    /// them, at most `limit`. A rule narrows them by what it [reads](Transaction::read) of each: that alone is checked again by the commit.
    pub fn lookup(&self, resource_type: &str, query: &str, limit: usize) -> Result<Vec<Key>, Outcome> {
        let sight = Sight::new(Access::full(), None, self.session.live.registry.clone());
        let runner = Runner::new(self.session, self.snapshot, sight);
        let query = self.session.compiled(resource_type, query)?;
        let find = Find { sort: query.sort, ..Find::new(runner.filter(&query.criterion)?, limit) };
        Ok(runner.find(find)?.hits.into_iter().map(|hit| hit.key).collect())
    }

    /// Whether this loads records of what happened elsewhere: a rule then keeps its books and refuses nothing.
    pub fn is_import(&self) -> bool {
        self.session.importing
    }

    /// The newest version in the store, which from now on must stay the newest.
    pub(crate) fn current(&mut self, key: &Key) -> Result<Option<Version>, Outcome> {
        let current = self.snapshot.read(key).map_err(fault::outcome)?;
        self.read.insert(key.clone(), current.as_ref().map_or(0, |version| version.version));
        Ok(current)
    }

    /// Where a resource stands among the planned writes.
    pub(crate) fn position(&self, key: &Key) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn plan(&mut self, write: PlannedWrite) {
        self.read.insert(write.key.clone(), write.current.as_ref().map_or(0, |version| version.version));
        self.by_key.insert(write.key.clone(), self.writes.len());
        self.writes.push(write);
    }

    /// What is planned for a resource, for a rule that lets others look at what it has planned itself; `None` when nothing is.
    pub fn planned_for(&mut self, key: &Key) -> Result<Option<Planned>, Outcome> {
        self.position(key).map(|at| self.planned(at)).transpose()
    }

    /// A planned write as rules look at it.
    pub(crate) fn planned(&mut self, at: usize) -> Result<Planned, Outcome> {
        let write = &self.writes[at];
        let (key, method, changed_twice) = (write.key.clone(), write.method, write.changed_twice.clone());
        let after = write.content.as_ref().map(|content| content.document.clone());
        let before = match &write.current {
            Some(version) if version.body.is_some() => self.read_stored(&key)?,
            _ => None,
        };
        Ok(Planned { key, before, after, method, changed_twice })
    }

    /// Everything as one batch. Writes that change nothing are left out; the positions of the others come with it.
    pub(crate) fn batch(&self) -> Result<(Batch, Vec<usize>), Outcome> {
        let preconditions = self.read.iter();
        let preconditions =
            preconditions.map(|(key, version)| Precondition::Version { key: key.clone(), version: *version }).collect();
        let mut batch = Batch { preconditions, writes: Vec::new() };
        let names = self.names.iter();
        batch
            .preconditions
            .extend(names.map(|(name, value)| Precondition::Value { name: name.clone(), value: value.clone() }));
        batch.preconditions.push(self.session.live.precondition());
        let mut written = Vec::new();
        for (at, write) in self.writes.iter().enumerate() {
            if !write.changes_nothing() {
                batch.writes.push(self.write(write));
                written.push(at);
            }
        }
        for (name, value) in &self.claims {
            let held = match self.names.get(name) {
                Some(held) => held.clone(),
                None => self.snapshot.value(name).map_err(fault::outcome)?,
            };
            if held.is_some() && held != *value {
                batch.writes.push(Write::Release { name: name.clone() });
            }
            if let Some(value) = value
                && held.as_ref() != Some(value)
            {
                batch.writes.push(Write::Claim { name: name.clone(), value: value.clone() });
            }
        }
        if let Some(first) = written.first().map(|&at| &self.writes[at]) {
            let value = format!("{}/{}", first.key, first.next_version()).into_bytes();
            let stirred = self.stirred.iter().map(|name| Write::Set { name: name.clone(), value: value.clone() });
            batch.writes.extend(stirred);
        }
        let versions = written.iter().map(|&at| (&self.writes[at].key, self.writes[at].next_version()));
        batch.writes.extend(library::Generation::begun_by(versions.clone()));
        batch.writes.extend(consent::begun_by(versions));
        let settings = self.settings.iter();
        batch.writes.extend(settings.map(|(name, value)| Write::Set { name: name.clone(), value: value.clone() }));
        Ok((batch, written))
    }

    fn write(&self, write: &PlannedWrite) -> Write {
        let (key, mark, version) = (write.key.clone(), write.method.mark(), write.next_version());
        let Some(content) = &write.content else { return Write::Delete { key, version, mark } };
        let (body, stamp_at) = content.body(&key, version);
        let time_index = Some(self.session.registry().time_index(key.collection()));
        Write::Put(Put {
            key,
            version,
            body,
            stamp_at: Some(stamp_at),
            rows: content.rows.rows.clone(),
            words: content.rows.words.clone(),
            time_index,
            mark,
        })
    }
}

impl Transaction<'_> {
    /// What a planned write shows of whose record.
    pub(crate) fn seen(&self, write: &PlannedWrite) -> Result<Seen, Outcome> {
        let indexes = self.session.registry().patient_indexes(write.key.collection());
        let patients = match &write.content {
            Some(content) => {
                trail::patients(&write.key, content.rows.rows.iter().filter(|row| indexes.contains(&row.index)))
            }
            None => {
                let examined = self.snapshot.examine(&write.key, &Filter::everything(), indexes);
                let rows = examined.map_err(fault::outcome)?.map_or(Vec::new(), |examined| examined.rows);
                trail::patients(&write.key, &rows)
            }
        };
        Ok(Seen { datum: Datum { key: write.key.clone(), version: write.next_version() }, patients })
    }
}

impl PlannedWrite {
    /// What the audit calls it.
    pub(crate) fn act(&self) -> Act {
        let was_there = self.current.as_ref().is_some_and(|version| version.body.is_some());
        match self.method {
            Method::Delete => Act::Delete,
            Method::Patch => Act::Patch,
            Method::Put if was_there => Act::Update,
            Method::Put | Method::Post => Act::Create,
        }
    }

    /// The number of the version it makes.
    pub(crate) fn next_version(&self) -> u64 {
        self.current.as_ref().map_or(0, |version| version.version) + 1
    }

    /// Whether the content is that of the current version.
    pub(crate) fn changes_nothing(&self) -> bool {
        let (Some(content), Some(current)) = (&self.content, &self.current) else { return false };
        current.body.as_ref().is_some_and(|body| content.is(&self.key, current.version, body))
    }
}

fn has_identifier(document: &Document, system: &str, value: &str) -> bool {
    let is = |identifier: Node<'_>, name: &str, text: &str| identifier.get(name).is_some_and(|node| node.is_str(text));
    let mut identifiers = document.root().get("identifier").into_iter().flat_map(Node::each);
    identifiers.any(|identifier| is(identifier, "system", system) && is(identifier, "value", value))
}
