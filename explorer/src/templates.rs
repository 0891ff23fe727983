//! The templates and static files, built into the program.

use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// The stylesheet.
pub(crate) const STYLE: &str = include_str!("../static/explorer.css");
/// The script: shortcuts and progress, nothing that a page needs.
pub(crate) const SCRIPT: &str = include_str!("../static/explorer.js");
/// The icon of the pages.
pub(crate) const ICON: &str = include_str!("../static/icon.svg");

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("../templates/base.html")),
    ("macros.html", include_str!("../templates/macros.html")),
    ("catalogue.html", include_str!("../templates/catalogue.html")),
    ("variant.html", include_str!("../templates/variant.html")),
    ("walk.html", include_str!("../templates/walk.html")),
    ("compare.html", include_str!("../templates/compare.html")),
    ("graph.html", include_str!("../templates/graph.html")),
    ("search.html", include_str!("../templates/search.html")),
    ("problem.html", include_str!("../templates/problem.html")),
];

/// All templates; everything shown is escaped.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.add_filter("thousands", |number: u64| grouped(number));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).expect("the templates are part of the program");
    }
    environment
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_compile() {
        environment();
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
