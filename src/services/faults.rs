//! How the failures of backends look to callers: the only mapping there is, in every room.

use crate::{
    backends::{
        home::HomeError,
        inbox::InboxError,
        parsers::Failure,
        redis::Fault,
        search,
        state::StateError,
        store::StoreError,
        vault::{VaultError, mirror::MirrorError},
    },
    rpc::Error,
};

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists(_) => Error::conflict(error),
            StoreError::NotFound(_) => Error::not_found(error),
            StoreError::Newer { .. } | StoreError::Damaged { .. } | StoreError::Panicked(_) => Error::internal(error),
            StoreError::Bucket(_) | StoreError::Folder { .. } => Error::unavailable(error),
        }
    }
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Damaged { .. } | StateError::Panicked => Error::internal(error),
            StateError::NoServer => Error::invalid(error),
            StateError::Database(_)
            | StateError::OtherVersion
            | StateError::Closed
            | StateError::Redis(_)
            | StateError::Emptied => Error::unavailable(error),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::unavailable(fault)
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

impl From<HomeError> for Error {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::OtherVault { .. } | HomeError::OtherStore { .. } | HomeError::Record { .. } => {
                Error::invalid(error)
            }
            HomeError::Busy { .. } | HomeError::InUse { .. } | HomeError::Io { .. } => Error::unavailable(error),
        }
    }
}

impl From<search::Error> for Error {
    fn from(error: search::Error) -> Self {
        Error::unavailable(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Changed => Error::conflict(failure),
            _ if failure.blames_file() => Error::invalid(failure),
            _ => Error::unavailable(failure),
        }
    }
}

impl From<MirrorError> for Error {
    fn from(error: MirrorError) -> Self {
        match error {
            MirrorError::Refused(_) => Error::conflict(error),
            MirrorError::Vault(error) => error.into(),
            MirrorError::Io { .. } => Error::unavailable(error),
        }
    }
}
