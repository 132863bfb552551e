//! Files as people have them: packed or not, named after the stream they hold.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use contracts::record::RECORD_BYTES_MAX;
use contracts::{OperatorId, StreamNo};

use crate::Failure;

/// A file that is read from its beginning.
pub type Reader = Box<dyn BufRead + Send>;

/// Opens a file, unpacks it by the end of its name (`.gz`, `.zst`), and lets `wrap` see the bytes as they lie on the disk.
///
/// # Errors
/// The file can't be opened.
pub fn open_with<R: Read + Send + 'static>(path: &Path, wrap: impl FnOnce(File) -> R) -> Result<Reader, Failure> {
    let cannot = |error: std::io::Error| Failure::usage(format!("could not read {}", path.display())).because(&error);
    let file = wrap(File::open(path).map_err(cannot)?);
    let unpacked: Box<dyn Read + Send> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(file).map_err(cannot)?),
        _ => Box::new(file),
    };
    Ok(Box::new(BufReader::with_capacity(1 << 20, unpacked)))
}

/// The same, for who does not look.
///
/// # Errors
/// The file can't be opened.
pub fn open(path: &Path) -> Result<Reader, Failure> {
    open_with(path, |file| file)
}

/// Reads the next record into `line`, without its line end; `false` at the end of the file. A line longer than any record is cut
/// after one byte too many, which no check lets pass.
///
/// # Errors
/// The file can't be read on.
pub fn next_record(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let read = reader.take(RECORD_BYTES_MAX as u64 + 2).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(read > 0)
}

/// Operator and stream by a file's name, `<operator>.<stream>.ndjson[.gz|.zst]`.
///
/// # Errors
/// It is not named so.
pub fn named(path: &Path) -> Result<(OperatorId, StreamNo), Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut parts = name.split('.');
    let operator = parts.next().and_then(|part| part.parse().ok());
    let stream = parts.next().and_then(|part| part.parse().ok());
    let known = matches!(parts.collect::<Vec<_>>()[..], ["ndjson"] | ["ndjson", "gz"] | ["ndjson", "zst"]);
    operator
        .zip(stream)
        .filter(|_| known)
        .ok_or_else(|| Failure::usage(format!("{} is not named <operator>.<stream>.ndjson[.gz|.zst]", path.display())))
}

/// Reads a small file whole.
///
/// # Errors
/// It can't be read, or has more than `bytes_max` bytes.
pub fn small(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let cannot = |error: std::io::Error| Failure::usage(format!("could not read {}", path.display())).because(&error);
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    match bytes.len() > bytes_max {
        true => Err(Failure::bad(format!("{} has more than {bytes_max} bytes", path.display()))),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_records_a_file_holds() {
        let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
        for end in ["ndjson", "ndjson.gz", "ndjson.zst"] {
            let path = format!("/a/{operator}.7.{end}");
            let (found, stream) = named(Path::new(&path)).expect("named so");
            assert_eq!((found.to_string().as_str(), stream.0), (operator, 7));
        }
        for bad in [
            "x.7.ndjson",
            "13013f29-b9df-4b82-ad28-e51596b7e0b4.256.ndjson",
            "13013f29-b9df-4b82-ad28-e51596b7e0b4.7.json",
        ] {
            assert!(named(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn records_are_read_with_and_without_a_last_line_end() {
        let mut reader: &[u8] = b"{1}\n{2}";
        let (mut line, mut seen) = (Vec::new(), Vec::new());
        while next_record(&mut reader, &mut line).expect("a slice") {
            seen.push(line.clone());
        }
        assert_eq!(seen, [b"{1}", b"{2}"]);
    }
}
