//! What follows from the log of lessons where there are many: the same after a restart anywhere, and nothing of what was forgotten.

use emm::domain::classify::{Candidate, Document, Engine, Target};

/// From so many examples on the engine learns from mistakes, and the order of lessons counts.
const MANY: usize = 64;

/// Labels in no order, so that their numbers differ from those after a restart.
const CODES: [&str; 5] = ["15", "11", "14", "12", "13"];

fn engine() -> Engine {
    let target = |code: &&str| Target { code: (*code).to_owned(), title: format!("Place {code}"), ..Target::default() };
    Engine::new(CODES.iter().map(target).collect())
}

/// Words that all places have, and a few that tell them apart.
fn words(number: usize) -> String {
    let (place, mut text) = (number % CODES.len(), String::new());
    for word in 0..12 {
        let of = (number * 31 + word * word * 17) % 60;
        text += &format!("common{of} common{} ", of / 7);
    }
    format!("{text} own{place}x{} own{}x{}", number % 4, (place + 1) % CODES.len(), number % 3)
}

fn learn(engine: &mut Engine, number: usize, code: &str) {
    let text = words(number);
    engine.learn(code, &format!("note {number}"), &Document { text: &text, ..Document::default() });
}

fn forget(engine: &mut Engine, numbers: std::ops::Range<usize>) {
    for number in numbers {
        engine.unlearn(&format!("note {number}"));
    }
}

fn code(number: usize) -> &'static str {
    CODES[number % CODES.len()]
}

fn opinions(engine: &Engine) -> Vec<Vec<Candidate>> {
    let ask = |number| engine.classify(&Document { text: &words(number), ..Document::default() }, 99);
    (1_000..1_040).map(ask).collect()
}

/// Lessons, corrections and withdrawals; `between` is called after each of them.
fn live(engine: &mut Engine, between: impl Fn(usize, &mut Engine)) {
    for number in 0..3 * MANY {
        learn(engine, number, code(number));
        if number % 7 == 3 {
            learn(engine, number / 2, code(number + 1));
        }
        if number % 11 == 5 {
            engine.unlearn(&format!("note {}", number - 4));
        }
        between(number, engine);
    }
}

#[test]
fn a_restart_anywhere_changes_nothing() {
    let (mut once, mut again) = (engine(), engine());
    live(&mut once, |_, _| ());
    live(&mut again, |number, engine| {
        if number % 10 == 9 {
            let targets = engine.targets().to_vec();
            *engine = Engine::restore(targets, &engine.snapshot()).unwrap();
        }
    });
    assert_eq!(once.snapshot(), again.snapshot());
    assert_eq!(opinions(&once), opinions(&again));
}

#[test]
fn who_forgets_most_is_as_if_there_had_never_been_more() {
    let (mut full, mut few) = (engine(), engine());
    live(&mut full, |_, _| ());
    let nothing = engine().snapshot();
    for number in 0..MANY / 2 {
        learn(&mut few, number, code(number));
        learn(&mut full, number, code(number));
    }
    assert_ne!(full.snapshot(), few.snapshot());
    forget(&mut full, MANY / 2..3 * MANY);
    assert_eq!(full.len(), few.len());
    assert_eq!(full.snapshot(), few.snapshot());
    assert_eq!(opinions(&full), opinions(&few));
    forget(&mut full, 0..MANY / 2);
    assert_eq!(full.snapshot(), nothing);
}

#[test]
fn what_was_forgotten_has_no_say() {
    let mut engine = engine();
    (0..2 * MANY).for_each(|number| learn(&mut engine, number, code(number)));
    let strange = Document { text: "xylophone quagmire zeppelin", ..Document::default() };
    let best = |engine: &Engine| engine.classify(&strange, 1).first().map(|best| (best.code.clone(), best.probability));
    engine.learn("13", "strange", &strange);
    assert_eq!(best(&engine).map(|(code, _)| code), Some("13".to_owned()));
    engine.learn("12", "strange", &strange);
    assert_eq!(best(&engine).map(|(code, _)| code), Some("12".to_owned()), "a correction counts at once");
    engine.unlearn("strange");
    assert!(best(&engine).is_none_or(|(_, probability)| probability < 0.4), "{:?}", best(&engine));
}

#[test]
fn mistakes_teach_what_counts_do_not() {
    let mut engine = engine();
    let (mut right, mut asked) = (0, 0);
    for number in 0..400 {
        // All have most of the letters in common; those of a fifth of them also have a seal.
        let sealed = number % 5 == 0;
        let letters = (0..8).filter(|word| !sealed || (number / 5 + word) % 5 != 0).map(|word| format!("letter{word}"));
        let others = (0..6).map(|word| format!("noise{}", (number * 31 + word * word * 17) % 97));
        let seal = sealed.then(|| "seal".to_owned());
        let text = letters.chain(others).chain(seal).collect::<Vec<_>>().join(" ");
        let document = Document { text: &text, ..Document::default() };
        let code = if sealed { "11" } else { "15" };
        if number >= 200 && sealed {
            asked += 1;
            right += usize::from(engine.classify(&document, 1).first().is_some_and(|best| best.code == code));
        }
        engine.learn(code, &format!("note {number}"), &document);
    }
    // Counts alone get 34.
    assert_eq!((right, asked), (40, 40));
}
