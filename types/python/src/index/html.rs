//! Pages of simple indexes in HTML (PEP 503).

use std::io::BufRead;

use html5gum::{IoReader, StartTag, Token, Tokenizer};

use super::entry::{Allowance, Bounded};
use super::{Item, Listed, Location, PageError, Take, fragment_digest, text};

/// Bytes that are kept of the text of a link.
const LONGEST_TEXT: usize = 4096;

/// A link whose end has not come yet.
struct Link {
    tag: StartTag<()>,
    text: Vec<u8>,
}

/// Reads links; everything else on the page does not matter.
pub(super) fn read(page: impl BufRead, take: &mut dyn Take) -> Result<(), PageError> {
    let mut link: Option<Link> = None;
    let allowance = Allowance::new();
    for token in Tokenizer::new(IoReader::new(Bounded::new(page, &allowance))) {
        allowance.entry();
        let goes_on = match token? {
            Token::StartTag(tag) if tag.name.as_slice() == b"a" => {
                let before = link.replace(Link {
                    tag,
                    text: Vec::new(),
                });
                give(before, take)
            }
            Token::StartTag(tag) if tag.name.as_slice() == b"base" => match attribute(&tag, "href")
            {
                Some(base) => take.take(Item::Base(base)),
                None => true,
            },
            Token::String(piece) => {
                if let Some(link) = &mut link {
                    let room = LONGEST_TEXT.saturating_sub(link.text.len());
                    link.text.extend(piece.iter().take(room));
                }
                true
            }
            Token::EndTag(tag) if tag.name.as_slice() == b"a" => give(link.take(), take),
            _ => true,
        };
        if !goes_on {
            return Ok(());
        }
    }
    give(link, take);
    Ok(())
}

fn give(link: Option<Link>, take: &mut dyn Take) -> bool {
    match link.and_then(|link| listed(&link)) {
        Some(file) => take.take(Item::File(Box::new(file))),
        None => true,
    }
}

/// The file that a link leads to; `None` for one that leads nowhere.
fn listed(link: &Link) -> Option<Listed> {
    let href = attribute(&link.tag, "href")?;
    let (location, fragment) = href.split_once('#').unwrap_or((href.as_str(), ""));
    let name = String::from_utf8_lossy(&link.text);
    Some(Listed {
        filename: name.trim().to_owned(),
        location: Location::OfPage(location.trim().to_owned()),
        digests: fragment_digest(fragment).into_iter().collect(),
        requires_python: attribute(&link.tag, "data-requires-python")
            .and_then(|value| text(&value)),
        yanked: attribute(&link.tag, "data-yanked").map(|value| text(&value).unwrap_or_default()),
        ..Listed::default()
    })
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value.as_slice()).into_owned())
}
