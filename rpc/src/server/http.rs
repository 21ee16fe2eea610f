//! HTTP: connections, and requests on them.

use super::{
    access,
    dispatcher::{Dispatcher, error_answer},
    message::{INVALID_REQUEST, PARSE_ERROR},
    options::HttpOptions,
    running::{RunningServer, ServerError, Tasks},
    websocket,
};
use crate::MethodSet;
use alloy_rpc_types_engine::JwtSecret;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{convert::Infallible, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::{BoxError, Layer, Service, ServiceBuilder, service_fn};
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, predicate::SizeAbove},
};

/// Answers shorter than this are not compressed, in bytes.
const COMPRESS_ABOVE: u16 = 4096;
/// Connections beyond the limit that are told so, at once, and how long each of them may take.
const REFUSALS: usize = 64;
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// What an answer says when there are too many connections.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A server, as its connections see it.
#[derive(Debug)]
pub(super) struct HttpServer {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) options: HttpOptions,
    pub(super) tasks: Tasks,
    secret: Option<JwtSecret>,
}

/// Serves methods over HTTP, and WebSocket on the same port.
///
/// # Errors
/// The address cannot be listened at, or an origin for CORS is none.
pub async fn serve_http(methods: MethodSet, options: &HttpOptions) -> Result<RunningServer, ServerError> {
    serve(&methods, options, None, "http").await
}

/// The same for clients that know a secret: each request, or the one that opens the WebSocket, has to bring a token (HS256, not older or
/// newer than 60 s).
///
/// # Errors
/// As [`serve_http`].
pub async fn serve_engine(
    methods: MethodSet,
    options: &HttpOptions,
    secret: JwtSecret,
) -> Result<RunningServer, ServerError> {
    serve(&methods, options, Some(secret), "engine").await
}

async fn serve(
    methods: &MethodSet,
    options: &HttpOptions,
    secret: Option<JwtSecret>,
    transport: &'static str,
) -> Result<RunningServer, ServerError> {
    let cors = access::cors_layer(&options.cors)?;
    let failed = |source| ServerError::Listen { address: options.address, source };
    let listener = TcpListener::bind(options.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let tasks = Tasks::default();
    let dispatcher = Dispatcher::new(methods, &options.limits, transport);
    let server = Arc::new(HttpServer { dispatcher, options: options.clone(), tasks: tasks.clone(), secret });
    let shutdown_timeout = options.limits.shutdown_timeout;

    let handler = {
        let server = Arc::clone(&server);
        service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.respond(request).await) }
        })
    };
    let gzip = CompressionLayer::new()
        .gzip(options.gzip)
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESS_ABOVE));
    let tracker = &tasks.tracker;
    match cors {
        Some(cors) => {
            tracker.spawn(accept(listener, server, ServiceBuilder::new().layer(cors).layer(gzip).service(handler)))
        }
        None => tracker.spawn(accept(listener, server, gzip.layer(handler))),
    };
    Ok(RunningServer::on_port(tasks, address, shutdown_timeout))
}

/// Accepts connections until the server stops.
async fn accept<S, B>(listener: TcpListener, server: Arc<HttpServer>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let limits = &server.options.limits;
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Also how long a connection may stay open between two requests.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(limits.idle_timeout).max_concurrent_streams(256);
    let builder = Arc::new(builder);
    loop {
        let accepted = tokio::select! {
            () = server.tasks.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // Without a place even for those that are told, the connection is just closed.
            if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_TIME, refuse(stream)).await;
                    drop(place);
                });
            }
            continue;
        };
        let (server, builder, service) = (Arc::clone(&server), Arc::clone(&builder), service.clone());
        let tracker = server.tasks.tracker.clone();
        tracker.spawn(async move {
            let _counted = server.dispatcher.metrics().connection();
            serve_connection(stream, &builder, service, &server).await;
            drop(place);
        });
    }
}

/// Tells a client that there are too many, once it has sent something.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let _ = stream.read(&mut [0; 4096]).await?;
    stream.write_all(BUSY).await?;
    stream.shutdown().await
}

async fn serve_connection<S, B>(
    stream: TcpStream,
    builder: &auto::Builder<TokioExecutor>,
    service: S,
    server: &HttpServer,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // Answers are written at once and whole; waiting to fill packets only delays them.
    let _ = stream.set_nodelay(true);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = server.tasks.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!("an HTTP connection ended: {error}");
    }
}

/// After an error of one connection the next is accepted at once; when the system is out of something, it gets time.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        tracing::warn!("connections cannot be accepted: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

impl HttpServer {
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let headers = request.headers();
        if !access::host_is_allowed(&self.options.hosts, headers, request.uri()) {
            return text(StatusCode::FORBIDDEN, "invalid host specified\n");
        }
        if let Some(secret) = &self.secret
            && let Err(reason) = access::check_token(secret, headers)
        {
            let mut response = text(StatusCode::UNAUTHORIZED, reason + "\n");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        match *request.method() {
            Method::GET if websocket::is_upgrade(&request) => {
                if !self.options.websocket {
                    return text(StatusCode::FORBIDDEN, "WebSocket is not offered here\n");
                }
                if !access::origin_is_allowed(&self.options.cors, headers) {
                    return text(StatusCode::FORBIDDEN, "origin not allowed\n");
                }
                websocket::open(&self, request)
            }
            Method::GET | Method::HEAD => {
                text(StatusCode::OK, "Braid answers JSON-RPC here: POST requests, or open a WebSocket.\n")
            }
            Method::POST if !access::content_type_is_allowed(headers) => {
                text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid content type, only application/json is supported\n")
            }
            Method::POST => self.answer(request).await,
            // Without permission for other origins the answer to a preflight is that there is none.
            Method::OPTIONS => text(StatusCode::NO_CONTENT, ""),
            _ => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS, POST"));
                response
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let limits = self.dispatcher.limits();
        let too_large = || json(StatusCode::PAYLOAD_TOO_LARGE, error_answer(INVALID_REQUEST, "request too large"));
        let size = request.body().size_hint();
        if size.lower() > limits.max_request_bytes as u64 {
            return too_large();
        }
        let body = Limited::new(request.into_body(), limits.max_request_bytes).collect();
        let body = match tokio::time::timeout(limits.body_timeout, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(),
            Ok(Err(_)) => return json(StatusCode::BAD_REQUEST, error_answer(PARSE_ERROR, "the body is cut short")),
            Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
        };
        json(StatusCode::OK, self.dispatcher.answer(&body, None).await)
    }
}

fn json(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    response(status, "application/json", body)
}

pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body.into())
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
