//! The HTML page, read by a browser's parser: no error, nothing from outside, no script.

use scraper::{Html, Selector};

use crate::fixture::{everything, report};

/// Parses the page, checks that it needs nothing and runs nothing, and gives back its text.
pub(crate) fn read(page: &str) -> String {
    let document = Html::parse_document(page);
    assert!(document.errors.is_empty(), "{:?}", document.errors);
    let known = [
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "div", "ul", "li", "table", "caption",
        "thead", "tbody", "tr", "th", "td", "p", "section", "details", "summary", "code", "figure", "pre", "svg",
        "rect", "line", "text", "nav", "a",
    ];
    for element in document.select(&Selector::parse("*").expect("a selector")) {
        let name = element.value().name();
        assert!(known.contains(&name), "an element that is none of ours: {name}");
        for (attribute, value) in element.value().attrs() {
            // To a section of the same page.
            let inside = name == "a" && attribute == "href" && value.starts_with('#');
            let points =
                !inside && ["href", "src", "srcset", "action", "data", "xlink:href", "style"].contains(&attribute);
            assert!(!points && !attribute.starts_with("on"), "{name} {attribute}={value}");
            assert!(
                attribute == "xmlns"
                    || attribute == "aria-label"
                    || attribute == "title"
                    || attribute == "content"
                    || !value.contains("url("),
                "{name} {attribute}={value}"
            );
        }
    }
    let style: String =
        document.select(&Selector::parse("style").expect("a selector")).flat_map(|s| s.text()).collect();
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    document.root_element().text().collect()
}

#[test]
fn the_page_is_self_contained_and_says_everything() {
    let text = read(&report(everything()).to_html());
    for words in ["NOT RUN", "UNDECIDED", "within a bound", "A1: interrupts are off", "12345 states", "kverdict check"]
    {
        assert!(text.contains(words), "{words} is missing");
    }
    assert!(text.contains("W40Write"), "a run of 41 steps is drawn too");
}
