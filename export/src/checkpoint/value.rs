//! The plain values that a training script keeps beside the weights.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::pickle::{Id, Node, Pickle};

/// How deep values may be nested.
const MAX_DEPTH: usize = 32;
/// How many values and bytes of text are read, over all nesting.
const MAX_SIZE: usize = 1 << 20;

/// A plain value, such as an entry of the training configuration.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A floating-point number, NaN and infinities included.
    Float(f64),
    /// Text. PyTorch's number types are text too, such as `torch.float16`.
    Str(String),
    /// A list, tuple or set.
    List(Vec<Value>),
    /// A dict. Keys that are integers or truth values are spelled as in Python; other keys are left out.
    Map(BTreeMap<String, Value>),
    /// What else there was, such as `a tensor`; not read.
    Other(&'static str),
}

impl Value {
    /// Copies a value out of the pickle. Says what is wrong with it otherwise: too much of it or too deep.
    ///
    /// A value that the pickle mentions often counts every time, or else a small pickle could make a huge value.
    pub(super) fn copy(pickle: &Pickle<'_>, id: Id) -> Result<Self, String> {
        Copier { pickle, left: MAX_SIZE }.copy(id, MAX_DEPTH)
    }
}

struct Copier<'p, 'a> {
    pickle: &'p Pickle<'a>,
    /// How many more values and bytes of text may be read.
    left: usize,
}

impl Copier<'_, '_> {
    fn spend(&mut self, size: usize) -> Result<(), String> {
        match self.left.checked_sub(size) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!("more than the {MAX_SIZE} values and bytes of text expected")),
        }
    }

    fn copy(&mut self, id: Id, depth: usize) -> Result<Value, String> {
        self.spend(1)?;
        let deeper = || {
            depth
                .checked_sub(1)
                .ok_or_else(|| format!("nested more than the {MAX_DEPTH} levels expected"))
        };
        Ok(match self.pickle.node(id) {
            Node::None => Value::None,
            &Node::Bool(value) => Value::Bool(value),
            &Node::Int(value) => Value::Int(value),
            &Node::Float(value) => Value::Float(value),
            &Node::Str(value) => {
                self.spend(value.len())?;
                Value::Str(value.to_owned())
            }
            Node::Tuple(items) | Node::List(items) => {
                let depth = deeper()?;
                Value::List(
                    items
                        .iter()
                        .map(|&item| self.copy(item, depth))
                        .collect::<Result<_, _>>()?,
                )
            }
            Node::Dict(items) => {
                let depth = deeper()?;
                let mut map = BTreeMap::new();
                for &(key, value) in items {
                    self.spend(1)?;
                    let key = match self.pickle.node(key) {
                        Node::Str(key) => {
                            self.spend(key.len())?;
                            (*key).to_owned()
                        }
                        Node::Int(key) => key.to_string(),
                        Node::Bool(true) => "True".to_owned(),
                        Node::Bool(false) => "False".to_owned(),
                        _ => continue,
                    };
                    map.insert(key, self.copy(value, depth)?);
                }
                Value::Map(map)
            }
            other => Value::Other(other.kind()),
        })
    }
}
