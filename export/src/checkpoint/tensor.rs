//! Tensors: what the pickle says of them, checked against the file, and their numbers.
#![forbid(unsafe_code)]

use std::fmt;

use half::{bf16, f16};

use super::file::{PartId, WeightFile};
use super::pickle::{Global, Id, Node, Pickle};

/// The most dimensions of a tensor. wav2vec2 has three.
const MAX_DIMENSIONS: usize = 8;
/// The most elements of a tensor, 8 GiB as `f32`.
const MAX_ELEMENTS: usize = 1 << 31;
/// The most elements of a tensor that repeats its storage's by strides of zero (`expand`), 64 MiB as `f32`.
const MAX_REPEATED_ELEMENTS: usize = 1 << 24;

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// `float64`
    F64,
    /// `float32`
    F32,
    /// `float16`
    F16,
    /// `bfloat16`
    Bf16,
    /// `int64`
    I64,
    /// `int32`
    I32,
    /// `int16`
    I16,
    /// `int8`
    I8,
    /// `uint8`
    U8,
    /// `bool`
    Bool,
}

impl Dtype {
    /// The type of the numbers in a `torch.FloatStorage` and so on.
    pub(super) fn of_storage(name: &str) -> Option<Self> {
        Some(match name {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            "BoolStorage" => Self::Bool,
            _ => return None,
        })
    }

    /// Bytes of a number.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::I16 => "int16",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::Bool => "bool",
        })
    }
}

/// What a checkpoint says of a tensor. Its numbers are known to be in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// Its size in each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// The type of its numbers as stored.
    pub dtype: Dtype,
    /// The part of its file that its numbers are in.
    part: PartId,
    /// The place of its first number in the part, in numbers.
    offset: usize,
    /// How far apart in the part neighbours are in each dimension, in numbers.
    strides: Vec<usize>,
}

impl TensorInfo {
    /// How many numbers it has.
    #[must_use]
    pub fn elements(&self) -> usize {
        // Known not to overflow since `check_bounds`.
        self.shape.iter().product()
    }

    /// How many bytes its numbers have as stored.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        // Fewer than 2^31 numbers of at most 8 bytes.
        self.elements() as u64 * self.dtype.size() as u64
    }

    /// The part of its file that its numbers are in.
    pub(super) fn part(&self) -> PartId {
        self.part
    }

    /// A tensor that fills the file's part of the same name. Says what is wrong otherwise.
    pub(super) fn of_part(file: &WeightFile, name: &str, dtype: Dtype, shape: Vec<usize>) -> Result<Self, String> {
        let Some(part) = file.find(name) else {
            return Err("its numbers are missing".to_owned());
        };
        let mut strides = vec![1_usize; shape.len()];
        for i in (1..shape.len()).rev() {
            // Of a tensor without elements a stride can be anything.
            strides[i - 1] = strides[i].saturating_mul(shape[i]);
        }
        let tensor = Self {
            shape,
            dtype,
            part,
            offset: 0,
            strides,
        };
        tensor.check_bounds(file.size(part) / dtype.size())?;
        Ok(tensor)
    }

    /// Checks the arguments of `torch._utils._rebuild_tensor_v2` against the file. Says what is wrong otherwise.
    pub(super) fn of_pickle(pickle: &Pickle<'_>, arguments: Id, file: &WeightFile) -> Result<Self, String> {
        let Some(&[storage, offset, shape, strides, ref options @ ..]) = pickle.tuple(arguments) else {
            return Err("expected storage, offset, shape and strides".to_owned());
        };
        let (dtype, key, capacity) = storage_of(pickle, storage)?;
        let offset = size(pickle, offset).ok_or("expected a whole number from 0 as offset")?;
        let shape = sizes(pickle, shape).ok_or("expected whole numbers from 0 as shape")?;
        let strides = sizes(pickle, strides).ok_or("expected whole numbers from 0 as strides")?;

        // After the flag for gradients and the hooks: marks of a view that negates or conjugates when read.
        if let Some(&marks) = options.get(2)
            && !matches!(pickle.node(marks), Node::None)
            && !pickle.dict(marks).is_some_and(<[_]>::is_empty)
        {
            return Err("expected a tensor of its own, found a view that negates or conjugates another".to_owned());
        }

        let part_name = format!("data/{key}");
        let Some(part) = file.find(&part_name) else {
            return Err(format!(
                "its numbers are missing: the file has no entry `{}`",
                super::shown(&part_name)
            ));
        };
        let bytes = file.size(part);
        if capacity.checked_mul(dtype.size()) != Some(bytes) {
            return Err(format!(
                "expected {capacity} numbers of type {dtype} in entry `{part_name}`, found {bytes} bytes"
            ));
        }

        let tensor = Self {
            shape,
            dtype,
            part,
            offset,
            strides,
        };
        tensor.check_bounds(capacity)?;
        Ok(tensor)
    }

    /// Checks that every number lies among the `capacity` ones of the storage.
    fn check_bounds(&self, capacity: usize) -> Result<(), String> {
        let Self {
            shape, strides, offset, ..
        } = self;
        if shape.len() > MAX_DIMENSIONS || shape.len() != strides.len() {
            return Err(format!(
                "expected at most {MAX_DIMENSIONS} dimensions and a stride for each, found {} and {}",
                shape.len(),
                strides.len()
            ));
        }
        // Without regard to sizes of 0, so that no product of some of the sizes overflows either.
        let limit = MAX_ELEMENTS.min(capacity.max(MAX_REPEATED_ELEMENTS));
        let elements = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size.max(1)));
        if elements.is_none_or(|elements| elements > limit) {
            return Err(format!(
                "shape {shape:?} has more than {limit} elements, and its storage has {capacity}"
            ));
        }
        if shape.contains(&0) {
            return Ok(());
        }
        let last = shape.iter().zip(strides).try_fold(*offset, |place, (&size, &stride)| {
            (size - 1).checked_mul(stride)?.checked_add(place)
        });
        if last.is_none_or(|last| last >= capacity) {
            return Err(format!(
                "offset {offset}, shape {shape:?} and strides {strides:?} reach beyond the {capacity} numbers of its \
                 storage"
            ));
        }
        Ok(())
    }

    /// Its numbers in row-major order, appended to `out`, from the bytes of its part.
    ///
    /// Returns whether that is possible: `false` for a type that isn't floating-point.
    pub(super) fn read(&self, bytes: &[u8], out: &mut Vec<f32>) -> bool {
        match self.dtype {
            Dtype::F64 => self.read_as(bytes, out, |number| f64::from_le_bytes(number) as f32),
            Dtype::F32 => self.read_as(bytes, out, f32::from_le_bytes),
            Dtype::F16 => self.read_as(bytes, out, |number| f16::from_le_bytes(number).to_f32()),
            Dtype::Bf16 => self.read_as(bytes, out, |number| bf16::from_le_bytes(number).to_f32()),
            _ => return false,
        }
        true
    }

    fn read_as<const N: usize>(&self, bytes: &[u8], out: &mut Vec<f32>, convert: impl Fn([u8; N]) -> f32) {
        let elements = self.elements();
        if elements == 0 {
            return;
        }
        let (numbers, _) = bytes.as_chunks::<N>();
        // A dimension of size 1 takes no part. For the others `check_bounds` keeps all sums below within `capacity`.
        let dimensions: Vec<(usize, usize)> = self
            .shape
            .iter()
            .copied()
            .zip(self.strides.iter().copied())
            .filter(|&(size, _)| size > 1)
            .collect();

        let mut dense = 1;
        let contiguous = dimensions.iter().rev().all(|&(size, stride)| {
            let fits = stride == dense;
            dense *= size;
            fits
        });
        if contiguous {
            let numbers = &numbers[self.offset..][..elements];
            out.extend(numbers.iter().map(|&number| convert(number)));
            return;
        }

        let mut index = vec![0; dimensions.len()];
        let mut place = self.offset;
        for _ in 0..elements {
            out.push(convert(numbers[place]));
            for (i, &(size, stride)) in index.iter_mut().zip(&dimensions).rev() {
                *i += 1;
                place += stride;
                if *i < size {
                    break;
                }
                place -= size * stride;
                *i = 0;
            }
        }
    }
}

/// A storage's type, its key (its part of the file is `data/KEY`), and how many numbers it has.
pub(super) fn storage_of<'a>(pickle: &Pickle<'a>, storage: Id) -> Result<(Dtype, &'a str, usize), String> {
    let describe = || {
        let &Node::Storage(description) = pickle.node(storage) else {
            return None;
        };
        // The place, such as `cuda:0`, is where the tensor was, and means nothing here.
        let &[tag, kind, key, _place, capacity, ref view @ ..] = pickle.tuple(description)? else {
            return None;
        };
        // Before PyTorch 1.6 a storage could be a view of another; PyTorch 1 itself only wrote that it is none.
        if !matches!(view, [] | [_]) || view.iter().any(|&view| *pickle.node(view) != Node::None) {
            return None;
        }
        let &Node::Global(Global::Storage(dtype)) = pickle.node(kind) else {
            return None;
        };
        (pickle.str(tag)? == "storage").then_some((dtype, pickle.str(key)?, size(pickle, capacity)?))
    };
    describe().ok_or_else(|| "expected its storage as `storage`, type, key, place and size".to_owned())
}

fn size(pickle: &Pickle<'_>, id: Id) -> Option<usize> {
    usize::try_from(pickle.int(id)?).ok()
}

/// A tuple of sizes (a `torch.Size` is one too).
fn sizes(pickle: &Pickle<'_>, id: Id) -> Option<Vec<usize>> {
    pickle.tuple(id)?.iter().map(|&id| size(pickle, id)).collect()
}
