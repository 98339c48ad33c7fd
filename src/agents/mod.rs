//! The agents: they compose tools into work, declared as graphs. They hold `Tools` and import contracts, never services.

pub mod file_system;
