//! A browser: it keeps cookies, follows redirects on this machine, and sends forms.

use std::collections::BTreeMap;

use search::query_string;

use crate::{Guarded, Reply};

/// How often one answer may lead to the next.
const REDIRECTS_MAX: usize = 10;

/// Somebody's browser.
#[derive(Clone)]
pub struct Browser<'a> {
    guarded: &'a Guarded,
    /// By name: the port does not matter to them.
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    /// With an empty jar.
    pub fn new(guarded: &'a Guarded) -> Browser<'a> {
        Browser { guarded, cookies: BTreeMap::new() }
    }

    /// The page that an address leads to, or the redirect to an app elsewhere.
    pub fn open(&mut self, address: &str) -> Reply {
        let mut url = self.absolute(address);
        for _ in 0..REDIRECTS_MAX {
            let reply = self.get(&url);
            match self.next(&reply) {
                None => return reply,
                Some(next) => url = next,
            }
        }
        panic!("{address} leads round and round");
    }

    /// One answer.
    pub fn get(&mut self, address: &str) -> Reply {
        let call = self.guarded.flint().call(&format!("GET {}", self.absolute(address)));
        let reply = call.header("Cookie", &self.jar()).send();
        self.keep(&reply);
        reply
    }

    /// Sends a form of a page with what it hides and has ticked; fields that are given replace those.
    pub fn submit(&mut self, page: &Reply, action: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = form(&page.text, action);
        form.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = query_string(form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let call = self.guarded.call(&format!("POST {action}")).header("Cookie", &self.jar());
        let call = call.header("Origin", self.origin()).body("application/x-www-form-urlencoded", body);
        let reply = call.send();
        self.keep(&reply);
        match self.next(&reply) {
            None => reply,
            Some(next) => self.open(&next),
        }
    }

    /// Follows the link of these words.
    pub fn follow(&mut self, page: &Reply, words: &str) -> Reply {
        let before = page.text.split(&format!(">{words}</a>")).next().filter(|before| before.len() < page.text.len());
        let before = before.unwrap_or_else(|| panic!("no link `{words}`: {}", page.text));
        let href = before.rsplit("href=\"").next().and_then(|rest| rest.split('"').next()).expect("an address");
        self.open(&unescaped(href))
    }

    fn origin(&self) -> &str {
        self.guarded.flint().base_url().trim_end_matches("/fhir")
    }

    fn absolute(&self, address: &str) -> String {
        if address.starts_with('/') { format!("{}{address}", self.origin()) } else { address.to_owned() }
    }

    /// Where a redirect leads on this machine.
    fn next(&self, reply: &Reply) -> Option<String> {
        let location = Some(reply.header("location")).filter(|location| !location.is_empty())?;
        let location = self.absolute(location);
        location.starts_with("http://127.0.0.1:").then_some(location)
    }

    fn jar(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Who comes back from another site has the cookie only when it is `Lax`.
    fn keep(&mut self, reply: &Reply) {
        let set = reply.header("set-cookie");
        let Some((name, value)) = set.split(';').next().and_then(|pair| pair.split_once('=')) else { return };
        assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
        match set.contains("Max-Age=0") {
            true => self.cookies.remove(name),
            false => self.cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
}

/// The hidden, ticked and checked fields of a form.
fn form(page: &str, action: &str) -> Vec<(String, String)> {
    let (_, form) =
        page.split_once(&format!("<form action=\"{action}\"")).unwrap_or_else(|| panic!("no {action}: {page}"));
    let form = form.split("</form>").next().unwrap_or_default();
    let inputs = form.split("<input ").skip(1).filter_map(|rest| rest.split('>').next());
    let sent = inputs.filter(|input| input.contains("type=\"hidden\"") || input.ends_with(" checked"));
    let attribute = |input: &str, name: &str| {
        let value = input.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
        unescaped(value.unwrap_or_default())
    };
    sent.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
}

fn unescaped(text: &str) -> String {
    let signs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    signs.into_iter().fold(text.to_owned(), |text, (escaped, sign)| text.replace(escaped, sign))
}
