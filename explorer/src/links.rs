//! Links to the pages of one variant at one size.
//!
//! An address is a number in a list of steps, and at another size the lists are others. So a link carries
//! its size, unless that is `quick`: a page without a size means that on every server.

use minijinja::Value;

use crate::walkable::Walkable;

/// Where the pages of a variant are.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    name: String,
    size: String,
}

impl Links {
    /// The pages of a machine at its size.
    pub(crate) fn of(mechanism: &str, walk: &dyn Walkable) -> Self {
        let size = walk.size();
        let size = if size == walk.quick_size() { String::new() } else { format!("size={size}") };
        Self { name: format!("{mechanism}/{}", walk.name()), size }
    }

    /// The pages of a variant without states.
    pub(crate) fn without_size(mechanism: &str, variant: &str) -> Self {
        Self { name: format!("{mechanism}/{variant}"), size: String::new() }
    }

    /// A page, with what comes after the question mark.
    pub(crate) fn to(&self, page: &str, query: &str) -> String {
        let both: Vec<&str> = [query, &self.size].into_iter().filter(|part| !part.is_empty()).collect();
        let mark = if both.is_empty() { "" } else { "?" };
        // `search/start` is a page of `search`.
        let (page, below) =
            page.split_once('/').map_or((page, String::new()), |(page, below)| (page, format!("/{below}")));
        format!("/{page}/{}{below}{mark}{}", self.name, both.join("&"))
    }

    /// The size as a hidden field of a form; empty if there is none to carry.
    pub(crate) fn size(&self) -> &str {
        self.size.strip_prefix("size=").unwrap_or("")
    }

    /// For the templates: a function of a page and a query.
    pub(crate) fn function(&self) -> Value {
        let links = self.clone();
        Value::from_function(move |page: String, query: Option<String>| links.to(&page, &query.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_carries_its_size() {
        let quick = Links { name: "ldt/posted".to_string(), size: String::new() };
        let other = Links { name: "ldt/posted".to_string(), size: "size=cpus=2".to_string() };
        assert_eq!(quick.to("walk", "at=0.1"), "/walk/ldt/posted?at=0.1");
        assert_eq!(quick.to("search", ""), "/search/ldt/posted");
        assert_eq!(other.to("walk", "at=0.1"), "/walk/ldt/posted?at=0.1&size=cpus=2");
        assert_eq!(other.to("search/start", ""), "/search/ldt/posted/start?size=cpus=2");
    }
}
