//! The only place where time is read. Nothing that time says may change a weight.

use std::time::{Duration, Instant, SystemTime};

use time::OffsetDateTime;

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the room of the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The time since the start in milliseconds.
    pub fn ms(&self) -> f64 {
        self.elapsed().as_secs_f64() * 1e3
    }
}

/// Measures the CPU time that the calling thread has taken. It stands still while the thread waits, while others have the processor,
/// and while the process is stopped.
#[derive(Clone, Copy, Debug)]
pub struct CpuTime(Duration);

impl CpuTime {
    /// Starts now, on this thread.
    pub fn start() -> Self {
        Self(cpu_time())
    }

    /// Milliseconds since the start, asked on the same thread.
    pub fn ms(&self) -> f64 {
        cpu_time().saturating_sub(self.0).as_secs_f64() * 1e3
    }
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Measures how long the calling thread could have run and had no processor, because others had them all or a quota was used up.
#[derive(Clone, Copy, Debug)]
pub struct Queued(Option<Duration>);

impl Queued {
    /// Starts now, on this thread.
    pub fn start() -> Self {
        Self(queued())
    }

    /// The time since the start, asked on the same thread; none where the system does not count it.
    pub fn elapsed(&self) -> Option<Duration> {
        Some(queued()?.saturating_sub(self.0?))
    }
}

/// The second number of `schedstat` (Linux, Documentation/scheduler/sched-stats.rst): nanoseconds on a queue.
fn queued() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// Seconds since 1970, as TensorBoard's events carry them.
#[expect(clippy::disallowed_methods, reason = "this is the room of the clock")]
pub fn wall_time() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// The present moment in UTC, as `2026-11-23T19:00:00Z`.
pub fn utc() -> String {
    let seconds = OffsetDateTime::from_unix_timestamp(wall_time() as i64)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    seconds.format(&format).unwrap_or_default()
}

/// The present moment as it stands in the name of a run's folder, as `2026-11-23-190000` (UTC).
pub fn stamp() -> String {
    utc()
        .trim_end_matches('Z')
        .replace(':', "")
        .replace('T', "-")
}
