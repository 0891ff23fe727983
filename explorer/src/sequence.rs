//! A run as a sequence diagram: lanes from left to right, time from top to bottom, one box a step.
//!
//! The same drawing stands in a page, where the stylesheet gives the colours of the reader's theme, and in a
//! file, where the attributes do.

use crate::walkable::Walk;

const LANE: usize = 250;
const MARGIN: usize = 12;
const NUMBER: usize = 30;
const LINE: usize = 16;
const PADDING: usize = 8;
const GAP: usize = 10;
/// Characters that fit into a box.
const CHARACTERS: usize = 36;

/// How a drawing is used.
pub(crate) struct Style<'s> {
    /// A heading, for a drawing that stands alone.
    pub(crate) title: Option<&'s str>,
    /// For each position of the run, where a click leads.
    pub(crate) links: Option<&'s [String]>,
    /// The position shown.
    pub(crate) current: Option<usize>,
}

/// The drawing of a run.
pub(crate) fn drawing(lanes: &[String], walk: &Walk, style: &Style<'_>) -> String {
    let width = NUMBER + lanes.len().max(1) * LANE + 2 * MARGIN;
    let mut body = String::new();
    let mut y = MARGIN + LINE;
    if let Some(title) = style.title {
        text(&mut body, (MARGIN, y), "d-strong", "font-weight=\"bold\"", title);
        y += LINE * 2;
    }
    for (index, lane) in lanes.iter().enumerate() {
        text(&mut body, (lane_x(index) + PADDING, y), "d-strong", "font-weight=\"bold\"", lane);
    }
    y += LINE / 2;
    let top = y;
    y += GAP;
    for index in 0..walk.events.len() {
        y = step(&mut body, lanes.len(), walk, index, style, y) + GAP;
    }
    let bottom = y;
    for name in walk.broken_at.last().into_iter().flatten() {
        y += LINE;
        text(&mut body, (MARGIN, y), "d-broken", "font-weight=\"bold\" fill=\"#b3261e\"", &format!("BROKEN {name}"));
    }
    y += MARGIN;
    let mut lines = String::new();
    for index in 0..lanes.len() {
        let x = lane_x(index) + 2;
        lines.push_str(&format!(
            "<line class=\"d-line\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#c3c7cf\" stroke-width=\"2\"/>\n"
        ));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"diagram\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" \
         height=\"{y}\" role=\"img\" aria-label=\"sequence diagram of {} steps\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\" fill=\"#1a1c1e\">\n<rect class=\"d-paper\" width=\"{width}\" height=\"{y}\" fill=\"#ffffff\"/>\n\
         {lines}{body}</svg>\n",
        walk.events.len()
    )
}

/// Draws one step at `y` and gives the y coordinate of its lower edge.
fn step(body: &mut String, lanes: usize, walk: &Walk, index: usize, style: &Style<'_>, y: usize) -> usize {
    let event = &walk.events[index];
    let x = lane_x(event.lane.min(lanes.saturating_sub(1)));
    let sentence = wrap(&event.text, CHARACTERS);
    let changes: Vec<String> = event.changes.iter().flat_map(|change| wrap(&change.to_string(), CHARACTERS)).collect();
    let height = (1 + sentence.len() + changes.len()) * LINE + 2 * PADDING;
    let broken = walk.broken_at.get(index + 1).is_some_and(|broken| !broken.is_empty());
    let current = style.current == Some(index + 1);
    let class = match (broken, current) {
        (true, _) => "d-step d-step-broken",
        (false, true) => "d-step d-step-current",
        (false, false) => "d-step",
    };
    let (fill, stroke) = if broken { ("#fbe9e7", "#b3261e") } else { ("#f3f5f9", "#8a93a3") };
    let link = style.links.and_then(|links| links.get(index + 1));
    if let Some(link) = link {
        body.push_str(&format!("<a href=\"{}\" aria-label=\"state after step {}\">", escape(link), index + 1));
    }
    let thick = if current { 3 } else { 1 };
    body.push_str(&format!(
        "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\" rx=\"5\" fill=\"{fill}\" \
         stroke=\"{stroke}\" stroke-width=\"{thick}\"/>\n",
        x + PADDING,
        LANE - PADDING
    ));
    let left = x + 2 * PADDING;
    let mut line_y = y + PADDING + LINE - 4;
    text(body, (MARGIN, line_y), "d-faint", "fill=\"#5b6472\"", &(index + 1).to_string());
    text(body, (left, line_y), "d-strong", "font-weight=\"bold\"", &event.kind);
    for line in &sentence {
        line_y += LINE;
        text(body, (left, line_y), "d-text", "", line);
    }
    for line in &changes {
        line_y += LINE;
        text(body, (left, line_y), "d-change", "fill=\"#0b57a4\" font-size=\"12\"", line);
    }
    if link.is_some() {
        body.push_str("</a>\n");
    }
    y + height
}

fn lane_x(index: usize) -> usize {
    MARGIN + NUMBER + index * LANE
}

fn text(body: &mut String, (x, y): (usize, usize), class: &str, attributes: &str, content: &str) {
    let content = escape(content);
    body.push_str(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" {attributes}>{content}</text>\n"));
}

/// Breaks a sentence into lines; a word that is too long for a line is broken.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        for (part, piece) in word.chars().collect::<Vec<_>>().chunks(width).enumerate() {
            if used > 0 && (part > 0 || used + 1 + piece.len() > width) {
                lines.push(String::new());
                used = 0;
            }
            let line = lines.last_mut().expect("there is always a line");
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(piece);
            used += piece.len();
        }
    }
    lines
}

/// Text as XML character data and attribute value; control characters that XML forbids become spaces.
pub(crate) fn escape(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    for c in content.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_lost_in_wrapping() {
        let text = "takes ldt_usr_sem and averyveryverylongword indeed";
        let without = |text: &str| text.replace(' ', "");
        assert_eq!(without(&wrap(text, 10).concat()), without(text));
        assert!(wrap(text, 10).iter().all(|line| line.len() <= 10));
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(escape("<a href='x'>&\u{1}"), "&lt;a href=&#39;x&#39;&gt;&amp; ");
    }
}
