//! The pseudonym that stands for a player or a session.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Characters of a pseudonym.
const LENGTH: usize = 26;

/// `base32(HMAC-SHA-256(secret, internal id))`, first 26 characters, lower case (RECORD: Personal data; RFC 2104, RFC 4648).
///
/// `secret`: the operator's own, at least 32 random bytes, kept for ever. Only who holds it can lead a pseudonym back to an id.
pub fn pseudonym(secret: &[u8], internal_id: &str) -> String {
    // HMAC takes keys of any length; the type merely cannot say so.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(internal_id.as_bytes());
    let mut text = BASE32_NOPAD.encode(&mac.finalize().into_bytes()).to_ascii_lowercase();
    text.truncate(LENGTH);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_another_implementation_computes() {
        // python3 -c "import hmac,base64; print(base64.b32encode(hmac.digest(b'key', b'The quick brown fox jumps over the lazy dog','sha256')).decode()[:26].lower())"
        assert_eq!(pseudonym(b"key", "The quick brown fox jumps over the lazy dog"), "666ih5bqkoccjmjstdtku35rip");
        assert_ne!(pseudonym(b"key", "1"), pseudonym(b"key", "2"));
    }
}
