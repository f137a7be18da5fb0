//! A server that has no open file left for a further connection.

use std::net::TcpStream;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::server;

#[test]
fn a_server_without_a_file_for_a_connection_serves_again_once_there_is_one() {
    let running = server();
    let pid = i32::try_from(running.server.pid()).unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64;
    // The server has raised its own limit as far as this.
    let most = getrlimit(Resource::Nofile).maximum;
    let set = |files: Option<u64>| {
        let limit = Rlimit { current: files, maximum: most };
        prlimit(Pid::from_raw(pid), Resource::Nofile, limit).unwrap();
    };
    set(Some(open + 4));
    let address = running.url().trim_start_matches("http://");
    let held: Vec<_> = (0..32).map(|_| TcpStream::connect(address).unwrap()).collect();
    super::says(&running.server, "no connection could be accepted");
    drop(held);
    let _ = running.client.get("/health/live").expect(200);
    set(most);
    let _ = running.client.get("/tasks").expect(200);
}
