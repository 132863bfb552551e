//! Tables (RFC 4180) as answers.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_DISPOSITION;

/// Who opens such a file opens it in a spreadsheet, and without this mark that takes UTF-8 for the system's old code page: every name in
/// Cyrillic is garbled. Whatever reads CSV by program is told `utf-8-sig`, or skips three bytes.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A table that grows row by row.
pub struct Table(String);

impl Table {
    /// A table with these names of columns, which MUST be plain words: they stand as they are, right behind the mark.
    pub fn new<const N: usize>(names: [&str; N]) -> Self {
        Self(format!("{BYTE_ORDER_MARK}{}\r\n", names.join(",")))
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

/// A cell in quotes, whatever is in it. A text that a spreadsheet would take for a formula begins with an apostrophe; so does what follows
/// a semicolon, at which a spreadsheet of Ukraine begins a new cell when it is not told otherwise, quotes or not. A quotation mark there is
/// no text yet.
fn cell(text: &str) -> String {
    let mut cell = String::from("\"");
    let mut begins = true;
    for c in text.chars() {
        if begins && FORMULA.contains(&c) {
            cell.push('\'');
        }
        begins = c == ';' || (begins && matches!(c, ' ' | '"'));
        cell.push(c);
        if c == '"' {
            cell.push('"');
        }
    }
    cell.push('"');
    cell
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn cells_are_those_of_rfc_4180_and_no_formulas() {
        let mut table = Table::new(["a", "b"]);
        assert_eq!(table.text().as_bytes(), b"\xef\xbb\xbfa,b\r\n");
        for (text, expected) in [
            ("ТОВ", "\"ТОВ\""),
            ("a,b", "\"a,b\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=1+1", "\"'=1+1\""),
            (" =1+1", "\" '=1+1\""),
            ("@x,y", "\"'@x,y\""),
            ("ТОВ;=cmd|'/c calc'!A1", "\"ТОВ;'=cmd|'/c calc'!A1\""),
            ("a; -b; c-d", "\"a; '-b; c-d\""),
            ("a;\"=1+1;x", "\"a;\"\"'=1+1;x\""),
            ("\"=1+1", "\"\"\"'=1+1\""),
            ("", "\"\""),
        ] {
            table.row([text, "x"]);
            assert!(table.text().ends_with(&format!("\r\n{expected},\"x\"\r\n")), "{text}: {}", table.text());
        }
    }
}
