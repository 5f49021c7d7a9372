//! How many threads libtorch computes with. On the CPU the bits of a run depend on it, as sums are cut into as many parts; so a run
//! that goes on from another one, or does it again, takes over its number.

/// Threads of a core that a run may ask for.
const MOST: u32 = 8;

/// Takes over the number of threads of a run, `before`, where that is known and OMP_NUM_THREADS does not ask for another.
pub fn take_over(before: Option<u32>) {
    let now = tch::get_num_threads();
    let most = std::thread::available_parallelism().map_or(1, usize::from) as u32 * MOST;
    if before.is_some_and(|before| before > most) {
        tracing::warn!("the run says that it had more threads than {most}: it goes on with {now}");
        return;
    }
    let before = before.and_then(|threads| i32::try_from(threads).ok());
    let Some(before) = before.filter(|before| *before > 0 && *before != now) else {
        return;
    };
    if std::env::var_os("OMP_NUM_THREADS").is_none() {
        tch::set_num_threads(before);
        tracing::info!("{before} threads, as the run had that is gone on from or done again");
        return;
    }
    tracing::warn!(
        "threads: the run had {before}, OMP_NUM_THREADS asks for {now}; on the CPU its bits are others from here on"
    );
}
