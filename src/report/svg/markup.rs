//! Markup: elements and text as XML, with everything escaped.

use std::fmt::{self, Display, Write as _};

/// The attributes of an element: names, which are our own, and values, which may be anybody's.
pub(super) type Attributes<'a> = [(&'a str, &'a dyn Display)];

/// A piece of XML that is being written.
#[derive(Debug, Default)]
pub(super) struct Markup {
    out: String,
}

impl Markup {
    /// Begins an element.
    pub(super) fn open(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.begin(name, attributes);
        self.out.push('>');
    }

    /// Ends an element.
    pub(super) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.begin(name, attributes);
        self.out.push_str("/>\n");
    }

    /// An element that holds text.
    pub(super) fn text(&mut self, name: &str, attributes: &Attributes<'_>, text: &str) {
        self.open(name, attributes);
        self.escaped(text);
        self.close(name);
    }

    /// Markup of our own, as it is.
    pub(super) fn ours(&mut self, markup: &'static str) {
        self.out.push_str(markup);
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    fn begin(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            // Writing to a String cannot fail.
            let _ = write!(Escaped(&mut self.out), "{value}");
            self.out.push('"');
        }
    }

    fn escaped(&mut self, text: &str) {
        let _ = Escaped(&mut self.out).write_str(text);
    }
}

/// Writes text so that it stands for itself, between tags and in attributes alike.
struct Escaped<'o>(&'o mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No character of XML 1.0, not even as a reference:
                // <https://www.w3.org/TR/xml/#charsets>.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    self.0.push('\u{fffd}');
                }
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn text_and_values_stand_for_themselves() {
        let mut markup = Markup::default();
        markup.text("text", &[("a", &"\"><script>'&")], "</text>\0\u{1b}\u{ffff}&amp;");
        assert_eq!(
            markup.finish(),
            "<text a=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">&lt;/text&gt;\u{fffd}\u{fffd}\u{fffd}\
             &amp;amp;</text>\n"
        );
    }
}
