//! One line of a `WordNet` data file:
//! `offset category type count(hex) (word id)* count (symbol offset part words(hex))* … | gloss`.

use std::str::{FromStr, SplitWhitespace};

use super::{PartOfSpeech, names};

/// One line of a WordNet file. The texts are borrowed from the line.
pub(super) struct Synset<'l> {
    pub(super) offset: u32,
    pub(super) category: &'static str,
    pub(super) words: Vec<&'l str>,
    pub(super) pointers: Vec<Pointer>,
    pub(super) gloss: &'l str,
}

/// A pointer to another synset.
pub(super) struct Pointer {
    pub(super) label: &'static str,
    pub(super) target: (PartOfSpeech, u32),
    /// The numbers of the words that it joins, 1 first; `None` when it joins the synsets as a whole.
    pub(super) words: Option<(u8, u8)>,
}

impl<'l> Synset<'l> {
    pub(super) fn parse(line: &'l str, part: PartOfSpeech) -> Result<Self, String> {
        let (data, gloss) = line.split_once(" | ").ok_or("the gloss is missing: it must follow ' | '")?;
        let mut fields = Fields(data.split_whitespace());
        let offset = fields.decimal("offset")?;
        let category: usize = fields.decimal("lexicographer file")?;
        let category = names::CATEGORIES
            .get(category)
            .ok_or_else(|| format!("lexicographer file {category} is unknown: it must be from 0 to 44"))?;
        fields.next("synset type")?;
        let words = (0..fields.hexadecimal("word count")?)
            .map(|_| {
                let word = fields.next("word")?;
                fields.next("lexical id")?;
                // An adjective may have a mark of its position, as in `galore(ip)`.
                Ok(word.split_once('(').map_or(word, |(bare, _)| bare))
            })
            .collect::<Result<_, String>>()?;
        let count: u16 = fields.decimal("pointer count")?;
        let pointers = (0..count).map(|_| Pointer::parse(&mut fields, part)).collect::<Result<_, String>>()?;
        Ok(Self { offset, category, words, pointers, gloss: gloss.trim_end() })
    }
}

impl Pointer {
    fn parse(fields: &mut Fields<'_>, part: PartOfSpeech) -> Result<Self, String> {
        let symbol = fields.next("pointer symbol")?;
        let label = names::pointer(symbol, part).ok_or_else(|| format!("pointer symbol {symbol} is unknown"))?;
        let offset = fields.decimal("pointer offset")?;
        let target = match fields.next("part of speech")? {
            "n" => PartOfSpeech::Noun,
            "v" => PartOfSpeech::Verb,
            "a" | "s" => PartOfSpeech::Adjective,
            "r" => PartOfSpeech::Adverb,
            other => {
                return Err(format!("part of speech {other} is unknown: it must be n, v, a, s or r"));
            }
        };
        let [from, to] = fields.hexadecimal("pointer words")?.to_be_bytes();
        let words = if (from, to) == (0, 0) { None } else { Some((from, to)) };
        Ok(Self { label, target: (target, offset), words })
    }
}

struct Fields<'l>(SplitWhitespace<'l>);

impl<'l> Fields<'l> {
    fn next(&mut self, name: &str) -> Result<&'l str, String> {
        self.0.next().ok_or_else(|| format!("the line ends before its {name}"))
    }

    fn decimal<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        let text = self.next(name)?;
        text.parse().map_err(|_| format!("{name} is {text}: it must be a whole number"))
    }

    fn hexadecimal(&mut self, name: &str) -> Result<u16, String> {
        let text = self.next(name)?;
        u16::from_str_radix(text, 16).map_err(|_| format!("{name} is {text}: it must be a hexadecimal number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_field_by_field() {
        let line = "00014358 00 s 02 galore(ip) 0 abounding 0 001 & 00013887 a 0000 | existing in abundance  ";
        let synset = Synset::parse(line, PartOfSpeech::Adjective).ok().unwrap();
        assert_eq!((synset.offset, synset.category), (14_358, "adj.all"));
        assert_eq!(synset.words, ["galore", "abounding"]);
        assert_eq!(synset.gloss, "existing in abundance");
        assert_eq!((synset.pointers[0].label, synset.pointers[0].words), ("similar", None));
    }

    #[test]
    fn each_bad_field_is_named() {
        for (line, expected) in [
            ("00014358 00 s 01 a 0 000", "the gloss is missing"),
            ("x 00 s 01 a 0 000 | g", "offset is x"),
            ("1 45 s 01 a 0 000 | g", "lexicographer file 45"),
            ("1 00 s 0g a 0 000 | g", "word count is 0g"),
            ("1 00 s 02 a 0 | g", "ends before its word"),
            ("1 00 s 01 a 0 001 ? 1 a 0000 | g", "pointer symbol ?"),
            ("1 00 s 01 a 0 001 & 1 z 0000 | g", "part of speech z"),
        ] {
            let error = Synset::parse(line, PartOfSpeech::Adjective).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}
