//! How fast one operator may send: a token bucket in records. The clock is the caller's.

/// A bucket that fills at a steady rate up to one second's worth (at least one largest batch).
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    per_s: f64,
    most: f64,
    level: f64,
    at_ms: i64,
}

impl Bucket {
    /// A full bucket that fills with `records_per_s` and holds at least `batch_max` records.
    pub fn new(records_per_s: u32, batch_max: u32, now_ms: i64) -> Self {
        let most = f64::from(records_per_s.max(batch_max));
        Self { per_s: f64::from(records_per_s.max(1)), most, level: most, at_ms: now_ms }
    }

    /// Takes `records` out, or says in how many seconds (rounded up) that many will be there.
    ///
    /// # Errors
    /// The seconds to wait, at least 1.
    pub fn take(&mut self, records: u32, now_ms: i64) -> Result<(), u64> {
        let passed_ms = (now_ms - self.at_ms).max(0) as f64;
        self.at_ms = self.at_ms.max(now_ms);
        self.level = (self.level + passed_ms * self.per_s / 1_000.0).min(self.most);
        let missing = f64::from(records) - self.level;
        if missing > 0.0 {
            return Err((missing / self.per_s).ceil().max(1.0) as u64);
        }
        self.level -= f64::from(records);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut bucket = Bucket::new(1_000, 500, 0);
        assert_eq!(bucket.take(1_000, 0), Ok(()));
        assert_eq!(bucket.take(500, 0), Err(1));
        assert_eq!(bucket.take(500, 499), Err(1));
        assert_eq!(bucket.take(500, 500), Ok(()));
        assert_eq!(bucket.take(1, 400), Err(1), "a clock that steps back fills nothing");
    }

    #[test]
    fn the_largest_batch_always_fits_a_full_bucket() {
        let mut bucket = Bucket::new(10, 10_000, 0);
        assert_eq!(bucket.take(10_000, 0), Ok(()));
        assert_eq!(bucket.take(10_000, 1_000), Err(999));
    }
}
