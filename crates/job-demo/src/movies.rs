//! A small sample graph that ships with the crate: 100 users, 60 films, who rated what and who knows whom.
//!
//! People, films and ratings are invented. The shape is that of the job API's own samples. A vertex `user` has
//! `Occupation`, `ChineseName`, `Zip-code`, `Gender` and `Age`; `movies` has `Title`, `ChineseTitle`, `Year` and
//! `Genres`. An edge `rate` has `Score` (1 to 5) and `Datetime`; `friends` joins two users. A film rated twice by the
//! same user is two parallel edges.

use std::str::Split;

use thiserror::Error;

use crate::graph::{Graph, GraphBuilder, GraphError, Properties, Value, VertexIndex};

const USERS: Table = Table { file: "users.csv", text: include_str!("../data/users.csv") };
const MOVIES: Table = Table { file: "movies.csv", text: include_str!("../data/movies.csv") };
const RATINGS: Table = Table { file: "ratings.csv", text: include_str!("../data/ratings.csv") };
const FRIENDS: Table = Table { file: "friends.csv", text: include_str!("../data/friends.csv") };

/// Builds the sample.
///
/// # Errors
/// [`SampleError`] names the file and line; the data that ships has no such line.
pub fn load() -> Result<Graph, SampleError> {
    let mut builder = GraphBuilder::default();
    USERS.each(|line| user(&mut builder, line))?;
    MOVIES.each(|line| movie(&mut builder, line))?;
    RATINGS.each(|line| {
        let ends = (line.vertex(&builder)?, line.vertex(&builder)?);
        let properties = Properties::from_iter([
            ("Score", vec![Value::Int(line.whole()?)]),
            ("Datetime", vec![line.text()?.into()]),
        ]);
        Ok(builder.edge(ends.0, ends.1, "rate", properties)?)
    })?;
    FRIENDS.each(|line| {
        let ends = (line.vertex(&builder)?, line.vertex(&builder)?);
        Ok(builder.edge(ends.0, ends.1, "friends", Properties::default())?)
    })?;
    Ok(builder.build())
}

fn user(builder: &mut GraphBuilder, line: &mut Line) -> Result<(), BadField> {
    let [id, name, gender, age, occupation, zip] =
        [line.text()?, line.text()?, line.text()?, line.text()?, line.text()?, line.text()?];
    let properties =
        [("Occupation", occupation), ("ChineseName", name), ("Zip-code", zip), ("Gender", gender), ("Age", age)];
    let properties = properties.into_iter().map(|(name, text)| (name, vec![text.into()])).collect();
    builder.vertex(id, "user", properties)?;
    Ok(())
}

fn movie(builder: &mut GraphBuilder, line: &mut Line) -> Result<(), BadField> {
    let title = line.text()?;
    let properties = Properties::from_iter([
        ("Title", vec![title.into()]),
        ("ChineseTitle", vec![line.text()?.into()]),
        ("Year", vec![Value::Int(line.whole()?)]),
        ("Genres", line.text()?.split(';').map(Value::from).collect()),
    ]);
    builder.vertex(title, "movies", properties)?;
    Ok(())
}

/// Comma-separated text without quotes, its first line the names of the columns.
struct Table {
    file: &'static str,
    text: &'static str,
}

impl Table {
    fn each(&self, mut read: impl FnMut(&mut Line) -> Result<(), BadField>) -> Result<(), SampleError> {
        for (number, text) in (1..).zip(self.text.lines()).skip(1) {
            read(&mut Line(text.split(','))).map_err(|field| SampleError {
                file: self.file,
                line: number,
                reason: field.0,
            })?;
        }
        Ok(())
    }
}

struct Line(Split<'static, char>);

impl Line {
    fn text(&mut self) -> Result<&'static str, BadField> {
        self.0.next().ok_or_else(|| BadField("a field is missing".to_owned()))
    }

    fn whole(&mut self) -> Result<i64, BadField> {
        let text = self.text()?;
        text.parse().map_err(|_| BadField(format!("{text} is not a whole number")))
    }

    fn vertex(&mut self, builder: &GraphBuilder) -> Result<VertexIndex, BadField> {
        let id = self.text()?;
        builder.find(id).ok_or_else(|| BadField(format!("{id} is neither a user nor a film")))
    }
}

struct BadField(String);

impl From<GraphError> for BadField {
    fn from(error: GraphError) -> Self {
        Self(error.to_string())
    }
}

/// A line of the sample that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{file}, line {line}: {reason}")]
pub struct SampleError {
    file: &'static str,
    line: usize,
    reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_young_users_are_those_of_the_api_document() {
        let graph = load().unwrap();
        let young: Vec<_> = graph
            .vertices()
            .iter()
            .filter(|vertex| vertex.properties.get("Age") == [Value::from("18-24")])
            .collect();
        assert_eq!(young.len(), 19);
        assert_eq!(
            serde_json::to_string(young[0]).unwrap(),
            r#"{"id":"Sarah","label":"user","properties":{"Occupation":["other or not specified"],"ChineseName":["莎拉"],"Zip-code":["55105"],"Gender":["F"],"Age":["18-24"]}}"#
        );
        assert_eq!(
            serde_json::to_string(young[1]).unwrap(),
            r#"{"id":"Sidney","label":"user","properties":{"Occupation":["writer"],"ChineseName":["西德尼"],"Zip-code":["85296"],"Gender":["M"],"Age":["18-24"]}}"#
        );
    }

    #[test]
    fn the_sample_has_users_films_ratings_and_friends() {
        let graph = load().unwrap();
        assert_eq!((graph.vertices().len(), graph.edges().len()), (160, 1_456));
        assert_eq!(graph.vertex_vocabulary().labels, ["movies".into(), "user".into()]);
        assert_eq!(graph.edge_vocabulary().labels, ["friends".into(), "rate".into()]);
        assert!(graph.edges().iter().any(|edge| edge.index == 1), "somebody rated a film twice");
    }

    #[test]
    fn a_bad_line_is_named() {
        let table = Table { file: "x.csv", text: "a\n1\nx\n" };
        let error = table.each(|line| line.whole().map(|_| ())).unwrap_err();
        assert_eq!(error.to_string(), "x.csv, line 3: x is not a whole number");
    }
}
