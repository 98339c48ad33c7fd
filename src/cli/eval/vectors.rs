//! What the items of a measurement mean: asked of the configured model before it begins, and kept in a file for the next one.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    time::Instant,
};

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};

use super::read::Item;
use crate::{
    backends::embeddings::{Embedder, Hurry, Settings, Text},
    cli::{screen::Screen, setup::at},
    domain::classify::{Document, Engine, Target, Vector, document_text, place_text},
    rpc::{Error, Result},
};

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// BLAKE3 of the model's name and the text.
    key: String,
    vector: Vector,
}

/// What was found out about the model.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Asked {
    pub(super) model: String,
    /// Texts that were asked about now; the others were in the file.
    pub(super) texts: usize,
    pub(super) seconds: f64,
}

/// Vectors by the model's name and the text.
pub(super) struct Vectors {
    settings: Settings,
    known: BTreeMap<String, Vector>,
    pub(super) asked: Asked,
}

impl Vectors {
    /// Those of all these items and places: from the file where it has them, else from the model.
    pub(super) async fn of(
        settings: &Settings,
        file: Option<&Path>,
        screen: &Screen,
        items: &[&Item],
        targets: &[Target],
    ) -> Result<Vectors> {
        let embedder = Embedder::new(settings, None).map_err(|error| Error::invalid(error.to_string()))?;
        let settings = settings.clone();
        let asked = Asked { model: settings.model.clone(), ..Asked::default() };
        let mut vectors = Vectors { settings, known: BTreeMap::new(), asked };
        let kept = file.map(|path| vectors.open(path)).transpose()?;
        let settings = &vectors.settings;
        let items = items.iter().map(|item| Text { name: item.title.clone(), text: item_text(settings, item) });
        let places = targets.iter().map(|it| Text { name: it.title.clone(), text: target_text(settings, it) });
        let mut missing: Vec<Text> = places.chain(items).filter(|text| vectors.get(&text.text).is_none()).collect();
        missing.sort_by(|a, b| a.text.cmp(&b.text));
        missing.dedup_by(|a, b| a.text == b.text);
        let progress = screen.counting("texts read by the model", missing.len());
        vectors.ask(&embedder, kept, &missing, &progress).await?;
        progress.finish_and_clear();
        Ok(vectors)
    }

    async fn ask(
        &mut self,
        embedder: &Embedder,
        mut kept: Option<(File, &Path)>,
        missing: &[Text],
        progress: &ProgressBar,
    ) -> Result<()> {
        let begun = Instant::now();
        for texts in missing.chunks(self.settings.texts_per_call.max(1)) {
            let found = embedder.embed(texts, Hurry::None).await;
            let found = found.map_err(|error| Error::unavailable(format!("embeddings: {error}")))?;
            for (text, vector) in texts.iter().zip(found) {
                let key = self.key(&text.text);
                if let Some((file, path)) = &mut kept {
                    let line = serde_json::to_string(&Line { key: key.clone(), vector: vector.clone() });
                    writeln!(file, "{}", line.map_err(Error::internal)?).map_err(at(path))?;
                }
                self.known.insert(key, vector);
            }
            progress.inc(texts.len() as u64);
        }
        self.asked.texts = missing.len();
        self.asked.seconds = begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// Reads the file, and opens it for more.
    fn open<'a>(&mut self, path: &'a Path) -> Result<(File, &'a Path)> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(at(path))?,
        };
        // A line that was cut off in the middle of a write is asked for again.
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        self.known.extend(lines.map(|line| (line.key, line.vector)));
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(at(path))?;
        if !text.is_empty() && !text.ends_with('\n') {
            writeln!(file).map_err(at(path))?;
        }
        Ok((file, path))
    }

    fn key(&self, text: &str) -> String {
        blake3::hash(format!("{}\n{text}", self.settings.name()).as_bytes()).to_hex().to_string()
    }

    fn get(&self, text: &str) -> Option<&Vector> {
        self.known.get(&self.key(text))
    }

    /// What an item means.
    pub(super) fn of_item(&self, item: &Item) -> Option<&Vector> {
        self.get(&item_text(&self.settings, item))
    }

    /// Tells an engine what the places mean.
    pub(super) fn tell(&self, engine: &mut Engine, targets: &[Target]) {
        engine.vectors_of(&self.settings.name());
        let found = targets
            .iter()
            .filter_map(|target| Some((target.code.as_str(), self.get(&target_text(&self.settings, target))?.clone())));
        engine.set_place_vectors(found);
    }
}

fn item_text(settings: &Settings, item: &Item) -> String {
    let Item { name, title, text, kind, hints, .. } = item;
    settings.document_text(&document_text(&Document { name, title, text, kind, hints }, settings.text_chars_max))
}

fn target_text(settings: &Settings, target: &Target) -> String {
    settings.place_text(&place_text(target))
}
