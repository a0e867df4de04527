//! Random queries made from what there is to find.

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::Item;
use fhir::{Decimal, Definitions};
use store::testing::Random;

use super::escapes::escape;
use super::includes::Include;
use super::meaning::{self, token_text};
use super::order::By;
use super::spans::PREFIXES;
use super::units::{self, UCUM};
use super::values::{self, Link, System};
use super::world::{World, components, parameter};

/// One search.
pub(super) struct Question {
    /// Several for a search of the whole server.
    pub(super) types: Vec<&'static str>,
    pub(super) conditions: Vec<(String, String)>,
    pub(super) sort: Vec<By>,
    pub(super) includes: Vec<Include>,
    /// How many resources one page holds.
    pub(super) count: usize,
}

impl Question {
    /// The URL below the base.
    pub(super) fn url(&self) -> String {
        let mut pairs = self.conditions.clone();
        let sort = self.sort.iter().map(|by| format!("{}{}", if by.descending { "-" } else { "" }, by.code));
        let sort: Vec<_> = sort.collect();
        if !sort.is_empty() {
            pairs.push(("_sort".to_owned(), sort.join(",")));
        }
        pairs.extend(self.includes.iter().map(Include::pair));
        pairs.push(("_count".to_owned(), self.count.to_string()));
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        match self.types.as_slice() {
            [only] => format!("/{only}?{}", pairs.join("&")),
            several => format!("/?_type={}&{}", several.join(","), pairs.join("&")),
        }
    }
}

pub(super) fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let byte = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// How many joins a condition may take.
const DEPTH: usize = 3;

/// How often another resource is tried for a value.
const TRIES: usize = 12;

/// Makes questions about a world.
pub(super) struct Asker<'w> {
    world: &'w World,
    random: Random,
    types: Vec<&'static str>,
}

impl<'w> Asker<'w> {
    pub(super) fn new(world: &'w World, seed: u64) -> Asker<'w> {
        Asker { world, random: Random::new(seed), types: world.types() }
    }

    pub(super) fn question(&mut self) -> Question {
        if self.random.one_in(8) {
            return self.wide_question();
        }
        let mut resource_type = *self.random.pick(&self.types);
        let mut conditions = Vec::new();
        // Few types have a text or a code whose meaning is known.
        if self.random.one_in(10) {
            let wanted = self.random.below(5);
            for _ in 0..40 * TRIES {
                resource_type = *self.random.pick(&self.types);
                if let Some(condition) = self.meaning(resource_type, wanted) {
                    conditions.push(condition);
                    break;
                }
            }
        }
        for _ in 0..*self.random.pick(&[0, 1, 1, 1, 1, 1, 2, 2, 3]) {
            conditions.extend(self.condition(resource_type, 0));
        }
        let count = self.count(&[resource_type]);
        let sort = self.sort(resource_type);
        let includes = self.includes(resource_type);
        Question { types: vec![resource_type], conditions, sort, includes, count }
    }

    /// One that several types are asked.
    fn wide_question(&mut self) -> Question {
        let mut types: Vec<_> = (0..2 + self.random.below(3)).map(|_| *self.random.pick(&self.types)).collect();
        types.sort_unstable();
        types.dedup();
        let is_common = |code: &str, kind: SearchKind| {
            types.iter().all(|name| parameter(name, code).is_some_and(|parameter| parameter.kind == kind))
        };
        let mut conditions = Vec::new();
        for _ in 0..self.random.below(3) {
            let condition = (0..TRIES).find_map(|_| {
                let first = *self.random.pick(&types);
                let (name, value) = self.plain(first)?;
                let (code, modifier) = name.split_once(':').unwrap_or((&name, ""));
                let is_wide = is_common(code, parameter(first, code)?.kind)
                    && ["", "missing", "not", "exact", "contains", "below", "above"].contains(&modifier);
                is_wide.then_some((name, value))
            });
            conditions.extend(condition);
        }
        let mut sort = Vec::new();
        for _ in 0..self.random.below(3) {
            let code = *self.random.pick(&["_lastUpdated", "_id", "_source", "identifier", "status", "date", "name"]);
            let has_order = |kind| is_common(code, kind);
            let kinds = [SearchKind::Date, SearchKind::Token, SearchKind::Uri, SearchKind::String];
            if kinds.into_iter().any(has_order) {
                sort.push(By { code, descending: self.random.one_in(2) });
            }
        }
        let count = self.count(&types);
        let includes = if self.random.one_in(3) { self.includes(types[0]) } else { Vec::new() };
        Question { types, conditions, sort, includes, count }
    }

    fn count(&mut self, types: &[&str]) -> usize {
        let found = types.iter().map(|name| self.world.of_type(name).len() as u64).sum::<u64>();
        *self.random.pick(&[found / 3 + 1, found / 2 + 1, 100, 1000]) as usize
    }

    fn includes(&mut self, resource_type: &'static str) -> Vec<Include> {
        let mut includes = Vec::new();
        for _ in 0..*self.random.pick(&[0, 0, 0, 1, 1, 2, 3]) {
            let reverse = self.random.one_in(3);
            let iterate = self.random.one_in(3);
            let anywhere = reverse || (iterate && self.random.one_in(2));
            let source_type = if anywhere { *self.random.pick(&self.types) } else { resource_type };
            let reference = match reverse && self.random.one_in(2) {
                true => self.parameter_of(source_type, resource_type),
                false => self.parameter(source_type, |kind| kind == SearchKind::Reference),
            };
            let Some(reference) = reference else { continue };
            let targets: Vec<_> = reference.targets.iter().copied().filter(|name| self.types.contains(name)).collect();
            let is_open = self.random.one_in(2) || targets.is_empty();
            let target_type = if is_open { None } else { Some(*self.random.pick(&targets)) };
            let code = if self.random.one_in(6) { "*".to_owned() } else { reference.code.to_string() };
            let target_type = target_type.filter(|_| code != "*");
            includes.push(Include { reverse, iterate, source_type, code, target_type });
        }
        includes
    }

    fn sort(&mut self, resource_type: &str) -> Vec<By> {
        let keys = *self.random.pick(&[0, 0, 1, 1, 2, 3]);
        let mut sort: Vec<By> = Vec::new();
        for _ in 0..keys {
            let parameter = self.parameter(resource_type, |kind| {
                !matches!(kind, SearchKind::Composite | SearchKind::Special | SearchKind::Reference)
            });
            let descending = self.random.one_in(2);
            sort.extend(parameter.map(|parameter| By { code: &parameter.code, descending }));
        }
        sort
    }

    fn parameter(&mut self, resource_type: &str, wanted: fn(SearchKind) -> bool) -> Option<&'static SearchParameter> {
        let all = Definitions::r4().search_parameters(resource_type);
        let all = all.iter().filter(|parameter| wanted(parameter.kind) && !parameter.expression.is_empty()).copied();
        let all: Vec<_> = all.collect();
        (!all.is_empty()).then(|| *self.random.pick(&all))
    }

    /// A condition on a type; none when there is nothing to ask about.
    fn condition(&mut self, resource_type: &'static str, depth: usize) -> Option<(String, String)> {
        if depth < DEPTH {
            match self.random.below(8) {
                0 => return self.has(resource_type, depth).or_else(|| self.plain(resource_type)),
                1 => return self.chain(resource_type, depth).or_else(|| self.plain(resource_type)),
                _ => {}
            }
        }
        self.plain(resource_type)
    }

    fn plain(&mut self, resource_type: &'static str) -> Option<(String, String)> {
        if self.random.one_in(8) {
            let wanted = self.random.below(5);
            return self.meaning(resource_type, wanted);
        }
        let parameter = self.parameter(resource_type, |kind| kind != SearchKind::Special)?;
        if self.random.one_in(12) {
            return Some((format!("{}:missing", parameter.code), self.random.one_in(2).to_string()));
        }
        let modifier = self.modifier(parameter);
        let mut alternatives = Vec::new();
        for _ in 0..*self.random.pick(&[1, 1, 1, 1, 2, 3]) {
            alternatives.extend(self.value(resource_type, parameter, &modifier));
        }
        let name =
            if modifier.is_empty() { parameter.code.to_string() } else { format!("{}:{modifier}", parameter.code) };
        (!alternatives.is_empty()).then(|| (name, alternatives.join(",")))
    }

    /// A condition on words, lists or the meaning of codes.
    fn meaning(&mut self, resource_type: &'static str, wanted: u64) -> Option<(String, String)> {
        match wanted {
            0 if self.world.of_type("List").is_empty() => None,
            0 => {
                let list = *self.random.pick(self.world.of_type("List"));
                Some(("_list".to_owned(), self.world.resources[list].id.clone()))
            }
            1 => {
                let place = *self.random.pick(self.world.of_type(resource_type));
                let text = values::member(self.world.node(place).get("text")?, "div")?;
                let text = text.split_once('>')?.1.to_owned();
                parameter(resource_type, "_text").and(Some(("_text".to_owned(), self.words(&text)?)))
            }
            2 => {
                let string = self.parameter(resource_type, |kind| kind == SearchKind::String)?;
                let (_, item) = self.item(resource_type, string)?;
                let text = values::strings(&item).join(" ");
                parameter(resource_type, "_content").and(Some(("_content".to_owned(), self.words(&text)?)))
            }
            3 => {
                let token = self.parameter(resource_type, |kind| kind == SearchKind::Token)?;
                let (_, item) = self.item(resource_type, token)?;
                Some((format!("{}:text", token.code), self.words(&token_text(&item))?))
            }
            _ => self.terms(resource_type),
        }
    }

    /// One or two words of a text.
    fn words(&mut self, text: &str) -> Option<String> {
        let words: Vec<_> = meaning::words(text).into_iter().collect();
        let words: Vec<_> = words.iter().filter(|word| !["and", "or", "not"].contains(&word.as_str())).collect();
        let first = (!words.is_empty()).then(|| *self.random.pick(&words))?;
        Some(if self.random.one_in(2) { first.clone() } else { format!("{first} {}", self.random.pick(&words)) })
    }

    /// `:in`, `:not-in`, `:below` and `:above`.
    fn terms(&mut self, resource_type: &'static str) -> Option<(String, String)> {
        let token = self.parameter(resource_type, |kind| kind == SearchKind::Token)?;
        let (_, item) = self.item(resource_type, token)?;
        if !["Coding", "CodeableConcept"].contains(&values::type_name(&item)) {
            return None;
        }
        let system = values::tokens(&item).into_iter().find_map(|token| match token.system {
            System::Given(system) => Some((system, token.code?)),
            _ => None,
        });
        let (system, code) = system.filter(|(system, _)| !self.world.named(system).is_empty())?;
        let modifier = *self.random.pick(&["in", "not-in", "below", "above"]);
        let value = match modifier {
            "in" | "not-in" => {
                let sets = self.world.of_type("ValueSet").iter().copied();
                let sets: Vec<_> = sets.filter(|set| self.world.node(*set).get("compose").is_some()).collect();
                let set = *self.random.pick(&sets);
                match self.random.one_in(2) {
                    true => self.world.resources[set].key(),
                    false => values::member(self.world.node(set), "url")?,
                }
            }
            _ => format!("{}|{}", escape(&system), escape(&code)),
        };
        Some((format!("{}:{modifier}", token.code), value))
    }

    fn modifier(&mut self, parameter: &SearchParameter) -> String {
        if self.random.one_in(2) {
            return String::new();
        }
        let modifier = match parameter.kind {
            SearchKind::String => *self.random.pick(&["exact", "contains"]),
            SearchKind::Token => *self.random.pick(&["not", "of-type"]),
            SearchKind::Uri => *self.random.pick(&["below", "above"]),
            SearchKind::Reference => *self.random.pick(&["identifier", "Patient", "", ""]),
            _ => "",
        };
        let leads_there = parameter.kind != SearchKind::Reference || parameter.targets.contains(&modifier);
        if modifier == "identifier" || leads_there { modifier.to_owned() } else { String::new() }
    }

    /// An element that the parameter finds in some resource, and where that is.
    fn item(&mut self, resource_type: &str, parameter: &'static SearchParameter) -> Option<(usize, Item<'static>)> {
        let mut places = self.world.of_type(resource_type).to_vec();
        if places.is_empty() || self.random.one_in(4) {
            places.extend(self.world.contained_of_type(resource_type));
        }
        for _ in 0..TRIES {
            let place = *self.random.pick(&places);
            let values = self.world.values(place, parameter);
            if !values.is_empty() {
                return Some((place, self.random.pick(&values).clone()));
            }
        }
        None
    }

    /// A value to ask a parameter for, made from one that it finds.
    pub(super) fn value(
        &mut self,
        resource_type: &str,
        parameter: &'static SearchParameter,
        modifier: &str,
    ) -> Option<String> {
        let (place, item) = self.item(resource_type, parameter)?;
        if parameter.kind != SearchKind::Composite {
            return self.item_value(parameter.kind, modifier, &item);
        }
        let components = components(parameter);
        let mut parts = Vec::new();
        for (kind, expression) in components {
            let found = self.world.evaluate(place, expression, item.clone());
            if found.is_empty() {
                return None;
            }
            let found = self.random.pick(&found).clone();
            parts.push(self.item_value(kind, "", &found)?);
        }
        Some(parts.join("$"))
    }

    fn item_value(&mut self, kind: SearchKind, modifier: &str, item: &Item<'static>) -> Option<String> {
        match kind {
            SearchKind::Number => {
                let number = values::number(item)?;
                let number = number.low.or(number.high)?;
                Some(self.number(&number.to_string()))
            }
            SearchKind::Quantity => self.quantity(item),
            SearchKind::Date => self.date(item),
            SearchKind::String => self.string(modifier, item),
            SearchKind::Token if modifier == "of-type" => {
                let (types, value) = values::typed_identifier(item)?;
                let (system, code) = types.first()?;
                Some([system, code, &value].map(|part| escape(part)).join("|"))
            }
            SearchKind::Token => self.token(item),
            SearchKind::Reference if modifier == "identifier" => {
                let identifier = values::node(item)?.get("identifier")?;
                let system = values::member(identifier, "system").map(|system| escape(&system) + "|");
                Some(system.unwrap_or_default() + &escape(&values::member(identifier, "value")?))
            }
            SearchKind::Reference => self.reference(modifier, item),
            SearchKind::Uri => self.uri(modifier, item),
            SearchKind::Composite | SearchKind::Special => None,
        }
    }

    /// With any prefix, or none.
    fn prefixed(&mut self, value: &str) -> String {
        match self.random.one_in(3) {
            true => value.to_owned(),
            false => format!("{}{value}", self.random.pick(&PREFIXES)),
        }
    }

    fn number(&mut self, digits: &str) -> String {
        let mut number = digits.to_owned();
        match self.random.below(6) {
            0 if !number.contains(['.', 'e']) => number.push_str(".0"),
            1 if number.contains('.') && !number.contains('e') => number.push('0'),
            2 if number.contains('.') && !number.contains('e') => {
                number.pop();
                number = number.trim_end_matches('.').to_owned();
            }
            3 if self.random.one_in(2) => {
                if let Some(round) = Decimal::parse(&number).and_then(|number| number.rounded_to_digits(1)) {
                    number = format!("{}e{}", round.mantissa(), -round.scale());
                }
            }
            3 => {
                let digit = char::from(b'0' + self.random.below(10) as u8);
                if let Some(at) = number.rfind(|char: char| char.is_ascii_digit()).filter(|at| *at > 0) {
                    number.replace_range(at..=at, &digit.to_string());
                }
            }
            _ => {}
        }
        let number = if Decimal::parse(&number).is_some() { number } else { digits.to_owned() };
        self.prefixed(&number)
    }

    fn quantity(&mut self, item: &Item<'static>) -> Option<String> {
        let found = values::quantity(item)?;
        let number = found.span.low.or(found.span.high)?.to_string();
        let others = found.code.as_deref().filter(|_| found.system.as_deref() == Some(UCUM)).map(units::alike);
        if let Some(others) = others.filter(|others| !others.is_empty() && self.random.one_in(3)) {
            let (other, own) = (*self.random.pick(&others), found.code.as_deref().unwrap_or_default());
            if let (Some(own), Some(unit)) = (units::unit(own), units::unit(other)) {
                let number = own.in_unit(&unit, &found.span.low.or(found.span.high)?);
                return Some(format!("{}|{UCUM}|{other}", self.number(&number)));
            }
        }
        let number = self.number(&number);
        let text = |text: Option<String>| escape(&text.unwrap_or_default());
        Some(match self.random.below(4) {
            0 if found.code.is_some() && found.system.is_some() => {
                format!("{number}|{}|{}", text(found.system), text(found.code))
            }
            1 if found.code.is_some() => format!("{number}||{}", text(found.code)),
            2 if found.unit.is_some() => format!("{number}||{}", text(found.unit)),
            _ => number,
        })
    }

    fn date(&mut self, item: &Item<'static>) -> Option<String> {
        let node = values::node(item)?;
        let text = match values::type_name(item) {
            "Period" => values::member(node, if self.random.one_in(2) { "start" } else { "end" })?,
            "Timing" => values::member(node.path(&["repeat", "boundsPeriod"])?, "start")
                .or_else(|| node.path(&["event"])?.each().next()?.as_str().map(Into::into))?,
            _ => values::text(item)?,
        };
        let (day, time) = text.split_once('T').map_or((text.as_str(), None), |(day, time)| (day, Some(time)));
        let mut day = day.to_owned();
        if self.random.one_in(4) {
            let digit = char::from(b'1' + self.random.below(8) as u8);
            day.replace_range(day.len() - 1.., &digit.to_string());
        }
        let length = *self.random.pick(&[4, 7, 10, 10]);
        let value = match time {
            Some(time) if self.random.one_in(2) => {
                let clock = time.split(['Z', '+', '-']).next()?;
                let zone = *self.random.pick(&[&time[clock.len()..], "Z", "+05:30", "-11:00"]);
                let clock = if self.random.one_in(2) { clock } else { &clock[..5] };
                format!("{day}T{clock}{zone}")
            }
            _ => day[..length.min(day.len())].to_owned(),
        };
        values::moment(&value)?;
        Some(self.prefixed(&value))
    }

    fn string(&mut self, modifier: &str, item: &Item<'static>) -> Option<String> {
        let strings = values::strings(item);
        if strings.is_empty() {
            return None;
        }
        let chars: Vec<char> = self.random.pick(&strings).trim().chars().collect();
        let length = chars.len() as u64;
        if length == 0 {
            return None;
        }
        let start = if modifier == "contains" && self.random.one_in(2) { self.random.below(length) } else { 0 };
        let end = match self.random.below(3) {
            0 => length,
            _ => start + 1 + self.random.below((length - start).min(40)),
        };
        let piece: String = chars[start as usize..end.min(start + 100) as usize].iter().collect();
        let piece = match self.random.below(6) {
            0 => piece.to_uppercase(),
            1 => piece.to_lowercase(),
            2 => piece.replace('e', "é").replace('o', "ö"),
            3 => values::fold(&piece),
            _ => piece,
        };
        (!piece.trim().is_empty()).then(|| escape(piece.trim()))
    }

    fn token(&mut self, item: &Item<'static>) -> Option<String> {
        let mut tokens = values::tokens(item);
        if tokens.is_empty() {
            return None;
        }
        let token = tokens.swap_remove(self.random.below(tokens.len() as u64) as usize);
        let system = match &token.system {
            System::Given(system) => escape(system),
            System::Implied(systems) => escape(systems.first()?),
            _ => "http://other.example/codes".to_owned(),
        };
        let code = match (token.code, self.random.below(10)) {
            (Some(code), 0) => code.to_uppercase(),
            (Some(code), 1) => format!("{code}x"),
            (Some(code), _) => code,
            (None, _) => return Some(format!("{system}|")),
        };
        let code = escape(&code);
        Some(match self.random.below(8) {
            0 => format!("|{code}"),
            1 if !system.is_empty() => format!("{system}|"),
            2..=4 => format!("{system}|{code}"),
            _ => code,
        })
    }

    fn reference(&mut self, modifier: &str, item: &Item<'static>) -> Option<String> {
        match values::link(&self.world.base_url, &values::reference_text(item)?)? {
            Link::Local { resource_type, id } if modifier.is_empty() => Some(match self.random.below(3) {
                0 => id,
                1 => format!("{resource_type}/{id}"),
                _ => format!("{}/{resource_type}/{id}", self.world.base_url),
            }),
            Link::Local { id, .. } => Some(id),
            Link::Url { .. } if !modifier.is_empty() => None,
            Link::Url { url, version } => Some(match version {
                Some(version) if self.random.one_in(2) => format!("{}|{}", escape(&url), escape(&version)),
                _ => escape(&url),
            }),
        }
    }

    fn uri(&mut self, modifier: &str, item: &Item<'static>) -> Option<String> {
        let mut uri = values::text(item)?;
        match modifier {
            "below" | "above" if !uri.contains("://") => return None,
            "below" if self.random.one_in(2) => uri.truncate(uri.rfind('/').unwrap_or(uri.len()).max(1)),
            "above" if self.random.one_in(2) => uri.push_str("/more"),
            _ => {}
        }
        Some(escape(&uri))
    }

    /// A condition on what a reference leads to.
    fn chain(&mut self, resource_type: &'static str, depth: usize) -> Option<(String, String)> {
        let reference = self.parameter(resource_type, |kind| kind == SearchKind::Reference)?;
        let (place, item) = self.item(resource_type, reference)?;
        let target = self.target(place, &item)?;
        let (name, value) = self.condition(target, depth + 1)?;
        let is_open = reference.targets.len() > 1 && self.random.one_in(2);
        let is_open = is_open && !name.starts_with('_') && !name.contains('.');
        match is_open || reference.targets.len() == 1 {
            true => Some((format!("{}.{name}", reference.code), value)),
            false => Some((format!("{}:{target}.{name}", reference.code), value)),
        }
    }

    /// A condition on what refers to the type.
    fn has(&mut self, resource_type: &'static str, depth: usize) -> Option<(String, String)> {
        for _ in 0..TRIES {
            let source_type = *self.random.pick(&self.types);
            let Some(reference) = self.parameter_of(source_type, resource_type) else { continue };
            let Some((place, item)) = self.item(source_type, reference) else { continue };
            if self.target(place, &item) == Some(resource_type) {
                let (name, value) = self.condition(source_type, depth + 1)?;
                return Some((format!("_has:{source_type}:{}:{name}", reference.code), value));
            }
        }
        None
    }

    /// A reference of a type that may lead to another.
    fn parameter_of(&mut self, source_type: &str, target: &str) -> Option<&'static SearchParameter> {
        let all = Definitions::r4().search_parameters(source_type).iter();
        let all: Vec<_> = all.filter(|parameter| parameter.targets.contains(&target)).copied().collect();
        if all.is_empty() { None } else { Some(*self.random.pick(&all)) }
    }

    /// The type of what the reference of a resource leads to.
    fn target(&self, place: usize, item: &Item<'static>) -> Option<&'static str> {
        let text = values::reference_text(item)?;
        let target = match text.strip_prefix('#') {
            Some(id) => self.world.contained(place, id)?,
            None => match values::link(&self.world.base_url, &text)? {
                Link::Local { resource_type, id } => self.world.place(&format!("{resource_type}/{id}"))?,
                Link::Url { .. } => *self.world.named(&text).first()?,
            },
        };
        Some(self.world.resources[target].resource_type)
    }
}
