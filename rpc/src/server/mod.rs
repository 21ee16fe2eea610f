//! The servers: HTTP and WebSocket on one port, IPC, and the authenticated port of the Engine API.
