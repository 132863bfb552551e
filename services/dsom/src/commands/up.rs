//! `dsom up`: the whole mesh on this machine.

use std::sync::Arc;
use std::time::Duration;

use super::Data;
use super::simulate::{Market, Progress};
use crate::Failure;
use crate::mesh::{Engine, Mesh, Ports};
use crate::signals::Signals;

/// Runs nats-server and the services on this machine until Ctrl-C
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom up --data .dsom --sandbox --simulate\n  dsom up --store scylla --nodes 127.0.0.1:9042\n\nOnce ready it writes DIR/mesh.json; what the parts print goes to DIR/logs."
)]
pub struct Up {
    #[command(flatten)]
    data: Data,
    /// Feed it records of made-up operators
    #[arg(long)]
    simulate: bool,
    /// Run the sandbox beside it: another chain and another log, for tests of operators
    #[arg(long)]
    sandbox: bool,
    /// Which ports to take on 127.0.0.1
    #[arg(long, value_enum, default_value = "default")]
    ports: Ports,
    #[command(flatten)]
    engine: Engine,
}

impl Up {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let say: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(|what| note!("dsom: {what}"));
        let starting = Mesh::start(&self.data.dir, self.ports, self.engine.clone(), self.sandbox, say);
        let mut mesh = tokio::select! {
            mesh = starting => mesh?,
            () = signals.stop() => return Ok(()),
        };
        let ended = self.attend(&mut mesh, &mut signals).await;
        note!("\ndsom: stopping");
        mesh.stop().await;
        ended
    }

    /// What there is to do while the mesh runs, until somebody wants it to stop.
    async fn attend(&self, mesh: &mut Mesh, signals: &mut Signals) -> Result<(), Failure> {
        self.greet(mesh);
        let market = match self.simulate {
            true => {
                let (layout, file) = (mesh.layout(), mesh.file());
                tokio::select! {
                    market = Market::open(layout, &file.ingest, &file.licensing, 0..5, 200) => Some(market?.going_on().start()),
                    () = signals.stop() => return Ok(()),
                }
            }
            false => None,
        };
        let progress = market.as_ref().map(|_| Progress::new());
        let mut look = tokio::time::interval(Duration::from_millis(200));
        let mut told = false;
        loop {
            tokio::select! {
                _ = look.tick() => {
                    // A disk that is full for a while is no reason to stop what runs: it is written at the next look.
                    let refreshed = mesh.refresh();
                    if let Some(failure) = refreshed.as_ref().err().filter(|_| !told) {
                        note!("dsom: {}; it is tried again", failure.text);
                    }
                    told = refreshed.is_err();
                    if let (Some(market), Some(progress)) = (&market, &progress) {
                        progress.show(market);
                    }
                }
                () = signals.stop() => break,
            }
        }
        if let Some(market) = market {
            market.stop();
        }
        Ok(())
    }

    fn greet(&self, mesh: &Mesh) {
        let file = mesh.file();
        let data = self.data.dir.display();
        say!("The mesh is ready.\n");
        say!("  ingest     {}   POST /v1/streams/{{n}}/batches, GET /v1/streams, /problems", file.ingest);
        say!("  chaining   {}   GET /v1/chains/{{operator}}, /log/checkpoint", file.chaining);
        say!("  licensing  {}   POST /oauth2/token, GET /v1/register, /v1/operators", file.licensing);
        say!("  log key    {}\n", file.log_vkey);
        if let Some(sandbox) = &file.sandbox {
            say!("The sandbox, for tests of operators (docs/SANDBOX.md):");
            say!("  ingest     {}", sandbox.ingest);
            say!("  chaining   {}", sandbox.chaining);
            say!("  log key    {}\n", sandbox.log_vkey);
        }
        say!("Open to see records become facts:");
        say!("  {}/log/checkpoint   grows with every block", file.chaining);
        say!("  {}/v1/register      who is licensed to do what", file.licensing);
        say!("  {}/metrics", file.ingest);
        say!("  {}/openapi.json\n", file.ingest);
        say!("A token:  dsom token --data {data} --operator 13013f29-b9df-4b82-ad28-e51596b7e0b4");
        say!("          dsom token --data {data} --person clerk-1 --role clerk");
        say!("Logs:     {data}/logs     Stop: Ctrl-C\n");
    }
}
