//! The passes of an import, and the threads that share one.

use std::collections::{HashSet, VecDeque};
use std::io::BufRead;
use std::sync::{Mutex, MutexGuard, PoisonError};

use blake3::Hash;
use fhir::json::Document;
use fhir::{IssueType, Outcome};
use repository::{Access, References, Session};

use super::Import;
use super::file::{self, FILE_BYTES_MAX, Place, entry_line, resource_change};
use super::journal::Name;
use super::lines::{Chunk, LINE_BYTES_MAX, Lines};
use super::part::{Part, Tally};
use super::report::{Refusals, Report};
use super::source::{Form, Source};
use crate::State;
use crate::perform::refused_at;
use crate::progress::Progress;

/// One import.
pub(super) struct Run<'a> {
    state: &'a State,
    import: &'a Import,
    sources: &'a [Source],
    progress: &'a Progress,
    /// The fingerprints of the files of this run, so that of equal files only the first is imported.
    hashes: Mutex<HashSet<Hash>>,
    counts: Mutex<Counts>,
    /// What each source's last pass refused.
    refusals: Vec<Mutex<Refusals>>,
    /// Why everything is given up.
    fatal: Mutex<Option<String>>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tally: Tally,
    skipped: usize,
}

/// What a thread does next.
enum Task {
    File(usize),
    Chunk(usize, Hash, Chunk),
}

/// What is left of a pass.
struct Queue<'a> {
    sources: VecDeque<usize>,
    open: Option<Open<'a>>,
    /// The NDJSON files that were read to their ends.
    read: Vec<(usize, Hash)>,
}

/// The NDJSON file that is being read.
struct Open<'a> {
    source: usize,
    hash: Hash,
    lines: Lines<Box<dyn BufRead + Send + 'a>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(state: &'a State, import: &'a Import, sources: &'a [Source], progress: &'a Progress) -> Run<'a> {
        let refusals = sources.iter().map(|source| Mutex::new(Refusals::of(&source.path))).collect();
        let (hashes, counts, fatal) = (Mutex::default(), Mutex::default(), Mutex::default());
        Run { state, import, sources, progress, hashes, counts, refusals, fatal }
    }

    /// First what others refer to, then the rest, then what waits for others for as long as that helps.
    pub(super) fn run(self) -> Result<Report, String> {
        let (first, rest): (Vec<_>, Vec<_>) = (0..self.sources.len()).partition(|&at| self.sources[at].goes_first());
        self.pass(first, true)?;
        self.pass(rest, true)?;
        loop {
            let waiting: Vec<_> = (0..self.sources.len()).filter(|&at| lock(&self.refusals[at]).waits).collect();
            if waiting.is_empty() {
                return Ok(self.report());
            }
            let before = lock(&self.counts).tally.written;
            for &at in &waiting {
                *lock(&self.refusals[at]) = Refusals::of(&self.sources[at].path);
            }
            self.pass(waiting, false)?;
            if lock(&self.counts).tally.written == before {
                return Ok(self.report());
            }
        }
    }

    fn report(self) -> Report {
        let Counts { tally, skipped } = *lock(&self.counts);
        let refusals =
            self.refusals.into_iter().map(|refusals| refusals.into_inner().unwrap_or_else(PoisonError::into_inner));
        Report {
            files: self.sources.len(),
            skipped,
            tally,
            elapsed: self.progress.elapsed(),
            refusals: refusals.filter(|refusals| !refusals.is_empty()).collect(),
        }
    }

    /// Goes through these sources once.
    fn pass(&self, sources: Vec<usize>, is_first: bool) -> Result<(), String> {
        let queue = Mutex::new(Queue { sources: sources.into(), open: None, read: Vec::new() });
        std::thread::scope(|scope| {
            for _ in 0..self.import.threads {
                scope.spawn(|| self.work(&queue, is_first));
            }
        });
        if let Some(fatal) = lock(&self.fatal).take() {
            return Err(fatal);
        }
        let queue = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (at, hash) in queue.read {
            if lock(&self.refusals[at]).is_empty() {
                let noted = self.session().transact_noting(Vec::new(), Some(Name::of_file(hash).done()));
                noted.map_err(|refusal| refusal.outcome.to_string())?;
            }
        }
        Ok(())
    }

    fn work(&self, queue: &Mutex<Queue<'a>>, is_first: bool) {
        while lock(&self.fatal).is_none() {
            let task = self.next(&mut lock(queue), is_first);
            let done = match task {
                Ok(None) => break,
                Ok(Some(Task::File(at))) => self.file(at, is_first),
                Ok(Some(Task::Chunk(at, hash, chunk))) => self.chunk(at, hash, &chunk),
                Err(outcome) => Err(outcome),
            };
            if let Err(outcome) = done {
                lock(&self.fatal).get_or_insert(outcome.to_string());
            }
        }
    }

    fn session(&self) -> Session<'a> {
        self.state.repository.open(Access::full()).importing()
    }

    /// A session that has `references` as its policy, if nothing else was asked for.
    fn session_with(&self, references: References) -> Session<'a> {
        self.session().with_references(self.import.references.unwrap_or(references))
    }

    /// The next piece of work: a chunk of the open file, or else the next file.
    fn next(&self, queue: &mut Queue<'a>, is_first: bool) -> Result<Option<Task>, Outcome> {
        loop {
            if let Some(mut open) = queue.open.take() {
                match open.lines.next() {
                    Ok(Some(chunk)) => {
                        let (source, hash) = (open.source, open.hash);
                        queue.open = Some(open);
                        return Ok(Some(Task::Chunk(source, hash, chunk)));
                    }
                    Ok(None) => queue.read.push((open.source, open.hash)),
                    Err(error) => lock(&self.refusals[open.source]).unreadable(Some(open.lines.count() + 1), &error),
                }
            }
            let Some(at) = queue.sources.pop_front() else { return Ok(None) };
            match self.sources[at].form {
                Form::Json => return Ok(Some(Task::File(at))),
                Form::Ndjson => queue.open = self.open(at, is_first)?,
            }
        }
    }

    /// The fingerprint of a file that is not in yet.
    fn begin(&self, at: usize, is_first: bool) -> Result<Option<Hash>, Outcome> {
        let source = &self.sources[at];
        let hash = match source.hash() {
            Ok(hash) => hash,
            Err(error) => {
                lock(&self.refusals[at]).unreadable(None, &error);
                return Ok(None);
            }
        };
        let is_new = !is_first || lock(&self.hashes).insert(hash);
        if is_new && !Name::of_file(hash).is_done(&self.session())? {
            return Ok(Some(hash));
        }
        lock(&self.counts).skipped += 1;
        self.progress.advance(source.bytes);
        Ok(None)
    }

    fn open(&self, at: usize, is_first: bool) -> Result<Option<Open<'a>>, Outcome> {
        let Some(hash) = self.begin(at, is_first)? else { return Ok(None) };
        let progress = self.progress;
        match self.sources[at].open(move |bytes| progress.advance(if is_first { bytes } else { 0 })) {
            Ok(reader) => Ok(Some(Open { source: at, hash, lines: Lines::new(reader) })),
            Err(error) => {
                lock(&self.refusals[at]).unreadable(None, &error);
                Ok(None)
            }
        }
    }

    fn file(&self, at: usize, is_first: bool) -> Result<(), Outcome> {
        let Some(hash) = self.begin(at, is_first)? else { return Ok(()) };
        let source = &self.sources[at];
        let text = match source.read(FILE_BYTES_MAX) {
            Ok(Some(text)) => text,
            Ok(None) => {
                let text =
                    format!("the file is longer than {FILE_BYTES_MAX} bytes; larger amounts are imported as NDJSON");
                lock(&self.refusals[at]).add(None, &Outcome::new(IssueType::TooLong, text));
                return Ok(());
            }
            Err(error) => {
                lock(&self.refusals[at]).unreadable(None, &error);
                return Ok(());
            }
        };
        let (ordered, loose) = (self.session_with(self.state.references), self.session_with(References::Accept));
        let imported = file::import(self.state, &ordered, &loose, Name::of_file(hash), text)?;
        self.count(imported.tally);
        self.progress.advance(if is_first { source.bytes } else { 0 });
        self.refuse_places(at, &imported.refused);
        Ok(())
    }

    /// Notes what was refused of a JSON file. It is read again to find the lines of entries, which hardly any file needs.
    fn refuse_places(&self, at: usize, refused: &[(Place, Outcome)]) {
        let is_entry = |(place, _): &(Place, Outcome)| matches!(place, Place::Entry(_));
        let text = refused.iter().any(is_entry).then(|| self.sources[at].read(FILE_BYTES_MAX).ok().flatten());
        let text = text.flatten().unwrap_or_default();
        let mut refusals = lock(&self.refusals[at]);
        for (place, outcome) in refused {
            match *place {
                Place::File => refusals.add(None, outcome),
                Place::Line(line) => refusals.add(Some(line), outcome),
                Place::Entry(entry) => {
                    let placed = refused_at(entry as usize, outcome.clone().into()).outcome;
                    refusals.add(entry_line(&text, entry), &placed);
                }
            }
        }
    }

    fn chunk(&self, at: usize, hash: Hash, chunk: &Chunk) -> Result<(), Outcome> {
        let change = |at| {
            let Some(line) = chunk.line(at) else {
                return Err(Outcome::new(
                    IssueType::TooLong,
                    format!("the line is longer than {LINE_BYTES_MAX} bytes"),
                ));
            };
            let document = Document::parse(line).map_err(|error| {
                Outcome::new(IssueType::Syntax, format!("{} at column {}", error.message, error.column))
            })?;
            resource_change(self.state, document, None).map(Some)
        };
        let numbers = chunk.numbers();
        let part =
            Part { name: Name::of_chunk(hash, numbers[0]), together_max: numbers.len(), numbers, change: &change };
        let settled = part.settle(&self.session_with(References::Accept))?;
        self.count(settled.tally);
        let mut refusals = lock(&self.refusals[at]);
        for (line, outcome) in &settled.refused {
            refusals.add(Some(*line), outcome);
        }
        Ok(())
    }

    fn count(&self, tally: Tally) {
        lock(&self.counts).tally.add(tally);
        self.progress.count(tally.written + tally.unchanged);
    }
}

/// A thread that panicked ends the import; what the others hold is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
