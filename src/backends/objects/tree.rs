//! The folders that the keys of a bucket make: kept as a tree, to be walked and hashed as folders of a disk are.

use std::collections::BTreeMap;

use super::Object;

/// A folder, by the names in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Branch(pub BTreeMap<String, Node>);

/// What has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An object.
    Object(Object),
    /// A folder.
    Folder(Branch),
}

impl Branch {
    /// The tree of these keys.
    pub fn of(objects: impl IntoIterator<Item = (String, Object)>) -> Branch {
        let mut root = Branch::default();
        for (key, object) in objects {
            root.put(&key, object);
        }
        root
    }

    fn put(&mut self, key: &str, object: Object) {
        let Some((folder, rest)) = key.split_once('/') else {
            // What some tools leave where a folder is: an empty object of its name.
            self.0.entry(key.to_owned()).or_insert(Node::Object(object));
            return;
        };
        let inner = self.0.entry(folder.to_owned()).or_insert_with(|| Node::Folder(Branch::default()));
        if let Node::Object(_) = inner {
            *inner = Node::Folder(Branch::default());
        }
        if let Node::Folder(inner) = inner {
            inner.put(rest, object);
        }
    }

    /// The folder at a path of names; nothing where there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Branch> {
        let mut here = self;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(Node::Folder(inner)) = here.0.get(name) else { return None };
            here = inner;
        }
        Some(here)
    }
}
