//! What an address on the web says about what is behind it.

/// Parts of an address that say nothing, for every other has them.
const PLAIN: [&str; 9] = ["https", "http", "www", "com", "org", "net", "html", "io", "github"];

/// The words of host and path, without those that every address has.
pub fn address_words(address: &str) -> String {
    let words = address.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && !PLAIN.contains(word));
    words.collect::<Vec<_>>().join(" ")
}
