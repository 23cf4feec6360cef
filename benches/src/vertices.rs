//! Rows as the API document shows them: a vertex with its label and lists of properties, about 160 bytes of JSON.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A vertex as a generic graph engine has it: the schema is the user's, so properties are a map of lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Vertex {
    /// The id of the vertex, unique in the graph.
    pub id: String,
    /// Its kind.
    pub label: String,
    /// The properties by name, each with a list of values.
    pub properties: BTreeMap<String, Vec<String>>,
}

const OCCUPATIONS: [&str; 8] = [
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "executive/managerial",
    "other or not specified",
    "programmer",
    "scientist",
];
const FAMILY: [&str; 12] = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙"];
const GIVEN: [&str; 12] = ["莎拉", "悉尼", "伟", "秀英", "娜", "敏", "静", "丽", "强", "磊", "洋", "艳"];
const AGES: [&str; 5] = ["Under 18", "18-24", "25-34", "35-44", "45-49"];

/// The seed of every run. It never changes, so two runs store the same bytes.
pub const SEED: u64 = 0x5eed_0a11;

/// Makes `count` vertices, which are the same in every run.
#[must_use]
pub fn vertices(count: usize) -> Vec<Vertex> {
    let mut random = Random(SEED);
    (0..count).map(|number| vertex(number, &mut random)).collect()
}

fn vertex(number: usize, random: &mut Random) -> Vertex {
    let mut properties = BTreeMap::new();
    let mut add = |name: &str, value: String| properties.insert(name.to_owned(), vec![value]);
    add("Age", random.pick(&AGES).to_owned());
    add("ChineseName", format!("{}{}", random.pick(&FAMILY), random.pick(&GIVEN)));
    add("Gender", random.pick(&["F", "M"]).to_owned());
    add("Occupation", random.pick(&OCCUPATIONS).to_owned());
    add("Zip-code", format!("{:05}", random.below(100_000)));
    Vertex { id: format!("user-{number:07}"), label: "user".to_owned(), properties }
}

/// A small generator (`SplitMix64`) with the same numbers on every machine.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let place = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from.get(place).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_look_like_the_documents_and_are_the_same_every_time() {
        let rows = vertices(1_000);
        assert_eq!(rows, vertices(1_000));
        let json = serde_json::to_string(&rows).unwrap();
        let mean = json.len() / rows.len();
        assert!((140..=190).contains(&mean), "{mean} bytes a row");
        assert!(json.starts_with(r#"[{"id":"user-0000000","label":"user","properties":{"Age":[""#));
    }
}
