//! Who may connect.
//!
//! A page of any origin can open a WebSocket to any address, and each user of a machine can reach
//! its loopback ports. So a client shows a token, which is in the address that is printed. A
//! browser says of which origin a page is: this server's own, or one that was allowed. And the host
//! that it was asked for is an address or `localhost`, so that no name of a stranger's leads here.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use subtle::ConstantTimeEq;

use super::http::Request;
use super::page::{self, File};
use crate::failure::Failure;

/// The names of the protocol, in the order in which they are preferred.
pub(super) const PROTOCOLS: [&str; 2] = ["foxglove.sdk.v1", "foxglove.websocket.v1"];

#[derive(Debug)]
pub(super) struct Gate {
    token: Option<String>,
    origins: Vec<String>,
}

/// What a client that is let in wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A WebSocket of this protocol.
    Socket(&'static str),
    File(&'static File),
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) text: String,
}

fn refusal<T>(status: u16, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, text: text.into() })
}

/// 128 random bits, as text.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Gate {
    pub(super) fn new(has_token: bool, origins: &[String]) -> Result<Self, Failure> {
        let token = has_token.then(random).transpose()?;
        // As browsers send them: in lower case, without a slash at the end.
        let plain = |origin: &String| origin.trim_end_matches('/').to_ascii_lowercase();
        Ok(Self { token, origins: origins.iter().map(plain).collect() })
    }

    /// The address of the page.
    pub(super) fn url(&self, address: SocketAddr) -> String {
        format!("http://{}/{}", reachable(address), self.query())
    }

    /// The address for viewers.
    pub(super) fn websocket(&self, address: SocketAddr) -> String {
        format!("ws://{}/{}", reachable(address), self.query())
    }

    fn query(&self) -> String {
        self.token.as_ref().map(|token| format!("?token={token}")).unwrap_or_default()
    }

    pub(super) fn judge(&self, request: &Request) -> Result<Wanted, Refusal> {
        let Some(host) = request.header("host").filter(|host| is_address(host)) else {
            let text =
                "the host must be an address or localhost: open what `io-shared view` printed";
            return refusal(403, text);
        };
        let origin = request.header("origin").map(str::to_ascii_lowercase);
        if let Some(origin) = &origin
            && *origin != format!("http://{}", host.to_ascii_lowercase())
            && !self.origins.contains(origin)
        {
            return refusal(
                403,
                format!("pages of {origin} may not connect; --allow-origin {origin} lets them"),
            );
        }
        let wants_socket =
            request.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
        let Some(file) = page::file(&request.path) else {
            return refusal(404, "there is only the page at /");
        };
        if !file.is_secret && !wants_socket {
            return Ok(Wanted::File(file));
        }
        if !self.is_token(request.query("token").unwrap_or_default()) {
            let text = "the token is missing or wrong: open the address that `io-shared view` \
                        printed, with all that follows its ?";
            return refusal(401, text);
        }
        if !wants_socket {
            return Ok(Wanted::File(file));
        }
        let asked = request.header("sec-websocket-protocol").unwrap_or_default();
        let mut asked = asked.split(',').map(str::trim);
        match PROTOCOLS.into_iter().find(|known| asked.clone().any(|name| name == *known)) {
            Some(protocol) => Ok(Wanted::Socket(protocol)),
            None => {
                let asked = asked.next().filter(|asked| !asked.is_empty()).unwrap_or("none");
                let text =
                    format!("ask for the protocol {} and not {asked}", PROTOCOLS.join(" or "));
                refusal(400, text)
            }
        }
    }

    fn is_token(&self, given: &str) -> bool {
        match &self.token {
            Some(token) => token.as_bytes().ct_eq(given.as_bytes()).into(),
            None => true,
        }
    }
}

/// The address under which this machine reaches the server.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ([127, 0, 0, 1], address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => ([0, 0, 0, 0, 0, 0, 0, 1], address.port()).into(),
        _ => address,
    }
}

/// Whether a host, with or without a port, is an address or `localhost`.
fn is_address(host: &str) -> bool {
    let is_ip = |text: &str| text.parse::<IpAddr>().is_ok();
    let name = match host.strip_prefix('[') {
        // An address of version 6: `[::1]:8765`.
        Some(rest) => match rest.split_once(']') {
            Some((ip, port)) if port.is_empty() || port.starts_with(':') => return is_ip(ip),
            _ => return false,
        },
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&str, &str)]) -> Request {
        Request::of(path, headers)
    }

    fn status(gate: &Gate, path: &str, headers: &[(&str, &str)]) -> u16 {
        gate.judge(&request(path, headers)).map_or_else(|refusal| refusal.status, |_| 200)
    }

    #[test]
    fn only_addresses_and_localhost_are_hosts() {
        for host in ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765", "10.1.2.3"] {
            assert!(is_address(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8765", "[::1]x", "", "127.0.0.1.evil.example"] {
            assert!(!is_address(host), "{host}");
        }
    }

    #[test]
    fn a_page_needs_the_token_and_a_socket_needs_an_origin_too() {
        let gate = Gate::new(true, &["https://App.example/".to_owned()]).unwrap();
        let token = gate.token.clone().unwrap();
        assert_eq!(token.len(), 32);
        let host = ("host", "127.0.0.1:8765");
        let page = format!("/?token={token}");
        assert_eq!(status(&gate, &page, &[host]), 200);
        assert_eq!(status(&gate, "/main.js", &[host]), 200);
        for path in ["/", "/?token=", "/?token=0", &page[..page.len() - 1], &format!("{page}0")] {
            assert_eq!(status(&gate, path, &[host]), 401, "{path}");
        }
        assert_eq!(status(&gate, &page, &[]), 403);
        assert_eq!(status(&gate, &page, &[("host", "evil.example")]), 403);
        assert_eq!(status(&gate, &format!("/x?token={token}"), &[host]), 404);

        let upgrade = ("upgrade", "WebSocket");
        let asked = ("sec-websocket-protocol", "foxglove.websocket.v1");
        let socket = |more: &[(&'static str, &'static str)]| {
            let all: Vec<_> = [host, upgrade].into_iter().chain(more.iter().copied()).collect();
            status(&gate, &page, &all)
        };
        assert_eq!(socket(&[asked]), 200);
        assert_eq!(socket(&[asked, ("origin", "http://127.0.0.1:8765")]), 200);
        assert_eq!(socket(&[asked, ("origin", "https://app.example")]), 200);
        for origin in
            ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost:8765"]
        {
            let headers = [host, upgrade, asked, ("origin", origin)];
            assert_eq!(status(&gate, &page, &headers), 403, "{origin}");
        }
        assert_eq!(socket(&[]), 400);
        assert_eq!(socket(&[("sec-websocket-protocol", "graphql-ws")]), 400);
        let both = ("sec-websocket-protocol", "foxglove.websocket.v1, foxglove.sdk.v1");
        let asks = request(&page, &[host, upgrade, both]);
        assert_eq!(gate.judge(&asks), Ok(Wanted::Socket("foxglove.sdk.v1")));
    }

    #[test]
    fn without_a_token_the_origin_still_counts() {
        let gate = Gate::new(false, &[]).unwrap();
        let host = ("host", "127.0.0.1:8765");
        assert_eq!(status(&gate, "/", &[host]), 200);
        assert_eq!(status(&gate, "/", &[host, ("origin", "https://evil.example")]), 403);
    }
}
