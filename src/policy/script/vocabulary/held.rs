//! The memory that a script's tensors hold: counted as verbs make them and drop them, and asked for before it is allocated.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tch::Tensor;

thread_local! {
    /// Bytes of tensors that scripts of this thread have made and hold.
    static HELD: Cell<u64> = const { Cell::new(0) };
    /// The most of them, and what was held at first, since a call began.
    static CALL: Cell<Call> = const { Cell::new(Call { first: 0, most: 0, graph: 0, kept: 0, limit: u64::MAX }) };
    /// Whose the tensors are that are made now.
    static OWNER: RefCell<Owner> = const { RefCell::new(Owner::Host) };
}

#[derive(Clone, Copy)]
struct Call {
    first: u64,
    most: u64,
    /// Bytes of dropped tensors that the graph of the call keeps.
    graph: u64,
    /// Bytes that the policy's state holds.
    kept: u64,
    limit: u64,
}

/// Whose memory a tensor is.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// The host's.
    Host,
    /// The script's.
    Script,
    /// That of another tensor, of which it is a view.
    Tensor(Rc<Held>),
}

/// A tensor with the memory that it holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) tensor: Tensor,
    /// Bytes that are counted for it.
    bytes: Cell<u64>,
    /// Of which tensor it is a view: that memory is held as long.
    base: RefCell<Option<Rc<Held>>>,
}

impl Held {
    pub(super) fn new(tensor: Tensor) -> Self {
        let owner = OWNER.with_borrow(Owner::clone);
        let (bytes, base) = match owner {
            Owner::Host => (0, None),
            Owner::Script => (bytes(&tensor), None),
            Owner::Tensor(base) => (0, Some(base)),
        };
        add(bytes);
        Self {
            tensor,
            bytes: Cell::new(bytes),
            base: RefCell::new(base),
        }
    }

    /// Says that the tensor lies in another one's memory after all.
    pub(super) fn lies_in(&self, base: &Rc<Held>) {
        HELD.set(HELD.get() - self.bytes.take());
        *self.base.borrow_mut() = Some(Rc::clone(base));
    }

    /// Enters the memory that it keeps, once.
    pub(super) fn enter(self: &Rc<Self>, all: &mut BTreeMap<*const Held, u64>) {
        match &*self.base.borrow() {
            Some(base) => base.enter(all),
            None => {
                all.insert(Rc::as_ptr(self), bytes(&self.tensor));
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let bytes = self.bytes.get();
        if bytes == 0 {
            return;
        }
        HELD.set(HELD.get() - bytes);
        if self.tensor.requires_grad() {
            let mut call = CALL.get();
            call.graph += bytes;
            CALL.set(call);
        }
    }
}

fn add(bytes: u64) {
    HELD.set(HELD.get() + bytes);
    let mut call = CALL.get();
    call.most = call.most.max(HELD.get() + call.graph);
    CALL.set(call);
}

/// Bytes of a tensor's elements.
pub(super) fn bytes(tensor: &Tensor) -> u64 {
    (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64
}

/// A call begins: tensors made in it may hold `limit` bytes together with the `kept` ones that its policy's state holds.
pub(in crate::policy::script) fn begin(limit: u64, kept: u64) {
    let held = HELD.get();
    CALL.set(Call {
        first: held,
        most: held,
        graph: 0,
        kept,
        limit,
    });
}

/// The most bytes that were held at once since the call began, beside those that were held before.
pub(in crate::policy::script) fn most() -> u64 {
    let call = CALL.get();
    call.most.saturating_sub(call.first)
}

/// Whether so many bytes more may be made in this call; else how many are held and how many may be.
pub(super) fn room(bytes: u64) -> Result<(), (u64, u64)> {
    let call = CALL.get();
    let made = (HELD.get() + call.graph).saturating_sub(call.first);
    let held = made.saturating_add(call.kept);
    match held.saturating_add(bytes) <= call.limit {
        true => Ok(()),
        false => Err((held, call.limit)),
    }
}

/// Runs a verb that makes tensors of that owner.
pub(super) fn making<T>(owner: Owner, act: impl FnOnce() -> T) -> T {
    struct Back(Owner);
    impl Drop for Back {
        fn drop(&mut self) {
            OWNER.replace(self.0.clone());
        }
    }
    let _back = Back(OWNER.replace(owner));
    act()
}

#[cfg(test)]
mod tests {
    use rhai::Dynamic;

    use super::super::{size, trial};
    use super::*;

    const MEGABYTE: u64 = 1 << 20;

    /// Runs a script that may hold a megabyte; the most that it held, or why it was stopped.
    fn within_a_megabyte(script: &str) -> Result<u64, String> {
        begin(MEGABYTE, 0);
        let answer = trial::eval(script).map(drop);
        let held = most();
        begin(u64::MAX, 0);
        answer.map(|()| held)
    }

    #[test]
    fn what_would_hold_too_much_is_stopped_before_it_is_made() {
        for script in [
            "zeros([40000, 40000])",
            "ones(1000000)",
            "full([1000, 1000], 1)",
            "eye(50000)",
            "arange(1000000000)",
            "zeros(2).new_zeros([9223372036854775807, 9223372036854775807])",
            "rng.rand([40000, 40000])",
            "rng.randperm(4000000000)",
            "rng.bernoulli(0.5, [9999, 9999])",
            "rng.multinomial(ones(4), 1000000000, true)",
            "rng.choose_members(zeros(4).long(), zeros(4).long(), 1000000)",
            "let v = arange(1000.0); v.unsqueeze(0) + v.unsqueeze(1)",
            "let v = arange(1000.0); v.unsqueeze(0) == v.unsqueeze(1)",
            "let v = arange(1000.0); v.outer(v)",
            "let v = arange(1000.0).unsqueeze(1); v.matmul(v.t())",
            "let v = arange(1000.0).unsqueeze(1); v.cdist(v)",
            "let v = arange(1000.0); einsum(\"i,j->ij\", [v, v])",
            "arange(1000.0).repeat([1000])",
            "arange(1000.0).repeat_interleave(1000)",
            "arange(1000.0).expand([1000, 1000]).clone()",
            "arange(1000.0).expand([1000, 1000]).contiguous()",
            "arange(1000.0).expand([1000, 1000]).reshape([1000000])",
            "arange(1000.0).diag()",
            "arange(1000).one_hot(1000)",
            "bincount(tensor([4000000000]))",
            "arange(4000.0).histogram(100000000, 0, 1)",
            "segment_sum(zeros([4, 4]), arange(4), 100000000)",
            "let x = zeros([10, 1000]); x.index_select(0, arange(1000) % 10)",
            "let x = zeros([10, 1000]); x[arange(1000) % 10]",
            "let all = []; for i in 0..64 { all.push(ones([100, 100])); } cat(all)",
            "let all = []; for i in 0..64 { all.push(ones([100, 100])); }",
            "let all = []; for i in 0..64 { all.push(ones([100, 100]).narrow(0, 0, 1)); }",
            "let all = []; for i in 0..64 { all.push(ones([100, 100]).t()); }",
            "zeros([200000]).unbind()",
        ] {
            let said = within_a_megabyte(script).expect_err(script);
            assert!(said.contains("and may hold 1.0 MB"), "{script}: {said}");
        }
    }

    #[test]
    fn what_is_dropped_makes_room_and_views_take_none() {
        for (script, most) in [
            (
                "for i in 0..1000 { let x = ones([100, 100]); }",
                40_000..130_000,
            ),
            (
                "let x = ones([100, 100]); for i in 0..1000 { x += 1; }",
                80_000..170_000,
            ),
            (
                "let x = ones([300, 300]); let all = []; for i in 0..300 { all.push(x[i]); }",
                360_000..370_000,
            ),
            (
                "let x = ones([300, 300]); [x.t(), x.detach(), x.expand([9, 300, 300])]",
                360_000..370_000,
            ),
        ] {
            let held = within_a_megabyte(script).unwrap();
            assert!(most.contains(&held), "{script}: {held}");
        }
    }

    #[test]
    fn a_state_is_counted_once_and_takes_its_part() {
        let state = trial::value(
            "let x = ones([100, 100]); #{ a: x, b: [x.t(), x[0]], c: #{ d: ones(10) } }",
        );
        assert_eq!(size::of(&state), 40_040);
        begin(MEGABYTE, MEGABYTE - 1000);
        assert_eq!(room(1000), Ok(()));
        assert_eq!(room(1001), Err((MEGABYTE - 1000, MEGABYTE)));
        begin(u64::MAX, 0);
        assert_eq!(size::of(&Dynamic::UNIT), 0);
    }

    #[test]
    fn what_a_graph_keeps_is_held_to_the_end_of_the_call() {
        let script = |x: &str| format!("let x = {x}; for i in 0..100 {{ x = (x * 1.5).exp(); }} x");
        within_a_megabyte(&script("leaf")).unwrap_err();
        within_a_megabyte(&script("leaf.detach()")).unwrap();
    }
}
