//! Text in images, through the `tesseract` program if it is installed.
//!
//! tesseract is a child of the node, not of a parser, so the node can end and reap it in every case. It is started as
//! `emm __parse MEMORY_BYTES CPU_SECONDS tesseract ...`, which limits itself and then becomes tesseract.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::limits;
use super::pool::{Place, Shared};
use super::process::{Mortal, command, last_words};
use crate::domain::extract::Extracted;

/// The exit code of a shell that does not find a program.
pub(super) const NOT_INSTALLED: u8 = 127;

/// What leptonica, tesseract's reader of images, understands; the portable formats come besides.
const READABLE: &[&str] =
    &["image/png", "image/jpeg", "image/tiff", "image/bmp", "image/x-ms-bmp", "image/gif", "image/webp"];
/// Longest list of languages that is read, in bytes.
const LIST_BYTES_MAX: usize = 64 * 1024;

/// tesseract, looked for at the first image and not again: its languages in the configured order, or why there are
/// none.
#[derive(Default)]
pub(super) struct Ocr(OnceCell<Result<String, String>>);

/// Adds the text of an image, or a warning that says why there is none. Never fails the document.
pub(super) async fn add(shared: &Shared, place: &Place, file: &File, extracted: &mut Extracted) {
    let media_type = extracted.media_type.as_str();
    if !extracted.text.trim().is_empty()
        || !(READABLE.contains(&media_type) || media_type.starts_with("image/x-portable-"))
    {
        return;
    }
    match recognise(shared, place, file).await {
        Ok(output) => {
            // tesseract ends every page with a form feed.
            extracted.text = output.text.replace('\u{c}', "\n").trim().to_owned();
            extracted.truncated |= output.truncated;
        }
        Err(failed) => extracted.warnings.push(format!("no text recognised: {}", failed.reason)),
    }
}

async fn recognise(shared: &Shared, place: &Place, file: &File) -> Result<Output, Failed> {
    let settings = &shared.settings;
    if file.metadata()?.len() > settings.ocr_bytes_max {
        let limit = settings.ocr_bytes_max;
        return Err(Failed::now(format!("the image is longer than {limit} bytes (parsers.ocr_bytes_max)")));
    }
    let languages = shared.ocr.0.get_or_try_init(|| languages(shared, place)).await?.clone();
    let languages = languages.map_err(Failed::now)?;
    let mut image = file.try_clone()?;
    image.seek(SeekFrom::Start(0))?;
    run(shared, place, &["stdin", "stdout", "-l", &languages], image.into(), settings.text_bytes_max).await
}

/// The configured languages that are installed, joined as tesseract wants them. What may be better next time is an
/// error, what will not change is kept.
async fn languages(shared: &Shared, place: &Place) -> Result<Result<String, String>, Failed> {
    let listed = match run(shared, place, &["--list-langs"], Stdio::null(), LIST_BYTES_MAX).await {
        Ok(output) => output.text,
        Err(Failed { lasting: true, reason }) => return Ok(Err(reason)),
        Err(failed) => return Err(failed),
    };
    let installed: Vec<&str> = listed.lines().map(str::trim).collect();
    let wanted = &shared.settings.ocr_languages;
    let languages: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| installed.contains(name)).collect();
    if languages.is_empty() {
        return Ok(Err(format!("tesseract has none of the languages {} (parsers.ocr_languages)", wanted.join(", "))));
    }
    Ok(Ok(languages.join("+")))
}

/// What tesseract wrote.
struct Output {
    text: String,
    truncated: bool,
}

/// Why tesseract gave nothing, and whether that stays so.
struct Failed {
    lasting: bool,
    reason: String,
}

impl Failed {
    fn now(reason: String) -> Failed {
        Failed { lasting: false, reason }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::now(error.to_string())
    }
}

/// Runs tesseract under limits and keeps up to `bytes_max` bytes of its output.
async fn run(
    shared: &Shared,
    place: &Place,
    tesseract: &[&str],
    input: Stdio,
    bytes_max: usize,
) -> Result<Output, Failed> {
    let settings = &shared.settings;
    let limits = [settings.memory_bytes_max, settings.ocr_ms_max.div_ceil(1000)];
    let mut args = shared.args.clone();
    args.extend(limits.map(|limit| limit.to_string().into()));
    args.push("tesseract".into());
    args.extend(tesseract.iter().map(Into::into));
    // One thread: the pool says how much runs at once.
    let mut command = command(&shared.program, &args);
    command.env("OMP_THREAD_LIMIT", "1").stdin(input).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut mortal = Mortal::new(child, &shared.ids, place);
    let words = tokio::spawn(last_words(stderr));
    let work = async {
        let mut bytes = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(bytes_max as u64 + 1).read_to_end(&mut bytes).await?;
        }
        let truncated = bytes.len() > bytes_max;
        let status = if truncated { mortal.kill().await } else { mortal.wait().await };
        Ok::<_, io::Error>((bytes, truncated, status?))
    };
    let Ok(done) = timeout(Duration::from_millis(settings.ocr_ms_max), work).await else {
        let _ = mortal.kill().await;
        return Err(Failed::now(format!("not done within {} ms (parsers.ocr_ms_max)", settings.ocr_ms_max)));
    };
    let (mut bytes, truncated, status) = done?;
    if truncated {
        bytes.truncate(bytes_max);
        // Not in the middle of a character.
        let valid = std::str::from_utf8(&bytes)
            .map_or_else(|error| if error.error_len().is_none() { error.valid_up_to() } else { bytes.len() }, str::len);
        bytes.truncate(valid);
    } else if !status.success() {
        let words = words.await.unwrap_or_default();
        let last: String = words.lines().next_back().unwrap_or_default().chars().take(200).collect();
        let lasting = status.code() == Some(NOT_INSTALLED.into());
        return Err(Failed {
            lasting,
            reason: if lasting { last } else { format!("tesseract failed ({status}): {last}") },
        });
    }
    Ok(Output { text: String::from_utf8_lossy(&bytes).into_owned(), truncated })
}

/// The child's side: limits itself, then becomes the program that `args` name after the two limits.
///
/// # Errors
/// Always, if it returns: the program could not be started.
pub(super) fn become_tesseract(args: &[OsString]) -> io::Result<()> {
    let number = |index: usize| args.get(index)?.to_str()?.parse::<u64>().ok();
    let (Some(memory_bytes), Some(cpu_seconds), Some(program)) = (number(0), number(1), args.get(2)) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is started by emm itself, not by hand"));
    };
    limits::memory(memory_bytes);
    limits::cpu(cpu_seconds);
    #[cfg(target_os = "linux")]
    {
        // A lifeline of our own would not survive the exec. Should the thread that forked end before the node does,
        // one image stays without text.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        super::confine::confine(super::confine::Left::Reading);
    }
    let error = std::process::Command::new(program).args(args.get(3..).unwrap_or_default()).exec();
    Err(match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(
            io::ErrorKind::NotFound,
            "tesseract is not installed: install tesseract-ocr, or set parsers.ocr = false",
        ),
        _ => error,
    })
}
