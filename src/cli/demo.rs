//! `emm demo`: sample documents of our own making, to see what emm does with them.

use super::{Exit, documents, intake::Intake, screen::Screen, session::Session, setup::Setup};
use crate::rpc::{Result, Role};

/// The documents: their names and their bytes.
pub const DEMO: &[(&str, &[u8])] = &[
    ("2024-02-09 Miso.pdf", include_bytes!("../../config/demo/files/2024-02-09 Miso.pdf")),
    ("Balcony garden app - kickoff.pptx", include_bytes!("../../config/demo/files/Balcony garden app - kickoff.pptx")),
    (
        "Chess openings for late starters.epub",
        include_bytes!("../../config/demo/files/Chess openings for late starters.epub"),
    ),
    ("DW-450_EN.pdf", include_bytes!("../../config/demo/files/DW-450_EN.pdf")),
    ("HC-renewal-2024.pdf", include_bytes!("../../config/demo/files/HC-renewal-2024.pdf")),
    ("IMG_2931.png", include_bytes!("../../config/demo/files/IMG_2931.png")),
    ("Kuendigung Fitnessstudio.docx", include_bytes!("../../config/demo/files/Kuendigung Fitnessstudio.docx")),
    ("Lease Maple Court 4B.docx", include_bytes!("../../config/demo/files/Lease Maple Court 4B.docx")),
    ("Nos casamos.odt", include_bytes!("../../config/demo/files/Nos casamos.odt")),
    ("Re Re a few things.eml", include_bytes!("../../config/demo/files/Re Re a few things.eml")),
    ("Rye bread with caraway.md", include_bytes!("../../config/demo/files/Rye bread with caraway.md")),
    ("Spring fair expenses.xlsx", include_bytes!("../../config/demo/files/Spring fair expenses.xlsx")),
    ("Steuerbescheid_2023.txt", include_bytes!("../../config/demo/files/Steuerbescheid_2023.txt")),
    ("Weekly 2024-04-15.docx", include_bytes!("../../config/demo/files/Weekly 2024-04-15.docx")),
    ("Your booking LX7Q2M.eml", include_bytes!("../../config/demo/files/Your booking LX7Q2M.eml")),
    ("backup-codes.json", include_bytes!("../../config/demo/files/backup-codes.json")),
    ("export-2024-04.csv", include_bytes!("../../config/demo/files/export-2024-04.csv")),
    ("factura_luz_marzo.html", include_bytes!("../../config/demo/files/factura_luz_marzo.html")),
    ("invoice_88213.pdf", include_bytes!("../../config/demo/files/invoice_88213.pdf")),
    ("letter to Sample Museum.rtf", include_bytes!("../../config/demo/files/letter to Sample Museum.rtf")),
    ("old stuff.zip", include_bytes!("../../config/demo/files/old stuff.zip")),
    ("order_30117.html", include_bytes!("../../config/demo/files/order_30117.html")),
    ("preprint-0417.pdf", include_bytes!("../../config/demo/files/preprint-0417.pdf")),
    ("readings_0412.csv", include_bytes!("../../config/demo/files/readings_0412.csv")),
    ("running log spring.md", include_bytes!("../../config/demo/files/running log spring.md")),
    ("scan_20240328_0917.pdf", include_bytes!("../../config/demo/files/scan_20240328_0917.pdf")),
    ("setting up the new router.html", include_bytes!("../../config/demo/files/setting up the new router.html")),
    ("untitled.txt", include_bytes!("../../config/demo/files/untitled.txt")),
    ("анализ крови март.txt", include_bytes!("../../config/demo/files/анализ крови март.txt")),
    ("旅行の持ち物.txt", include_bytes!("../../config/demo/files/旅行の持ち物.txt")),
];

pub(super) async fn run(setup: &Setup, screen: &Screen) -> Result<Exit> {
    setup.make(screen)?;
    if setup.global.dry_run {
        for (name, bytes) in DEMO {
            screen.line(format_args!("would write {name} ({} bytes)", bytes.len()));
        }
        return Ok(Exit::Done);
    }
    let session = Session::open(setup, screen, &Role::ALL).await?;
    let swept = async {
        session.caught_up(screen).await?;
        let inbox = session.inbox(setup).await?;
        let (intake, mut taken) = (Intake::open(setup, &inbox)?, Vec::new());
        for (name, bytes) in DEMO {
            taken.push(intake.write(name, bytes).await?);
        }
        screen.remark(format_args!("{} documents are in {inbox}", taken.len()));
        documents::sweep_of(screen, &session, &taken).await
    };
    let swept = swept.await;
    session.close().await;
    documents::told(setup, screen, &swept?)
}
