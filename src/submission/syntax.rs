//! What the reader of YAML finds wrong, in words for the file's author.

use granit_parser::{ErrorKind, ScanError};

/// What is wrong in the writing of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxFault {
    /// What is wrong.
    pub(super) why: &'static str,
    /// What to do, a sentence.
    pub(super) next: &'static str,
}

const INDENTATION: SyntaxFault = SyntaxFault {
    why: "the line is indented otherwise than the lines that it belongs to",
    next: "Let it begin in the same column as the lines beside it that belong to the same object, \
        with spaces only.",
};
const BRACKET: SyntaxFault = SyntaxFault {
    why: "a bracket is not closed, or a comma is missing within it",
    next: "Close each `[` by `]` and each `{` by `}`, with a comma between two entries. A text that \
        begins with a bracket needs quotation marks.",
};
const TAB: SyntaxFault = SyntaxFault {
    why: "a tab stands where YAML takes only spaces",
    next: "Put two spaces in place of each tab.",
};
const QUOTE: SyntaxFault = SyntaxFault {
    why: "a quotation mark is not closed",
    next: "Close it. A text that has quotation marks of one kind stands in those of the other kind.",
};

/// The line that is wrong, from 1. The YAML reader may report a tab at the line above it, where a
/// plain text begins that could continue.
pub(super) fn line(error: &ScanError, text: &str) -> usize {
    let told = error.marker().line();
    if syntax_fault(error.kind()) != Some(TAB) {
        return told;
    }
    let is_indented_by_a_tab = |line: &str| {
        let indentation = line.len() - line.trim_start().len();
        line[..indentation].contains('\t') && indentation < line.len()
    };
    let below = text.lines().enumerate().skip(told.saturating_sub(1));
    // The told line, and the next one that holds anything.
    let mut near = below.filter(|(_, line)| !line.trim().is_empty()).take(2);
    near.find(|(_, line)| is_indented_by_a_tab(line)).map_or(told, |(place, _)| place + 1)
}

/// The fault behind an error of the reader; `None` of those that hardly anybody makes in a
/// manifest.
pub(super) fn syntax_fault(kind: &ErrorKind) -> Option<SyntaxFault> {
    use ErrorKind as Kind;
    Some(match kind {
        Kind::MappingValueNotAllowed => SyntaxFault {
            why: "a `key: value` stands where there can be none",
            next: "Let the line begin in the same column as the lines beside it that belong to the \
                same object. A text that has `: ` in it needs quotation marks.",
        },
        Kind::ExpectedBlockMappingKey
        | Kind::InvalidIndentation
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidQuotedScalarIndent
        | Kind::InvalidBlockScalarIndent
        | Kind::MappingKeyNotAllowed => INDENTATION,
        Kind::ExpectedBlockSequenceEntry => SyntaxFault {
            why: "a line stands between the entries of a list, and does not begin with `- `",
            next: "Begin it with `- `, or indent it as the lines of the entry that it belongs to.",
        },
        Kind::BlockSequenceEntryNotAllowed | Kind::BlockEntryInFlowCollection => SyntaxFault {
            why: "a list's `- ` stands where no list can begin",
            next: "Begin the list in a line of its own below its `key:`, and all of its entries in \
                the same column.",
        },
        Kind::InvalidBlockEntryWhitespace
        | Kind::InvalidMappingValueWhitespace
        | Kind::TabNotAllowed
        | Kind::TabInBlockIndentation
        | Kind::TabInIndentation
        | Kind::TabAtBlockScalarStart
        | Kind::TabInPlainScalar => TAB,
        Kind::ExpectedFlowMappingSeparator
        | Kind::ExpectedFlowSequenceSeparator
        | Kind::InvalidColonPlacement
        | Kind::MisplacedFlowCollectionEnd
        | Kind::MismatchedFlowCollectionEnd { .. }
        | Kind::UnclosedFlowCollection { .. }
        | Kind::UnexpectedEofFlowSequence
        | Kind::UnexpectedEofFlowMapping
        | Kind::UnexpectedEofImplicitFlowMapping => BRACKET,
        Kind::UnclosedQuotedScalar | Kind::DocumentIndicatorInQuotedScalar => QUOTE,
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
            SyntaxFault {
                why: "something stands behind a text in quotation marks",
                next: "Put all of the text within the quotation marks: those of one kind around it \
                    where it has those of the other kind.",
            }
        }
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => SyntaxFault {
            why: "the line is no `key: value`",
            next: "Write a colon and a space behind the key.",
        },
        Kind::UnexpectedCharacter { character: '|' | '>' | '%' | '@' | '`' } => SyntaxFault {
            why: "a text begins with a character with which none can begin",
            next: "Put the text in quotation marks.",
        },
        Kind::UnexpectedCharacter { .. } => SyntaxFault {
            why: "a character stands there that cannot be seen, or that YAML does not take",
            next: "Delete it and type the line again: it often comes with copied text.",
        },
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidUnicodeEscape => SyntaxFault {
            why: "within \"…\" a `\\` begins a special character, and this one does not exist",
            next: "Write '…' around the text, or `\\\\` for a `\\`.",
        },
        Kind::UnknownAnchor | Kind::MissingAnchorOrAliasName => SyntaxFault {
            why: "a text that begins with `*` or `&` means another place of the file",
            next: "Put the text in quotation marks.",
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::submission::Submission;

    /// What is said of a manifest: why, and what to do.
    fn why_and_next(text: &str) -> (String, String) {
        let error = Submission::of_files(&[("lab3.yaml".to_owned(), text.into())], "lab");
        let error = error.unwrap_err();
        (error.to_string(), error.next())
    }

    /// Catches a tab that is told one line too early, of which nothing is to be seen there.
    #[test]
    fn a_tab_is_told_where_it_stands() {
        const HEAD: &str = "apiVersion: v1\nkind: Service\n";
        for (lines, line) in [
            ("spec:\n  serviceName: web\n\treplicas: 3\n", 5),
            ("spec:\n  serviceName: web\n\n  \treplicas: 3\n", 6),
            ("spec:\n\treplicas: 3\n", 4),
            ("spec:\n  ports:\n  \t- port: 80\n", 5),
            ("spec:\n  ports:\n  -\tport: 80\n  - port:\t\t81\n    name: a\n\tb: c\n", 8),
        ] {
            let text = format!("{HEAD}{lines}");
            let error = Submission::of_files(&[("lab3.yaml".to_owned(), text.into())], "lab");
            let place = error.unwrap_err().place().unwrap();
            assert_eq!(place.line, line, "{lines}");
        }
    }

    /// Catches a mistake of a beginner that is told in the reader's words alone, or by another's.
    #[test]
    fn the_usual_mistakes_have_words_of_their_own() {
        const HEAD: &str = "apiVersion: v1\nkind: Service\n";
        let mut wrong = vec![];
        for (lines, why, next) in [
            ("metadata:\n  name: web\n   labels: {a: b}\n", "`key: value` stands", "same column"),
            ("metadata:\n  name: web\n spec: {}\n", "is indented otherwise", "same column"),
            ("metadata:\n  name: a: b\n", "`key: value` stands", "quotation marks"),
            ("name: \"a\u{7}b\"\n", "cannot be seen", "Delete it"),
            ("metadata:\n\tname: web\n", "a tab", "two spaces"),
            (
                "metadata:\n  name: web\n  labels\nspec: {}\n",
                "no `key: value`",
                "a colon and a space",
            ),
            ("metadata: {name: web\n", "bracket is not closed", "Close each"),
            ("metadata:\n  name: [web\nspec: {}\n", "bracket is not closed", "Close each"),
            ("metadata:\n  name: \"web\n", "quotation mark is not closed", "Close it"),
            ("metadata:\n  name: 'it's'\n", "behind a text in quotation marks", "other kind"),
            ("metadata:\n  name: @web\n", "begins with a character", "quotation marks"),
            ("metadata:\n  name: *web\n", "begins with `*`", "quotation marks"),
            ("spec:\n  ports: - port: 80\n", "no list can begin", "a line of its own"),
            (
                "spec:\n  ports:\n    - port: 80\n    name: web\n",
                "does not begin with `- `",
                "`- `",
            ),
            ("metadata:\n  name: \"\\d\"\n", "special character", "'…'"),
        ] {
            let (what, advice) = why_and_next(&format!("{HEAD}{lines}"));
            // Others know the reader's own words.
            let is_quoted = what.ends_with("\")") && what.contains("lab3.yaml");
            if !is_quoted || !what.contains(why) || !advice.contains(next) {
                wrong.push(format!("{lines}{what}\n{advice}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}
