//! Tensors of the host, seen in place.

#![expect(unsafe_code, reason = "a view reads the host's memory")]

use std::borrow::Cow;
use std::marker::PhantomData;
use std::slice;

use sandbox_plugin_abi::{DLTensor, SBX_DL_BOOL, SBX_DL_CPU, SBX_DL_FLOAT, SBX_DL_INT};

use crate::{Error, Result};

/// A type that a tensor's elements can have: `f32`, `i64`, and `u8` for booleans, where 0 is false.
pub trait Element: Copy + private::Sealed {
    /// DLPack's code and bits of it, and its name.
    const TYPE: (u8, u8, &'static str);
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for i64 {}
    impl Sealed for u8 {}
}

impl Element for f32 {
    const TYPE: (u8, u8, &'static str) = (SBX_DL_FLOAT, 32, "f32");
}

impl Element for i64 {
    const TYPE: (u8, u8, &'static str) = (SBX_DL_INT, 64, "i64");
}

impl Element for u8 {
    const TYPE: (u8, u8, &'static str) = (SBX_DL_BOOL, 8, "bool");
}

/// Where the elements are.
#[derive(Clone, Debug)]
struct Place<T> {
    first: *mut T,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl<T: Element> Place<T> {
    /// # Safety
    /// `tensor` is null or a tensor of the contract.
    unsafe fn new(tensor: *const DLTensor, name: &str) -> Result<Self> {
        if tensor.is_null() {
            return Err(Error::new(format!("the host gives no tensor '{name}'")));
        }
        // SAFETY: the caller says so.
        let tensor = unsafe { &*tensor };
        let (code, bits, expected) = T::TYPE;
        let dtype = tensor.dtype;
        if (dtype.code, dtype.bits, dtype.lanes) != (code, bits, 1) {
            return Err(Error::new(format!(
                "'{name}': expected elements of {expected}, found code {} of {} bits",
                dtype.code, dtype.bits
            )));
        }
        if tensor.device.device_type != SBX_DL_CPU {
            return Err(Error::new(format!(
                "'{name}' lives on device {:?}: a policy with Devices::Any uses raw_input and raw_output there",
                tensor.device
            )));
        }
        let rank = usize::try_from(tensor.ndim)
            .map_err(|_| Error::new(format!("'{name}' has {} dimensions", tensor.ndim)))?;
        let sizes = |pointer: *mut i64| -> Vec<usize> {
            // SAFETY: the contract says that there are `ndim` of them.
            (0..rank)
                .map(|at| unsafe { *pointer.add(at) } as usize)
                .collect()
        };
        Ok(Self {
            // SAFETY: the contract says that the first element is there.
            first: unsafe { tensor.data.cast::<u8>().add(tensor.byte_offset as usize) }.cast(),
            shape: sizes(tensor.shape),
            strides: sizes(tensor.strides),
        })
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the elements lie one after the other, row by row.
    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let axes = self.shape.iter().zip(&self.strides).rev();
        axes.into_iter().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        }) || self.len() == 0
    }

    /// The distance of an element from the first one.
    fn offset(&self, at: &[usize]) -> usize {
        assert_eq!(at.len(), self.shape.len(), "an index for each dimension");
        let axes = at.iter().zip(&self.shape).zip(&self.strides);
        axes.map(|((&at, &size), &stride)| {
            assert!(at < size, "index {at} is out of range: there are {size}");
            at * stride
        })
        .sum()
    }
}

/// A tensor of the host to be read. It lives as long as the call.
#[derive(Clone, Debug)]
pub struct View<'a, T> {
    place: Place<T>,
    call: PhantomData<&'a [T]>,
}

impl<'a, T: Element> View<'a, T> {
    /// # Safety
    /// `tensor` is null or a tensor of the contract that nobody writes while `'a` lasts.
    pub(crate) unsafe fn new(tensor: *const DLTensor, name: &str) -> Result<Self> {
        Ok(Self {
            // SAFETY: the caller says so.
            place: unsafe { Place::new(tensor, name)? },
            call: PhantomData,
        })
    }

    /// The sizes.
    pub fn shape(&self) -> &[usize] {
        &self.place.shape
    }

    /// An element.
    ///
    /// # Panics
    /// When an index is out of range, or there is not one for each dimension.
    pub fn get(&self, at: &[usize]) -> T {
        // SAFETY: the element is one of the tensor's: each index was compared with its size.
        unsafe { *self.place.first.add(self.place.offset(at)) }
    }

    /// Row `at` of a tensor of two dimensions: in place where its elements are neighbours, else copied.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, at: usize) -> Cow<'a, [T]> {
        assert_eq!(
            self.place.shape.len(),
            2,
            "rows are those of two dimensions"
        );
        let width = self.place.shape[1];
        if width == 0 {
            return Cow::Borrowed(&[]);
        }
        if self.place.strides[1] == 1 || width == 1 {
            let start = self.place.offset(&[at, 0]);
            // SAFETY: the row lies in the tensor, and its elements are neighbours; nobody writes it while the call lasts.
            return Cow::Borrowed(unsafe {
                slice::from_raw_parts(self.place.first.add(start), width)
            });
        }
        Cow::Owned((0..width).map(|column| self.get(&[at, column])).collect())
    }

    /// All elements, row by row: in place where they are neighbours, else copied.
    pub fn values(&self) -> Cow<'a, [T]> {
        let count = self.place.len();
        if count == 0 {
            return Cow::Borrowed(&[]);
        }
        if self.place.is_contiguous() {
            // SAFETY: the tensor has so many elements, which are neighbours; nobody writes them while the call lasts.
            return Cow::Borrowed(unsafe { slice::from_raw_parts(self.place.first, count) });
        }
        let mut at = vec![0; self.place.shape.len()];
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.get(&at));
            for (at, &size) in at.iter_mut().zip(&self.place.shape).rev() {
                *at += 1;
                if *at < size {
                    break;
                }
                *at = 0;
            }
        }
        Cow::Owned(all)
    }
}

/// A tensor of the host to be written: an answer. It lives as long as the call, and its elements lie row by row.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    place: Place<T>,
    call: PhantomData<&'a mut [T]>,
}

impl<T: Element> ViewMut<'_, T> {
    /// # Safety
    /// `tensor` is null or a tensor of the contract that nobody else sees while the call lasts.
    pub(crate) unsafe fn new(tensor: *mut DLTensor, name: &str) -> Result<Self> {
        // SAFETY: the caller says so.
        let place = unsafe { Place::new(tensor, name)? };
        if !place.is_contiguous() {
            return Err(Error::new(format!("the answer '{name}' is not contiguous")));
        }
        Ok(Self {
            place,
            call: PhantomData,
        })
    }

    /// The sizes.
    pub fn shape(&self) -> &[usize] {
        &self.place.shape
    }

    /// All elements, row by row.
    pub fn values_mut(&mut self) -> &mut [T] {
        let count = self.place.len();
        if count == 0 {
            return &mut [];
        }
        // SAFETY: the tensor has so many elements, which are neighbours, and this is the only view of it.
        unsafe { slice::from_raw_parts_mut(self.place.first, count) }
    }

    /// Row `at` of a tensor of two dimensions.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row_mut(&mut self, at: usize) -> &mut [T] {
        assert_eq!(
            self.place.shape.len(),
            2,
            "rows are those of two dimensions"
        );
        let width = self.place.shape[1];
        &mut self.values_mut()[at * width..][..width]
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::c_void;

    use sandbox_plugin_abi::{DLDataType, DLDevice};

    use super::*;

    fn tensor<T: Element>(data: &mut [T], shape: &mut [i64], strides: &mut [i64]) -> DLTensor {
        let (code, bits, _) = T::TYPE;
        DLTensor {
            data: data.as_mut_ptr().cast::<c_void>(),
            device: DLDevice {
                device_type: SBX_DL_CPU,
                device_id: 0,
            },
            ndim: shape.len() as i32,
            dtype: DLDataType {
                code,
                bits,
                lanes: 1,
            },
            shape: shape.as_mut_ptr(),
            strides: strides.as_mut_ptr(),
            byte_offset: 0,
        }
    }

    #[test]
    fn rows_are_seen_in_place_and_strides_are_honoured() {
        let mut data = [0_i64, 1, 2, 3, 4, 5];
        let (mut shape, mut strides) = ([2, 3], [3, 1]);
        let plain = tensor(&mut data, &mut shape, &mut strides);
        // SAFETY: the tensor is one of the contract, and lives.
        let view = unsafe { View::<i64>::new(&raw const plain, "x") }.unwrap();
        assert!(matches!(view.row(1), Cow::Borrowed([3, 4, 5])));
        assert_eq!(*view.values(), [0, 1, 2, 3, 4, 5]);
        assert_eq!((view.get(&[1, 2]), view.shape()), (5, &[2, 3][..]));

        let (mut shape, mut strides) = ([3, 2], [1, 3]);
        let turned = tensor(&mut data, &mut shape, &mut strides);
        // SAFETY: as above.
        let view = unsafe { View::<i64>::new(&raw const turned, "x") }.unwrap();
        assert_eq!(*view.row(1), [1, 4]);
        assert_eq!(*view.values(), [0, 3, 1, 4, 2, 5]);
    }

    #[test]
    fn nothing_and_single_numbers_have_values_too() {
        let mut data = [0.5_f32];
        let plain = tensor(&mut data, &mut [], &mut []);
        // SAFETY: as above.
        let view = unsafe { View::<f32>::new(&raw const plain, "x") }.unwrap();
        assert_eq!((view.get(&[]), view.values().len()), (0.5, 1));
        let (mut shape, mut strides) = ([0, 3], [3, 1]);
        let none = tensor(&mut data, &mut shape, &mut strides);
        // SAFETY: as above.
        let view = unsafe { View::<f32>::new(&raw const none, "x") }.unwrap();
        assert!(view.values().is_empty());
    }

    #[test]
    fn answers_are_written_in_place() {
        let mut data = [-1_i64; 6];
        let (mut shape, mut strides) = ([2, 3], [3, 1]);
        let mut plain = tensor(&mut data, &mut shape, &mut strides);
        // SAFETY: as above.
        let mut view = unsafe { ViewMut::<i64>::new(&raw mut plain, "x") }.unwrap();
        view.row_mut(1).copy_from_slice(&[7, 8, 9]);
        view.values_mut()[0] = 3;
        assert_eq!(data, [3, -1, -1, 7, 8, 9]);
    }

    #[test]
    fn other_types_devices_and_nothing_at_all_are_errors() {
        let mut data = [0_i64; 2];
        let (mut shape, mut strides) = ([2], [1]);
        let mut plain = tensor(&mut data, &mut shape, &mut strides);
        // SAFETY: as above.
        let error = unsafe { View::<f32>::new(&raw const plain, "labels") }.unwrap_err();
        assert_eq!(
            error.to_string(),
            "'labels': expected elements of f32, found code 0 of 64 bits"
        );
        plain.device.device_type = 2;
        // SAFETY: as above.
        let error = unsafe { View::<i64>::new(&raw const plain, "labels") }.unwrap_err();
        assert!(error.to_string().contains("raw_input"));
        // SAFETY: null is allowed.
        let error = unsafe { View::<i64>::new(std::ptr::null(), "labels") }.unwrap_err();
        assert_eq!(error.to_string(), "the host gives no tensor 'labels'");
    }

    #[test]
    #[should_panic(expected = "index 2 is out of range: there are 2")]
    fn an_index_out_of_range_panics() {
        let mut data = [0_i64; 2];
        let (mut shape, mut strides) = ([2], [1]);
        let plain = tensor(&mut data, &mut shape, &mut strides);
        // SAFETY: as above.
        let view = unsafe { View::<i64>::new(&raw const plain, "x") }.unwrap();
        let _ = view.get(&[2]);
    }
}
