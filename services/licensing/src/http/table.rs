//! Tables (RFC 4180) as answers.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;

/// A table that grows row by row.
pub struct Table(String);

impl Table {
    /// A table with these names of columns.
    pub fn new<const N: usize>(names: [&str; N]) -> Self {
        let mut table = Self(String::new());
        table.row(names);
        table
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.0.push_str(&cells.map(cell).join(","));
        self.0.push_str("\r\n");
    }

    /// The text so far.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The answer that holds it, to be kept under a name. The name MUST be plain ASCII.
    pub fn answer(self, mut answer: actix_web::HttpResponseBuilder, name: &str) -> HttpResponse {
        answer
            .content_type("text/csv; charset=utf-8; header=present")
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
            .body(self.0)
    }
}

/// A cell, quoted where it must be. A text that a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn cells_are_those_of_rfc_4180_and_no_formulas() {
        let mut table = Table::new(["a", "b"]);
        for (text, expected) in [
            ("ТОВ", "ТОВ"),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
        ] {
            table.row([text, "x"]);
            assert!(table.text().ends_with(&format!("\r\n{expected},x\r\n")), "{text}");
        }
    }
}
