use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::strategies;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    sorts: Vec<Sort>,
    limit: Option<u64>,
    #[serde(default)]
    erase: bool,
    format: Option<Format>,
    weight: Option<f64>,
    pair: Option<(i8, i8)>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sort {
    key: String,
    order_value: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Jsonl,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    Rest,
    Rows(u64),
    Range(u64, u64),
    Fail { why: String },
}

#[test]
fn enums_with_data_are_objects_of_one_key() {
    let text = r#"["rest",{"rows":3},{"range":[1,2]},{"fail":{"why":"no"}}]"#;
    let steps = [Step::Rest, Step::Rows(3), Step::Range(1, 2), Step::Fail { why: "no".to_owned() }];
    assert_eq!(read::<Vec<Step>>("parameters", text), Ok(steps.into()));
    for (text, sentence) in [
        (r#"{"fail":["no"]}"#, "fail is a list: it must be a JSON object"),
        (r#"{"rows":3,"rest":null}"#, "parameters has 2 values, which is not the number it must have"),
        (r#""rows""#, "parameters is of another kind, which does not fit"),
        ("{}", "parameters is an object: it must be one of rest, rows, range, fail"),
        (r#"{"jump":1}"#, "parameters is \"jump\": it must be one of rest, rows, range, fail"),
        ("[]", "parameters is a list: it must be one of rest, rows, range, fail"),
    ] {
        assert_eq!(read::<Step>("parameters", text).unwrap_err().to_string(), sentence, "{text}");
    }
}

fn refused(text: &str) -> String {
    read::<Body>("the body", text).unwrap_err().to_string()
}

#[test]
fn every_misfit_is_a_sentence_that_names_the_field_and_what_it_must_be() {
    for (text, sentence) in [
        ("", "the body is empty: it must be JSON"),
        (" {", "the body is not JSON: it ends before it is complete"),
        (r#"{"labels":["a"],}"#, "the body is not JSON from line 1, column 17 on"),
        ("{} {}", "the body is not JSON from line 1, column 4 on"),
        (r#"["a",[],1,false]"#, "the body is a list: it must be a JSON object"),
        ("null", "the body is null: it must be a JSON object"),
        (r#""a""#, r#"the body is "a": it must be a JSON object"#),
        (r#"{"sorts":[["Age","decr"]]}"#, "sorts[0] is a list: it must be a JSON object"),
        (r#"{"sorts":[{"key":"a"},{"key":["b"]}]}"#, "sorts[1].key is a list: it must be a string"),
        (r#"{"sorts":[{"orderValue":"incr"}]}"#, "sorts[0].key is missing: give it"),
        (r#"{"sorts":{"key":"Age"}}"#, "sorts is an object: it must be a list"),
        (r#"{"labels":["a",5]}"#, "labels[1] is 5: it must be a string"),
        (
            r#"{"lables":[]}"#,
            "lables is unknown: it must be one of labels, sorts, limit, erase, format, weight, pair",
        ),
        (r#"{"limit":-1}"#, "limit is -1: it must be a whole number from 0 to 18446744073709551615"),
        (r#"{"limit":1.0}"#, "limit is 1.0: it must be a whole number from 0 to 18446744073709551615"),
        (r#"{"limit":[1]}"#, "limit is a list: it must be a whole number from 0 to 18446744073709551615"),
        (r#"{"erase":"yes"}"#, r#"erase is "yes": it must be true or false"#),
        (r#"{"format":"xml"}"#, r#"format is "xml": it must be one of csv, jsonl"#),
        (r#"{"format":{"csv":null}}"#, r#"format is an object: it must be the text "csv""#),
        (r#"{"weight":"1"}"#, r#"weight is "1": it must be a number"#),
        (r#"{"weight":1e999}"#, "weight is 1e999: it must be a number in the range of a double"),
        (r#"{"pair":[1]}"#, "pair has 1 values, which is not the number it must have"),
        (r#"{"pair":[1,2,3]}"#, "pair has 3 values, which is not the number it must have"),
        (
            r#"{"labels":["\ud800"]}"#,
            r#"the body has the text "\ud800": an escape in it must be a whole character"#,
        ),
    ] {
        let refused = refused(text);
        assert!(refused.contains(sentence), "{text}: {refused}");
        for word in ["struct", "expected", "enum", "u64", "tuple", "untagged", "sequence", "variant"] {
            assert!(!refused.contains(word), "{refused}");
        }
    }
}

#[test]
fn a_key_given_twice_is_refused_at_every_depth_and_however_it_is_spelled() {
    for text in [
        r#"{"erase":false,"erase":true}"#,
        r#"{"erase":false,"labels":[],"\u0065rase":true}"#,
        r#"{"a":[[{"b":{"erase":1,"x":{},"erase":2}}]]}"#,
        r#"[{"erase":1},{"erase":1,"erase":1}]"#,
    ] {
        assert_eq!(
            check("the body", text).unwrap_err().to_string(),
            "erase is given twice: give it once",
            "{text}"
        );
    }
    for text in [r#"{"a":{"a":"a"},"b":[{"a":1},{"a":1}]}"#, r#"["a","a",{"a":["a",":"]}]"#, r#"{"a\":":1,"a":2}"#]
    {
        assert_eq!(check("the body", text), Ok(()), "{text}");
    }
}

#[test]
fn nothing_is_deeper_than_parameters_may_be() {
    let nested = |depth: usize| format!("{}1{}", r#"[{"a":"#.repeat(depth / 2), "}]".repeat(depth / 2));
    assert_eq!(check("the body", &nested(100)), Ok(()));
    let deep = "the body is nested deeper than 100 lists and objects, which is the most";
    assert_eq!(check("the body", &nested(102)).unwrap_err().to_string(), deep);
    assert_eq!(check("the body", &nested(500_000)).unwrap_err().to_string(), deep);
}

#[test]
fn no_error_repeats_more_than_64_characters_of_what_was_given() {
    let long = "x".repeat(1 << 20);
    for text in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"erase":"{long}"}}"#),
        format!(r#"{{"format":"{long}"}}"#),
        format!(r#"{{"limit":{}}}"#, "9".repeat(1 << 20)),
        format!(r#"{{"{long}":1,"{long}":1}}"#),
        format!(r#"{{"labels":["\ud800{long}"]}}"#),
        long.clone(),
        format!(r#""{long}""#),
    ] {
        let error = refused(&text);
        assert!(error.len() < 220, "{error}");
    }
}

#[test]
fn a_field_that_is_null_is_absent_but_an_unknown_one_is_not_passed_over() {
    let nulls =
        r#"{"labels":null,"sorts":null,"limit":null,"erase":null,"format":null,"weight":null,"pair":null}"#;
    assert_eq!(read::<Body>("the body", nulls), read("the body", "{}"));
    assert!(refused(r#"{"lables":null}"#).starts_with("lables is unknown"));
    assert_eq!(refused(r#"{"sorts":[{"key":null}]}"#), "sorts[0].key is missing: give it");
    assert_eq!(refused(r#"{"labels":[null]}"#), "labels[0] is null: it must be a string");
    let map: BTreeMap<String, Option<u8>> = read("the body", r#"{"a":null,"b":1}"#).unwrap();
    assert_eq!(map.len(), 2, "a map has what it has");
}

#[test]
fn what_fits_is_read() {
    let body: Body = read(
        "the body",
        r#" { "labels" : [ "a\n\u83ce" , "" ] , "sorts":[{"key":"k","orderValue":null}],
            "limit":18446744073709551615,"erase":true,"format":"jsonl","weight":-2,"pair":[-128,127]} "#,
    )
    .unwrap();
    let expected = Body {
        labels: vec!["a\n菎".to_owned(), String::new()],
        sorts: vec![Sort { key: "k".to_owned(), order_value: None }],
        limit: Some(u64::MAX),
        erase: true,
        format: Some(Format::Jsonl),
        weight: Some(-2.0),
        pair: Some((-128, 127)),
    };
    assert_eq!(body, expected);
}

#[test]
fn a_raw_part_keeps_every_byte() {
    #[derive(Deserialize)]
    struct Request<'b> {
        #[serde(borrow)]
        parameters: Option<Raw<'b>>,
    }
    for part in [r#"{"a" :1e400, "b":[0.10000000000000000001 ,"\u00e9\"]}"]}"#, "[ ]", "1.50", r#""\\""#, "true"] {
        let text = format!(r#"{{"x":[{{}}], "parameters" : {part} , "y":2}}"#);
        let read: Request<'_> = read("the body", &text).unwrap();
        assert_eq!(read.parameters.map(|raw| raw.as_str()), Some(part));
    }
}

proptest! {
    #[test]
    fn every_value_is_read_as_it_was_written(value in strategies::values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert_eq!(read::<Value>("the body", &text), Ok(value));
    }

    /// Every input is read as `serde_json` reads it, or is refused by a rule of this module.
    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{}:,"\\ a0-9.eE\-tfn]{0,24}"#) {
        let usual = serde_json::from_str::<Value>(&text);
        match read::<Value>("the body", &text) {
            Ok(value) => prop_assert_eq!(usual.unwrap(), value),
            Err(error) => prop_assert!(
                usual.is_err() || ["twice", "deeper", "double"].iter().any(|word| error.to_string().contains(word)),
                "{}", error
            ),
        }
    }
}
