//! How the failures of backends look to callers.

use crate::{
    backends::{inbox::InboxError, state::StateError, store::StoreError, vault::VaultError},
    rpc::Error,
};

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists(_) => Error::conflict(error),
            StoreError::NotFound(_) => Error::not_found(error),
            StoreError::Newer { .. } | StoreError::Damaged { .. } => Error::internal(error),
            StoreError::Backend(_) | StoreError::Folder { .. } => Error::unavailable(error),
        }
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Damaged { .. } | StateError::Panicked => Error::internal(error),
            StateError::Database(_) | StateError::OtherVersion | StateError::Closed => Error::unavailable(error),
        }
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let message = format!("vault: {error}");
        match error {
            VaultError::Exists { .. } | VaultError::Changed { .. } => Error::conflict(message),
            VaultError::NotFound { .. } => Error::not_found(message),
            VaultError::NameTooLong { .. } | VaultError::Escapes { .. } => Error::invalid(message),
            _ => Error::unavailable(message),
        }
    }
}

impl From<InboxError> for Error {
    fn from(error: InboxError) -> Self {
        let message = format!("inbox: {error}");
        match error {
            InboxError::Changed { .. } => Error::conflict(message),
            InboxError::NotFound { .. } => Error::not_found(message),
            InboxError::Escapes { .. } => Error::invalid(message),
            _ => Error::unavailable(message),
        }
    }
}
