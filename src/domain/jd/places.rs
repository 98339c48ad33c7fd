//! Where places lie in the vault and which number comes next.

use std::collections::BTreeSet;

use super::code;
use super::model::{Category, Structure};
use super::zeros;
use crate::domain::note::safe_name;

/// The last number of a category's ids.
const LAST: u16 = 99;
/// People's own ids begin here: `.00`-`.09` are the zeros and `.10` heads the first group.
const FIRST: u16 = 11;

impl Structure {
    /// The folder of a place in the vault, relative and with `/`: `10-19 Life admin/11 Me/11.02 Documents`.
    ///
    /// A category's standard inbox has a folder even if it is not listed. `None` for a code that is no place.
    pub fn folder(&self, code: &str) -> Option<String> {
        let named = |code: &str, title: &str| format!("{code} {}", safe_name(title)).trim_end().to_owned();
        let (place, unlisted) = match self.find(code) {
            Some(place) => (place, None),
            None => {
                let category = code::category_of(code)?;
                let inbox = self.inbox(&category).filter(|inbox| inbox == code)?;
                let place = self.find(&category)?;
                (place, Some(named(&inbox, &zeros::standard_title(&inbox, place.title())?)))
            }
        };
        let area = Some(named(&place.area.code, &place.area.name));
        let category = place.category.map(|category| named(&category.code, &category.name));
        let id = place.id.map(|id| named(&id.code, &id.title)).or(unlisted);
        Some([area, category, id].into_iter().flatten().collect::<Vec<_>>().join("/"))
    }

    /// The next id of a category, given the codes already taken elsewhere (allocated, or folders that exist).
    ///
    /// Numbers go on after the highest in use, for a gap may be a retired id, whose number must not mean something new.
    /// The first is `.11`; `.10` is left for a heading, and so are `.20`, `.30` and on where the category heads its
    /// groups at tens. Only when `.99` is reached are gaps used, the lowest first, and headings' numbers last. The
    /// zeros `.00`-`.09` are never given out. `None` when the category is full or unknown.
    pub fn next_id(&self, category: &str, taken: &BTreeSet<String>) -> Option<String> {
        let category = self.category(category)?;
        let number = code::category_number(&category.code)?;
        let listed = category.ids.iter().map(|id| id.code.as_str());
        let used: BTreeSet<u16> = listed
            .chain(taken.iter().map(String::as_str))
            .filter_map(code::id_numbers)
            .filter_map(|(parent, id)| (parent == number).then_some(id))
            .collect();
        let heads_tens = heads_at_tens(category);
        let heading = |id: u16| id == 10 || (heads_tens && id.is_multiple_of(10));
        let after = used.last().map_or(FIRST, |highest| FIRST.max(highest + 1));
        let onwards = (after..=LAST).filter(|&id| !heading(id));
        let gaps = (FIRST..=LAST).filter(|&id| !heading(id));
        let headings = (10..=LAST).filter(|&id| heading(id));
        onwards.chain(gaps).chain(headings).find(|id| !used.contains(id)).map(|id| code::id_code(number, id))
    }

    /// The next category beside one, given the codes already taken elsewhere. Numbers go on after the highest in use; only when
    /// the last is reached are gaps used. The first of ten is the area's own and never given out. `None` when the area is full
    /// or the category unknown.
    pub fn next_category(&self, category: &str, taken: &BTreeSet<String>) -> Option<String> {
        let ten = code::category_number(&self.category(category)?.code)? / 10 * 10;
        let free = |number: &u16| {
            let code = code::category_code(*number);
            self.find(&code).is_none() && !taken.contains(&code)
        };
        let last_used = (ten + 1..ten + 10).rfind(|number| !free(number)).unwrap_or(ten);
        (last_used + 1..ten + 10).chain(ten + 1..ten + 10).find(free).map(code::category_code)
    }
}

/// Whether a category heads its groups at `.20`, `.30` and so on.
fn heads_at_tens(category: &Category) -> bool {
    let at_ten = |code: &str| code::id_numbers(code).is_some_and(|(_, id)| id >= 10 && id % 10 == 0);
    category.ids.iter().any(|id| at_ten(&id.code) && zeros::is_header(id))
}
