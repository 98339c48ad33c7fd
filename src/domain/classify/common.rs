//! Everyday words that say nothing about where a document belongs.

/// Words too common to tell categories apart.
const COMMON: &str = "a an and are as at be been but by can do for from get has have he her his how i if in into is it its \
    me my new no not of off on once one only or other others our out own per she so such that the their them then there \
    these they this to too under up use used via was we were what when where which who will with you your etc any all \
    about also more most some things thing stuff general misc miscellaneous related various list lists document documents \
    http https www com org net html \
    file files record records paper papers note notes page pages item items \
    der die das den dem des ein eine einer eines einem einen und oder mit von zu zum zur im in am an auf aus bei für ist \
    sind war nicht auch als wie es er sie wir ihr ihre sein seine über nach vor bis durch \
    el la los las un una unos unas y o de del al en con por para es son fue no se su sus lo como más que \
    le les du des et ou dans sur avec pour par est sont ne pas ce cette ces qui que au aux \
    и в во на с со к по от до за из у о об не что это как для или но а же бы он она они мы вы его её их";

/// Whether a word tells nothing about where a document belongs.
pub(super) fn is_common(word: &str) -> bool {
    word.chars().count() < 2 && word.is_ascii() || words().any(|common| common == word)
}

/// The words themselves.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    COMMON.split_ascii_whitespace()
}
