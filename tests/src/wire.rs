//! Bytes as they are on the wire, for what no client library sends.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpSocket;

/// The longest wait for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connects from the address `127.0.0.host`: one machine is as many clients.
///
/// # Errors
/// When the server does not take the connection.
pub fn connect_from(host: u8, server: SocketAddr) -> anyhow::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        let from = IpAddr::from(Ipv4Addr::new(127, 0, 0, host));
        socket.bind((from, 0).into())?;
        socket.connect(server).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The status and the body of a GET from `127.0.0.host`, with more lines of the head, each with its end.
///
/// # Errors
/// When there is no answer.
pub fn get_from(
    host: u8,
    server: SocketAddr,
    path: &str,
    lines: &str,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = connect_from(host, server)?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: pith\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.context("the answer has no head")? + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).context("the answer has no status")?;
    Ok((status.parse()?, body))
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The first bytes of an HTTP/2 connection that asks for a path `count` times, and has no room for a single byte of an answer.
#[must_use]
pub fn without_window(path: &str, count: u32) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    // GET and http by their numbers in the static table; the path and the host as texts.
    let mut head = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap_or(0)];
    head.extend(path.as_bytes());
    head.extend(b"\x01\x04pith");
    for number in 0..count {
        bytes.extend(frame(1, 5, 2 * number + 1, &head));
    }
    bytes
}
