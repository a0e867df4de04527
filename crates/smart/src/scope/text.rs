//! From scopes to their canonical text.

use std::fmt;

use super::{Letters, Level, READING, Scope, Scopes, Syntax, WRITING, Word};

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for word in &self.words {
            write!(f, "{separator}{}", word.as_str())?;
            separator = " ";
        }
        for scope in &self.data {
            write!(f, "{separator}{scope}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (level, resource_type) = (self.level.as_str(), self.resource_type.unwrap_or("*"));
        write!(f, "{level}/{resource_type}.")?;
        match self.letters {
            letters if self.syntax == Syntax::V2 || !self.parameters.is_empty() => write!(f, "{letters}")?,
            READING => f.write_str("read")?,
            WRITING => f.write_str("write")?,
            letters if letters == READING.with(WRITING) => f.write_str("*")?,
            letters => write!(f, "{letters}")?,
        }
        for (position, (name, value)) in self.parameters.iter().enumerate() {
            f.write_str(if position == 0 { "?" } else { "&" })?;
            write!(f, "{name}=")?;
            encode(value, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let granted = Letters::ORDER.into_iter().filter(|(_, letter)| self.contains(*letter));
        f.write_str(&granted.map(|(character, _)| character).collect::<String>())
    }
}

impl Level {
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Patient => "patient",
            Level::User => "user",
            Level::System => "system",
        }
    }
}

impl Word {
    pub const ALL: [Word; 8] = [
        Word::Launch,
        Word::LaunchPatient,
        Word::LaunchEncounter,
        Word::OpenId,
        Word::FhirUser,
        Word::Profile,
        Word::OfflineAccess,
        Word::OnlineAccess,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Word::Launch => "launch",
            Word::LaunchPatient => "launch/patient",
            Word::LaunchEncounter => "launch/encounter",
            Word::OpenId => "openid",
            Word::FhirUser => "fhirUser",
            Word::Profile => "profile",
            Word::OfflineAccess => "offline_access",
            Word::OnlineAccess => "online_access",
        }
    }
}

/// Leaves the characters of code systems' URLs readable, as SMART writes them.
fn encode(value: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for byte in value.bytes() {
        match byte {
            b'&' | b'%' | b'"' | b'\\' => write!(f, "%{byte:02X}")?,
            0x21..=0x7E => write!(f, "{}", char::from(byte))?,
            _ => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}
