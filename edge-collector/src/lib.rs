//! The Worker: HTTP, Cloudflare's properties and bindings around `collector-core`.
mod batcher;
mod clock;
mod registry;
