//! `io-shared view`: a page that shows what flows, and a server that viewers connect to.
//!
//! One port serves the page and the Foxglove protocol, of which the page is a client like any
//! other. Each connection has a thread of its own: a client that reads slowly delays nobody.
//!
//! The files: `gate` (who may connect), `http` (requests and answers), `catalogue` (which topics
//! there are), `client` (one connection), `feed` (the values of one channel for one connection),
//! `protocol` (the words of the Foxglove protocol), `transforms` (`--tf`), `jpeg` (`--jpeg`),
//! `browser` (`--open`), and `page` (its files, which lie in the folder of the same name).

mod browser;
mod catalogue;
mod client;
mod feed;
mod gate;
mod http;
mod jpeg;
mod page;
mod protocol;
mod transforms;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use io_shared_formats::As;

use crate::failure::Failure;
use crate::follow::give_way;
use crate::named;
use crate::out::Out;
use crate::record::parse_as;
use browser::Browser;
use catalogue::Catalogue;
use gate::Gate;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The channels to show; all if none is given.
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(named::channels))]
    names: Vec<String>,
    /// Where to listen. Other machines reach it only at an address that is not a loopback one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8765")]
    listen: SocketAddr,
    /// Let in everybody who can reach the port. Each user of this machine can.
    #[arg(long)]
    no_token: bool,
    /// Let pages of this origin connect, such as `https://app.foxglove.dev`. May be repeated.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Say what the values of a channel are: `/x=cloud`, `/x=image:bgr8`, `/x=depth`, `/x=none`.
    #[arg(long = "as", value_name = "NAME=KIND", value_parser = parse_as)]
    said: Vec<(String, As)>,
    /// Show frames in others, by a file with a line `PARENT CHILD X Y Z QX QY QZ QW` for each.
    #[arg(long, value_name = "FILE")]
    tf: Option<PathBuf>,
    /// Send pictures as JPEG, of quality 80 or of that after a `=`.
    #[arg(long, value_name = "QUALITY", num_args = 0..=1, default_missing_value = "80",
          require_equals = true, value_parser = clap::value_parser!(u8).range(1..=100))]
    jpeg: Option<u8>,
    /// Open the page in the browser.
    #[arg(long)]
    open: bool,
}

/// The most connections at once.
const MOST_CLIENTS: usize = 64;

/// What all connections share.
#[derive(Debug)]
struct Server {
    gate: Gate,
    catalogue: Catalogue,
    clients: AtomicUsize,
}

pub(crate) fn run(options: &Options, out: &mut Out) -> Result<(), Failure> {
    let ended = signals()?;
    let transforms = options.tf.as_deref().map(transforms::read).transpose()?;
    let listener = TcpListener::bind(options.listen).map_err(|error| {
        let cure = "`--listen 127.0.0.1:0` takes any free port";
        Failure::Failed(format!("cannot listen at {}: {error}; {cure}", options.listen))
    })?;
    let address = listener.local_addr()?;
    let gate = Gate::new(!options.no_token, &options.allow_origin)?;
    let url = gate.url(address);
    tell(&url, &gate, address, out)?;
    let server = Arc::new(Server {
        gate,
        catalogue: Catalogue::new(options, transforms)?,
        clients: AtomicUsize::new(0),
    });
    std::thread::spawn(move || accept(&listener, &server));
    let _browser = options.open.then(|| Browser::open(&url));
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn tell(url: &str, gate: &Gate, address: SocketAddr, out: &mut Out) -> Result<(), Failure> {
    if out.json {
        out.object(&serde_json::json!({ "url": url, "websocket": gate.websocket(address) }))?;
    } else {
        out.line(format_args!("the page:  {url}"))?;
        out.line(format_args!("viewers:   {}", gate.websocket(address)))?;
        out.line(
            "Foxglove and Lichtblick need --allow-origin https://app.foxglove.dev or \
             --allow-origin https://lichtblick-suite.github.io. Ctrl-C ends this.",
        )?;
        if !address.ip().is_loopback() {
            out.line("Other machines can connect, and what they are sent is not encrypted.")?;
        }
    }
    Ok(out.flush()?)
}

fn accept(listener: &TcpListener, server: &Arc<Server>) {
    give_way();
    for stream in listener.incoming() {
        // One that ended before it began, or too many open files for a moment.
        let Ok(stream) = stream else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let server = Arc::clone(server);
        if server.clients.fetch_add(1, Ordering::Relaxed) >= MOST_CLIENTS {
            server.clients.fetch_sub(1, Ordering::Relaxed);
            http::refuse(stream, 503, "there are too many connections; close other pages");
            continue;
        }
        std::thread::spawn(move || {
            let _place = Place(&server.clients);
            serve(stream, &server);
        });
    }
}

/// A connection's place among [`MOST_CLIENTS`]. It is given back also if the thread panics.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(mut stream: TcpStream, server: &Server) {
    let Some(request) = http::read(&mut stream) else { return };
    match server.gate.judge(&request) {
        Ok(gate::Wanted::Socket(protocol)) => {
            if let Some(socket) = http::upgrade(stream, request, protocol) {
                client::serve(socket, &server.catalogue);
            }
        }
        Ok(gate::Wanted::File(file)) => http::send(stream, file),
        Err(refusal) => http::refuse(stream, refusal.status, &refusal.text),
    }
}

/// What is set when the user, or the terminal's end, ends the command.
fn signals() -> Result<Arc<AtomicBool>, Failure> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_whose_thread_panics_gives_its_place_back() {
        let taken = AtomicUsize::new(1);
        let ended = std::panic::catch_unwind(|| {
            let _place = Place(&taken);
            panic!("as intended");
        });
        assert!(ended.is_err());
        assert_eq!(taken.into_inner(), 0);
    }
}
