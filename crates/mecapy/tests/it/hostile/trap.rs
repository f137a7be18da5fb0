//! A listener of the test's own that nobody may connect to.

use std::io::ErrorKind;
use std::net::TcpListener;

/// An address on this machine where a fetch would be seen.
pub(crate) struct Trap(TcpListener);

impl Trap {
    pub(crate) fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Such as `http://127.0.0.1:40000/PATH`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.0.local_addr().unwrap())
    }

    /// Nobody has connected so far, not even to go away again.
    pub(crate) fn untouched(&self) {
        match self.0.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("somebody connected: {other:?}"),
        }
    }
}
