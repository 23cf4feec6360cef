//! The `WordNet` 3.0 database as a graph: 117,659 synsets (sets of synonyms) and 377,592 typed pointers.
//!
//! A vertex has the id `dog.n.02084071`: first lemma, part of speech, and offset in the file, which makes it unique.
//! Its label is `noun`, `verb`, `adjective` or `adverb`. Its properties are `lemmas`, `gloss`, `category` (the
//! lexicographer's file, such as `noun.animal`), `words` and `pointers` (whole numbers). An edge has the pointer's
//! name as label, such as `hypernym`. A pointer between two words rather than two whole synsets names them in
//! `sourceWord` and `targetWord`.

mod line;
mod names;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use self::line::{Pointer, Synset};
use crate::graph::{Graph, GraphBuilder, GraphError, Properties, Value, VertexIndex};

/// Where the Debian package `wordnet-base` puts the files.
pub const DEFAULT_DIRECTORY: &str = "/usr/share/wordnet";

/// A part of speech; each has a data file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PartOfSpeech {
    Noun,
    Verb,
    Adjective,
    Adverb,
}

impl PartOfSpeech {
    const ALL: [Self; 4] = [Self::Noun, Self::Verb, Self::Adjective, Self::Adverb];

    const fn file(self) -> &'static str {
        match self {
            Self::Noun => "data.noun",
            Self::Verb => "data.verb",
            Self::Adjective => "data.adj",
            Self::Adverb => "data.adv",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Noun => "noun",
            Self::Verb => "verb",
            Self::Adjective => "adjective",
            Self::Adverb => "adverb",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Noun => 'n',
            Self::Verb => 'v',
            Self::Adjective => 'a',
            Self::Adverb => 'r',
        }
    }
}

/// Loads the four data files of a directory.
///
/// # Errors
/// [`WordNetError`] names the file, and the line where one is bad.
pub fn load(directory: &Path) -> Result<Graph, WordNetError> {
    let mut loader = Loader::default();
    for part in PartOfSpeech::ALL {
        loader.read(&directory.join(part.file()), part)?;
    }
    loader.connect()
}

/// A pointer that waits until every synset is a vertex, since its target may be in a file that is read later.
struct Waiting {
    source: VertexIndex,
    pointer: Pointer,
    path: Arc<Path>,
    line: usize,
}

#[derive(Default)]
struct Loader {
    builder: GraphBuilder,
    vertices: HashMap<(PartOfSpeech, u32), VertexIndex>,
    waiting: Vec<Waiting>,
    texts: Texts,
}

impl Loader {
    fn read(&mut self, path: &Path, part: PartOfSpeech) -> Result<(), WordNetError> {
        let unreadable = |source| WordNetError::Unreadable { path: path.to_owned(), source };
        let file = BufReader::new(File::open(path).map_err(unreadable)?);
        let path: Arc<Path> = path.into();
        for (number, text) in (1..).zip(file.lines()) {
            let text = text.map_err(unreadable)?;
            // The licence at the head of each file is indented by two blanks.
            if text.starts_with("  ") {
                continue;
            }
            let bad = |reason| WordNetError::BadLine { path: path.to_path_buf(), line: number, reason };
            let synset = Synset::parse(&text, part).map_err(bad)?;
            let offset = synset.offset;
            let source = self.vertex(&synset, part).map_err(|error| bad(error.to_string()))?;
            self.vertices.insert((part, offset), source);
            self.waiting.extend(synset.pointers.into_iter().map(|pointer| Waiting {
                source,
                pointer,
                path: Arc::clone(&path),
                line: number,
            }));
        }
        Ok(())
    }

    fn vertex(&mut self, synset: &Synset<'_>, part: PartOfSpeech) -> Result<VertexIndex, GraphError> {
        let first = synset.words.first().copied().unwrap_or_default();
        let id = format!("{first}.{}.{:08}", part.letter(), synset.offset);
        let lemmas = synset.words.iter().map(|word| Value::from(word.replace('_', " ").as_str())).collect();
        let count = |length: usize| vec![Value::Int(i64::try_from(length).unwrap_or(i64::MAX))];
        let properties = [
            ("lemmas", lemmas),
            ("gloss", vec![Value::from(synset.gloss)]),
            ("category", vec![Value::Text(self.texts.shared(synset.category))]),
            ("words", count(synset.words.len())),
            ("pointers", count(synset.pointers.len())),
        ];
        let properties = properties.map(|(name, values)| (self.texts.shared(name), values)).into_iter().collect();
        self.builder.vertex(id, self.texts.shared(part.label()), properties)
    }

    fn connect(mut self) -> Result<Graph, WordNetError> {
        for Waiting { source, pointer, path, line } in self.waiting {
            let bad = |reason| WordNetError::BadLine { path: path.to_path_buf(), line, reason };
            let (part, offset) = pointer.target;
            let target = *self.vertices.get(&pointer.target).ok_or_else(|| {
                bad(format!("a pointer leads to {} {offset:08}, which does not exist", part.label()))
            })?;
            let properties = match pointer.words {
                None => Properties::default(),
                Some((from, to)) => {
                    let from = lemma(&self.builder, source, from).map_err(&bad)?;
                    let to = lemma(&self.builder, target, to).map_err(&bad)?;
                    let name = |texts: &mut Texts, name| texts.shared(name);
                    [
                        (name(&mut self.texts, "sourceWord"), vec![from]),
                        (name(&mut self.texts, "targetWord"), vec![to]),
                    ]
                    .into_iter()
                    .collect()
                }
            };
            let label = self.texts.shared(pointer.label);
            self.builder.edge(source, target, label, properties).map_err(|error| bad(error.to_string()))?;
        }
        Ok(self.builder.build())
    }
}

/// The word of a synset by its number, 1 first.
fn lemma(builder: &GraphBuilder, vertex: VertexIndex, number: u8) -> Result<Value, String> {
    let lemmas = builder.vertex_at(vertex).map_or(&[][..], |vertex| vertex.properties.get("lemmas"));
    usize::from(number)
        .checked_sub(1)
        .and_then(|place| lemmas.get(place))
        .cloned()
        .ok_or_else(|| format!("a pointer names word {number} of a synset with {}", lemmas.len()))
}

/// Texts that occur up to half a million times are stored once.
#[derive(Default)]
struct Texts(HashMap<&'static str, Arc<str>>);

impl Texts {
    fn shared(&mut self, text: &'static str) -> Arc<str> {
        Arc::clone(self.0.entry(text).or_insert_with(|| text.into()))
    }
}

/// Why a `WordNet` directory could not be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WordNetError {
    /// A file is missing or unreadable.
    #[error(
        "{}: {source}; install WordNet 3.0 (Debian: wordnet-base) or name its directory",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        source: io::Error,
    },
    /// A line is not in the format of the database.
    #[error("{}, line {line}: {reason}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, 1 first.
        line: usize,
        /// The fault in the line.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    const NOUN: &str = "  1 licence\n\
        00000010 05 n 02 dog 0 domestic_dog 0 002 @ 00000020 n 0000 + 00000010 v 0201 | a pet; \"good dog\"  \n\
        00000020 05 n 01 animal 0 000 | a living thing  \n";
    const VERB: &str = "00000010 38 v 01 dog 0 001 @ 00000010 v 0000 01 + 08 00 | follow  \n";

    fn directory(noun: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in [("data.noun", noun), ("data.verb", VERB), ("data.adj", ""), ("data.adv", "")] {
            fs::write(directory.path().join(file), text).unwrap();
        }
        directory
    }

    #[test]
    fn synsets_are_vertices_and_pointers_are_edges() {
        let graph = load(directory(NOUN).path()).unwrap();
        let row = serde_json::to_value(&graph.vertices()[0]).unwrap();
        assert_eq!(
            row,
            serde_json::json!({"id": "dog.n.00000010", "label": "noun", "properties": {
                "lemmas": ["dog", "domestic dog"], "gloss": ["a pet; \"good dog\""], "category": ["noun.animal"],
                "words": [2], "pointers": [2]}})
        );
        let edges: Vec<_> =
            graph.edges().iter().map(|edge| serde_json::to_value(graph.edge_row(edge)).unwrap()).collect();
        assert_eq!(
            edges[1],
            serde_json::json!({"index": "0", "source": "dog.n.00000010", "label": "derivation",
                "properties": {"sourceWord": ["domestic dog"], "targetWord": ["dog"]}, "target": "dog.v.00000010"})
        );
        assert_eq!(edges[2]["source"], edges[2]["target"]);
    }

    #[test]
    fn errors_name_file_and_line() {
        let loose = NOUN.replace("@ 00000020 n", "@ 00000021 n");
        let error = load(directory(&loose).path()).unwrap_err().to_string();
        assert!(
            error.ends_with("data.noun, line 2: a pointer leads to noun 00000021, which does not exist"),
            "{error}"
        );
        let error = load(directory("00000010 05 n zz dog").path()).unwrap_err().to_string();
        assert!(error.contains("data.noun, line 1: "), "{error}");
        let error = load(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/data.noun: "), "{error}");
    }

    #[test]
    fn the_installed_database_has_every_synset_and_pointer() {
        let directory = Path::new(DEFAULT_DIRECTORY);
        if !directory.exists() {
            return;
        }
        let graph = load(directory).unwrap();
        assert_eq!((graph.vertices().len(), graph.edges().len()), (117_659, 377_592));
        let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
        for edge in graph.edges() {
            *labels.entry(&edge.label).or_default() += 1;
        }
        assert_eq!(labels["hypernym"], 89_089);
        assert_eq!(labels["hyponym"], 89_089);
        assert_eq!(labels["similar"], 21_386);
        let dog = graph.find("dog.n.02084071").unwrap();
        assert_eq!(graph.vertices()[dog as usize].properties.get("category"), [Value::from("noun.animal")]);
    }
}
