//! `dsom rehearse`: an exemplary integration at work in the sandbox, so that every published check can pass.

use std::path::PathBuf;
use std::time::Duration;

use client::{TokenConfig, Tokens};
use contracts::OperatorId;
use contracts::receipt::Env;
use indicatif::{ProgressBar, ProgressStyle};

use super::Data;
use crate::mesh::{Layout, MeshFile};
use crate::rehearsal::{Keys, exercise, load};
use crate::{Failure, register};

/// Sends to the sandbox what an integration must show: load, a gap, lost answers, a refused rewrite, a change of keys
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom rehearse --operator 13013f29-b9df-4b82-ad28-e51596b7e0b4\n  dsom conformance --operator 13013f29-b9df-4b82-ad28-e51596b7e0b4 --out certificate.txt\n\nAn operator that is not in the register of a development mesh is taken through it first. Another's keys are named: --key test.pem --key test-2.pem"
)]
pub struct Rehearse {
    #[command(flatten)]
    data: Data,
    /// Who sends
    #[arg(long, value_name = "UUID")]
    operator: OperatorId,
    /// Its two registered test keys, PKCS#8 PEM: the one in use, and the one it goes over to
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Records a second
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// How long, in seconds
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(25..))]
    seconds: u64,
}

impl Rehearse {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mesh = MeshFile::read(&self.data.dir)?;
        let [first, second] = self.clients(&mesh).await?;
        let start = async |config: TokenConfig| {
            let started = Tokens::start(config).await;
            started.map_err(|error| Failure::bad(format!("no token for {}", self.operator)).because(&error))
        };
        let keys = Keys::new(start(first).await?, start(second).await?);
        let url = &mesh.sandbox()?.ingest;
        let bar = ProgressBar::new(self.seconds);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:32}] {pos} of {len} s") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message("rehearsing");
        let clock = async {
            for _ in 0..self.seconds {
                tokio::time::sleep(Duration::from_secs(1)).await;
                bar.inc(1);
            }
            Ok(())
        };
        let (sent, shown, ()) =
            tokio::try_join!(load(url, &keys, self.rate, self.seconds), exercise(url, &keys), clock)?;
        bar.finish_and_clear();
        say!("{sent} records sent under two keys, beside them: {}", shown.join(", "));
        say!("Now hold it to the checks: dsom conformance --operator {}", self.operator);
        Ok(())
    }

    async fn clients(&self, mesh: &MeshFile) -> Result<[TokenConfig; 2], Failure> {
        let (operator, licensing) = (self.operator, &mesh.licensing);
        match &self.keys[..] {
            [] => {
                let layout = Layout::existing(&self.data.dir)?;
                let first = register::enrol(&layout, licensing, operator, Env::Test, "").await?;
                Ok([first, register::next_test_key(&layout, licensing, operator).await?])
            }
            [first, second] => {
                let first = register::test_client(licensing, operator, first).await?;
                Ok([first, register::test_client(licensing, operator, second).await?])
            }
            _ => Err(Failure::usage("give --key twice: the key in use, and the one to go over to")),
        }
    }
}
