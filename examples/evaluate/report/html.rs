//! Text, numbers and tables in HTML.

use std::fmt::{self, Write as _};

/// Text that means itself, wherever it comes from, in elements and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Control characters are not allowed in HTML, not even escaped.
                other if other.is_control() => f.write_char(char::REPLACEMENT_CHARACTER)?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// What stands for a figure that there is none of.
pub(super) const NONE: &str = "–";

/// A fraction in percent.
pub(super) fn percent(fraction: f64) -> String {
    if fraction.is_finite() {
        format!("{:.2}\u{a0}%", fraction * 100.0)
    } else {
        NONE.to_owned()
    }
}

/// An interval of fractions in percent.
pub(super) fn interval((low, high): (f64, f64)) -> String {
    if low.is_finite() && high.is_finite() {
        format!("{:.2} to {:.2}\u{a0}%", low * 100.0, high * 100.0)
    } else {
        NONE.to_owned()
    }
}

/// A number with a few decimals.
pub(super) fn decimal(value: f64) -> String {
    match value {
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "−∞".to_owned(),
        value if value.is_nan() => NONE.to_owned(),
        value => format!("{value:.4}").replace('-', "−"),
    }
}

/// A whole number in groups of three digits.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A table whose first column names its rows. Cells are HTML.
pub(super) struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(super) fn new<'a>(caption: &str, columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = String>) {
        self.rows.push((name.into(), cells.into_iter().collect()));
    }
}

impl fmt::Display for Table {
    /// A table wider than the screen scrolls by itself; the region takes the focus so that keys can scroll it too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caption = Escaped(&self.caption);
        write!(
            f,
            "<div class=\"table\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">"
        )?;
        write!(f, "<table>\n<caption>{caption}</caption>\n<thead><tr>")?;
        for column in &self.columns {
            write!(f, "<th scope=\"col\">{column}</th>")?;
        }
        f.write_str("</tr></thead>\n<tbody>\n")?;
        for (name, cells) in &self.rows {
            write!(f, "<tr><th scope=\"row\">{name}</th>")?;
            for cell in cells {
                write!(f, "<td>{cell}</td>")?;
            }
            f.write_str("</tr>\n")?;
        }
        f.write_str("</tbody>\n</table></div>\n")
    }
}
