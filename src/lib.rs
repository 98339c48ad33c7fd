//! emm, the Expert Memory Machine. The modules stand in the order of their layers: each may import only what stands
//! above it, and what `ARCHITECTURE.md` allows it; `tests/it/layers.rs` enforces that.

// 0: pure types and rules; how it is said; readiness and shutdown
pub mod domain;
pub mod fault;
pub mod life;
pub mod rpc;
// 1: what is said; where things are kept and done
pub mod backends;
pub mod contracts;
// 2: answer
pub mod services;
// 3: the executor of graphs
pub mod graph;
// 3: compose
pub mod agents;
// 4: the table, the configuration
pub mod config;
pub mod roles;
// 5: one process
pub mod node;
// 4, but it may start a node: the commands a person types
pub mod cli;
