//! The review in a terminal: one item after the other, one key each.

use std::{collections::VecDeque, io::Write};

use console::{Key, Style, Term};

use super::{
    super::{
        Exit,
        screen::{Screen, safe},
        session::Session,
        setup::Setup,
    },
    answer, draw, missing, pick,
};
use crate::{
    contracts::file_system_agent::{Answered, ListReviews, Review, Reviews, Settled},
    domain::{jd::Structure, opinion::Proposal},
    rpc::{Code, Error, Result, Tools},
};

/// A review under way.
struct Round<'a> {
    screen: &'a Screen,
    tools: &'a Tools,
    term: Term,
    structure: Structure,
    waiting: VecDeque<Review>,
    /// Answered items, the last at the end.
    answered: Vec<String>,
    all: usize,
}

/// What a key led to.
enum Next {
    Answer(Answered),
    Again,
    Back,
    Quit,
}

/// What a person says of a proposal.
enum Wanted {
    Title(String),
    No,
    Quit,
}

pub(super) async fn run(setup: &Setup, screen: &Screen, session: &Session, reviews: Reviews) -> Result<Exit> {
    let structure = super::structure(&session.tools).await?.structure;
    let Reviews { reviews, proposals } = reviews;
    let (all, waiting) = (reviews.len(), VecDeque::from(reviews));
    let (tools, term) = (&session.tools, Term::stdout());
    let mut round = Round { screen, tools, term, structure, waiting, answered: Vec::new(), all };
    if round.proposed(&proposals).await? {
        round.go().await?;
    }
    let left = session.tools.call(ListReviews {}).await?.reviews.len();
    let answered = round.answered.len();
    screen.line(match left {
        0 => format!("{answered} answered; nothing waits any more"),
        left => format!("{answered} answered, {left} wait for the next '{} review'", setup.again()),
    });
    Ok(if left == 0 { Exit::Done } else { Exit::Review })
}

impl Round<'_> {
    /// Shows what places are missing, before the items that miss them. Whether to go on.
    async fn proposed(&mut self, proposals: &[Proposal]) -> Result<bool> {
        for proposal in proposals {
            self.write(&missing::draw(self.screen, proposal, &self.term))?;
            if missing::by_hand(proposal).is_some() {
                continue;
            }
            let title = match tokio::task::block_in_place(|| self.wanted(proposal))? {
                Wanted::Title(title) => title,
                Wanted::No => continue,
                Wanted::Quit => return Ok(false),
            };
            let adopted = missing::adopt(self.tools, proposal, &title).await?;
            missing::said(&adopted).iter().try_for_each(|line| self.write(&format!("{line}\n")))?;
            for emm_id in adopted.filed() {
                self.waiting.retain(|review| review.item.emm_id != emm_id);
                self.answered.push(emm_id.to_owned());
            }
            self.structure = super::structure(self.tools).await?.structure;
        }
        Ok(true)
    }

    /// Whether a proposal is wanted, and how a new place shall be called.
    fn wanted(&self, proposal: &Proposal) -> Result<Wanted> {
        loop {
            return Ok(match pick::read(&self.term)? {
                Key::Char('y' | 'Y') if proposal.exists => Wanted::Title(proposal.title.clone()),
                Key::Char('y' | 'Y') => {
                    let prompt = format!("title of {}", proposal.code);
                    pick::line(&self.term, &prompt, &safe(&proposal.title))?.map_or(Wanted::No, Wanted::Title)
                }
                Key::Char('n' | 'N') | Key::Enter => Wanted::No,
                Key::Char('q' | 'Q') | Key::Escape | Key::CtrlC => Wanted::Quit,
                _ => continue,
            });
        }
    }

    async fn go(&mut self) -> Result<()> {
        while let Some(review) = self.waiting.front().cloned() {
            self.show(&review)?;
            let next = loop {
                // A key is waited for on this thread; the tools' tasks have others.
                match tokio::task::block_in_place(|| self.key(&review))? {
                    Next::Again => {}
                    next => break next,
                }
            };
            match next {
                Next::Quit => return Ok(()),
                Next::Back => self.back().await?,
                Next::Answer(answer) => self.answer(&review, answer).await?,
                Next::Again => {}
            }
        }
        Ok(())
    }

    fn show(&self, review: &Review) -> Result<()> {
        let at = (self.all - self.waiting.len() + 1, self.all);
        let width = draw::width(self.term.size().1);
        self.write(&draw::item(self.screen, review, &self.structure, at, width))
    }

    fn write(&self, text: &str) -> Result<()> {
        (&self.term).write_all(text.as_bytes()).map_err(Error::internal)
    }

    /// One key, and what it means for this item.
    fn key(&self, review: &Review) -> Result<Next> {
        Ok(match pick::read(&self.term)? {
            Key::Char(digit @ '1'..='9') => {
                let at = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
                match review.candidates.get(at) {
                    Some(candidate) => Next::Answer(Answered::File { code: candidate.code.clone() }),
                    None => Next::Again,
                }
            }
            Key::Char('o' | 'O') => {
                let chosen = pick::pick(&self.term, self.screen, "file under", &pick::places(&self.structure))?;
                chosen.map_or(Next::Again, |code| Next::Answer(Answered::File { code }))
            }
            Key::Char('n' | 'N') => self.new_id(review)?.map_or(Next::Again, Next::Answer),
            Key::Char('s' | 'S') => Next::Answer(Answered::Skip),
            Key::Char('u' | 'U') => Next::Back,
            Key::Char('q' | 'Q') | Key::Escape | Key::CtrlC => Next::Quit,
            Key::Char('?' | 'h') => {
                self.write(&format!("{}\n", draw::HELP))?;
                Next::Again
            }
            _ => Next::Again,
        })
    }

    fn new_id(&self, review: &Review) -> Result<Option<Answered>> {
        let categories = pick::categories(&self.structure);
        let Some(category) = pick::pick(&self.term, self.screen, "new id in", &categories)? else { return Ok(None) };
        let title = pick::line(&self.term, &format!("title of the new id in {category}"), &safe(&review.title))?;
        Ok(title.map(|title| Answered::New { category, title }))
    }

    async fn answer(&mut self, review: &Review, answer: Answered) -> Result<()> {
        let new_id = matches!(answer, Answered::New { .. });
        match answer::give(self.tools, &review.item.emm_id, answer).await {
            Ok(settled) => {
                self.said(&settled)?;
                self.answered.push(review.item.emm_id.clone());
                self.waiting.pop_front();
            }
            // Somebody else answered it, or its owner took it back.
            Err(error) if error.code == Code::NotFound => {
                self.write(&format!("  {}\n", error.message))?;
                self.waiting.pop_front();
            }
            Err(error) => self.write(&format!("  {}\n", safe(&error.message)))?,
        }
        if new_id {
            self.structure = super::structure(self.tools).await?.structure;
        }
        Ok(())
    }

    fn said(&self, settled: &Settled) -> Result<()> {
        let green = self.screen.style(Style::new().green());
        let width = draw::width(self.term.size().1);
        let said = match &settled.filed {
            Some(filed) => {
                // The end of the path says most: its own folder, and the note.
                let mut parts: Vec<&str> = filed.note.rsplitn(3, '/').take(2).collect();
                parts.reverse();
                format!("\u{2192} {}", safe(&parts.join("/")))
            }
            None => "\u{2192} left in the inbox".to_owned(),
        };
        self.write(&format!("{}\n", green.apply_to(draw::fit(&said, width))))
    }

    async fn back(&mut self) -> Result<()> {
        let Some(emm_id) = self.answered.pop() else {
            return self.write("  nothing was answered yet\n");
        };
        match answer::take_back(self.tools, &emm_id).await {
            Ok(review) => {
                self.waiting.push_front(review);
                Ok(())
            }
            Err(error) => self.write(&format!("  {}\n", safe(&error.message))),
        }
    }
}
