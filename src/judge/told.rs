//! Who waits for an evaluation that takes minutes is told how far it is.

/// What is told: what is being done, how many are done, of how many.
type Listener<'a> = dyn Fn(&str, usize, usize) + 'a;

/// Tells somebody, or nobody.
pub struct Told<'a>(Option<Box<Listener<'a>>>);

impl<'a> Told<'a> {
    /// Tells nobody.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// Calls this with what is being done, how many of it are done, and how many there are.
    pub fn by(listener: impl Fn(&str, usize, usize) + 'a) -> Self {
        Self(Some(Box::new(listener)))
    }

    pub(super) fn tell(&self, what: &str, done: usize, of: usize) {
        if let Some(listener) = &self.0 {
            listener(what, done, of);
        }
    }
}
