//! What the mesh says of itself, and what the machine says of its processes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Failure;

/// A Prometheus histogram: cumulative counts by upper bound, in the metric's unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets(Vec<(f64, f64)>);

/// Counters and histograms of one scrape.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    values: BTreeMap<String, f64>,
    histograms: BTreeMap<String, Buckets>,
}

impl Scrape {
    /// Reads `/metrics` of a service.
    ///
    /// # Errors
    /// It did not answer.
    pub async fn of(http: &reqwest::Client, base: &str) -> Result<Self, Failure> {
        let url = format!("{base}/metrics");
        let failed = |error: reqwest::Error| Failure::unreachable(format!("could not read {url}")).because(&error);
        let text = http.get(&url).send().await.map_err(failed)?.text().await.map_err(failed)?;
        Ok(Self::parse(&text))
    }

    /// Reads the text format; samples of one name with different labels are added up.
    pub fn parse(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (bare, labels) = name.split_once('{').unwrap_or((name, ""));
            if let Some(histogram) = bare.strip_suffix("_bucket") {
                let bound = labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
                let bound = bound.and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY);
                scrape.histograms.entry(histogram.to_owned()).or_default().0.push((bound, value));
            } else {
                *scrape.values.entry(bare.to_owned()).or_default() += value;
            }
        }
        scrape
    }

    /// A counter or gauge; 0 when it was never counted.
    pub fn value(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(0.0)
    }

    /// A histogram since an earlier scrape.
    pub fn since(&self, earlier: &Self, name: &str) -> Buckets {
        let now = self.histograms.get(name).cloned().unwrap_or_default();
        let before = earlier.histograms.get(name).cloned().unwrap_or_default();
        let before = |bound: f64| before.0.iter().find(|(at, _)| *at == bound).map_or(0.0, |(_, count)| *count);
        Buckets(now.0.into_iter().map(|(bound, count)| (bound, count - before(bound))).collect())
    }
}

impl Buckets {
    /// The upper bound of the bucket that holds a quantile (0 to 1); 1 gives the largest value's bucket. `None` when empty.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let total = self.0.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let rank = (quantile * total).ceil().max(1.0);
        self.0.iter().find(|(_, count)| *count >= rank).map(|(bound, _)| *bound)
    }
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_s: f64,
    /// Resident memory now, in bytes.
    pub rss_bytes: u64,
}

/// Reads proc(5) of a process; zero when it is gone.
pub fn usage(pid: u32) -> Usage {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut numbers = after_name.split_whitespace().skip(11).filter_map(|text| text.parse::<f64>().ok());
    let ticks = numbers.next().unwrap_or(0.0) + numbers.next().unwrap_or(0.0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    Usage { cpu_s: ticks / 100.0, rss_bytes: kib.unwrap_or(0_u64) * 1024 }
}

/// Bytes that the files below a folder take.
pub fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => folder_bytes(&entry.path()),
            Ok(found) => std::os::unix::fs::MetadataExt::blocks(&found) * 512,
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_read_and_subtracted() {
        let earlier = Scrape::parse(
            "# TYPE lag histogram\nlag_bucket{a=\"b\",le=\"0.1\"} 1\nlag_bucket{a=\"b\",le=\"+Inf\"} 2\nn_total 5\n",
        );
        let later = Scrape::parse(
            "lag_bucket{a=\"b\",le=\"0.1\"} 9\nlag_bucket{a=\"b\",le=\"+Inf\"} 12\nn_total{x=\"1\"} 6\nn_total{x=\"2\"} 1\n",
        );
        assert_eq!(later.value("n_total") - earlier.value("n_total"), 2.0);
        let lag = later.since(&earlier, "lag");
        assert_eq!(lag.quantile(0.5), Some(0.1));
        assert_eq!(lag.quantile(0.8), Some(0.1));
        assert_eq!(lag.quantile(0.81), Some(f64::INFINITY));
        assert_eq!(lag.quantile(1.0), Some(f64::INFINITY));
        assert_eq!(Buckets::default().quantile(0.5), None);
    }
}
