//! In XML: all targets are looked for in one pass over the tags.

use rustc_hash::FxHashMap;

use super::Step;
use crate::Definitions;
use crate::xml::{Scanner, Token};

/// An element that is open.
#[derive(Default)]
struct Open<'t> {
    /// How many steps lead here.
    depth: usize,
    /// The targets that lead through here.
    targets: Vec<usize>,
    /// How many elements of each name it has so far.
    counts: FxHashMap<&'t str, usize>,
    /// The element that is in it is a resource, for which there is no step.
    holds_resource: bool,
}

/// The text that offsets count in, and the offset of each target.
pub(super) fn offsets<'a>(sent: &'a [u8], targets: &[Vec<Step<'_>>]) -> (&'a [u8], Vec<Option<usize>>) {
    let sent = sent.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sent);
    let mut found = vec![None; targets.len()];
    // What cannot be read was refused with its place already.
    let is_read = crate::xml::parse(Definitions::r4(), sent).is_ok();
    if let Ok(text) = std::str::from_utf8(sent)
        && is_read
    {
        walk(text, targets, &mut found);
    }
    (sent, found)
}

fn walk(text: &str, targets: &[Vec<Step<'_>>], found: &mut [Option<usize>]) {
    let mut scanner = Scanner::new(text);
    let all = (0..targets.len()).collect();
    let mut open = vec![Open { targets: all, ..Open::default() }];
    while let Ok(token) = scanner.next() {
        match token {
            Token::Open(tag) => {
                let Some(parent) = open.last_mut() else { return };
                if parent.holds_resource {
                    let (depth, targets) = (parent.depth, parent.targets.clone());
                    open.push(Open { depth, targets, ..Open::default() });
                    continue;
                }
                let count = parent.counts.entry(tag.name).or_insert(0);
                let (index, depth) = (*count, parent.depth);
                *count += 1;
                let leads = |target: &&usize| {
                    let step = targets[**target].get(depth);
                    step.is_some_and(|step| step.is(tag.name) && step.index.is_none_or(|wanted| wanted == index))
                };
                let here: Vec<_> = parent.targets.iter().filter(leads).copied().collect();
                here.iter().for_each(|&target| found[target] = Some(tag.at));
                let holds_resource = matches!(tag.name, "resource" | "contained");
                open.push(Open { depth: depth + 1, targets: here, holds_resource, ..Open::default() });
            }
            Token::Close => _ = open.pop(),
            Token::Text { .. } | Token::Aside { .. } => {}
            Token::End => return,
        }
    }
}
