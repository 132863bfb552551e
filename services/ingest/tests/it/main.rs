//! Ingest seen from outside: over HTTP, with a real nats-server.

mod answers;
mod bodies;
mod faults;
mod old;
mod replicas;
mod tokens;
mod world;
