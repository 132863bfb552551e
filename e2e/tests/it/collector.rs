//! A collector of traces (OTLP over HTTP) that only remembers: what spans came, of which service.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;

/// A span as it was exported.
#[derive(Debug, Clone)]
pub struct Span {
    /// `service.name`.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its trace.
    pub trace: Vec<u8>,
    /// Its id.
    pub id: Vec<u8>,
    /// The span it is a child of; empty for a root.
    pub parent: Vec<u8>,
    /// The spans it is linked to.
    pub links: Vec<Vec<u8>>,
}

/// The collector.
pub struct Collector {
    /// Where to export to: `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Collects until the test ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || while take(&client, &kept).is_some() {});
            }
        });
        Self { url, spans }
    }

    /// What came so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("spans").clone()
    }
}

/// Answers one request; `None` when there are no more.
fn take(client: &TcpStream, kept: &Mutex<Vec<Span>>) -> Option<()> {
    let mut reader = BufReader::new(client);
    let (mut line, mut length) = (String::new(), 0);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    assert!(first.starts_with("POST /v1/traces "), "{first}");
    let request = ExportTraceServiceRequest::decode(&body[..]).expect("what OTLP says");
    kept.lock().expect("spans").extend(read(request));
    let mut client = client;
    client.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n").ok()
}

fn read(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let service = attributes.into_iter().find(|one| one.key == "service.name").and_then(|one| one.value?.value);
        let Some(Value::StringValue(service)) = service else { panic!("spans of no service") };
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                service: service.clone(),
                name: span.name,
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                links: span.links.into_iter().map(|link| link.span_id).collect(),
            });
        }
    }
    spans
}
