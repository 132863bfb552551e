//! Personal data in place of a pseudonym (RECORD: Personal data).

/// Digits that a tax, phone or card number can have.
const DIGITS: std::ops::RangeInclusive<usize> = 9..=19;
/// Lengths that an IBAN can have (ISO 13616).
const IBAN_LENGTHS: std::ops::RangeInclusive<usize> = 15..=34;

/// Whether a pseudonym could be a tax, phone, card or account number.
pub(super) fn is_personal(pseudonym: &str) -> bool {
    // Nearly all pseudonyms have too few digits to look further.
    if pseudonym.bytes().filter(u8::is_ascii_digit).count() < *DIGITS.start() {
        return is_iban(pseudonym.as_bytes());
    }
    let rest = without_letters(without_prefixes(pseudonym.as_bytes()));
    let digits = rest.iter().filter(|b| b.is_ascii_digit()).count();
    let only_digits = rest.iter().all(|b| b.is_ascii_digit() || is_separator(*b));
    only_digits && DIGITS.contains(&digits) || is_iban(pseudonym.as_bytes())
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-')
}

/// Takes `^([A-Za-z]*[_-]+)+` off.
fn without_prefixes(text: &[u8]) -> &[u8] {
    let mut kept = text;
    loop {
        let letters = kept.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let separators = kept.iter().skip(letters).take_while(|b| is_separator(**b)).count();
        if separators == 0 {
            return kept;
        }
        kept = kept.get(letters + separators..).unwrap_or_default();
    }
}

/// Takes `^[A-Za-z]*[G-Zg-z][A-Za-z]*` off: a run of letters, unless it could be hexadecimal.
fn without_letters(text: &[u8]) -> &[u8] {
    let letters = text.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (run, rest) = text.split_at_checked(letters).unwrap_or((text, &[]));
    if run.iter().all(u8::is_ascii_hexdigit) { text } else { rest }
}

/// Upper-case IBAN with valid check digits: the number it stands for is 1 modulo 97 (ISO 7064).
fn is_iban(text: &[u8]) -> bool {
    let [c1, c2, d1, d2, account @ ..] = text else { return false };
    let head = [*c1, *c2, *d1, *d2];
    let shape = c1.is_ascii_uppercase()
        && c2.is_ascii_uppercase()
        && d1.is_ascii_digit()
        && d2.is_ascii_digit()
        && account.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !shape || !IBAN_LENGTHS.contains(&text.len()) {
        return false;
    }
    let remainder = account.iter().chain(&head).fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_behind_prefixes_and_letters() {
        // By the page's own expressions, evaluated by hand.
        assert!(is_personal("player_3805012345678"), "prefix off, 13 digits");
        assert!(is_personal("user-id-1234-5678-9012-3456"), "prefixes off, separators inside, 16 digits");
        assert!(is_personal("customer4111111111111111"), "letters with one beyond F off, 16 digits");
        assert!(is_personal("__--____--__123456789"), "separators alone are a prefix");
        assert!(!is_personal("abc41111111111111111"), "abc could be hexadecimal: stays, so not digits only");
        assert!(!is_personal("player_12345678_______"), "8 digits");
        assert!(!is_personal("12345678901234567890"), "20 digits");
        assert!(is_personal("1234567890123456789-"), "19 digits");
        assert!(!is_personal("pEGG8E0yWT2zNSQMyLalhKe"));
        assert!(!is_personal("deadbeef1234567890123456789012ab"));
    }

    #[test]
    fn ibans_are_found_by_their_check_digits() {
        // The registry's published examples for Ukraine, Germany and Malta.
        for iban in ["UA213223130000026007233566001", "DE89370400440532013000", "MT84MALT011000012345MTLCAST001S"] {
            assert!(is_personal(iban), "{iban}");
        }
        assert!(!is_personal("UA223223130000026007233566001"), "wrong check digits");
        assert!(!is_personal("ua213223130000026007233566001"), "lower case: `ua` is a run of letters, 27 digits stay");
    }
}
