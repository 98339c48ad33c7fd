//! The order in which items are filed: those that could want the same name go one after the other, by their hash.

use std::collections::BTreeMap;

use crate::domain::note;

/// What decides the names of an item's note and original.
pub(super) struct Wants {
    pub(super) emm_id: String,
    pub(super) place: String,
    pub(super) title: String,
}

/// Groups of indexes into `wants`. Groups may be filed side by side; within one the order counts, and it is that of the
/// hashes, so that who gets the plain name never depends on who came first.
pub(super) fn groups(wants: &[Wants]) -> Vec<Vec<usize>> {
    let mut group_of_key = BTreeMap::<String, usize>::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, want) in wants.iter().enumerate() {
        let keys = keys(want);
        let mut found: Vec<usize> = keys.iter().filter_map(|key| group_of_key.get(key).copied()).collect();
        found.sort_unstable();
        found.dedup();
        let home = found.first().copied().unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        for other in found.into_iter().skip(1) {
            let moved = std::mem::take(&mut groups[other]);
            groups[home].extend(moved);
            group_of_key.values_mut().filter(|group| **group == other).for_each(|group| *group = home);
        }
        groups[home].push(index);
        group_of_key.extend(keys.into_iter().map(|key| (key, home)));
    }
    groups.retain(|group| !group.is_empty());
    for group in &mut groups {
        group.sort_by(|a, b| {
            wants[*a].emm_id.cmp(&wants[*b].emm_id).then_with(|| wants[*a].place.cmp(&wants[*b].place))
        });
    }
    groups
}

/// The names that its note or its original could have, whatever folder they go to; the identity, for the same bytes twice.
fn keys(wants: &Wants) -> Vec<String> {
    let name = wants.place.rsplit('/').next().unwrap_or(&wants.place);
    let stem = |name: &str| note::collision_key(note::split_extension(&note::safe_name(name)).0);
    let title = note::note_file_name(&wants.title);
    vec![format!("name {}", stem(name)), format!("name {}", stem(&title)), format!("id {}", wants.emm_id)]
}
