//! How large the things are that the arguments of a verb ask for, in elements, as floats: what is asked for may be more than an
//! integer holds.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic};
use tch::Kind;

use super::Handle;
use super::arguments::Arguments;

impl Arguments<'_> {
    /// The tensors among the arguments, those of arrays included.
    pub(super) fn all_tensors(&self) -> Vec<Handle> {
        let mut all = Vec::new();
        let handle = |value: &Dynamic| value.read_lock::<Handle>().map(|handle| handle.clone());
        for value in self.values() {
            match value.read_lock::<Array>() {
                Some(items) => all.extend(items.iter().filter_map(handle)),
                None => all.extend(handle(value)),
            }
        }
        all
    }

    /// Bytes of the widest element, at least those of a float.
    pub(super) fn width(&self) -> f64 {
        let tensors = self.all_tensors();
        let widths = tensors
            .iter()
            .map(|tensor| tensor.kind().elt_size_in_bytes());
        widths.max().unwrap_or(0).max(4) as f64
    }

    pub(super) fn is_tensor(&self, at: usize) -> bool {
        self.values()
            .get(at)
            .is_some_and(|value| value.is::<Handle>())
    }

    /// The shape of a tensor; `[]` where there is none.
    pub(super) fn shape(&self, at: usize) -> Vec<f64> {
        let value = self.values().get(at);
        let handle = value.and_then(|value| value.read_lock::<Handle>());
        let shape = handle.map(|handle| handle.size()).unwrap_or_default();
        shape.into_iter().map(|size| size as f64).collect()
    }

    /// A number that is given.
    pub(super) fn amount(&self, at: usize) -> Option<f64> {
        number(self.values().get(at)?)
    }

    /// A count that is given, 0 where there is none.
    pub(super) fn count(&self, at: usize) -> f64 {
        self.amount(at).unwrap_or(0.0).max(0.0)
    }

    /// A dimension that is given.
    pub(super) fn dim(&self, at: usize, default: i64) -> i64 {
        let given = self.values().get(at).and_then(|value| value.as_int().ok());
        given.unwrap_or(default)
    }

    /// The product of a shape that is given.
    pub(super) fn product(&self, at: usize) -> f64 {
        let items = self
            .values()
            .get(at)
            .and_then(|value| value.read_lock::<Array>());
        match items {
            Some(items) => items
                .iter()
                .map(|item| number(item).unwrap_or(0.0).max(0.0))
                .product(),
            None => self.count(at),
        }
    }

    /// Elements of a tensor.
    pub(super) fn numel(&self, at: usize) -> f64 {
        self.shape(at).iter().product()
    }

    /// The size along a dimension that may count from the end.
    pub(super) fn size(&self, at: usize, dim: i64) -> f64 {
        let shape = self.shape(at);
        let from_end = if dim < 0 { shape.len() as i64 } else { 0 };
        let size = usize::try_from(dim + from_end).ok();
        size.and_then(|dim| shape.get(dim)).copied().unwrap_or(1.0)
    }

    /// Rows of a matrix, or the one of a vector.
    pub(super) fn rows(&self, at: usize) -> f64 {
        match self.shape(at)[..] {
            [rows, _] => rows,
            _ => 1.0,
        }
    }

    /// Elements of all tensors together, or of what broadcasting makes of them where that is more.
    pub(super) fn elements(&self) -> f64 {
        let shapes = shapes(self);
        let all = shapes.iter().map(|shape| shape.iter().product::<f64>());
        all.sum::<f64>().max(joint(&shapes))
    }
}

fn number(value: &Dynamic) -> Option<f64> {
    let float = value.as_float().ok();
    float.or_else(|| value.as_int().ok().map(|int| int as f64))
}

fn shapes(a: &Arguments<'_>) -> Vec<Vec<f64>> {
    let tensors = a.all_tensors();
    let shapes = tensors.iter().map(|tensor| tensor.size());
    shapes
        .map(|shape| shape.into_iter().map(|size| size as f64).collect())
        .collect()
}

/// Elements of what broadcasting makes of these shapes.
fn joint(shapes: &[Vec<f64>]) -> f64 {
    let dims = shapes.iter().map(Vec::len).max().unwrap_or(0);
    let size = |back: usize| {
        let sizes = shapes
            .iter()
            .filter_map(|shape| shape.iter().rev().nth(back));
        sizes.copied().fold(1.0, f64::max)
    };
    (0..dims).map(size).product()
}

/// The leading dimensions of matrices, and how many rows and columns each has.
fn matrix(shape: &[f64]) -> (Vec<f64>, f64, f64) {
    match shape {
        [batch @ .., rows, columns] => (batch.to_vec(), *rows, *columns),
        [columns] => (Vec::new(), 1.0, *columns),
        [] => (Vec::new(), 1.0, 1.0),
    }
}

/// Elements of a product of matrices: rows of the one, columns of the other, for each of the batch.
pub(super) fn products(a: &Arguments<'_>) -> f64 {
    let shapes = shapes(a);
    let [x, y] = &shapes[..] else { return 0.0 };
    let ((batch_x, rows, _), (batch_y, _, columns)) = (matrix(x), matrix(y));
    let columns = if y.len() < 2 { 1.0 } else { columns };
    joint(&[batch_x, batch_y]) * rows * columns
}

/// Elements of the distances of all pairs of rows.
pub(super) fn pairs(a: &Arguments<'_>) -> f64 {
    let shapes = shapes(a);
    let [x, y] = &shapes[..] else { return 0.0 };
    let ((batch_x, rows_x, _), (batch_y, rows_y, _)) = (matrix(x), matrix(y));
    joint(&[batch_x, batch_y]) * rows_x * rows_y
}

/// Elements of all letters that the answer has, or of all that there are where no arrow says which.
pub(super) fn einsum(a: &Arguments<'_>) -> f64 {
    let equation = a.text(0).unwrap_or_default();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let mut sizes = BTreeMap::new();
    for (letters, shape) in left.split(',').zip(shapes(a)) {
        let letters = letters.chars().filter(|letter| letter.is_alphabetic());
        for (letter, size) in letters.zip(shape) {
            let known = sizes.entry(letter).or_insert(1.0);
            *known = size.max(*known);
        }
    }
    let answered = |letter: &char| right.is_none_or(|right| right.contains(*letter));
    let letters = sizes.iter().filter(|(letter, _)| answered(letter));
    letters.map(|(_, size)| size).product()
}

/// Elements of a matrix with that diagonal, or of the diagonal of a matrix.
pub(super) fn diag(a: &Arguments<'_>) -> f64 {
    match a.shape(0)[..] {
        [size] => (size + a.dim(1, 0).unsigned_abs() as f64).powi(2),
        _ => a.numel(0),
    }
}

/// Elements of the slices of the first tensor at the indices of another.
pub(super) fn selected(a: &Arguments<'_>, dim: i64, index: usize) -> f64 {
    a.numel(index) * a.numel(0) / a.size(0, dim).max(1.0)
}

/// Elements of the sums of segments: one more than the classes, of the rest of the shape.
pub(super) fn segments(a: &Arguments<'_>) -> f64 {
    (a.count(2) + 1.0) * a.numel(0) / a.size(0, 0).max(1.0)
}

/// One more than the greatest of some ints: so many bins are there. This waits for the device.
pub(super) fn greatest(a: &Arguments<'_>) -> f64 {
    let tensors = a.all_tensors();
    let Some(x) = tensors.first().filter(|x| x.numel() > 0) else {
        return 0.0;
    };
    let greatest = x.f_max().and_then(|most| most.f_to_kind(Kind::Double));
    let greatest = greatest.and_then(|most| most.f_double_value(&[]));
    greatest.map_or(0.0, |most| most + 1.0)
}

/// How many numbers there are from one to another.
pub(super) fn steps(a: &Arguments<'_>, first: usize) -> f64 {
    let amount = |at| a.amount(at).unwrap_or(0.0);
    let (start, end) = match a.given(first + 1) {
        true => (amount(first), amount(first + 1)),
        false => (0.0, amount(first)),
    };
    let step = a.amount(first + 2).unwrap_or(1.0);
    ((end - start) / step).ceil().max(0.0)
}
