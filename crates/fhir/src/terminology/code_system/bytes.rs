//! A code system as bytes, for keeping: what was said of it, from which the rest is made anew.

use super::hierarchy::Lists;
use super::texts::{NONE, Texts};
use super::{CodeSystem, Content, Declared, DesignationRow, Header, Kind, PropertyRow, Row};

/// The form of the bytes; other forms are not read.
const FORM: &[u8] = b"flint code system 1\n";

impl CodeSystem {
    /// The code system as bytes, least significant first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer(FORM.to_vec());
        let Header { url, version, name, title, language, content, supplements, value_set, is_case_sensitive } =
            &self.header;
        writer.text(url);
        [version, name, title, language, supplements, value_set].into_iter().for_each(|text| writer.maybe(text));
        writer.text(content.code());
        writer.number(u32::from(*is_case_sensitive));
        writer.number(self.declared.len() as u32);
        for Declared { code, uri, description, kind } in &self.declared {
            writer.text(code);
            writer.maybe(uri);
            writer.maybe(description);
            writer.text(kind);
        }
        let (text, ends) = self.texts.parts();
        writer.text(text);
        writer.rows(ends.iter().map(|end| [*end]));
        writer.rows(self.rows.iter().map(|row| [row.code, row.display, row.definition, row.flags]));
        writer.rows(self.properties.pairs().map(|(at, row)| [at, row.name, row.kind as u32, row.value]));
        writer.rows(self.designations.pairs().map(|(at, row)| [at, row.language, row.usage, row.value]));
        writer.rows(self.hierarchy.links().map(|(child, parent)| [child, parent]));
        writer.0
    }

    /// The code system that [`CodeSystem::to_bytes`] wrote; `None` for any other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<CodeSystem> {
        let mut reader = Reader(bytes.strip_prefix(FORM)?);
        let url = reader.text()?.to_owned();
        let [version, name, title, language, supplements, value_set] = reader.maybe()?;
        let content = Content::parse(reader.text()?);
        let is_case_sensitive = reader.number()? == 1;
        let header = Header { url, version, name, title, language, content, supplements, value_set, is_case_sensitive };
        let declared = (0..reader.number()?).map(|_| reader.declared()).collect::<Option<Vec<_>>>()?;
        let text = reader.text()?.to_owned();
        let texts = Texts::of_parts(text, reader.rows()?.map(|[end]| end).collect())?;
        let rows: Vec<Row> =
            reader.rows()?.map(|[code, display, definition, flags]| Row { code, display, definition, flags }).collect();
        let count = rows.len();
        let is_kept = |at: u32| (at as usize) < count;
        let properties = reader.sorted(count)?.map(|[at, name, kind, value]| {
            let kind = *Kind::ALL.get(kind as usize)?;
            Some((at, PropertyRow { name, kind, value }))
        });
        let properties = properties.collect::<Option<Vec<_>>>()?;
        let designations = reader.sorted(count)?;
        let designations =
            designations.map(|[at, language, usage, value]| (at, DesignationRow { language, usage, value }));
        let designations = Lists::new(count, designations);
        let links: Vec<_> = reader.rows()?.map(|[child, parent]| (child, parent)).collect();
        if !reader.0.is_empty() || links.iter().any(|(child, parent)| !is_kept(*child) || !is_kept(*parent)) {
            return None;
        }
        let properties = Lists::new(count, properties.into_iter());
        let mut system =
            CodeSystem { header, declared, texts, rows, properties, designations, ..CodeSystem::default() };
        system.index(links);
        Some(system)
    }
}

impl Kind {
    const ALL: [Kind; 7] =
        [Kind::Code, Kind::Coding, Kind::String, Kind::Integer, Kind::Boolean, Kind::DateTime, Kind::Decimal];
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        // Texts are kept within what 32 bits can address.
        self.number(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn maybe(&mut self, text: &Option<String>) {
        match text {
            Some(text) => self.text(text),
            None => self.number(NONE),
        }
    }

    fn rows<const N: usize>(&mut self, rows: impl Iterator<Item = [u32; N]>) {
        let place = self.0.len();
        self.number(0);
        let mut count: u32 = 0;
        for row in rows {
            count += 1;
            row.into_iter().for_each(|number| self.number(number));
        }
        self.0[place..place + 4].copy_from_slice(&count.to_le_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length as usize)?).ok()
    }

    fn maybe<const N: usize>(&mut self) -> Option<[Option<String>; N]> {
        let mut texts = [const { None }; N];
        for text in &mut texts {
            let length = self.number()?;
            if length != NONE {
                *text = Some(std::str::from_utf8(self.take(length as usize)?).ok()?.to_owned());
            }
        }
        Some(texts)
    }

    fn declared(&mut self) -> Option<Declared> {
        let code = self.text()?.to_owned();
        let [uri, description] = self.maybe()?;
        Some(Declared { code, uri, description, kind: self.text()?.to_owned() })
    }

    fn rows<const N: usize>(&mut self) -> Option<impl Iterator<Item = [u32; N]> + use<'a, N>> {
        let count = self.number()? as usize;
        let bytes = self.take(count.checked_mul(N * 4)?)?;
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte));
        Some(bytes.chunks_exact(N * 4).map(move |row| std::array::from_fn(|at| number(&row[at * 4..at * 4 + 4]))))
    }

    /// Rows that begin with the concept they belong to, in order.
    fn sorted<const N: usize>(&mut self, concepts: usize) -> Option<std::vec::IntoIter<[u32; N]>> {
        let rows: Vec<[u32; N]> = self.rows()?.collect();
        let are_sorted = rows.is_sorted_by_key(|row| row[0]);
        (are_sorted && rows.last().is_none_or(|row| (row[0] as usize) < concepts)).then(|| rows.into_iter())
    }
}
