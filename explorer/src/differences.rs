//! The switches of a variant as names and values, read from the debug text of its `Config`.

/// Reads the pretty debug text of a struct of small values; nested fields get names like `flush.order`.
pub(crate) fn fields(debug: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut inside: Vec<String> = Vec::new();
    for line in debug.lines().skip(1) {
        let line = line.trim();
        if line.starts_with(['}', ')', ']']) {
            inside.pop();
            continue;
        }
        let (name, value) = line.split_once(": ").unwrap_or(("", line));
        let value = value.trim_end_matches(',');
        if value.ends_with(['{', '(', '[']) {
            let name = if name.is_empty() { value.trim_end_matches([' ', '{', '(', '[']) } else { name };
            inside.push(name.to_string());
        } else {
            let parts = inside.iter().map(String::as_str).chain([name]).filter(|part| !part.is_empty());
            found.push((parts.collect::<Vec<_>>().join("."), value.to_string()));
        }
    }
    found
}

/// The fields with different values: name, value here, value there.
pub(crate) fn switches(here: &[(String, String)], there: &[(String, String)]) -> Vec<(String, String, String)> {
    let value = |list: &[(String, String)], name: &str| {
        let values: Vec<&str> = list.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { "—".to_string() } else { values.join(", ") }
    };
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in here.iter().chain(there) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let pairs = names.into_iter().map(|name| (name.clone(), value(here, name), value(there, name)));
    pairs.filter(|(_, here, there)| here != there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read through Debug")]
    struct Config {
        lock: bool,
        order: Order,
        wait: Option<u8>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "read through Debug")]
    struct Order {
        flush: u8,
    }

    #[test]
    fn switches_are_compared_field_by_field() {
        let here = fields(&format!("{:#?}", Config { lock: true, order: Order { flush: 1 }, wait: None }));
        let there = fields(&format!("{:#?}", Config { lock: true, order: Order { flush: 2 }, wait: Some(3) }));
        let found = switches(&here, &there);
        assert_eq!(found[0], ("order.flush".to_string(), "1".to_string(), "2".to_string()));
        assert_eq!(found[1], ("wait".to_string(), "None".to_string(), "3".to_string()));
        assert_eq!(found.len(), 2);
    }
}
