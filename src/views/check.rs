//! Whether a recipe can be followed, said before the run begins.

use super::{Blur, Jitter, Recipe};

/// What is wrong with a recipe.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A number outside the range in which its rule means something.
    #[error("'{field}' of the views: expected {expected}, got {got}")]
    Range {
        /// The field as it is called in [`Recipe`], such as `blur.kernel`.
        field: &'static str,
        /// The range in words.
        expected: &'static str,
        /// What was found.
        got: String,
    },
}

impl Recipe {
    /// Says whether the recipe can be followed. [`Recipe::augment`] and [`Recipe::plain`] rely on it.
    ///
    /// # Errors
    ///
    /// The first field found outside its range.
    pub fn check(&self) -> Result<(), Error> {
        expect(self.size > 0, "size", "1 or more", self.size)?;
        range("crop", self.crop)?;
        let most = self.crop.1;
        expect(most <= 1.0, "crop", "at most 1", most)?;
        range("ratio", self.ratio)?;
        probability("flip", self.flip)?;
        self.jitter.check()?;
        probability("grey", self.grey)?;
        self.blur.check(self.size)?;
        probability("solarize", self.solarize)?;
        let fits = self.std.len() == self.mean.len() && self.std.iter().all(|&std| std > 0.0);
        expect(
            fits,
            "std",
            "as many positive numbers as 'mean' has",
            &self.std,
        )
    }
}

impl Jitter {
    fn check(&self) -> Result<(), Error> {
        probability("jitter.prob", self.prob)?;
        strength("jitter.brightness", self.brightness)?;
        strength("jitter.contrast", self.contrast)?;
        strength("jitter.saturation", self.saturation)?;
        let fits = (0.0..=0.5).contains(&self.hue);
        expect(fits, "jitter.hue", "0 to 0.5", self.hue)
    }
}

impl Blur {
    /// A blur that never happens may have any kernel.
    fn check(&self, size: i64) -> Result<(), Error> {
        probability("blur.prob", self.prob)?;
        if self.prob == 0.0 {
            return Ok(());
        }
        let fits = self.kernel % 2 == 1 && (1..2 * size).contains(&self.kernel);
        expect(
            fits,
            "blur.kernel",
            "an odd number below twice the size",
            self.kernel,
        )?;
        range("blur.sigma", self.sigma)
    }
}

fn expect(
    fits: bool,
    field: &'static str,
    expected: &'static str,
    got: impl std::fmt::Debug,
) -> Result<(), Error> {
    if fits {
        return Ok(());
    }
    let got = format!("{got:?}");
    Err(Error::Range {
        field,
        expected,
        got,
    })
}

fn probability(field: &'static str, got: f64) -> Result<(), Error> {
    expect((0.0..=1.0).contains(&got), field, "0 to 1", got)
}

fn strength(field: &'static str, got: f64) -> Result<(), Error> {
    expect(got >= 0.0 && got.is_finite(), field, "0 or more", got)
}

fn range(field: &'static str, (low, high): (f64, f64)) -> Result<(), Error> {
    let fits = 0.0 < low && low <= high && high.is_finite();
    expect(fits, field, "two numbers, 0 < low <= high", (low, high))
}

#[cfg(test)]
mod tests {
    use super::super::tests::recipe;
    use super::*;

    type Spoil = fn(&mut Recipe);

    #[test]
    fn a_recipe_that_cannot_be_followed_says_why() {
        assert_eq!(recipe(32, 3).check(), Ok(()));
        let faults: [(Spoil, &str); 8] = [
            (
                |r| r.size = 0,
                "'size' of the views: expected 1 or more, got 0",
            ),
            (|r| r.crop = (0.5, 0.2), "'crop'"),
            (
                |r| r.crop.1 = 1.5,
                "'crop' of the views: expected at most 1",
            ),
            (|r| r.flip = f64::NAN, "'flip'"),
            (|r| r.blur.kernel = 4, "'blur.kernel'"),
            (|r| r.blur.kernel = 65, "'blur.kernel'"),
            (|r| r.jitter.hue = 0.6, "'jitter.hue'"),
            (|r| r.std = vec![1.0], "'std'"),
        ];
        for (spoil, text) in faults {
            let mut recipe = recipe(32, 3);
            spoil(&mut recipe);
            let error = recipe.check().unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
        }
    }
}
