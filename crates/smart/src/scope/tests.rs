use super::*;

fn parsed(text: &str) -> Scopes {
    Scopes::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn reads_and_writes_scopes() {
    // What is asked, its canonical text, what is unknown of it.
    let cases = [
        ("", "", ""),
        ("  launch   openid ", "launch openid", ""),
        (
            "openid fhirUser launch/patient launch/encounter profile",
            "launch/patient launch/encounter openid fhirUser profile",
            "",
        ),
        ("offline_access online_access launch", "launch offline_access online_access", ""),
        ("patient/Observation.rs", "patient/Observation.rs", ""),
        ("patient/Observation.r patient/Observation.s", "patient/Observation.rs", ""),
        ("system/*.cruds user/*.cud", "user/*.cud system/*.cruds", ""),
        ("patient/*.read", "patient/*.read", ""),
        ("patient/Patient.write user/*.*", "patient/Patient.write user/*.*", ""),
        ("patient/Patient.read patient/Patient.write", "patient/Patient.*", ""),
        ("patient/Patient.read patient/Patient.c", "patient/Patient.crs", ""),
        ("patient/*.rs patient/Observation.r patient/Observation.cs", "patient/*.rs patient/Observation.crs", ""),
        ("patient/Observation.rs?category=x patient/Observation.rs", "patient/Observation.rs", ""),
        ("patient/Observation.rs?status=final&category=a|b", "patient/Observation.rs?category=a|b&status=final", ""),
        ("patient/Observation.rs?category=a%26b%20c%C3%A9", "patient/Observation.rs?category=a%26b%20c%C3%A9", ""),
        (
            "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
            "",
        ),
        ("user/Patient.r?_id=a user/Patient.r?_id=b", "user/Patient.r?_id=a user/Patient.r?_id=b", ""),
        ("email patient/Order.read openid Patient/*.read", "openid", "email patient/Order.read Patient/*.read"),
        ("launch/practitioner patient/Resource.r", "", "launch/practitioner patient/Resource.r"),
    ];
    for (asked, text, unknown) in cases {
        let scopes = parsed(asked);
        assert_eq!(scopes.to_string(), text, "{asked}");
        assert_eq!(scopes.unknown.join(" "), unknown, "{asked}");
        assert_eq!(parsed(text).to_string(), text, "{asked}");
    }
}

#[test]
fn refuses_what_is_malformed_or_absurd() {
    let long = format!("patient/Observation.rs?category={}", "x".repeat(TEXT_MAX));
    let cases = [
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.",
        "patient/Observation",
        "patient/Observation.x",
        "patient/Observation.rsx",
        "patient/Observation.READ",
        "patient/Observation.read?category=x",
        "patient/Observation.rs?",
        "patient/Observation.rs?category",
        "patient/Observation.rs?category=",
        "patient/Observation.rs?=x",
        "patient/Observation.rs?_count=5",
        "patient/Observation.rs?_has:Group:member:_id=1",
        "patient/Observation.rs?subject.name=x",
        "patient/Observation.rs?category=%",
        "patient/Observation.rs?category=%ff",
        "patient/Observation.rs?category=%00",
        "patient/Observation.rs?a=1&a=2&a=3&a=4&a=5&a=6&a=7&a=8&a=9",
        "patient/Observation.rs\tpatient/Patient.r",
        "patient/Observation.rs?category=\"x\"",
        "openid\u{e9}",
        &long,
        &"openid ".repeat(SCOPES_MAX + 1),
    ];
    for case in cases {
        assert!(Scopes::parse(case).is_err(), "{case}");
    }
    assert!(Scopes::parse(&"openid ".repeat(SCOPES_MAX)).is_ok());
}

#[test]
fn grants_what_is_below_the_ceiling() {
    // What is asked, the ceiling, what is granted.
    let cases = [
        ("patient/Observation.r", "patient/Observation.rs", "patient/Observation.r"),
        ("patient/Observation.rs", "patient/Observation.r", "patient/Observation.r"),
        ("patient/Observation.rs", "patient/*.rs", "patient/Observation.rs"),
        ("patient/*.rs", "patient/Observation.r patient/Condition.rs", "patient/Condition.rs patient/Observation.r"),
        ("patient/Observation.cruds", "patient/*.rs patient/Observation.cu", "patient/Observation.crus"),
        ("patient/Observation.rs?category=a", "patient/Observation.rs", "patient/Observation.rs?category=a"),
        ("patient/Observation.rs", "patient/Observation.rs?category=a", "patient/Observation.rs?category=a"),
        ("patient/*.rs?_tag=a", "patient/Observation.rs?category=a", "patient/Observation.rs?_tag=a&category=a"),
        ("user/*.rs", "patient/*.cruds system/*.cruds", ""),
        ("patient/Observation.rs", "patient/Condition.rs", ""),
        ("patient/Observation.c", "patient/Observation.rs", ""),
        ("patient/*.*", "patient/*.rs", "patient/*.read"),
        ("patient/*.read", "patient/*.cruds", "patient/*.read"),
        ("openid launch offline_access", "openid launch/patient", "openid"),
        ("openid email", "openid email", "openid"),
    ];
    for (asked, ceiling, granted) in cases {
        let (asked, ceiling) = (parsed(asked), parsed(ceiling));
        let within = asked.within(&ceiling);
        assert_eq!(within.to_string(), granted, "{asked} within {ceiling}");
        assert!(ceiling.cover(&within) && asked.cover(&within), "{asked} within {ceiling}");
        assert_eq!(ceiling.cover(&asked), granted == asked.to_string(), "{asked} within {ceiling}");
    }
}

#[test]
fn grants_no_more_scopes_than_may_be_asked_for() {
    let many = |name: &str| {
        let scopes = (0..SCOPES_MAX).map(|number| format!("user/*.r?{name}={number} "));
        parsed(&scopes.collect::<String>())
    };
    let granted = many("code").within(&many("date"));
    assert_eq!(granted.data.len(), SCOPES_MAX);
    assert!(many("code").cover(&granted) && many("date").cover(&granted));

    // What is granted can be read again.
    let long = |name: &str| {
        let scopes = (0..60).map(|number| format!("user/*.r?{name}={number}{} ", "x".repeat(100)));
        parsed(&scopes.collect::<String>())
    };
    let granted = long("code").within(&long("date"));
    assert!(!granted.is_empty());
    assert_eq!(parsed(&granted.to_string()), granted);
    let (five, more) = ("user/*.r?a=1&b=1&c=1&d=1&e=1", "user/*.r?f=1&g=1&h=1");
    assert_eq!(parsed(five).within(&parsed(more)).data[0].parameters.len(), PARAMETERS_MAX);
    assert!(parsed(five).within(&parsed(&format!("{more}&i=1"))).is_empty());
}
