//! Questionnaires and responses that multiply.

use super::issues;

#[test]
fn what_a_response_may_cost_is_bounded() {
    let below = |count: usize| {
        let items: Vec<_> =
            (0..count).map(|at| format!(r#"{{"linkId":"{at}","type":"string","required":true}}"#)).collect();
        format!(
            r#"{{"resourceType":"Questionnaire","status":"active","item":[
                {{"linkId":"g","type":"group","repeats":true,"item":[{}]}}]}}"#,
            items.join(",")
        )
    };
    let groups = |count: usize| {
        let groups = vec![r#"{"linkId":"g","item":[{"linkId":"0","answer":[{"valueString":"x"}]}]}"#; count];
        format!(
            r#"{{"resourceType":"QuestionnaireResponse","questionnaire":"http://q.example/q","status":"in-progress","item":[{}]}}"#,
            groups.join(",")
        )
    };
    for (questions, groups_given, is_refused) in [(200, 1_000, false), (20_000, 1_000, true)] {
        let found = issues(Some(&below(questions)), &groups(groups_given));
        assert_eq!(found.iter().any(|issue| issue.contains("ask for more steps")), is_refused, "{found:?}");
        assert!(is_refused || found.is_empty(), "{found:?}");
    }
}
