//! A sampler that does what a plugin must not do, to see what becomes of it. Without `how` it behaves: a query's positive is its own
//! row, its negatives are the rows that follow.
//!
//! The environment variable `MISBEHAVED_TABLE` spoils the table itself, before there are parameters.

#![expect(unsafe_code, reason = "misbehaving needs it")]

use std::hint::black_box;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use sandbox_plugin::abi::{SBX_ABI_MAJOR, SBX_ABI_MINOR, SbxParam, SbxPlugin};
use sandbox_plugin::private::{About, sampler};
use sandbox_plugin::{Policy, Restored, Result, Sampler, SamplerCall, params};

params! {
    /// What can be set by `--set sampler.NAME=VALUE`.
    pub struct Params {
        /// what it does: behave, or the name of a fault
        how: String = "behave".to_owned(),
        /// how often it behaves before it does that
        after: i64 = 0,
        /// how long it is busy when it is slow
        seconds: f64 = 2.1,
    }
}

/// The policy.
pub struct Misbehaved {
    params: Params,
    /// Questions that were answered; saved, unless the fault is just that.
    asked: i64,
}

impl Misbehaved {
    /// Whether it is time for this fault.
    fn does(&self, how: &str) -> bool {
        self.params.how == how && self.asked >= self.params.after
    }
}

impl Policy for Misbehaved {
    type Params = Params;

    const STATE_VERSION: u32 = 1;

    fn new(params: Params) -> Result<Self> {
        let policy = Self { params, asked: 0 };
        if policy.does("panic_create") {
            panic!("no instance today");
        }
        if policy.does("threads_left") {
            thread::spawn(|| {
                loop {
                    thread::park();
                }
            });
        }
        Ok(policy)
    }

    fn save(&self) -> Result<Vec<u8>> {
        if self.does("panic_save") {
            panic!("nothing is saved today");
        }
        if self.does("error_save") {
            return Err("nothing can be saved today".into());
        }
        Ok(self.asked.to_le_bytes().to_vec())
    }

    fn restore(&mut self, version: u32, bytes: &[u8]) -> Result<Restored> {
        if version != 1 {
            return Ok(Restored::Unknown);
        }
        if self.does("panic_restore") {
            panic!("nothing is restored today");
        }
        if self.does("error_restore") {
            return Err("nothing can be restored today".into());
        }
        let bytes = bytes
            .try_into()
            .map_err(|_| "the state has another length")?;
        if self.params.how != "unsaved_state" {
            self.asked = i64::from_le_bytes(bytes);
        }
        Ok(Restored::Taken)
    }
}

impl Sampler for Misbehaved {
    fn decide(&mut self, call: &SamplerCall<'_>) -> Result<()> {
        if self.asked >= self.params.after {
            die(&self.params.how);
            if self.params.how == "error_decide" {
                return Err("not with these queries".into());
            }
            if self.params.how == "slow" {
                be_busy(self.params.seconds);
            }
            if self.params.how == "no_answer" {
                return Ok(());
            }
        }
        let (rows, index) = (call.rows(), call.index()?);
        let mut positives = call.positives(1)?;
        for (query, &own) in index.values().iter().enumerate() {
            positives.row_mut(query)[0] = own;
        }
        if self.does("no_negatives") {
            return Ok(());
        }
        if self.does("wrong_shape") || self.does("wrong_rows") || self.does("huge_allocation") {
            let batch = index.shape()[0] as i64;
            let shape: &[i64] = match self.params.how.as_str() {
                "wrong_shape" => &[batch],
                "wrong_rows" => &[batch + 1, 1],
                _ => &[batch, 1 << 40],
            };
            if call.raw_output("negatives", shape).is_null() {
                return Err("the host does not take my negatives".into());
            }
        }
        let width = match self.does("too_many") {
            true => rows + 1,
            false => 8.min(rows),
        };
        let mut negatives = call.negatives(width)?;
        let shift = if self.params.how == "unsaved_state" {
            self.asked
        } else {
            0
        };
        for (query, &own) in index.values().iter().enumerate() {
            for (k, row) in negatives.row_mut(query).iter_mut().enumerate() {
                *row = (own + 1 + shift + k as i64) % rows;
            }
        }
        if self.does("index_out_of_range") {
            negatives.row_mut(0)[0] = rows;
        }
        if self.does("negative_index") {
            negatives.row_mut(0)[0] = -2;
        }
        self.asked += 1;
        Ok(())
    }
}

/// What ends more than the call, each in its way.
fn die(how: &str) {
    match how {
        "panic_decide" => panic!("not with these queries"),
        "panic_twice" => {
            /// Panics once more when it is thrown away.
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    panic!("and once more");
                }
            }
            std::panic::panic_any(Bomb);
        }
        // SAFETY: there is none; this is the fault.
        "segfault" => unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) },
        "abort" => std::process::abort(),
        "exit" => std::process::exit(0),
        "endless" => loop {
            thread::sleep(Duration::from_millis(50));
        },
        "stack_overflow" => drop(deeper(0)),
        "hoarder" => {
            let kept: Vec<_> = (0..4096).map(|_| vec![1_u8; 64 << 20]).collect();
            black_box(kept);
        }
        "out_of_memory" => {
            let _ = black_box(Vec::<u8>::with_capacity(1 << 46));
        }
        _ => {}
    }
}

#[expect(unconditional_recursion, reason = "this is the fault")]
fn deeper(depth: u64) -> u64 {
    black_box([depth; 64])[0] + deeper(depth + 1)
}

/// The table, spoilt as the environment says.
#[unsafe(no_mangle)]
pub extern "C" fn sandbox_plugin() -> *const SbxPlugin {
    static TABLE: OnceLock<Option<&'static SbxPlugin>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let table = *sampler::<Misbehaved>(&About {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            doc: env!("CARGO_PKG_DESCRIPTION"),
        });
        let how = std::env::var("MISBEHAVED_TABLE").unwrap_or_default();
        spoil(table, &how).map(|table| &*Box::leak(Box::new(table)))
    });
    table.map_or(std::ptr::null(), std::ptr::from_ref)
}

fn spoil(mut table: SbxPlugin, how: &str) -> Option<SbxPlugin> {
    match how {
        "null" => return None,
        "wrong_major" => table.abi_major = SBX_ABI_MAJOR + 1,
        "newer_minor" => table.abi_minor = SBX_ABI_MINOR + 1,
        "wrong_layout" => table.layout = 7,
        "small_size" => table.struct_size = 16,
        "no_name" => table.name = std::ptr::null(),
        "not_utf8" => table.name = c"\xff\xfe".as_ptr(),
        "no_create" => table.create = None,
        "no_decide" => table.decide = None,
        "no_save" => table.save = None,
        "unknown_slot" => table.slot = 99,
        "unknown_devices" => table.devices = 0,
        "params_null" => table.params = std::ptr::null(),
        "param_without_name" => {
            // SAFETY: it is one of the table's own.
            let first = unsafe { *table.params };
            let spoilt = Box::leak(Box::new(SbxParam {
                name: std::ptr::null(),
                ..first
            }));
            (table.params, table.param_count) = (spoilt, 1);
        }
        _ => {}
    }
    Some(table)
}

/// Takes so many seconds of the processor.
fn be_busy(seconds: f64) {
    let taken = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok());
        nanoseconds.unwrap_or(f64::INFINITY)
    };
    let end = taken() + seconds * 1e9;
    while taken() < end {
        for _ in 0..10_000 {
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_can_behave() {
        sandbox_plugin::testing::conform(super::sandbox_plugin).unwrap();
    }
}
