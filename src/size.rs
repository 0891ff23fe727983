//! Reading `--size`: `quick`, `deep`, or values for single parameters.

use models::machine::{Parameter, Size, SizeError};

use crate::failure::{Failure, did_you_mean};
use subjects::Subject;

/// A size as it was asked for, before it meets a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SizeRequest {
    deep: bool,
    values: Vec<(String, u64)>,
}

impl SizeRequest {
    /// Reads `quick`, `deep`, `cpus=3,tasks=4` or `deep,cpus=2`.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let mut request = Self::default();
        for (index, item) in text.unwrap_or("quick").split(',').enumerate() {
            match (item, item.split_once('=')) {
                ("quick" | "deep", _) if index == 0 => request.deep = item == "deep",
                (_, Some((name, value))) if !name.is_empty() => {
                    let value = value.parse().map_err(|_| malformed(item))?;
                    request.values.push((name.to_string(), value));
                }
                _ => return Err(malformed(item)),
            }
        }
        Ok(request)
    }

    /// The size for one subject. Parameters that its machine does not have are passed over, because one
    /// request may be meant for several machines; [`SizeRequest::check_names`] refuses those nobody has.
    ///
    /// # Errors
    /// A value is out of range.
    pub fn for_subject(&self, subject: &dyn Subject) -> Result<Size, Failure> {
        let parameters = subject.parameters();
        let mut size = if self.deep { subject.deep() } else { subject.quick() };
        for (name, value) in &self.values {
            match size.with(parameters, name, *value) {
                Ok(changed) => size = changed,
                Err(SizeError::UnknownParameter { .. }) => {}
                Err(error @ SizeError::OutOfRange { .. }) => {
                    return Err(Failure::usage(format!("{}/{}: {error}", subject.mechanism(), subject.name())));
                }
            }
        }
        Ok(size)
    }

    /// Refuses a parameter that none of the selected machines has.
    ///
    /// # Errors
    /// There is such a parameter; the message lists those that exist.
    pub fn check_names<'a>(&self, subjects: impl Iterator<Item = &'a dyn Subject>) -> Result<(), Failure> {
        let mut known: Vec<&Parameter> = subjects.flat_map(|subject| subject.parameters()).collect();
        known.sort_by_key(|p| p.name);
        known.dedup_by_key(|p| p.name);
        for (name, _) in &self.values {
            if !known.iter().any(|p| p.name == name) {
                let hint = did_you_mean(name, known.iter().map(|p| p.name));
                let names: Vec<&str> = known.iter().map(|p| p.name).collect();
                return Err(Failure::usage(format!(
                    "unknown size parameter '{name}'{hint}; the selected variants have: {}",
                    names.join(", ")
                )));
            }
        }
        Ok(())
    }
}

fn malformed(item: &str) -> Failure {
    let item: String = item.chars().filter(|c| !c.is_control()).take(60).collect();
    Failure::usage(format!("cannot read the size '{item}': give quick, deep, or values such as cpus=3,tasks=4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let request = SizeRequest::parse(Some("deep,cpus=3,tasks=4")).unwrap();
        assert!(request.deep);
        assert_eq!(request.values, [("cpus".to_string(), 3), ("tasks".to_string(), 4)]);
        assert_eq!(SizeRequest::parse(None).unwrap(), SizeRequest::default());
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["", "big", "cpus", "cpus=", "=3", "cpus=3,", "cpus=-1", "cpus=3,quick"] {
            assert!(SizeRequest::parse(Some(text)).is_err(), "{text}");
        }
    }
}
