//! Requests over a connection of their own, byte for byte as recorded: no client library that would mend a path.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Prepared, Reply, Transport};

/// A server that listens on an address.
#[derive(Debug, Clone)]
pub struct Live {
    address: SocketAddr,
    password: String,
}

impl Live {
    /// The server at `address`. The recorded password of the administrator is replaced by `password`.
    #[must_use]
    pub fn new(address: SocketAddr, password: &str) -> Self {
        Self {
            address,
            password: password.to_owned(),
        }
    }

    async fn exchange(&self, request: Prepared) -> anyhow::Result<Reply> {
        let mut connection = TcpStream::connect(self.address).await?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            request.method,
            request.path,
            self.address,
            request.body.len()
        );
        if let Some(credentials) = &request.credentials {
            let credentials = match credentials.as_str() {
                "admin:admin" => format!("admin:{}", self.password),
                other => other.to_owned(),
            };
            let credentials = STANDARD.encode(credentials);
            head.push_str(&format!("Authorization: Basic {credentials}\r\n"));
        }
        if let Some((name, value)) = &request.header {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(&request.body).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        parse(&answer)
    }
}

impl Transport for Live {
    async fn send(&self, request: Prepared) -> Reply {
        let shown = format!("{} {}", request.method, request.path);
        match self.exchange(request).await {
            Ok(reply) => reply,
            // Status 0 agrees with no recording, and the text says what happened.
            Err(error) => Reply::new(0, HeaderMap::new(), format!("{shown}: {error}").as_bytes()),
        }
    }
}

/// Reads an answer whose connection was closed after it.
fn parse(bytes: &[u8]) -> anyhow::Result<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| anyhow::anyhow!("the answer has no end of its head"))?;
    let head = std::str::from_utf8(&bytes[..end])?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status
        .ok_or_else(|| anyhow::anyhow!("the answer has no status"))?
        .parse()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        if let Some((name, value)) = line.split_once(": ") {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    let body = &bytes[end + 4..];
    let chunked = headers
        .get("transfer-encoding")
        .is_some_and(|value| value == "chunked");
    let body = if chunked {
        unchunked(body)?
    } else {
        body.to_vec()
    };
    Ok(Reply::new(status, headers, &body))
}

/// The bytes of a body that came in chunks.
fn unchunked(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let broken = || anyhow::anyhow!("the answer has a broken chunk");
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .ok_or_else(broken)?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end])?, 16)?;
        if size == 0 {
            return Ok(body);
        }
        rest = &rest[end + 2..];
        body.extend_from_slice(rest.get(..size).ok_or_else(broken)?);
        rest = rest.get(size + 2..).ok_or_else(broken)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_whole_and_in_chunks() {
        let whole = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]").unwrap();
        let chunks =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n";
        let chunks = parse(chunks).unwrap();
        assert_eq!((whole.status, &whole.body), (200, &serde_json::json!([1])));
        assert_eq!(chunks.body, whole.body);
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_err());
    }
}
