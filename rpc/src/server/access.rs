//! Who may come in: names of the server, origins of web pages, content types, tokens.

use super::{
    options::{Cors, Hosts},
    running::ServerError,
};
use alloy_rpc_types_engine::JwtSecret;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use std::{net::IpAddr, time::Duration};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long browsers may remember what a preflight said.
const PREFLIGHT_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// The headers of CORS for a setting; `None` if there are none.
pub(super) fn cors_layer(cors: &Cors) -> Result<Option<CorsLayer>, ServerError> {
    let origins = match cors {
        Cors::None => return Ok(None),
        Cors::Any => AllowOrigin::any(),
        Cors::Origins(list) => {
            let parse = |origin: &String| {
                let bad = || ServerError::Origin { origin: origin.clone() };
                let trimmed = origin.strip_suffix('/').unwrap_or(origin);
                let is_origin =
                    trimmed.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
                let value = HeaderValue::from_str(&trimmed.to_ascii_lowercase()).map_err(|_| bad())?;
                if is_origin { Ok(value) } else { Err(bad()) }
            };
            AllowOrigin::list(list.iter().map(parse).collect::<Result<Vec<_>, _>>()?)
        }
    };
    Ok(Some(
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
            .allow_headers(AllowHeaders::mirror_request())
            .allow_private_network(true)
            .max_age(PREFLIGHT_LIFETIME),
    ))
}

/// Whether the client calls the server by one of its names.
pub(super) fn host_is_allowed(hosts: &Hosts, headers: &HeaderMap, uri: &Uri) -> bool {
    let Hosts::Names(names) = hosts else { return true };
    let named = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    // HTTP/2 has it in the address.
    let Some(host) = named.or_else(|| uri.authority().map(|authority| authority.as_str())) else {
        // Only clients older than HTTP/1.1 send none; browsers are not among them.
        return true;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<IpAddr>().is_ok() || names.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name))
}

/// Whether a WebSocket may be opened from the page that asks for it. CORS does not hold browsers back there; only the server can.
pub(super) fn origin_is_allowed(cors: &Cors, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else { return true };
    match cors {
        Cors::Any => true,
        Cors::Origins(list) => {
            list.iter().any(|allowed| allowed.strip_suffix('/').unwrap_or(allowed).eq_ignore_ascii_case(origin))
        }
        // A page that the server itself could have given.
        Cors::None => {
            let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
            host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host)))
        }
    }
}

/// Whether the body is said to be JSON. Browsers send some other types to foreign servers without asking, so these are refused; a client
/// that says nothing and is no web page is believed.
pub(super) fn content_type_is_allowed(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return !headers.contains_key(header::ORIGIN) };
    let Ok(value) = value.to_str() else { return false };
    let kind = value.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/json-rpc", "application/jsonrequest"]
        .iter()
        .any(|allowed| kind.eq_ignore_ascii_case(allowed))
}

/// Checks the token of a request: HS256 over the shared secret, issued within 60 s of now.
///
/// # Errors
/// What to tell the client.
pub(super) fn check_token(secret: &JwtSecret, headers: &HeaderMap) -> Result<(), String> {
    let value = headers.get(header::AUTHORIZATION).ok_or("missing token")?;
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let token = token.ok_or("missing token: the header must be `Authorization: Bearer <token>`")?;
    secret.validate(token).map_err(|error| format!("invalid token: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(header::HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn names_and_addresses() {
        let hosts = Hosts::Names(vec!["localhost".to_owned(), "node.example".to_owned()]);
        let allowed = |host: &str| host_is_allowed(&hosts, &headers(&[(header::HOST, host)]), &Uri::from_static("/"));
        for host in ["localhost", "LocalHost:8545", "127.0.0.1:8545", "[::1]:8545", "[::1]", "10.0.0.1", "node.example"]
        {
            assert!(allowed(host), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8545", "", "127.0.0.1.evil.example"] {
            assert!(!allowed(host), "{host}");
        }
    }

    #[test]
    fn pages_without_permission_open_no_websocket() {
        let from = |origin: &str| headers(&[(header::HOST, "localhost:8545"), (header::ORIGIN, origin)]);
        let list = Cors::Origins(vec!["https://app.example/".to_owned()]);
        assert!(origin_is_allowed(&Cors::None, &headers(&[])));
        assert!(origin_is_allowed(&Cors::None, &from("http://localhost:8545")));
        assert!(!origin_is_allowed(&Cors::None, &from("https://app.example")));
        assert!(origin_is_allowed(&list, &from("https://app.example")));
        assert!(!origin_is_allowed(&list, &from("https://evil.example")));
        assert!(!origin_is_allowed(&list, &from("null")));
        assert!(origin_is_allowed(&Cors::Any, &from("null")));
    }

    #[test]
    fn content_types_that_a_page_sends_without_asking_are_refused() {
        let typed = |kind| content_type_is_allowed(&headers(&[(header::CONTENT_TYPE, kind)]));
        for kind in ["application/json", "Application/JSON; charset=UTF-8", "application/json-rpc"] {
            assert!(typed(kind), "{kind}");
        }
        for kind in ["text/plain", "text/plain;application/json", "application/x-www-form-urlencoded", ""] {
            assert!(!typed(kind), "{kind}");
        }
        assert!(content_type_is_allowed(&headers(&[])));
        assert!(!content_type_is_allowed(&headers(&[(header::ORIGIN, "https://a.example")])));
    }

    #[test]
    fn an_origin_is_checked_at_the_start() {
        for bad in ["app.example", "https://", "https://a.example/path", "https://\n"] {
            assert!(cors_layer(&Cors::Origins(vec![bad.to_owned()])).is_err(), "{bad}");
        }
        assert!(cors_layer(&Cors::Origins(vec!["https://a.example/".to_owned()])).is_ok());
    }
}
