//! Money as whole minor units, currencies by ISO 4217, odds as exact decimals. Never a float.

/// Whole minor units, 0 to 10^15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(u64);

impl Minor {
    /// The largest amount.
    pub const MAX: u64 = 1_000_000_000_000_000;

    /// `None` above 10^15.
    pub fn new(units: u64) -> Option<Self> {
        (units <= Self::MAX).then_some(Self(units))
    }

    /// The number of minor units.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// Alphabetic codes in force by ISO 4217 list one (2026: with XCG and without ANG, BGN, CUC, HRK, SLL, ZWL), sorted. Codes that are no
/// money to play with (funds, metals, XTS, XXX) are left out.
const IN_FORCE: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP \
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD \
IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN \
MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// An ISO 4217 alphabetic code in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code; `None` when it is not in force.
    pub fn read(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        // Nearly every record of this market is in one currency.
        if code == *b"UAH" {
            return Some(Self(code));
        }
        let (table, _) = IN_FORCE.as_bytes().as_chunks::<4>();
        let listed = table.iter().any(|[a, b, c, _]| [*a, *b, *c] == code) || code == *b"ZWG";
        listed.then_some(Self(code))
    }

    /// Every code, sorted.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        IN_FORCE.split(' ')
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Decimal odds in ten-thousandths, 1.01 to 100000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Odds(u64);

impl Odds {
    /// Reads `1.01` to `100000` with at most four decimals, no sign, no leading zero; `None` for all else.
    pub fn read(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 6) || whole.starts_with('0') || !digits(decimals, 4) {
            return None;
        }
        let scale = [1_000, 100, 10, 1].get(decimals.len() - 1)?;
        let units = whole.parse::<u64>().ok()? * 10_000 + decimals.parse::<u64>().ok()? * scale;
        (10_100..=1_000_000_000).contains(&units).then_some(Self(units))
    }

    /// The odds times 10,000.
    pub fn ten_thousandths(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_in_force_only() {
        for code in ["UAH", "EUR", "AED", "ZWG", "XCG"] {
            assert_eq!(Currency::read(code).expect(code).as_str(), code);
        }
        for bad in ["uah", "UAHH", "", "XXX", "XTS", "XAU", "HRK", "BGN", "AAA", "ED ", "D A"] {
            assert_eq!(Currency::read(bad), None, "{bad}");
        }
        assert!(Currency::codes().all(|code| Currency::read(code).is_some()));
        assert!(Currency::codes().is_sorted());
    }

    #[test]
    fn odds_are_exact() {
        assert_eq!(Odds::read("1.01").map(Odds::ten_thousandths), Some(10_100));
        assert_eq!(Odds::read("2.5").map(Odds::ten_thousandths), Some(25_000));
        assert_eq!(Odds::read("100000").map(Odds::ten_thousandths), Some(1_000_000_000));
        assert_eq!(Odds::read("3.1416").map(Odds::ten_thousandths), Some(31_416));
        for bad in
            ["1", "1.0", "1.009", "1.00999", "100000.0001", "01.5", "1.", ".5", "1,5", "-2", "+2", "2e1", "", "1.01001"]
        {
            assert_eq!(Odds::read(bad), None, "{bad}");
        }
    }
}
