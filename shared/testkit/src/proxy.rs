//! A TCP proxy that breaks connections on demand.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Bytes passed on at a time.
const CHUNK_BYTES: usize = 16 * 1024;
/// How often a stalled connection looks whether the fault was lifted.
const STALL: Duration = Duration::from_millis(10);

/// What the proxy does to the bytes that pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Each chunk, in either direction, is this late.
    Delay(Duration),
    /// Both sides are closed after so many more bytes from the client, in the middle of whatever it is.
    CutAfter(usize),
    /// Both sides are closed before the next byte of an answer reaches the client: done, and the client does not know.
    CutAnswer,
    /// Nothing passes and nothing is closed.
    Blackhole,
}

/// Passes connections on to a target.
pub struct Proxy {
    addr: SocketAddr,
    fault: Arc<Mutex<Fault>>,
}

impl Proxy {
    /// Begins to pass connections on to `target` (`host:port`), without a fault. It runs until the test ends.
    pub fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let fault = Arc::new(Mutex::new(Fault::None));
        let (target, faults) = (target.to_owned(), fault.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let (c, s) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (up, down) = (faults.clone(), faults.clone());
                std::thread::spawn(move || pass(c, s, &up, true));
                std::thread::spawn(move || pass(server, client, &down, false));
            }
        });
        Self { addr, fault }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what is done, to connections that stand too.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, fault: &Mutex<Fault>, from_client: bool) {
    let mut chunk = [0; CHUNK_BYTES];
    'passing: while let Ok(read @ 1..) = from.read(&mut chunk) {
        let mut bytes = &chunk[..read];
        loop {
            let now = *fault.lock().unwrap();
            match now {
                Fault::None => break,
                Fault::Delay(late) => break std::thread::sleep(late),
                Fault::Blackhole => std::thread::sleep(STALL),
                Fault::CutAnswer if from_client => break,
                Fault::CutAnswer => break 'passing,
                Fault::CutAfter(_) if !from_client => break,
                Fault::CutAfter(left) if left > bytes.len() => {
                    *fault.lock().unwrap() = Fault::CutAfter(left - bytes.len());
                    break;
                }
                Fault::CutAfter(left) => {
                    bytes = &bytes[..left];
                    let _closed_anyway = to.write_all(bytes);
                    break 'passing;
                }
            }
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _already_closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        addr
    }

    #[test]
    fn each_fault_is_seen_by_the_client() {
        let proxy = Proxy::start(&echo());
        let connect = || {
            let stream = TcpStream::connect(proxy.addr()).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            stream
        };
        let mut got = [0; 4];
        let mut stream = connect();
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ping");

        proxy.set(Fault::Blackhole);
        stream.write_all(b"pong").unwrap();
        assert!(stream.read(&mut got).is_err(), "nothing passes");
        proxy.set(Fault::None);
        stream.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"pong");

        proxy.set(Fault::CutAfter(2));
        stream.write_all(b"cuts").unwrap();
        let mut rest = Vec::new();
        let _reset_or_closed = stream.read_to_end(&mut rest);
        assert!(rest.len() <= 2);

        proxy.set(Fault::CutAnswer);
        let mut stream = connect();
        stream.write_all(b"lost").unwrap();
        rest.clear();
        let _reset_or_closed = stream.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
}
