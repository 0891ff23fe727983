//! A timeline as a drawing: lanes from left to right, time from top to bottom, one box a step.
//!
//! The drawing is self-contained: no script, no style sheet, no font of its own, so that it can be put into
//! a page with a strict content policy, a report, or a file.

use crate::report::is_unprintable;
use crate::timeline::{Timeline, wrap};

const LANE: usize = 300;
const MARGIN: usize = 16;
const NUMBER: usize = 36;
const LINE: usize = 16;
const PADDING: usize = 8;
/// Characters that fit into a box at the font size used.
const BOX_CHARACTERS: usize = 40;
/// Space between two boxes.
const GAP: usize = 14;

impl Timeline {
    /// An SVG drawing.
    pub fn to_svg(&self) -> String {
        let width = NUMBER + self.lanes.len().max(1) * LANE + 2 * MARGIN;
        let mut body = String::new();
        let mut y = MARGIN + LINE;
        let title = format!("{}/{}: {} of {}", self.mechanism, self.variant, self.role(), self.property);
        text(&mut body, MARGIN, y, "font-weight=\"bold\" font-size=\"15\"", &title);
        y += LINE * 2;
        for (index, lane) in self.lanes.iter().enumerate() {
            text(&mut body, lane_x(index) + PADDING, y, "font-weight=\"bold\"", lane);
        }
        y += LINE / 2;
        let top = y;
        y += GAP;
        for (index, event) in self.steps.iter().enumerate() {
            y = draw_event(&mut body, self, index, event, y) + GAP;
        }
        let bottom = y;
        let (fill, stroke) = if self.witness { ("#e8f3ea", "#2f7d3b") } else { ("#fbe9e7", "#b3261e") };
        let lines = wrap(&self.conclusion(), (width - 2 * MARGIN) / 8);
        let height = lines.len() * LINE + 2 * PADDING;
        rectangle(&mut body, (MARGIN, y), (width - 2 * MARGIN, height), fill, stroke);
        for (index, line) in lines.iter().enumerate() {
            text(&mut body, MARGIN + PADDING, y + PADDING + LINE * (index + 1) - 4, "", line);
        }
        y += height + MARGIN;
        let mut lifelines = String::new();
        for index in 0..self.lanes.len() {
            let x = lane_x(index) + 2;
            lifelines.push_str(&format!(
                "<line x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{bottom}\" stroke=\"#c3c7cf\" stroke-width=\"2\"/>\n"
            ));
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" height=\"{y}\" \
             role=\"img\" aria-label=\"{}\" font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#1a1c1e\">\n\
             <rect width=\"{width}\" height=\"{y}\" fill=\"#ffffff\"/>\n{lifelines}{body}</svg>\n",
            escape(&title)
        )
    }
}

/// Draws one step at `y` and gives the y coordinate of its lower edge.
fn draw_event(body: &mut String, timeline: &Timeline, index: usize, event: &crate::timeline::Event, y: usize) -> usize {
    let x = lane_x(event.lane.min(timeline.lanes.len().saturating_sub(1)));
    let sentence = wrap(&event.text, BOX_CHARACTERS);
    let changes: Vec<String> = event.changes.iter().flat_map(|c| wrap(&c.to_string(), BOX_CHARACTERS + 4)).collect();
    let rows = 1 + sentence.len() + changes.len() + 1;
    let height = rows * LINE + 2 * PADDING;
    rectangle(body, (x + PADDING, y), (LANE - 2 * PADDING, height), "#f3f5f9", "#8a93a3");
    let mut line_y = y + PADDING + LINE - 4;
    text(body, MARGIN, line_y, "fill=\"#5b6472\"", &format!("{}", index + 1));
    let left = x + 2 * PADDING;
    text(body, left, line_y, "font-weight=\"bold\"", &event.kind);
    for line in &sentence {
        line_y += LINE;
        text(body, left, line_y, "", line);
    }
    for line in &changes {
        line_y += LINE;
        text(body, left, line_y, "fill=\"#0b57a4\" font-size=\"12\"", line);
    }
    line_y += LINE;
    text(body, left, line_y, "fill=\"#5b6472\" font-size=\"11\"", &event.source);
    y + height
}

fn lane_x(index: usize) -> usize {
    MARGIN + NUMBER + index * LANE
}

fn rectangle(body: &mut String, at: (usize, usize), size: (usize, usize), fill: &str, stroke: &str) {
    body.push_str(&format!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"5\" fill=\"{fill}\" stroke=\"{stroke}\"/>\n",
        at.0, at.1, size.0, size.1
    ));
}

fn text(body: &mut String, x: usize, y: usize, attributes: &str, content: &str) {
    body.push_str(&format!("<text x=\"{x}\" y=\"{y}\" {attributes}>{}</text>\n", escape(content)));
}

/// Text as XML character data and attribute value; control characters that XML forbids become spaces.
fn escape(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    for c in content.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_unprintable(c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        assert_eq!(escape("<a href='x'>&\u{1}"), "&lt;a href=&#39;x&#39;&gt;&amp; ");
    }
}
