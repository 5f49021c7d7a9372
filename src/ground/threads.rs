//! How many threads a process computes with: libtorch's, and those that decode images. On the CPU the bits of a run depend on
//! libtorch's, as sums are cut into as many parts; so a run that goes on from another one, or does it again, takes over its number.

use std::thread;

/// Threads of a core that somebody may ask for.
const MOST: u32 = 8;

/// A number of threads that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("threads: expected 1 to {most}, {MOST} for each core, found {found}")]
pub struct Error {
    most: u32,
    found: u32,
}

/// Cores that the process may use, by its affinity and its CPU quota.
pub fn cores() -> u32 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(u32::MAX)
}

/// That somebody may ask for so many threads on this machine.
///
/// # Errors
/// None at all, or far more than there are cores.
pub fn check(told: u32) -> Result<(), Error> {
    let most = cores().saturating_mul(MOST);
    match (1..=most).contains(&told) {
        true => Ok(()),
        false => Err(Error { most, found: told }),
    }
}

/// Decides it for this process: what it was `told` by option or configuration; else the number of the run that it goes on from or does
/// again, `before`, unless OMP_NUM_THREADS asks for another; else what libtorch takes, but no more than there are cores for it.
///
/// # Errors
/// A number of which it was told that cannot be used.
pub fn choose(told: Option<u32>, before: Option<u32>) -> Result<(), Error> {
    if let Some(told) = told {
        check(told)?;
        if before.is_some_and(|before| before != told) {
            tracing::warn!(
                "threads: the run had {}, from here on it has {told}; on the CPU its bits are others from here on",
                before.unwrap_or_default()
            );
        }
        set(told);
        return Ok(());
    }
    let said = std::env::var_os("OMP_NUM_THREADS").is_some();
    match before {
        Some(before) => take_over(before, said),
        None if !said => follow_quota(),
        None => {}
    }
    Ok(())
}

/// Takes over the number of threads of a run.
fn take_over(before: u32, said: bool) {
    let now = tch::get_num_threads();
    if check(before).is_err() {
        tracing::warn!(
            "the run says that it had {before} threads, this machine can take 1 to {}: it goes on with {now}",
            cores().saturating_mul(MOST)
        );
        return;
    }
    if i64::from(before) == i64::from(now) {
        return;
    }
    if said {
        tracing::warn!(
            "threads: the run had {before}, OMP_NUM_THREADS asks for {now}; on the CPU its bits are others from here on"
        );
        return;
    }
    set(before);
    tracing::info!("{before} threads, as the run had that is gone on from or done again");
}

/// libtorch counts the processors that it may run on, and knows nothing of a quota of their time.
fn follow_quota() {
    let now = u32::try_from(tch::get_num_threads()).unwrap_or(1);
    let Some(fewer) = within(now, cores()) else {
        return;
    };
    set(fewer);
    tracing::warn!(
        "threads: {fewer}, as this process may use the time of {fewer} of {now} cores; --threads says otherwise"
    );
}

/// How many threads there are cores for, where that is fewer than `now`.
fn within(now: u32, cores: u32) -> Option<u32> {
    (cores < now).then_some(cores.max(1))
}

fn set(threads: u32) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads as usize);
    // Where something was decoded before, its threads are there already; no number depends on how many they are.
    if let Err(error) = pool.build_global() {
        tracing::debug!("images are decoded by as many threads as before: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_within_what_the_cores_can_take() {
        let most = cores() * MOST;
        assert_eq!((check(1), check(most)), (Ok(()), Ok(())));
        for found in [0, most + 1, u32::MAX] {
            assert_eq!(check(found), Err(Error { most, found }));
        }
    }

    #[test]
    fn a_quota_below_the_number_of_threads_is_followed() {
        assert_eq!(within(64, 4), Some(4));
        assert_eq!(within(64, 0), Some(1));
        assert_eq!(within(4, 4), None);
        assert_eq!(within(1, 4), None);
    }
}
