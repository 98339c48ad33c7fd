//! Where things are kept and done: what a node has of its own, opened on first use and shared by its roles.

pub mod blocking;
pub mod cache;
mod clock;
pub mod disk;
pub mod embeddings;
pub mod home;
pub mod inbox;
pub mod llm;
pub mod objects;
pub mod parsers;
pub mod redis;
pub mod search;
pub mod state;
pub mod store;
pub mod trash;
pub mod vault;
pub mod watch;
mod web;

pub use clock::Clock;
