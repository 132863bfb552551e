//! Tokens as attackers and clumsy issuers make them (RFC 8725).
