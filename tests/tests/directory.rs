use std::collections::BTreeSet;

use flint_tests::{Flint, example};

const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

fn directory() -> Flint {
    Flint::start_with(|config| config.load.push(example("../../directory/data/seed-transaction.json")))
}

#[test]
fn services_are_found_as_people_look_for_them() {
    let flint = directory();
    let cases: [(&str, &[&str]); 15] = [
        ("Location?near=53.7955|-1.5477|5|km", &["Location/north", "Location/roundhay"]),
        ("Location?near=53.7955|-1.5477|2|km", &["Location/north"]),
        ("Location?near=53.7955|-1.5477|50|m", &[]),
        ("Location?identifier=https://flint.example/fhir/Id/cqc-location-id|1-900000002", &["Location/roundhay"]),
        (
            "HealthcareService?organization.identifier={ods}|A99910",
            &["HealthcareService/north-gp", "HealthcareService/north-old", "HealthcareService/north-saturday"],
        ),
        (
            "HealthcareService?organization.identifier={ods}|A99910&active=true",
            &["HealthcareService/north-gp", "HealthcareService/north-saturday"],
        ),
        ("HealthcareService?organization.identifier={ods}|A99999", &[]),
        ("HealthcareService?location=Location/roundhay&active=true", &["HealthcareService/north-gp"]),
        (
            "HealthcareService?service-category=http://terminology.hl7.org/CodeSystem/service-category|14",
            &["HealthcareService/harbour-walk-in"],
        ),
        (
            "HealthcareService?available-day=sat",
            &["HealthcareService/harbour-walk-in", "HealthcareService/north-saturday"],
        ),
        (
            "HealthcareService?available-day=sat&location.near=53.7955|-1.5477|5|km",
            &["HealthcareService/north-saturday"],
        ),
        (
            "HealthcareService?available-day=sun,mon&active=true&organization=Organization/harbour",
            &["HealthcareService/harbour-walk-in"],
        ),
        ("Organization?identifier={ods}|A99911", &["Organization/harbour"]),
        ("Observation?subject=Location/north&code=overall", &["Observation/cqc-north-overall"]),
        (
            "Observation?subject:Location.identifier=https://flint.example/fhir/Id/cqc-location-id|1-900000002&value-concept=requires-improvement",
            &["Observation/cqc-roundhay-overall", "Observation/cqc-roundhay-safe"],
        ),
    ];
    for (url, expected) in cases {
        let reply = flint.get(&format!("/{}", url.replace("{ods}", ODS).replace('|', "%7C"))).expect(200);
        let found: BTreeSet<_> = reply.keys("match").into_iter().collect();
        assert_eq!(found, expected.iter().map(|key| (*key).to_owned()).collect(), "{url}");
    }
}

#[test]
fn an_organisation_comes_with_its_endpoints() {
    let flint = directory();
    let reply =
        flint.get(&format!("/Organization?identifier={ODS}%7CA99911&_revinclude=Endpoint:organization")).expect(200);
    assert_eq!(reply.keys("match"), ["Organization/harbour"]);
    assert_eq!(reply.keys("include"), ["Endpoint/harbour-fhir"]);
}

/// Q1: what the Care Quality Commission says of its places stands beside each service.
#[test]
fn ratings_stand_beside_services() {
    let flint = directory();
    let url = "/HealthcareService?active=true&organization.identifier={ods}%7C{code}&_include=HealthcareService:location&_revinclude:iterate=Observation:subject";
    let cases: [(&str, &[&str]); 2] = [
        ("A99911", &["Location/harbour-site", "Observation/cqc-harbour-site-overall"]),
        (
            "A99910",
            &[
                "Location/north",
                "Location/roundhay",
                "Observation/cqc-north-overall",
                "Observation/cqc-north-safe",
                "Observation/cqc-north-well-led",
                "Observation/cqc-roundhay-overall",
                "Observation/cqc-roundhay-safe",
            ],
        ),
    ];
    for (code, expected) in cases {
        let reply = flint.get(&url.replace("{ods}", ODS).replace("{code}", code)).expect(200);
        let found: BTreeSet<_> = reply.keys("include").into_iter().collect();
        assert_eq!(found, expected.iter().map(|key| (*key).to_owned()).collect(), "{code}");
    }
}
