//! Faulty files, all named in one go: who mends one wants to know the others too.

use std::error::Error as _;
use std::fmt;

use super::Error;

/// How many are named; of others the number is said.
const NAMED: usize = 10;

/// Faults in the order in which they were found.
#[derive(Debug, Default)]
pub struct Faults {
    named: Vec<Error>,
    count: usize,
    /// What a person may do.
    help: &'static str,
}

impl Faults {
    /// None yet.
    pub(super) fn new(help: &'static str) -> Self {
        Self {
            help,
            ..Self::default()
        }
    }

    /// Takes one more.
    pub(super) fn add(&mut self, fault: Error) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(fault);
        }
    }

    /// What came of many files, in their order, unless some are faulty.
    pub(super) fn all<T>(
        results: impl IntoIterator<Item = Result<T, Error>>,
        help: &'static str,
    ) -> Result<Vec<T>, Error> {
        let mut faults = Self::new(help);
        let mut all = vec![];
        for result in results {
            match result {
                Ok(one) => all.push(one),
                // Who is asked to stop has found no fault.
                Err(fault @ Error::Stopped(_)) => return Err(fault),
                Err(fault) => faults.add(fault),
            }
        }
        faults.none().map(|()| all)
    }

    /// That there are none.
    pub(super) fn none(self) -> Result<(), Error> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(Error::Faults(self)),
        }
    }

    /// Whether there are none so far.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// One as it is; of several a line each.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |fault: &Error| match fault.source() {
            Some(cause) => format!("{fault}: {cause}"),
            None => fault.to_string(),
        };
        match &self.named[..] {
            [one] => f.write_str(&line(one))?,
            some => {
                write!(f, "{} files cannot be used:", self.count)?;
                for fault in some {
                    write!(f, "\n  {}", line(fault))?;
                }
            }
        }
        if self.count > self.named.len() {
            write!(f, "\n  and {} more", self.count - self.named.len())?;
        }
        match self.help {
            "" => Ok(()),
            help => write!(f, "\nhelp: {help}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn faults(count: usize) -> String {
        let mut faults = Faults::new("mend them");
        for number in 0..count {
            faults.add(Error::unexpected(Path::new(&number.to_string()), "a", "b"));
        }
        faults.none().unwrap_err().to_string()
    }

    #[test]
    fn ten_are_named_and_the_others_counted() {
        assert_eq!(faults(1), "'0': expected a, found b\nhelp: mend them");
        assert_eq!(
            faults(2),
            "2 files cannot be used:\n  '0': expected a, found b\n  '1': expected a, found b\nhelp: mend them"
        );
        let many = faults(12);
        assert!(many.starts_with("12 files cannot be used:\n"), "{many}");
        assert!(
            many.ends_with("  '9': expected a, found b\n  and 2 more\nhelp: mend them"),
            "{many}"
        );
    }
}
