//! Replies with the headers that keep a page to itself,
//! <https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html>.

use askama::Template;

use crate::exchange::Reply;

const STYLE: &str = include_str!("../../templates/style.css");

/// How long the style sheet may be kept, in seconds: with a new server comes a new one.
const STYLE_AGE: u32 = 300;

/// The style sheet of all pages.
pub(super) fn style() -> Reply {
    let headers = vec![
        ("Content-Type", "text/css; charset=utf-8".to_owned()),
        ("Cache-Control", format!("public, max-age={STYLE_AGE}")),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Reply { status: 200, headers, body: STYLE.into() }
}

/// A page. It loads nothing from elsewhere: no app learns who looks, and from where, before it is allowed anything. Its forms may also lead to `targets`, sources of a Content Security Policy: Chromium asks for it along a redirect too.
pub(super) fn page(status: u16, template: &impl Template, targets: &[String]) -> Reply {
    // Only writing to the text can fail, and that cannot.
    let body = template.render().unwrap_or_default();
    let mut form_action = String::from("'self'");
    for target in targets {
        form_action.push(' ');
        form_action.push_str(target);
    }
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    );
    let headers = vec![
        ("Content-Type", "text/html; charset=utf-8".to_owned()),
        ("Content-Security-Policy", policy),
        ("X-Frame-Options", "DENY".to_owned()),
        // Not `no-referrer`: with that, browsers send `Origin: null` with our own forms.
        ("Referrer-Policy", "same-origin".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
        ("Cache-Control", "no-store".to_owned()),
    ];
    Reply { status, headers, body: body.into_bytes() }
}

/// Sends the browser on, with GET.
pub(crate) fn redirect(location: String) -> Reply {
    let headers = vec![
        ("Location", location),
        ("Cache-Control", "no-store".to_owned()),
        ("Referrer-Policy", "no-referrer".to_owned()),
    ];
    Reply { status: 303, headers, body: Vec::new() }
}

/// The source of a Content Security Policy that stands for where a URI leads; `None` where no source can say it.
pub(crate) fn target_source(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return None;
    }
    if !matches!(scheme, "http" | "https") {
        return Some(format!("{scheme}:"));
    }
    let authority = rest.strip_prefix("//")?.split(['/', '?', '#']).next()?;
    let is_host =
        !authority.is_empty() && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    // A source cannot name an IPv6 address.
    Some(if is_host { format!("{scheme}://{authority}") } else { format!("{scheme}:") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_where_a_uri_leads() {
        let cases = [
            ("https://app.example/cb?x=1", Some("https://app.example")),
            ("https://app.example:8443", Some("https://app.example:8443")),
            ("http://127.0.0.1:9000/cb", Some("http://127.0.0.1:9000")),
            ("http://[::1]:9000/cb", Some("http:")),
            ("https://a.example;script-src *//", Some("https:")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("com example:/cb", None),
            ("; script-src *:x", None),
            ("nothing", None),
        ];
        for (uri, source) in cases {
            assert_eq!(target_source(uri).as_deref(), source, "{uri}");
        }
    }
}
