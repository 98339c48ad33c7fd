//! What is said between roles: one file a role, requests and replies, data only.

pub mod content_classifier;
pub mod file_system;
pub mod file_system_agent;
pub mod jd_classifier;

/// Names the role, the name, the reply and what it does to the world, for a request type.
macro_rules! tool {
    ($request:ty, $role:ident, $name:literal, $reply:ty $(, $effect:ident)? $(, deadline $ms:literal)?) => {
        impl crate::rpc::Tool for $request {
            const ROLE: crate::rpc::Role = crate::rpc::Role::$role;
            const NAME: &'static str = $name;
            $(const EFFECT: crate::rpc::Effect = crate::rpc::Effect::$effect;)?
            $(const DEADLINE_MS: u64 = $ms;)?
            type Reply = $reply;
        }
    };
}
pub(crate) use tool;
