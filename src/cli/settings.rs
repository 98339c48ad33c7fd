//! `emm config`, `roles`, `completions`, `man`: what needs no home.

use std::{io, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::{Value, json};

use super::{
    Exit,
    flags::{Cli, ConfigAction, Global},
    screen::Screen,
    setup::{Setup, at, home_path},
};
use crate::{
    config::{DEFAULTS, POD},
    roles::ROLES,
    rpc::{Error, Result},
};

/// `emm config`.
pub(super) fn config(global: &Global, screen: &Screen, action: ConfigAction) -> Result<Exit> {
    match action {
        ConfigAction::Default => {
            // As comments, so that all of it together is a file to start from.
            let pod: String = POD.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
            screen.text(format!("{DEFAULTS}\n{pod}"));
        }
        ConfigAction::Show => {
            let shown = serde_json::to_value(&Setup::load(global)?.config)?;
            screen.show(&shown, |screen, shown| screen.text(toml(shown)))?;
        }
        ConfigAction::Check { file } => {
            match &file {
                Some(file) => Setup::with_file(global, &home_path(global)?, Some(file))?,
                None => Setup::load(global)?,
            };
            screen.show(&json!({ "ok": true }), |screen, _| screen.line("the configuration is right"))?;
        }
    }
    Ok(Exit::Done)
}

/// One table a section, one line a key. JSON's values are TOML's, but for tables.
fn toml(config: &Value) -> String {
    let mut text = String::new();
    for (section, keys) in config.as_object().into_iter().flatten() {
        text.push_str(&format!("[{section}]\n"));
        let (tables, plain): (Vec<_>, Vec<_>) =
            keys.as_object().into_iter().flatten().partition(|(key, value)| value.is_object() && *key != "addresses");
        for (key, value) in plain {
            text.push_str(&format!("{key} = {}\n", inline(value)));
        }
        for (table, keys) in tables {
            text.push_str(&format!("\n[{section}.{table}]\n"));
            for (key, value) in keys.as_object().into_iter().flatten() {
                text.push_str(&format!("{key} = {}\n", inline(value)));
            }
        }
        text.push('\n');
    }
    text
}

fn inline(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        value => value.to_string(),
    }
}

/// `emm roles`.
pub(super) fn roles(screen: &Screen) -> Result<Exit> {
    let rows: Vec<Value> =
        ROLES.iter().map(|row| json!({ "role": row.role, "about": row.about, "needs": row.needs })).collect();
    screen.show(&rows, |screen, _| {
        for row in &ROLES {
            screen.line(format_args!("{:<19} {}", row.role.as_str(), row.about));
            if !row.needs.is_empty() {
                let needs: Vec<&str> = row.needs.iter().map(|role| role.as_str()).collect();
                screen.line(format_args!("{:<19} needs {}", "", needs.join(", ")));
            }
        }
    })?;
    Ok(Exit::Done)
}

/// `emm completions`.
pub(super) fn completions(screen: &Screen, shell: Shell) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "emm", &mut script);
    screen.text(String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

/// `emm man`.
pub(super) fn man(screen: &Screen, folder: Option<&Path>) -> Result<Exit> {
    match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
            clap_mangen::generate_to(Cli::command(), folder).map_err(at(folder))?;
        }
        None => {
            let mut page = Vec::new();
            let rendered: io::Result<()> = clap_mangen::Man::new(Cli::command()).render(&mut page);
            rendered.map_err(Error::internal)?;
            screen.text(String::from_utf8_lossy(&page));
        }
    }
    Ok(Exit::Done)
}
