//! Three NATS servers that ask who somebody is: each message on all of them, and two are enough to go on. Here and not beside the bus, because most of its
//! time are elections, during which the meshes of other tests have the cores.

use std::num::NonZeroU8;
use std::time::Duration;

use async_nats::jetstream::stream::Info;
use bus::{Bus, BusConfig, Headers, Home, Login, LostStreams, StreamBytes};
use bytes::Bytes;
use testkit::{NatsConfig, NatsLogins, NatsServer};

use crate::world::until;

/// An election of a leader takes a cluster 4 to 9 s, and more when votes are split; the cluster has one leader and each stream another.
const ELECTED: Duration = Duration::from_secs(90);

async fn limited<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(ELECTED, work).await.unwrap_or_else(|_| panic!("{what} takes longer than {ELECTED:?}"))
}

/// A cluster, and what connects to all of it.
struct Cluster {
    servers: Vec<NatsServer>,
    logins: NatsLogins,
    config: BusConfig,
}

impl Cluster {
    fn start() -> Self {
        let ports: Vec<u16> = (0..3).map(|_| testkit::free_port()).collect();
        let routes: Vec<String> = ports.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
        let cluster = |port: &u16| {
            let routes = routes.join(", ");
            format!("cluster {{ name: test, listen: \"127.0.0.1:{port}\", pool_size: -1, routes: [{routes}] }}")
        };
        let logins = NatsLogins::market();
        let started = |port| {
            let asked = logins.config();
            NatsServer::start_with(&NatsConfig { more: cluster(port) + "\n" + &asked.more, ..asked })
        };
        let servers: Vec<NatsServer> = ports.iter().map(started).collect();
        let all = |of: fn(&NatsServer) -> String| servers.iter().map(of).collect::<Vec<_>>().join(",");
        let (url, monitor_url) = (all(NatsServer::url), all(NatsServer::monitor_url));
        let config = BusConfig { url, monitor_url, replicas: NonZeroU8::MIN, name: "test".into(), login: None };
        Self { servers, logins, config }
    }

    /// Ingest's bus, after chaining and licensing have declared so many copies; waits for a cluster that has just been started.
    async fn bus(&self, replicas: u8, lost: LostStreams) -> Bus {
        self.open("licensing", Home::Registry, replicas, lost).await;
        self.open("chaining", Home::Streams, replicas, lost).await;
        self.open("ingest", Home::Elsewhere, replicas, lost).await
    }

    async fn open(&self, user: &str, home: Home, replicas: u8, lost: LostStreams) -> Bus {
        let replicas = NonZeroU8::new(replicas).expect("not zero");
        let login = Some(Login { nkey_file: self.logins.file(user), home });
        let config = BusConfig { replicas, login, ..self.config.clone() };
        // A start gives up after half a minute and is begun again by whoever supervises it; so it is here.
        let opening = async {
            loop {
                match Bus::open(config.clone(), StreamBytes::default(), lost).await {
                    Ok(bus) => return bus,
                    Err(error) => eprintln!("{user}, not yet: {error:?}"),
                }
            }
        };
        limited("electing leaders", opening).await
    }

    async fn info(&self, user: &str, stream: &str) -> Info {
        let options = async_nats::ConnectOptions::with_nkey(self.logins.seed(user));
        let client = options.connect(self.servers[0].url()).await.expect("connects");
        let raw = async_nats::jetstream::new(client);
        raw.get_stream(stream).await.expect("there").cached_info().clone()
    }

    async fn copies(&self) -> usize {
        self.info("admin", "TX").await.config.num_replicas
    }

    /// Waits until each copy has all: a stream that is gaining copies does not survive the one server that has it.
    async fn copied(&self) {
        for (user, stream) in [("admin", "TX"), ("admin", "LEDGER"), ("admin", "ALERTS"), ("licensing", "REGISTRY")] {
            until(&format!("the copies of {stream}"), ELECTED, || async {
                let cluster = self.info(user, stream).await.cluster?;
                (cluster.replicas.len() == 2 && cluster.replicas.iter().all(|copy| copy.current)).then_some(())
            })
            .await;
        }
    }
}

const SUBJECT: &str = "tx.1.a.0";

/// Publishes as ingest does: when no answer comes, the subject's last message tells.
async fn put(bus: &Bus, fence: u64, body: &Bytes) -> u64 {
    let work = async {
        loop {
            if let Ok(ack) = bus.publish_fenced(SUBJECT, Headers::new(), fence, body.clone()).await {
                return ack.stream_seq;
            }
            if let Ok(Some(last)) = bus.last_of("TX", SUBJECT).await {
                assert!(last.seq >= fence, "what was acknowledged is gone");
                if last.payload == *body {
                    return last.seq;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    limited("a publish", work).await
}

#[tokio::test]
async fn copies_are_declared_added_and_survive_a_server() {
    let mut cluster = Cluster::start();
    let bus = cluster.bus(1, LostStreams::Create).await;
    assert_eq!(cluster.copies().await, 1);
    let mut fence = put(&bus, 0, &Bytes::from_static(b"one copy")).await;
    drop(bus);

    let bus = cluster.bus(3, LostStreams::Refuse).await;
    assert_eq!(cluster.copies().await, 3);
    for n in 0..200_u32 {
        let body = Bytes::from(n.to_string());
        fence = put(&bus, fence, &body).await;
        // Whoever answers, what is read is never older than what was acknowledged.
        let last = limited("a read", bus.last_of("TX", SUBJECT)).await.expect("read").expect("there");
        assert_eq!((last.seq, last.payload), (fence, body));
    }
    assert_eq!(bus.next_of("TX", SUBJECT, fence).await.expect("read").expect("there").seq, fence);
    assert_eq!(bus.next_of("TX", SUBJECT, fence + 1).await.expect("read"), None);
    assert_eq!(bus.last_of("TX", "tx.1.b.0").await.expect("read"), None);

    cluster.copied().await;
    cluster.servers[0].kill9();
    fence = put(&bus, fence, &Bytes::from_static(b"two of three")).await;
    drop(bus);
    let bus = cluster.bus(3, LostStreams::Refuse).await;
    assert_eq!(limited("a read", bus.last_of("TX", SUBJECT)).await.expect("read").expect("there").seq, fence);
}
