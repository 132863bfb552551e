//! What a person is told: results on standard output, all else on standard error. A reader that went away, such as `| head`, is no
//! failure: what would have come after it is dropped, and the command goes on to its own end.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::sync::OnceLock;

use crate::Failure;

/// Why nothing more goes to standard output.
static ENDED: OnceLock<io::Error> = OnceLock::new();

/// A line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::line(format_args!($($text)*)) };
}

/// A line on standard error.
macro_rules! note {
    ($($text:tt)*) => { $crate::out::aside(format_args!($($text)*)) };
}

/// Writes a line to standard output.
pub fn line(text: Arguments<'_>) {
    whole(format_args!("{text}\n"));
}

/// Writes a text that has its line ends already to standard output.
pub fn whole(text: Arguments<'_>) {
    if !is_heard() {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        // Only the first counts.
        let _ = ENDED.set(error);
    }
}

/// Writes a line to standard error; there is nobody to tell when that can't be done.
pub fn aside(text: Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether somebody still reads standard output: who would ask for more only to print it need not.
pub fn is_heard() -> bool {
    ENDED.get().is_none()
}

/// Whether all that was read could be written.
///
/// # Errors
/// Standard output took no more, for another reason than that its reader went away.
pub fn is_whole() -> Result<(), Failure> {
    match ENDED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::bad("could not write to standard output").because(error))
        }
        _ => Ok(()),
    }
}
