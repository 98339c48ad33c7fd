//! The expert of meaning: nothing without vectors, the same whatever order they come in, and nothing of what was forgotten.

use emm::domain::classify::{Candidate, Document, Engine, Features, Target, Vector};

use crate::embedding_server::meaning;

const PLACES: [(&str, &str); 4] = [("11", "health"), ("12", "home"), ("13", "travel"), ("14", "food")];
const TEXTS: [(&str, &str); 8] = [
    ("13", "zelbu und morkan"),
    ("12", "qarvel und tovine"),
    ("11", "arzt und klinik"),
    ("14", "wexil drubo"),
    ("13", "voyage en hiver"),
    ("11", "врач"),
    ("99", "eine steuer"),
    ("12", "der saruql"),
];

fn vector(text: &str) -> Vector {
    Vector::of(&meaning(text, 24)).unwrap()
}

fn engine() -> Engine {
    let target =
        |(code, title): &(&str, &str)| Target { code: (*code).into(), title: (*title).into(), ..Target::default() };
    Engine::new(PLACES.iter().map(target).collect())
}

fn teach(engine: &mut Engine, at: usize) {
    let (code, text) = TEXTS[at];
    engine.learn(code, &format!("note {at}"), &Document { text, ..Document::default() });
}

fn tell(engine: &mut Engine, at: usize) {
    assert!(engine.set_vector(&format!("note {at}"), Some(vector(TEXTS[at].1))));
}

fn places(engine: &mut Engine) {
    engine.vectors_of("a model");
    engine.set_place_vectors(PLACES.iter().map(|(code, title)| (*code, vector(title))));
}

fn ask(engine: &Engine, text: &str) -> Vec<Candidate> {
    engine.classify_meant(&Features::of(&Document { text, ..Document::default() }), Some(&vector(text)), 9)
}

fn opinions(engine: &Engine) -> Vec<Vec<Candidate>> {
    ["die wohnung am see", "ein arzt", "recette", "bank", "xyz", "prüfung"]
        .iter()
        .map(|text| ask(engine, text))
        .collect()
}

/// All of it, taught and told in this order.
fn whole(order: [usize; 8]) -> Engine {
    let mut engine = engine();
    places(&mut engine);
    for at in order {
        teach(&mut engine, at);
        tell(&mut engine, at);
    }
    engine
}

#[test]
fn without_a_vector_nothing_changes() {
    let (mut plain, mut with) = (engine(), engine());
    places(&mut with);
    for at in 0..TEXTS.len() {
        teach(&mut plain, at);
        teach(&mut with, at);
        tell(&mut with, at);
    }
    let document = Document { text: "die wohnung am see", ..Document::default() };
    assert_eq!(plain.classify(&document, 9), with.classify(&document, 9));
    assert_ne!(ask(&with, document.text), with.classify(&document, 9));
    let untold = plain.snapshot();
    assert!(untold.len() < with.snapshot().len());
    with.vectors_of("");
    assert_eq!(with.snapshot(), untold, "another model, or none, forgets all");
}

#[test]
fn order_restarts_and_late_vectors_make_no_difference() {
    let one = whole([0, 1, 2, 3, 4, 5, 6, 7]);
    let (expected, snapshot) = (opinions(&one), one.snapshot());
    let other = whole([7, 3, 5, 0, 6, 2, 4, 1]);
    assert_eq!(
        (opinions(&other), other.snapshot(), other.vectors_trace()),
        (expected.clone(), snapshot.clone(), one.vectors_trace())
    );
    // Vectors that come later, in another order, with something learnt and forgotten in between.
    let mut late = engine();
    places(&mut late);
    (0..TEXTS.len()).for_each(|at| teach(&mut late, at));
    late.learn("11", "mistake", &Document { text: "drubo", ..Document::default() });
    late.set_vector("mistake", Some(vector("drubo")));
    assert_eq!(late.lacking_vectors().len(), 8);
    (0..TEXTS.len()).rev().for_each(|at| tell(&mut late, at));
    assert_ne!(opinions(&late), expected);
    late.unlearn("mistake");
    assert!(!late.lacks_vectors());
    assert_eq!((opinions(&late), late.snapshot()), (expected.clone(), snapshot.clone()));
    // A restart: what places mean is told again, what examples mean is in the snapshot.
    let mut restored = engine();
    let targets = restored.targets().to_vec();
    restored = Engine::restore(targets, &snapshot).unwrap();
    places(&mut restored);
    assert!(!restored.lacks_vectors());
    assert_eq!((opinions(&restored), restored.vectors_trace()), (expected, one.vectors_trace()));
}

#[test]
fn what_is_taught_anew_needs_a_new_vector() {
    let mut engine = whole([0, 1, 2, 3, 4, 5, 6, 7]);
    engine.learn("12", "note 0", &Document { text: "etwas anderes", ..Document::default() });
    assert_eq!(engine.lacking_vectors().into_iter().collect::<Vec<_>>(), ["note 0"]);
    assert!(!engine.set_vector("nobody", Some(vector("arzt"))) && !engine.set_vector("note 1", Some(vector("arzt"))));
    assert!(engine.set_vector("note 0", None) && !engine.lacks_vectors(), "it shall have none");
    let other = Vector::of(&[1.0, 2.0]).unwrap();
    let features = Features::of(&Document { text: "arzt", ..Document::default() });
    let (strange, plain) = (engine.classify_meant(&features, Some(&other), 9), engine.classify_features(&features, 9));
    assert_eq!(strange[0].code, plain[0].code, "a vector of another length says nothing");
}

#[test]
fn while_most_vectors_are_missing_examples_are_silent() {
    let mut engine = engine();
    places(&mut engine);
    let before = ask(&engine, "die wohnung am see");
    (0..TEXTS.len()).for_each(|at| teach(&mut engine, at));
    (0..4).for_each(|at| tell(&mut engine, at));
    let half = ask(&engine, "die wohnung am see");
    assert!(half[0].nearest.iter().all(|near| near.similarity < 1.0) && half[0].code == before[0].code);
    (4..8).for_each(|at| tell(&mut engine, at));
    assert!(ask(&engine, "die wohnung am see") != half);
}

#[test]
fn numbers_that_are_no_direction_are_none() {
    for numbers in [&[][..], &[0.0, 0.0], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0], &[1e200, 1.0]] {
        assert_eq!(Vector::of(numbers), None, "{numbers:?}");
    }
    let (one, large) = (Vector::of(&[1.0, -2.0, 3.0]).unwrap(), Vector::of(&[1e9, -2e9, 3e9]).unwrap());
    assert_eq!((one.clone(), one.dimensions()), (large, 3), "how long it is says nothing");
    assert!((one.alike(&one) - 1.0).abs() < 1e-9);
}
