//! Three NATS servers: each message on all of them, and two are enough to go on. Here and not beside the bus, because most of its
//! time are elections, during which the meshes of other tests have the cores.

use std::num::NonZeroU8;
use std::time::Duration;

use bus::{Bus, BusConfig, Headers, LostStreams, StreamBytes};
use bytes::Bytes;
use testkit::{NatsConfig, NatsServer};

/// An election of a leader takes a cluster 4 to 9 s, and more when votes are split; the cluster has one leader and each stream another.
const ELECTED: Duration = Duration::from_secs(90);

async fn limited<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(ELECTED, work).await.unwrap_or_else(|_| panic!("{what} takes longer than {ELECTED:?}"))
}

/// A cluster, and what connects to all of it.
struct Cluster {
    servers: Vec<NatsServer>,
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
        let started = |port| NatsServer::start_with(&NatsConfig { more: cluster(port), ..NatsConfig::default() });
        let servers: Vec<NatsServer> = ports.iter().map(started).collect();
        let all = |of: fn(&NatsServer) -> String| servers.iter().map(of).collect::<Vec<_>>().join(",");
        let (url, monitor_url) = (all(NatsServer::url), all(NatsServer::monitor_url));
        let config = BusConfig { url, monitor_url, replicas: NonZeroU8::MIN, name: "test".into() };
        Self { servers, config }
    }

    /// A bus that declares so many copies; waits for a cluster that has just been started.
    async fn bus(&self, replicas: u8, lost: LostStreams) -> Bus {
        let replicas = NonZeroU8::new(replicas).expect("not zero");
        let config = BusConfig { replicas, ..self.config.clone() };
        // A start gives up after half a minute and is begun again by whoever supervises it; so it is here.
        let opening = async {
            loop {
                match Bus::open(config.clone(), StreamBytes::default(), lost).await {
                    Ok(bus) => return bus,
                    Err(error) => eprintln!("not yet: {error:?}"),
                }
            }
        };
        limited("electing leaders", opening).await
    }
}

async fn copies(server: &NatsServer) -> usize {
    let raw = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("connects"));
    raw.get_stream("TX").await.expect("there").cached_info().config.num_replicas
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
    assert_eq!(copies(&cluster.servers[0]).await, 1);
    let mut fence = put(&bus, 0, &Bytes::from_static(b"one copy")).await;
    drop(bus);

    let bus = cluster.bus(3, LostStreams::Refuse).await;
    assert_eq!(copies(&cluster.servers[0]).await, 3);
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

    cluster.servers[0].kill9();
    fence = put(&bus, fence, &Bytes::from_static(b"two of three")).await;
    drop(bus);
    let bus = cluster.bus(3, LostStreams::Refuse).await;
    assert_eq!(limited("a read", bus.last_of("TX", SUBJECT)).await.expect("read").expect("there").seq, fence);
}
