//! What is said between roles: one file a role, requests and replies, data only.

pub mod content_classifier;
pub mod file_system;
pub mod file_system_agent;
pub mod jd_classifier;

// Two builds talk to each other while a new one is rolled out, and serde writes every field. So a contract only ever adds
// fields, each with a default, and takes whatever fields it does not know. A field that makes a call do less (a dry run, a
// filter) would be passed over by an older build, which then does more than it was asked: that is a new tool.

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
