//! The smallest HTTP/1.1 client that keeps a connection: requests are bytes made beforehand, replies are looked at where they lie.

use memchr::memmem;
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A whole POST request to the root of a server on this machine.
pub fn post(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut request = Vec::with_capacity(head.len() + length);
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request
}

/// A connection that is kept between requests.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// The body put together, when it came in chunks.
    joined: Vec<u8>,
}

impl Connection {
    /// Connects to a port of 127.0.0.1.
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 << 10), joined: Vec::new() })
    }

    /// Sends a request and waits for all of the reply; its body comes back.
    ///
    /// A status other than 200 is an error, and so is a reply that is not HTTP.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<&[u8]> {
        self.received.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = memmem::find(&self.received, b"\r\n\r\n") {
                break Head::parse(&self.received[..end + 2], end + 4)?;
            }
            self.receive().await?;
        };
        match head.length {
            Some(length) => {
                let end = head.end + length;
                self.received.reserve(end.saturating_sub(self.received.len()));
                while self.received.len() < end {
                    self.receive().await?;
                }
                let body = &self.received[head.end..end];
                head.accept(body)?;
                Ok(body)
            }
            None => {
                let mut at = head.end;
                self.joined.clear();
                while !self.take_chunk(&mut at)? {
                    self.receive().await?;
                }
                head.accept(&self.joined)?;
                Ok(&self.joined)
            }
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        Ok(())
    }

    /// Takes the chunks that are complete; `true` after the last one.
    fn take_chunk(&mut self, at: &mut usize) -> io::Result<bool> {
        while let Some(line) = memmem::find(&self.received[*at..], b"\r\n") {
            let size = std::str::from_utf8(&self.received[*at..*at + line]).ok();
            let size = size.and_then(|size| usize::from_str_radix(size.split(';').next()?.trim(), 16).ok());
            let size = size.ok_or_else(|| malformed("a chunk has no size"))?;
            let begin = *at + line + 2;
            let end = begin + size;
            if self.received.len() < end + 2 {
                return Ok(false);
            }
            self.joined.extend_from_slice(&self.received[begin..end]);
            *at = end + 2;
            if size == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What of the head of a reply matters here.
#[derive(Debug, Eq, PartialEq)]
struct Head {
    status: u16,
    /// Bytes of the body; chunks when there is none.
    length: Option<usize>,
    /// Where the body begins.
    end: usize,
}

impl Head {
    /// Reads the lines of a head, each ended by CRLF.
    fn parse(lines: &[u8], end: usize) -> io::Result<Self> {
        let lines = std::str::from_utf8(lines).map_err(|_| malformed("the head of a reply is not text"))?;
        let mut lines = lines.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| malformed("a reply is not HTTP/1.1"))?;
        let (mut length, mut chunked) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        if length.is_none() && !chunked {
            return Err(malformed("a reply has no length"));
        }
        Ok(Self { status, length: length.filter(|_| !chunked), end })
    }

    fn accept(&self, body: &[u8]) -> io::Result<()> {
        if self.status == 200 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        Err(io::Error::other(format!("the server answered with status {}: {text}", self.status)))
    }
}

fn malformed(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Serves one reply, written in pieces, and returns what the client made of it.
    async fn reply(pieces: &[&str]) -> io::Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let server = async {
            let (mut stream, _) = listener.accept().await?;
            let mut request = [0; 256];
            assert!(stream.read(&mut request).await? > 0);
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await?;
                tokio::task::yield_now().await;
            }
            io::Result::Ok(stream)
        };
        let client = async {
            let mut connection = Connection::open(port).await?;
            Ok(connection.exchange(&post(b"{}")).await?.to_vec())
        };
        let (server, client) = tokio::join!(server, client);
        server?;
        client
    }

    #[tokio::test]
    async fn a_body_of_known_length() {
        let body = reply(&["HTTP/1.1 200 OK\r\ncontent-", "length: 5\r\n\r", "\nhel", "lo"]).await.unwrap();
        assert_eq!(body, b"hello");
    }

    #[tokio::test]
    async fn a_body_in_chunks() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = reply(&[head, "3\r\nhel\r", "\n2;x=y\r\nlo\r\n", "0\r\n\r\n"]).await.unwrap();
        assert_eq!(body, b"hello");
    }

    #[tokio::test]
    async fn a_refusal_tells_what_the_server_said() {
        let error = reply(&["HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig"]).await.unwrap_err();
        assert_eq!(error.to_string(), "the server answered with status 413: big");
    }

    #[tokio::test]
    async fn other_protocols_are_refused() {
        assert!(reply(&["SSH-2.0-OpenSSH\r\n\r\n"]).await.is_err());
        assert!(reply(&["HTTP/1.1 200 OK\r\nServer: x\r\n\r\n"]).await.is_err());
    }

    #[test]
    fn a_request_says_its_length() {
        let request = String::from_utf8(post(b"[1]")).unwrap();
        assert!(request.starts_with("POST / HTTP/1.1\r\n") && request.ends_with("Content-Length: 3\r\n\r\n[1]"));
    }
}
