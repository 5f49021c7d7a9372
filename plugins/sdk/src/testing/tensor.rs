//! A tensor of a test, in plain memory.

use sandbox_plugin_abi::{SBX_DL_BOOL, SBX_DL_FLOAT, SBX_DL_INT};

/// A tensor of a test: its elements row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Features, cosines, losses.
    F32(Vec<f32>, Vec<usize>),
    /// Rows and labels.
    I64(Vec<i64>, Vec<usize>),
    /// Masks: 0 is false.
    Bool(Vec<u8>, Vec<usize>),
}

impl Tensor {
    /// The sizes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Tensor::F32(_, shape) | Tensor::I64(_, shape) | Tensor::Bool(_, shape) => shape,
        }
    }

    /// Its type as DLPack names it: code, bits, bytes of an element.
    pub(super) fn dtype(&self) -> (u8, u8, usize) {
        match self {
            Tensor::F32(..) => (SBX_DL_FLOAT, 32, 4),
            Tensor::I64(..) => (SBX_DL_INT, 64, 8),
            Tensor::Bool(..) => (SBX_DL_BOOL, 8, 1),
        }
    }

    /// The bytes of its elements, row by row.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Tensor::F32(values, _) => values.iter().flat_map(|x| x.to_ne_bytes()).collect(),
            Tensor::I64(values, _) => values.iter().flat_map(|x| x.to_ne_bytes()).collect(),
            Tensor::Bool(values, _) => values.clone(),
        }
    }

    /// A tensor of the same type and shape from bytes.
    pub(super) fn of(&self, bytes: &[u8]) -> Tensor {
        let shape = self.shape().to_vec();
        let four = |x: &[u8]| f32::from_ne_bytes([x[0], x[1], x[2], x[3]]);
        let eight = |x: &[u8]| i64::from_ne_bytes(std::array::from_fn(|at| x[at]));
        match self {
            Tensor::F32(..) => Tensor::F32(bytes.chunks(4).map(four).collect(), shape),
            Tensor::I64(..) => Tensor::I64(bytes.chunks(8).map(eight).collect(), shape),
            Tensor::Bool(..) => Tensor::Bool(bytes.to_vec(), shape),
        }
    }
}
