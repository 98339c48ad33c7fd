//! Behaviour of the search: every script, hostile queries, and an index that is rebuilt, swapped, torn and thrown away.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use emm::backends::search::{Doc, Error, Index, Opened, TEXT_BYTES_MAX};
use emm::domain::text::{Term, bigrams, is_cjk, terms, words};

/// Own small notes, one a script.
const NOTES: &[(&str, &str)] = &[
    ("lease.md", "The lease for the flat ends in March. The deposit is returned within six weeks."),
    ("Mietvertrag.md", "Der Mietvertrag der Wohnung endet im März. Die Grünfläche gehört allen Häusern."),
    ("налог.md", "Налоговая декларация подаётся до конца апреля. Ёлка стоит в углу."),
    ("会议.md", "会议记录：明天上午讨论预算和新的办公室租金。"),
    ("旅行.md", "京都への旅行を計画しています。ホテルの予約は来週です。"),
    ("회의.md", "회의에서 예산을 논의했습니다. 다음 달에 계약을 갱신합니다."),
    ("สัญญา.md", "สัญญาเช่าห้องสิ้นสุดในเดือนมีนาคมและต้องจ่ายค่าน้ำทุกเดือน"),
    ("عقد.md", "ينتهي عَقْد الإيجار في شهر مارس ويجب دفع فاتورة الكهرباء"),
    ("חוזה.md", "חוזה השכירות מסתיים בחודש מרץ והתשלום חודשי"),
    ("किराया.md", "किराये का अनुबंध मार्च में समाप्त होता है। बिजली का बिल हर महीने आता है।"),
    ("hóa đơn.md", "Hóa đơn tiền điện phải được thanh toán trước ngày mười lăm."),
    ("λογαριασμός.md", "Ο λογαριασμός του ηλεκτρικού ρεύματος πληρώνεται κάθε μήνα. ΟΔΟΣ ΕΡΜΟΥ."),
    ("istanbul.md", "İSTANBUL'daki dairenin kira sözleşmesi mart ayında bitiyor."),
    ("party.md", "Birthday plans 🎉 with cake 👩‍🍳 and café crème at the ﬁnal stop."),
];

fn doc(key: &str, text: &str) -> Doc {
    Doc {
        key: key.to_owned(),
        path: key.to_owned(),
        title: key.trim_end_matches(".md").to_owned(),
        text: text.to_owned(),
        stamp: format!("{} bytes", text.len()),
        ..Doc::default()
    }
}

fn open(folder: &Path) -> Index {
    Index::open(folder).unwrap().0
}

fn with_notes(folder: &Path) -> Index {
    let index = open(folder);
    index.upsert_all(&NOTES.iter().map(|(key, text)| doc(key, text)).collect::<Vec<_>>()).unwrap();
    index
}

fn first(index: &Index, query: &str) -> String {
    index.search(query, 5).unwrap().first().map(|hit| hit.key.clone()).unwrap_or_default()
}

fn file_names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_script_is_found_by_what_people_type() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    for (query, key) in [
        ("when is the deposit returned?", "lease.md"),
        ("LEASE", "lease.md"),
        ("Grünflächen", "Mietvertrag.md"),
        ("grunflache", "Mietvertrag.md"),               // typed without the umlaut
        ("Mietverträge", "Mietvertrag.md"),             // by its prefix
        ("gru\u{308}nfla\u{308}che", "Mietvertrag.md"), // decomposed, as macOS names files
        ("налоговую декларацию", "налог.md"),
        ("елка", "налог.md"),
        ("ЁЛКА", "налог.md"),
        ("预算", "会议.md"),
        ("办公室的租金是多少", "会议.md"),
        ("ホテル", "旅行.md"),
        ("ﾎﾃﾙ", "旅行.md"), // half width
        ("京都旅行", "旅行.md"),
        ("계약", "회의.md"),
        ("예산", "회의.md"),
        ("ค่าน้ำ", "สัญญา.md"),
        ("เดือนมีนาคม", "สัญญา.md"),
        ("عقد الإيجار", "عقد.md"), // without the vowel points
        ("الايجار", "عقد.md"),     // without the hamza
        ("שכירות חוזה", "חוזה.md"),
        ("बिजली बिल", "किराया.md"),
        ("hóa đơn điện", "hóa đơn.md"),
        ("hoa don", "hóa đơn.md"),
        ("ερμού οδός", "λογαριασμός.md"),
        ("istanbul", "istanbul.md"),
        ("sözleşme", "istanbul.md"),
        ("🎉", "party.md"),
        ("cafe", "party.md"),
        ("final", "party.md"), // spelt with a ligature
    ] {
        assert_eq!(first(&index, query), key, "query {query:?}");
    }
}

#[test]
fn a_single_character_of_a_script_without_spaces_is_found_wherever_it_stands() {
    let home = tempfile::tempdir().unwrap();
    let index = open(home.path());
    index
        .upsert_all(&[doc("begin", "水很冷"), doc("inside", "喝冷水吧"), doc("end", "我喝水"), doc("none", "火很热")])
        .unwrap();
    let found: BTreeSet<String> = index.search("水", 9).unwrap().into_iter().map(|hit| hit.key).collect();
    assert_eq!(found, BTreeSet::from(["begin".to_owned(), "inside".to_owned(), "end".to_owned()]));
}

#[test]
fn a_query_without_words_finds_nothing() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    for query in ["", " ", "?!… — «»", "\"", "*", "\u{0}", "\u{301}\u{200d}", "。、"] {
        assert_eq!(index.search(query, 5).unwrap(), [], "query {query:?}");
    }
    assert_eq!(index.search("lease", 0).unwrap(), []);
}

#[test]
fn no_character_of_a_query_is_an_operator() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    for query in [
        "\"lease",
        "lease\"",
        "lease*",
        "^lease",
        "-lease",
        "NOT lease",
        "lease AND",
        "OR lease OR",
        "NEAR(lease",
        "title:lease",
        "{lease",
        "lease) OR (",
        "lease + ~leas",
        "lease'; DROP TABLE docs; --",
        "lease\0",
        "body : lease",
        "~lease",
    ] {
        assert_eq!(first(&index, query), "lease.md", "query {query:?}");
    }
    // Words that FTS5 would read as operators are words.
    index.upsert(&doc("near.md", "near and not or")).unwrap();
    assert_eq!(first(&index, "NEAR AND NOT OR"), "near.md");
    assert_eq!(index.len().unwrap(), NOTES.len() as u64 + 1);
}

#[test]
fn a_huge_query_and_a_huge_word_are_bounded() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    for query in
        ["lease ".repeat(200_000), "x".repeat(1 << 20), "租".repeat(1 << 20), "à".repeat(1 << 20), "👩‍🍳".repeat(100_000)]
    {
        index.search(&query, 5).unwrap();
    }
    let everything: String = NOTES.iter().map(|(_, text)| *text).collect::<Vec<_>>().join(" ").repeat(9);
    assert!(!index.search(&everything, 5).unwrap().is_empty());
    index.upsert(&doc("key", &"QUJD".repeat(100_000))).unwrap();
    assert_eq!(index.len().unwrap(), NOTES.len() as u64 + 1);
}

#[test]
fn titles_count_more_and_all_of_a_query_more_than_a_part() {
    let home = tempfile::tempdir().unwrap();
    let index = open(home.path());
    let filler = "Some other words about nothing in particular, written here to be read by nobody at all.";
    index
        .upsert_all(&[
            doc("Insurance.md", filler),
            doc("Letter.md", &format!("{filler} insurance {filler}")),
            doc("one.md", "The car is red. The garden is large, and the garden is green, and the garden is wide."),
            doc("both.md", "The insurance of the car was paid for in the garden."),
        ])
        .unwrap();
    let keys: Vec<String> = index.search("insurance", 9).unwrap().into_iter().map(|hit| hit.key).collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[0], "Insurance.md");
    assert_eq!(first(&index, "car insurance garden"), "both.md");
}

#[test]
fn a_long_text_is_found_and_quoted_where_it_answers() {
    let home = tempfile::tempdir().unwrap();
    let index = open(home.path());
    let filler = "Ничего особенного здесь не сказано. 这里没有什么特别的。 Nothing is said here 👩‍👩‍👧. ".repeat(3_000);
    let text = format!("{filler}\n\nKöniglicher Zwölfender: the heirloom lies beneath the seventh stair.\n\n{filler}");
    index.upsert_all(&[doc("long.md", &text), doc("short.md", "A stair has steps.")]).unwrap();
    let hits = index.search("where does the heirloom lie", 5).unwrap();
    assert_eq!(hits[0].key, "long.md");
    assert!(hits[0].snippet.contains("the heirloom lies beneath the seventh stair"), "{:?}", hits[0].snippet);
    assert!(hits[0].snippet.chars().count() < 500 && !hits[0].snippet.contains('\n'), "{:?}", hits[0].snippet);
    assert_eq!(hits.iter().filter(|hit| hit.key == "long.md").count(), 1, "a document is one hit");
}

#[test]
fn snippets_are_cut_between_characters_in_every_script() {
    let home = tempfile::tempdir().unwrap();
    let index = open(home.path());
    for unit in ["เกี่ยวกับสัญญา", "अनुबंध ", "租金", "👩‍👩‍👧 ", "e\u{301}le\u{301}ment ", "עִבְרִית "]
    {
        let text = unit.repeat(1_000);
        index.upsert(&doc("note", &format!("{text} needle {text}"))).unwrap();
        for query in ["needle", unit.trim()] {
            let hits = index.search(query, 1).unwrap();
            assert_eq!(hits.len(), 1, "{query:?} in {unit:?}");
            assert!((1..=500).contains(&hits[0].snippet.chars().count()), "{:?}", hits[0].snippet);
        }
    }
    let vast = "é".repeat(TEXT_BYTES_MAX / 2 + 10);
    index.upsert(&doc("vast", &format!("a{vast}"))).unwrap();
    assert_eq!(index.len().unwrap(), 2);
}

#[test]
fn upsert_replaces_and_remove_forgets() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    index.upsert(&doc("lease.md", "Nothing but a walrus.")).unwrap();
    assert_eq!(index.len().unwrap(), NOTES.len() as u64);
    assert_eq!(first(&index, "walrus"), "lease.md");
    assert_eq!(index.search("deposit", 5).unwrap(), []);
    assert_eq!(index.stamps().unwrap()["lease.md"], "21 bytes");
    assert!(index.remove("lease.md").unwrap());
    assert!(!index.remove("lease.md").unwrap());
    assert_eq!(index.search("walrus lease", 5).unwrap(), []);
    drop(index);
    let (index, opened) = Index::open(home.path()).unwrap();
    assert_eq!((opened, index.len().unwrap()), (Opened::Ready, NOTES.len() as u64 - 1));
    assert_eq!(first(&index, "налоговая"), "налог.md");
}

#[test]
fn a_rebuild_takes_over_at_once_while_others_search() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) || answers.load(Ordering::Relaxed) == 0 {
                // In the old index and in the new one: never in between, never nowhere.
                assert_eq!(first(&index, "deposit"), "lease.md");
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..3 {
            let mut rebuild = index.begin_rebuild().unwrap();
            for (key, text) in NOTES.iter().take(4) {
                rebuild.add(&doc(key, text)).unwrap();
            }
            rebuild.finish().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let status = index.status().unwrap();
    assert_eq!((status.docs, status.generation, status.rebuilding), (4, 4, false));
    assert_eq!(first(&index, "회의"), "", "the new index has only what it was given");
    drop(index);
    assert_eq!(
        file_names(home.path()),
        BTreeSet::from(["index-4.sqlite".to_owned()]),
        "old files go with their last reader"
    );
}

#[test]
fn changes_during_a_rebuild_are_in_the_new_index() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    let mut rebuild = index.begin_rebuild().unwrap();
    assert!(matches!(index.begin_rebuild(), Err(Error::Rebuilding)));
    assert!(index.status().unwrap().rebuilding);
    for (key, text) in NOTES {
        rebuild.add(&doc(key, text)).unwrap();
    }
    let changed =
        Doc { emm_id: Some("e1".into()), ..doc("lease.md", &format!("A walrus.{}", "\nMore.".repeat(5_000))) };
    index.upsert(&changed).unwrap();
    index.upsert(&doc("new.md", "A zeppelin.")).unwrap();
    index.remove("party.md").unwrap();
    assert_eq!(first(&index, "zeppelin"), "new.md", "the old index goes on");
    rebuild.finish().unwrap();
    assert_eq!(first(&index, "zeppelin"), "new.md");
    let hits = index.search("walrus", 5).unwrap();
    assert_eq!((hits[0].key.as_str(), hits[0].emm_id.as_deref()), ("lease.md", Some("e1")));
    assert_eq!(index.search("birthday deposit", 5).unwrap(), []);
    assert_eq!(index.stamps().unwrap()["lease.md"], changed.stamp);
}

#[test]
fn a_crash_before_the_swap_leaves_the_old_index() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    let mut rebuild = index.begin_rebuild().unwrap();
    rebuild.add(&doc("other.md", "A zeppelin.")).unwrap();
    let crashed = tempfile::tempdir().unwrap();
    for name in file_names(home.path()) {
        fs::copy(home.path().join(&name), crashed.path().join(&name)).unwrap();
    }
    fs::write(crashed.path().join("notes.txt"), "not ours").unwrap();
    assert!(file_names(crashed.path()).contains("index-2.building"));
    let (after, opened) = Index::open(crashed.path()).unwrap();
    assert_eq!((opened, after.len().unwrap()), (Opened::Ready, NOTES.len() as u64));
    assert_eq!(first(&after, "deposit"), "lease.md");
    assert!(!file_names(crashed.path()).contains("index-2.building"), "the leftover is gone");
    assert!(file_names(crashed.path()).contains("notes.txt"), "what is not ours stays");
    // Given up without a crash, it leaves nothing either, and another may begin.
    drop(rebuild);
    assert!(!file_names(home.path()).contains("index-2.building"));
    index.begin_rebuild().unwrap().finish().unwrap();
    assert_eq!(index.len().unwrap(), 0);
}

#[test]
fn a_crash_after_the_swap_leaves_the_new_index() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    let old = fs::read(home.path().join("index-1.sqlite")).unwrap();
    let mut rebuild = index.begin_rebuild().unwrap();
    rebuild.add(&doc("other.md", "A zeppelin.")).unwrap();
    rebuild.finish().unwrap();
    drop(index);
    fs::write(home.path().join("index-1.sqlite"), old).unwrap();
    fs::write(home.path().join("index-1.sqlite-wal"), "a log of pages that are not in the new file").unwrap();
    let index = open(home.path());
    assert_eq!(index.stamps().unwrap().into_keys().collect::<Vec<_>>(), ["other.md"]);
    assert_eq!(first(&index, "zeppelin"), "other.md");
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_file_is_thrown_away_and_said() {
    let damages: [(&str, Damage); 5] = [
        ("empty", Vec::clear),
        ("no database", |bytes| *bytes = b"this is a note, not an index".repeat(500)),
        ("cut", |bytes| bytes.truncate(bytes.len() / 2)),
        ("zeros", |bytes| bytes[4096..].fill(0)),
        ("another version", |bytes| bytes[60..64].copy_from_slice(&7u32.to_be_bytes())),
    ];
    for (name, damage) in damages {
        let home = tempfile::tempdir().unwrap();
        drop(with_notes(home.path()));
        let file = home.path().join("index-1.sqlite");
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let (index, opened) = Index::open(home.path()).unwrap();
        assert!(matches!(opened, Opened::Discarded(_)), "{name}: {opened:?}");
        assert!(index.is_empty().unwrap(), "{name}");
        index.upsert(&doc("lease.md", "A walrus.")).unwrap();
        assert_eq!(first(&index, "walrus"), "lease.md", "{name}");
    }
}

#[test]
fn an_index_without_its_tables_is_thrown_away() {
    let home = tempfile::tempdir().unwrap();
    drop(with_notes(home.path()));
    let file = rusqlite::Connection::open(home.path().join("index-1.sqlite")).unwrap();
    file.execute_batch("DROP TABLE docs").unwrap();
    drop(file);
    let (index, opened) = Index::open(home.path()).unwrap();
    assert!(matches!(opened, Opened::Discarded(_)), "{opened:?}");
    assert!(index.is_empty().unwrap());
}

#[test]
fn damage_that_shows_in_use_is_an_error_and_a_rebuild_mends_it() {
    let home = tempfile::tempdir().unwrap();
    let index = with_notes(home.path());
    for n in 0..300 {
        index.upsert(&doc(&format!("n{n}"), &format!("zeppelin number{n} {}", "word ".repeat(500)))).unwrap();
    }
    drop(index);
    // Only the stored texts: what opening looks at is whole, what a search reads is not.
    let file = home.path().join("index-1.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    for page in
        bytes.chunks_mut(4096).filter(|page| page[0] == 0x0D && page.windows(9).any(|part| part == b"word word"))
    {
        page[..8].fill(0x5A);
    }
    fs::write(&file, bytes).unwrap();
    let (index, opened) = Index::open(home.path()).unwrap();
    assert_eq!(opened, Opened::Ready);
    assert!((0..300).any(|n| matches!(index.search(&format!("number{n}"), 50), Err(Error::Damaged(_)))));
    assert!(index.status().unwrap().damaged);
    // Nobody rebuilt it: the next start throws it away.
    let later = tempfile::tempdir().unwrap();
    for name in file_names(home.path()) {
        fs::copy(home.path().join(&name), later.path().join(&name)).unwrap();
    }
    assert!(matches!(Index::open(later.path()).unwrap().1, Opened::Discarded(_)));
    // A rebuild mends it at once.
    let mut rebuild = index.begin_rebuild().unwrap();
    rebuild.add(&doc("lease.md", "A walrus.")).unwrap();
    rebuild.finish().unwrap();
    assert!(!index.status().unwrap().damaged);
    assert_eq!(first(&index, "walrus"), "lease.md");
    drop(index);
    assert_eq!(Index::open(home.path()).unwrap().1, Opened::Ready);
}

#[test]
fn words_are_those_a_reader_sees() {
    for (text, expected) in [
        ("Don't STOP, naïve Straße!", "don t stop naïve strasse"),
        ("Подъём в ЁЖ", "подъем в еж"),
        ("İzmir'de ΟΔΟΣ οδός", "izmir de οδοσ οδόσ"),
        ("हिन्दी में लिखा", "हिन्दी में लिखा"),
        ("ｆｕｌｌ１２ ﬁn ٣٤ ४२", "full12 fin 34 42"),
        ("كِتَابٌ كــتاب", "كتاب كتاب"),
        ("e\u{301}te\u{301} co\u{ad}op", "été coop"),
        ("東京tower2024年", "東京 tower2024 年"),
        ("👩‍🍳❤️x", "👩 🍳 ❤ x"),
        ("", ""),
    ] {
        assert_eq!(words(text).collect::<Vec<_>>().join(" "), expected, "{text:?}");
    }
}

#[test]
fn terms_are_words_prefixes_and_bigrams() {
    let spelt = |text: &str| {
        let mut all = String::new();
        for term in terms(text) {
            term.write(&mut all);
            all.push(' ');
        }
        all.trim_end().to_owned()
    };
    for (text, expected) in [
        ("lease leases", "lease leases ~lease"),
        ("Müller mull", "müller ~mulle mull"),
        ("für", "für fur"),
        ("北京大学", "北京 京大 大学 ~北 ~京 ~大 ~学"),
        ("水", "水 ~水"),
        ("नमस्कार", "नमस्कार ~नमस्का"),
    ] {
        assert_eq!(spelt(text), expected, "{text:?}");
    }
    assert!(terms("leases").contains(&Term::Prefix("lease".into())));
    assert_eq!(bigrams("น้ำดี").collect::<Vec<_>>(), ["น้ำ", "ำดี"]);
    assert_eq!(bigrams("").count(), 0);
    assert!(
        ['漢', 'か', 'ナ', '한', 'ท', 'ລ', 'ខ'].into_iter().all(is_cjk)
            && !['a', 'я', 'ع', 'ह', '5', '。'].into_iter().any(is_cjk)
    );
}
