//! What everything stands on, and what knows nothing of what stands on it: time, random numbers, devices, threads, memory, and a few
//! words that every room speaks.

pub mod allocator;
pub mod clock;
pub mod device;
pub mod font;
pub mod memory;
mod moment;
pub mod panic;
pub mod plain;
pub mod seed;
mod spread;
pub mod stop;
pub mod suggest;
pub mod threads;

pub use moment::Now;
pub use spread::spread;
