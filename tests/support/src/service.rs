//! Services for tests, which clean up after themselves.

use io_shared::{Client, Server, Service};

use crate::TestName;
use crate::peer::Peer;

/// A service that no other test has. Dropping it removes what is left of it.
#[derive(Debug)]
pub struct TestService(pub TestName);

impl TestService {
    /// A service whose name contains `what`.
    pub fn new(what: &str) -> Self {
        Self(TestName::new(what))
    }

    /// The names of its channels, without its own.
    pub fn channels(&self) -> Vec<String> {
        let start = format!("{}%", self.0.trim_start_matches('/'));
        let names = std::fs::read_dir("/dev/shm").unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut below: Vec<_> =
            names.filter_map(|name| Some(name.strip_prefix(&start)?.to_owned())).collect();
        below.sort();
        below
    }

    /// The service, to be opened.
    pub fn service(&self) -> Service<u64, u64> {
        Service::named(&*self.0)
    }

    /// A new client of it.
    pub fn client(&self) -> Client<u64, u64> {
        self.service().client().unwrap()
    }

    /// Its server.
    pub fn server(&self) -> Server<u64, u64> {
        self.service().server().unwrap()
    }

    /// Another process in this role, which has told that it is ready.
    pub fn peer(&self, role: &str) -> Peer {
        let mut peer = Peer::start(role, &[&self.0]);
        peer.expect("ready");
        peer
    }
}

impl Drop for TestService {
    fn drop(&mut self) {
        for below in self.channels() {
            let _ = io_shared::remove(format!("{}/{}", &*self.0, below.replace('%', "/")));
        }
    }
}
