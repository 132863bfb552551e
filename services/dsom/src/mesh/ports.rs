//! Which ports a mesh takes on this machine, and whether they are free: another mesh's part on one of them would be believed to be ours.

use std::net::TcpListener;
use std::ops::Range;

use super::Addresses;
use crate::Failure;

/// Where free ports are looked for: below those the kernel gives to connections (from 32768 on, ip(7)), which could be taken again before
/// a part listens there, or while it is started again.
const FREE_PORTS: Range<u16> = 10_000..28_000;

/// Which ports a mesh takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Ports {
    /// 7101, 7102, 7103, 7122 and 7123; the sandbox 7111, 7112, 7132 and 7133.
    Default,
    /// Whatever is free.
    Free,
}

/// Where all of a mesh listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Everything {
    pub licensing: u16,
    pub market: Addresses,
    pub sandbox: Addresses,
}

impl Ports {
    /// The issuer of tokens: the address of licensing (RFC 8414). Where that is another one at each start, a name that stays: tokens
    /// outlive a restart.
    pub(super) fn issuer(self, licensing: u16) -> String {
        match self {
            Self::Default => format!("http://127.0.0.1:{licensing}"),
            Self::Free => "http://licensing.dsom.localhost".to_owned(),
        }
    }

    pub(super) fn addresses(self) -> Result<Everything, Failure> {
        let ports = match self {
            Self::Default => [7103, 7101, 7102, 7122, 7123, 7111, 7112, 7132, 7133],
            Self::Free => {
                let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
                // Meshes that start side by side begin at other places.
                let (all, from) = (FREE_PORTS.len(), std::process::id() as usize * 10 % FREE_PORTS.len());
                let found: Vec<u16> = FREE_PORTS.cycle().skip(from).take(all).filter(free).take(9).collect();
                found.try_into().map_err(|_| Failure::unreachable("no free port on 127.0.0.1"))?
            }
        };
        let [licensing, market @ .., s1, s2, s3, s4] = ports;
        let world =
            |[ingest, chaining, nats, nats_monitor]: [u16; 4]| Addresses { ingest, chaining, nats, nats_monitor };
        Ok(Everything { licensing, market: world(market), sandbox: world([s1, s2, s3, s4]) })
    }
}

impl Everything {
    /// Fails at the first port that something listens on already.
    pub(super) fn require_free(&self, with_sandbox: bool) -> Result<(), Failure> {
        let sandbox = if with_sandbox { named("the sandbox's ", self.sandbox).to_vec() } else { Vec::new() };
        let all = [("licensing".to_owned(), self.licensing)].into_iter().chain(named("", self.market)).chain(sandbox);
        for (who, port) in all {
            TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
                Failure::unreachable(format!(
                    "port {port} on 127.0.0.1, where {who} would listen, is taken, perhaps by another mesh: stop that, or take \
                     free ports with --ports free"
                ))
                .because(&error)
            })?;
        }
        Ok(())
    }
}

fn named(whose: &str, at: Addresses) -> [(String, u16); 4] {
    let Addresses { ingest, chaining, nats, nats_monitor } = at;
    [("nats-server", nats), ("nats-server's monitor", nats_monitor), ("chaining", chaining), ("ingest", ingest)]
        .map(|(name, port)| (format!("{whose}{name}"), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exit;

    #[test]
    fn a_port_that_is_taken_is_named_with_the_way_out() {
        let mut at = Ports::Free.addresses().expect("free ports");
        let held = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = held.local_addr().expect("an address").port();
        at.sandbox.chaining = port;
        at.require_free(false).expect("without a sandbox its port may be taken");
        let failure = at.require_free(true).expect_err("the port is taken");
        assert_eq!(failure.exit, Exit::Unreachable);
        for part in [format!("port {port} "), "the sandbox's chaining".to_owned(), "--ports free".to_owned()] {
            assert!(failure.text.contains(&part), "{}", failure.text);
        }
        drop(held);
        at.require_free(true).expect("nobody listens any more");
    }
}
