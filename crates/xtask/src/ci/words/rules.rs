//! The rules that a sentence keeps.

/// Above this a sentence has more than one idea.
const LONGEST: usize = 25;

/// Words that hide the subject of a sentence which they begin.
const NO_SUBJECT: [&str; 5] = ["What", "Who", "Whoever", "Whatever", "Whose"];

/// Words that name no part of the engine, that treat a part as a person, or that have a plainer word.
const BANNED: [&str; 24] = [
    "whoever",
    "whomever",
    "whatever",
    "somebody",
    "anybody",
    "everybody",
    "nobody",
    "hears",
    "heard",
    "obey",
    "obeys",
    "deaf",
    "mood",
    "swallow",
    "swallows",
    "swallowed",
    "thinks",
    "mend",
    "mends",
    "mended",
    "blazingly",
    "simply",
    "obviously",
    "effortlessly",
];

/// Phrases that leave a number or its owner open.
const VAGUE: [&str; 3] = ["so many", "for so long", "nothing else is said"];

/// The rule that a sentence breaks, and how to change the sentence. `None` if it breaks no rule.
pub(super) fn fault(sentence: &str) -> Option<String> {
    let words: Vec<&str> = words(sentence).collect();
    if words.len() > LONGEST {
        return Some(format!("{} words, of {LONGEST} at most: one idea a sentence", words.len()));
    }
    if let [first, second, ..] = words.as_slice()
        && (NO_SUBJECT.contains(first) || (*first == "As" && *second == "those"))
    {
        return Some(format!("begins with `{first}`: begin with the subject"));
    }
    let lower = words.join(" ").to_lowercase();
    if let Some(vague) = VAGUE.iter().find(|vague| lower.contains(*vague)) {
        return Some(format!("has the words `{vague}`: name the number, or say that it is the default"));
    }
    let banned = words.iter().find(|word| BANNED.iter().any(|banned| word.eq_ignore_ascii_case(banned)))?;
    Some(format!("has the word `{banned}`: say which part does it, in the field's terms"))
}

/// The words of a sentence without the signs around them.
fn words(sentence: &str) -> impl Iterator<Item = &str> {
    let is_sign = |character: char| !character.is_alphanumeric();
    sentence.split_whitespace().map(move |word| word.trim_matches(is_sign)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_its_subject_first_one_idea_and_no_banned_word() {
        let long = "word ".repeat(LONGEST + 1);
        for wrong in [
            "What is stored is the record.",
            "Who asks gets an answer.",
            "As those of the store are.",
            "The store tells whoever asks.",
            "\"Nobody\" reads it.",
            "Waits so many seconds.",
            long.as_str(),
        ] {
            assert!(fault(wrong).is_some(), "{wrong}");
        }
        for right in ["The store keeps the record.", "What", "As the store is.", "Somebodys", &long[5..]] {
            assert_eq!(fault(right), None, "{right}");
        }
    }

    #[test]
    fn a_fault_says_what_to_do() {
        assert_eq!(
            fault("Whoever comes first."),
            Some("begins with `Whoever`: begin with the subject".to_owned())
        );
        let long = fault(&"word ".repeat(30));
        assert_eq!(long, Some("30 words, of 25 at most: one idea a sentence".to_owned()));
    }
}
