//! Addresses of states as they stand in a request: numbers with dots between them.

/// Reads `0.3.1`; nothing means the first initial state.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn parse(text: &str, separator: char, depth: usize) -> Result<Vec<usize>, String> {
    if text.is_empty() {
        return Ok(vec![0]);
    }
    let parts = text.split(separator);
    if parts.clone().count() > depth + 1 {
        return Err(format!("the address has more than {depth} steps, which is the limit"));
    }
    parts.map(number).collect()
}

fn number(part: &str) -> Result<usize, String> {
    let plain = !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
    let number = part.parse().ok().filter(|_| plain);
    number.ok_or_else(|| "an address is numbers with dots between them, such as 0.3.1".to_string())
}

/// Writes an address.
pub(crate) fn written(address: &[usize]) -> String {
    address.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        assert_eq!(parse(&written(&[0, 3, 12]), '.', 5).unwrap(), [0, 3, 12]);
        assert_eq!(parse("", '.', 5).unwrap(), [0]);
    }

    #[test]
    fn damaged_addresses_are_refused() {
        for text in [".", "0.", "a", "-1", "0.+1", "0..1", "99999999999999999999", "1.2.3.4.5.6.7", "0.1 ", "\u{0663}"]
        {
            assert!(parse(text, '.', 5).is_err(), "{text}");
        }
    }
}
