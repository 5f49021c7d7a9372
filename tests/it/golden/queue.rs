//! The queue against the reference: two batches of keys taken in.

use std::collections::BTreeMap;

use sandbox::bank::Queue;
use tch::{Device, Tensor};

/// Compares the queue and its pointer after each batch.
pub(crate) fn check(case: &super::Case) {
    let start = case.tensor("queue");
    let [size, dim] = start.size()[..] else {
        panic!("{}: 'queue' is no matrix", case.file);
    };
    let mut queue = Queue::new(size, dim, 0, Device::Cpu);
    let state = BTreeMap::from([
        ("keys".to_owned(), start.shallow_clone()),
        ("pointer".to_owned(), case.tensor("ptr").view([1])),
    ]);
    queue.load(&state).expect("the reference's queue is one");
    for turn in 1..=2 {
        queue.enqueue(case.tensor(&format!("keys_{turn}")));
        let (keys, pointer) = (format!("queue_{turn}"), format!("ptr_{turn}"));
        case.close(&keys, queue.keys(), case.tensor(&keys));
        let got = Tensor::from_slice(&[queue.pointer()]);
        case.close(&pointer, &got, &case.tensor(&pointer).view([1]));
    }
}
