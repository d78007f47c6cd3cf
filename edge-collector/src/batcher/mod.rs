//! The Batcher.
mod store;
mod window;
