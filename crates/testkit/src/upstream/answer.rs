//! The answer to a request, well behaved or as the ordered fault wants it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Component, Path};
use std::time::Duration;

use bytes::Bytes;

use super::{Fault, LAST_MODIFIED, Recorded, Shared};
use crate::repos::Compression;

/// An answer ready for the socket.
#[derive(Default)]
pub(super) struct Answer {
    /// Status line and headers with the empty line; anything at all for some faults.
    pub(super) head: Vec<u8>,
    /// The body.
    pub(super) body: Bytes,
    /// Bytes at a time, and the pause after each.
    pub(super) pace: Option<(usize, Duration)>,
    /// Keep the socket without another word.
    pub(super) hold: bool,
    /// Zeros follow the body, without end.
    pub(super) endless: bool,
    /// The connection serves another request.
    pub(super) keep_alive: bool,
}

impl Answer {
    fn new(status: u16, headers: &[(String, String)], body: Bytes) -> Self {
        let reason = match status {
            200 => "OK",
            206 => "Partial Content",
            302 => "Found",
            304 => "Not Modified",
            404 => "Not Found",
            _ => "Whatever",
        };
        let mut head =
            format!("HTTP/1.1 {status} {reason}\r\nDate: Sun, 02 Jan 2022 00:00:00 GMT\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Self {
            head: head.into_bytes(),
            body,
            keep_alive: true,
            ..Self::default()
        }
    }

    /// A short text of which the length is told.
    fn text(status: u16, mut headers: Vec<(String, String)>) -> Self {
        let body = Bytes::from(format!("status {status}\n"));
        headers.push(length(body.len()));
        Self::new(status, &headers, body)
    }

    fn raw(head: &[u8]) -> Self {
        Self {
            head: head.to_vec(),
            ..Self::default()
        }
    }
}

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn length(bytes: usize) -> (String, String) {
    header("Content-Length", bytes.to_string())
}

/// The answer to `request`, using up one of the faults ordered for its path.
pub(super) async fn answer(shared: &Shared, request: &Recorded) -> Answer {
    let wanted = shared.state.lock().authorization.clone();
    if wanted.is_some() && request.header("authorization") != wanted.as_deref() {
        return Answer::text(
            401,
            vec![header("WWW-Authenticate", "Basic realm=\"test\"")],
        );
    }
    if let Some((prefix, token, challenge)) = shared.state.lock().bearer.clone() {
        let shown = request.header("authorization");
        let shows_it = shown.and_then(|shown| shown.strip_prefix("Bearer ")) == Some(&*token);
        if request.path.starts_with(&prefix) && !shows_it {
            return Answer::text(401, vec![header("WWW-Authenticate", challenge)]);
        }
    }
    let (query, object_store) = {
        let state = shared.state.lock();
        (state.query.clone(), state.object_store)
    };
    if query.is_some() && request.query != query {
        return Answer::text(403, Vec::new());
    }
    if object_store && !request.path.chars().all(stands_in_a_path) {
        return Answer::text(400, Vec::new());
    }
    let fault = shared.next_fault(&request.path);
    if let Some(answer) = fault
        .as_ref()
        .and_then(|fault| without_file(fault, request))
    {
        return answer;
    }
    let path = match object_store {
        true => decode(&request.path.replace('+', " ")),
        false => request.path.clone(),
    };
    let Some(file) = find(shared, &path, object_store).await else {
        return Answer::text(404, Vec::new());
    };
    let mut answer = match &fault {
        Some(fault) => faulty(fault, request, file),
        None => well_behaved(request, file, Vec::new(), None),
    };
    if request.method == "HEAD" {
        answer.body = Bytes::new();
    }
    answer
}

/// Tells whether a character may stand in the path of a URL (RFC 3986).
fn stands_in_a_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(c)
}

/// The file packed, with the header that says so.
fn packed(coding: &str, file: &Bytes, with_length: bool) -> Answer {
    let how = match coding {
        "zstd" => Compression::Zst,
        _ => Compression::Gz,
    };
    // Into memory, which does not fail.
    let body = Bytes::from(how.compress(file).unwrap_or_default());
    let mut headers = vec![header("Content-Encoding", coding)];
    if with_length {
        headers.push(length(body.len()));
    }
    Answer {
        keep_alive: with_length,
        ..Answer::new(200, &headers, body)
    }
}

/// Answers that need no file.
fn without_file(fault: &Fault, request: &Recorded) -> Option<Answer> {
    let redirect = |to: String| Answer::text(302, vec![header("Location", to)]);
    Some(match fault {
        Fault::Status(status) => Answer::text(*status, Vec::new()),
        Fault::RetryAfter { status, value } => {
            Answer::text(*status, vec![header("Retry-After", value)])
        }
        Fault::RedirectTo(location) => redirect(location.clone()),
        Fault::RedirectLoop => redirect(request.path.clone()),
        Fault::RedirectForever => {
            let hop: u32 = request
                .query
                .as_deref()
                .and_then(|query| query.parse().ok())
                .unwrap_or(0);
            redirect(format!("{}?{}", request.path, hop + 1))
        }
        Fault::StallBeforeHead => Answer {
            hold: true,
            ..Answer::default()
        },
        Fault::Hangup => Answer::default(),
        Fault::NotHttp => Answer::raw(b"SSH-2.0-OpenSSH_9.7\r\n\r\n"),
        Fault::Endless => Answer {
            endless: true,
            ..Answer::raw(b"HTTP/1.1 200 OK\r\n\r\n")
        },
        Fault::ChunkedGarbage => Answer::raw(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\nnot a size\r\n\r\n",
        ),
        _ => return None,
    })
}

fn faulty(fault: &Fault, request: &Recorded, file: Bytes) -> Answer {
    let cut = |after: usize, hold: bool| {
        let mut answer = well_behaved(request, file.clone(), Vec::new(), None);
        answer.body.truncate(after);
        Answer {
            hold,
            keep_alive: false,
            ..answer
        }
    };
    match fault {
        Fault::Headers(more) => well_behaved(request, file, more.clone(), None),
        Fault::Slow { chunk, every } => Answer {
            pace: Some((*chunk, *every)),
            ..well_behaved(request, file, Vec::new(), None)
        },
        Fault::StallAfter(bytes) => cut(*bytes, true),
        Fault::CutAfter(bytes) => cut(*bytes, false),
        Fault::WeakCutAfter(bytes) => {
            let headers = [
                header("ETag", format!("W/{}", etag(&file))),
                length(file.len()),
            ];
            let cut = file.slice(..file.len().min(*bytes));
            Answer {
                keep_alive: false,
                ..Answer::new(200, &headers, cut)
            }
        }
        Fault::ContentLength(lie) => {
            let headers = [header("Content-Length", lie.to_string())];
            Answer {
                keep_alive: false,
                ..Answer::new(200, &headers, file)
            }
        }
        Fault::NoLength => Answer {
            keep_alive: false,
            ..Answer::new(200, &[], file)
        },
        Fault::NoLengthCutAfter(bytes) => {
            let etag = header("ETag", etag(&file));
            Answer {
                keep_alive: false,
                ..Answer::new(200, &[etag], file.slice(..file.len().min(*bytes)))
            }
        }
        Fault::WrongBytes => {
            let wrong: Vec<u8> = file.iter().map(|byte| !byte).collect();
            well_behaved(request, wrong.into(), Vec::new(), None)
        }
        Fault::IgnoreRange => {
            let headers = [
                header("ETag", etag(&file)),
                header("Last-Modified", LAST_MODIFIED),
                length(file.len()),
            ];
            Answer::new(200, &headers, file)
        }
        Fault::WrongContentRange => wrong_range(request, file),
        Fault::Packed(coding) => packed(coding, &file, true),
        Fault::PackedNoLength(coding) => packed(coding, &file, false),
        Fault::NoValidators => {
            let headers = [length(file.len())];
            Answer::new(200, &headers, file)
        }
        Fault::Etag(etag) => well_behaved(request, file, Vec::new(), Some(etag.clone())),
        // The rest needs no file and was answered before.
        _ => Answer::text(500, Vec::new()),
    }
}

fn wrong_range(request: &Recorded, file: Bytes) -> Answer {
    match request
        .header("range")
        .and_then(|range| parse_range(range, file.len()))
    {
        Some((start, end)) => {
            let range = format!("bytes {}-{}/{}", start + 1, end, file.len());
            let headers = [
                header("ETag", etag(&file)),
                header("Content-Range", range),
                length(end + 1 - start),
            ];
            Answer::new(206, &headers, file.slice(start..=end))
        }
        None => well_behaved(request, file, Vec::new(), None),
    }
}

fn etag(file: &Bytes) -> String {
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

fn well_behaved(
    request: &Recorded,
    file: Bytes,
    mut headers: Vec<(String, String)>,
    own_etag: Option<String>,
) -> Answer {
    let etag = own_etag.unwrap_or_else(|| etag(&file));
    headers.push(header("ETag", &*etag));
    headers.push(header("Last-Modified", LAST_MODIFIED));
    headers.push(header("Accept-Ranges", "bytes"));
    let unchanged = match request.header("if-none-match") {
        Some(known) => known == etag,
        None => request.header("if-modified-since") == Some(LAST_MODIFIED),
    };
    if unchanged {
        return Answer::new(304, &headers, Bytes::new());
    }
    let still_same = request
        .header("if-range")
        .is_none_or(|known| known == etag || known == LAST_MODIFIED);
    match request.header("range").filter(|_| still_same) {
        None => {
            headers.push(length(file.len()));
            Answer::new(200, &headers, file)
        }
        Some(range) => match parse_range(range, file.len()) {
            Some((start, end)) => {
                headers.push(header(
                    "Content-Range",
                    format!("bytes {start}-{end}/{}", file.len()),
                ));
                headers.push(length(end + 1 - start));
                Answer::new(206, &headers, file.slice(start..=end))
            }
            None => Answer::text(
                416,
                vec![header("Content-Range", format!("bytes */{}", file.len()))],
            ),
        },
    }
}

/// First and last byte of a single range that lies within `size` bytes.
fn parse_range(text: &str, size: usize) -> Option<(usize, usize)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let last = size.checked_sub(1)?;
    let (start, end) = match (from, to) {
        ("", suffix) => (size.saturating_sub(suffix.parse().ok()?), last),
        (from, "") => (from.parse().ok()?, last),
        (from, to) => (from.parse().ok()?, to.parse::<usize>().ok()?.min(last)),
    };
    (start <= end).then_some((start, end))
}

/// The file at `path`, which is decoded already or not.
async fn find(shared: &Shared, path: &str, decoded: bool) -> Option<Bytes> {
    let folders = {
        let state = shared.state.lock();
        if let Some(file) = state.files.get(path) {
            return Some(file.clone());
        }
        state.folders.clone()
    };
    for (prefix, folder) in folders {
        let Some(rest) = path.strip_prefix(prefix.as_str()) else {
            continue;
        };
        let rest = match decoded {
            true => rest.to_owned(),
            false => decode(rest),
        };
        let rest = Path::new(&rest);
        if rest
            .components()
            .any(|part| !matches!(part, Component::Normal(_)))
        {
            continue;
        }
        if let Ok(bytes) = tokio::fs::read(folder.join(rest)).await {
            return Some(bytes.into());
        }
    }
    None
}

/// Percent-decodes; anything malformed stays as it is.
fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escape = (byte == b'%')
            .then(|| text.get(text.len() - tail.len()..text.len() - tail.len() + 2))
            .flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = &tail[2..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
