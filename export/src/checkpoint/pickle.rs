//! A reader of pickles that can build plain values and describe tensors, and do nothing else.
//!
//! A pickle is a program for a small stack machine that may name any function of Python and call it. Here a name is
//! looked up in [`Global::find`], a closed list of inert data types, and "calling" one makes a [`Node`]. There is no
//! code to run: a name outside the list ends the reading. Objects that training tools leave beside the weights
//! ([`INERT_PACKAGES`]) become a [`Node`] that says what they were, and nothing else of them is kept.
//!
//! Values live in one arena and refer to each other by [`Id`]. So a value that the pickle mentions a thousand times
//! exists once, cycles are harmless, and neither reading nor dropping recurses however deep the nesting.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::path::Path;

use super::tensor::Dtype;
use crate::Error;

/// The largest `data.pkl` read, in bytes. That of a network with a thousand tensors and its optimiser has 0.5 MiB.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// The most steps taken. Each makes at most one node (32 bytes), one memo entry and one mention of a node, which bounds
/// the memory at about 100 times the pickle's size and 400 MiB in all.
const MAX_STEPS: usize = 1 << 22;

/// A value of a pickle, by its place in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

/// A value of a pickle. `'a` is the pickle's text.
#[derive(Debug, PartialEq)]
pub(super) enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    Bytes(&'a [u8]),
    /// The bytes that a string has in Latin-1, which is how protocol 2 writes bytes.
    Latin1(&'a str),
    Tuple(Vec<Id>),
    /// A list or set.
    List(Vec<Id>),
    /// In the order written. A key may come twice.
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// The arguments of `torch._utils._rebuild_tensor_v2`, not yet checked.
    Tensor(Id),
    /// The description of a storage, not yet checked.
    Storage(Id),
    /// A NumPy type, such as `f8`.
    NumpyType {
        code: &'a str,
        big_endian: bool,
    },
    /// A harmless value of no use here, and what it is.
    Opaque(&'static str),
}

impl Node<'_> {
    /// What the value is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Str(_) => "a string",
            Self::Bytes(_) | Self::Latin1(_) => "bytes",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Global(_) => "a type",
            Self::Tensor(_) => "a tensor",
            Self::Storage(_) => "a storage",
            Self::NumpyType { .. } => "a NumPy type",
            Self::Opaque(kind) => kind,
        }
    }
}

/// The types and functions that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict` and `collections.defaultdict`.
    Dict,
    /// Those that are made from one collection and stand for it here: `set`, `torch.Size`, `collections.Counter`.
    Collection,
    /// A type that only occurs as the default of a `defaultdict`.
    Factory,
    Tensor,
    Parameter,
    Storage(Dtype),
    NumpyType,
    NumpyScalar,
    NumpyArray,
    /// `_codecs.encode`.
    Encode,
    /// Those whose values have no use here.
    Opaque(&'static str),
}

/// The names under which PyTorch's number types occur among plain values. They are kept as strings.
const TORCH_TYPES: [&str; 14] = [
    "torch.float64",
    "torch.float32",
    "torch.float16",
    "torch.bfloat16",
    "torch.int64",
    "torch.int32",
    "torch.int16",
    "torch.int8",
    "torch.uint8",
    "torch.bool",
    "torch.complex64",
    "torch.complex128",
    "torch.float8_e4m3fn",
    "torch.float8_e5m2",
];

/// Packages whose objects hold settings of a training, and what they are here: nothing but their name. Checkpoints of
/// fairseq have them.
const INERT_PACKAGES: [(&str, &str); 2] = [
    ("fairseq", "an object of fairseq"),
    ("omegaconf", "an object of omegaconf"),
];

impl Global {
    /// Looks up a name of Python 3, or that of Python 2 which protocol 2 writes instead.
    fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict" | "defaultdict") => Self::Dict,
            ("collections", "Counter") | ("torch", "Size") => Self::Collection,
            ("builtins" | "__builtin__", "set" | "frozenset") => Self::Collection,
            ("builtins" | "__builtin__", "dict" | "list" | "tuple" | "int" | "long" | "float" | "str" | "bool") => {
                Self::Factory
            }
            ("builtins" | "__builtin__", "bytes") => Self::Opaque("bytes"),
            ("builtins" | "__builtin__", "bytearray") => Self::Opaque("a bytearray"),
            ("builtins" | "__builtin__", "complex") => Self::Opaque("a complex number"),
            ("torch._utils", "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::Parameter,
            ("torch", "device") => Self::Opaque("a device"),
            ("torch", storage) => Self::Storage(Dtype::of_storage(storage)?),
            ("numpy", "dtype") => Self::NumpyType,
            ("numpy", "ndarray") => Self::Opaque("a NumPy array"),
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::NumpyScalar,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Self::NumpyArray,
            ("_codecs", "encode") => Self::Encode,
            ("argparse", "Namespace") => Self::Opaque("an argparse.Namespace"),
            ("typing", "Any") => Self::Opaque("a type"),
            (module, _) => {
                let package = module.split('.').next();
                let inert = INERT_PACKAGES.iter().find(|&&(name, _)| package == Some(name));
                Self::Opaque(inert?.1)
            }
        })
    }
}

/// Why a pickle was not read.
#[derive(Debug)]
pub(super) enum Failure {
    /// It names something outside the list.
    Refused(String),
    /// It isn't as `torch.save` writes it.
    Invalid { offset: usize, detail: String },
}

impl Failure {
    /// The error about a pickle in `part` of the file at `path`, where it starts at byte `start`.
    pub(super) fn into_error(self, path: &Path, part: &'static str, start: usize) -> Error {
        let path = path.to_owned();
        match self {
            Self::Refused(global) => Error::RefusedGlobal { path, global },
            Self::Invalid { offset, detail } => Error::Pickle {
                path,
                part,
                offset: start + offset,
                detail,
            },
        }
    }
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
    /// Where it ends.
    len: usize,
}

impl<'a> Pickle<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Failure> {
        let mut machine = Machine {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let mut step_start = 0;
        let root = machine.run(&mut step_start).map_err(|stop| match stop {
            Stop::Refused(global) => Failure::Refused(global),
            Stop::Invalid(detail) => Failure::Invalid {
                offset: step_start,
                detail,
            },
        })?;
        Ok(Self {
            nodes: machine.nodes,
            root,
            len: machine.at,
        })
    }

    /// How many bytes it has, the last instruction included. What follows was not read.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Every storage in it.
    pub(super) fn storages(&self) -> impl Iterator<Item = Id> {
        // Places in the arena are fewer than 2^32.
        let ids = (0_u32..).zip(&self.nodes);
        ids.filter(|(_, node)| matches!(node, Node::Storage(_)))
            .map(|(id, _)| Id(id))
    }

    /// The value that the pickle is of.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    pub(super) fn node(&self, id: Id) -> &Node<'a> {
        node(&self.nodes, id)
    }

    pub(super) fn str(&self, id: Id) -> Option<&'a str> {
        match *self.node(id) {
            Node::Str(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, id: Id) -> Option<i64> {
        match *self.node(id) {
            Node::Int(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.node(id) {
            Node::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn dict(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.node(id) {
            Node::Dict(items) => Some(items),
            _ => None,
        }
    }
}

/// The arena only grows, and an `Id` is only made of a place in it.
fn node<'n, 'a>(nodes: &'n [Node<'a>], id: Id) -> &'n Node<'a> {
    &nodes[id.0 as usize]
}

/// Why the machine stopped.
enum Stop {
    Refused(String),
    Invalid(String),
}

type Step<T> = Result<T, Stop>;

fn invalid<T>(detail: impl Into<String>) -> Step<T> {
    Err(Stop::Invalid(detail.into()))
}

/// The stack machine. Names of its instructions are those of Python's `pickletools`.
struct Machine<'a> {
    bytes: &'a [u8],
    /// The place of the next byte.
    at: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack, each at most the next.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Runs to the `STOP` instruction. `step_start` is kept at the place of the instruction that is run.
    fn run(&mut self, step_start: &mut usize) -> Step<Id> {
        for _ in 0..MAX_STEPS {
            *step_start = self.at;
            let [code] = self.take()?;
            if code == b'.' {
                let root = self.pop()?;
                return match self.stack.is_empty() && self.marks.is_empty() {
                    true => Ok(root),
                    false => invalid("it ends with more than one value"),
                };
            }
            self.step(code)?;
        }
        invalid(format!("it has more than {MAX_STEPS} instructions"))
    }

    fn step(&mut self, code: u8) -> Step<()> {
        match code {
            // PROTO
            0x80 => match self.take()? {
                [2..=5] => {}
                [protocol] => return invalid(format!("it has protocol {protocol}, expected 2 to 5")),
            },
            // FRAME: a hint for buffering
            0x95 => drop(self.take::<8>()?),

            // NONE, NEWTRUE, NEWFALSE, and numbers
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'K' => {
                let [number] = self.take()?;
                self.push(Node::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.take()?);
                self.push(Node::Int(number.into()));
            }
            b'J' => {
                let number = i32::from_le_bytes(self.take()?);
                self.push(Node::Int(number.into()));
            }
            0x8a => {
                let [len] = self.take()?;
                self.long(len.into())?;
            }
            0x8b => {
                let len = u32::from_le_bytes(self.take()?);
                self.long(len.into())?;
            }
            b'G' => {
                let number = f64::from_be_bytes(self.take()?);
                self.push(Node::Float(number));
            }

            // Strings and bytes: SHORT_BINUNICODE, BINUNICODE, BINUNICODE8, and likewise for bytes
            0x8c => {
                let [len] = self.take()?;
                self.string(len.into())?;
            }
            b'X' => {
                let len = u32::from_le_bytes(self.take()?);
                self.string(len.into())?;
            }
            0x8d => {
                let len = u64::from_le_bytes(self.take()?);
                self.string(len)?;
            }
            b'C' => {
                let [len] = self.take()?;
                self.byte_string(len.into())?;
            }
            b'B' => {
                let len = u32::from_le_bytes(self.take()?);
                self.byte_string(len.into())?;
            }
            // BINBYTES8, BYTEARRAY8
            0x8e | 0x96 => {
                let len = u64::from_le_bytes(self.take()?);
                self.byte_string(len)?;
            }

            // Tuples: EMPTY_TUPLE, TUPLE1 to TUPLE3, TUPLE
            b')' => self.push(Node::Tuple(Vec::new())),
            0x85..=0x87 => {
                let height = self.stack.len().checked_sub(usize::from(code - 0x84));
                let Some(height) = height.filter(|&height| height >= self.floor()) else {
                    return invalid("a tuple of more values than there are");
                };
                let items = self.stack.split_off(height);
                self.push(Node::Tuple(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items));
            }

            // Lists and sets: EMPTY_LIST, EMPTY_SET, APPEND, APPENDS, ADDITEMS, FROZENSET
            b']' | 0x8f => self.push(Node::List(Vec::new())),
            b'a' => {
                let item = self.pop()?;
                self.top_list()?.push(item);
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.top_list()?.extend(items);
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items));
            }

            // Dicts: EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.push(Node::Dict(Vec::new())),
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.top_dict()?.push((key, value));
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                let (pairs, []) = items.as_chunks() else {
                    return invalid("a key without a value");
                };
                self.top_dict()?.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }

            // MARK, POP, POP_MARK
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),

            // The memo: BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' => {
                let [key] = self.take()?;
                self.remember(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.take()?);
                self.remember(key)?;
            }
            0x94 => {
                // Steps are counted, so there are fewer than 2^32 entries.
                self.remember(self.memo.len() as u32)?;
            }
            b'h' => {
                let [key] = self.take()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.take()?);
                self.recall(key)?;
            }

            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(module, name)?;
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                match (self.node(module), self.node(name)) {
                    (&Node::Str(module), &Node::Str(name)) => self.global(module, name)?,
                    _ => return invalid("a name that isn't a string"),
                }
            }
            // REDUCE, NEWOBJ, BUILD, BINPERSID
            b'R' => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                self.reduce(function, arguments)?;
            }
            0x81 => {
                let _arguments = self.pop()?;
                let class = self.pop()?;
                match *self.node(class) {
                    Node::Global(Global::Opaque(kind)) => self.push(Node::Opaque(kind)),
                    ref other => return invalid(format!("an object of {} is made, expected a type", other.kind())),
                }
            }
            b'b' => {
                let state = self.pop()?;
                self.build(state)?;
            }
            b'Q' => {
                let description = self.pop()?;
                self.push(Node::Storage(description));
            }

            code => return invalid(format!("instruction 0x{code:02x} is none that plain weights need")),
        }
        Ok(())
    }

    fn node(&self, id: Id) -> &Node<'a> {
        node(&self.nodes, id)
    }

    /// Adds a value to the arena and puts it on the stack.
    fn push(&mut self, node: Node<'a>) {
        // Steps are counted, so there are fewer than 2^32 nodes.
        self.stack.push(Id(self.nodes.len() as u32));
        self.nodes.push(node);
    }

    /// The height of the stack at the last mark. What is below can't be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Id> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.floor() => Ok(id),
            _ => invalid("a value is missing on the stack"),
        }
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Takes the values above the last mark, and the mark.
    fn pop_to_mark(&mut self) -> Step<Vec<Id>> {
        match self.marks.pop() {
            // Nothing goes below a mark, so it is at most the height.
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => invalid("a mark is missing on the stack"),
        }
    }

    fn top_list(&mut self) -> Step<&mut Vec<Id>> {
        let top = self.top()?;
        match &mut self.nodes[top.0 as usize] {
            Node::List(items) => Ok(items),
            other => invalid(format!("an item is added to {}, expected a list", other.kind())),
        }
    }

    fn top_dict(&mut self) -> Step<&mut Vec<(Id, Id)>> {
        let top = self.top()?;
        match &mut self.nodes[top.0 as usize] {
            Node::Dict(items) => Ok(items),
            other => invalid(format!("an item is set in {}, expected a dict", other.kind())),
        }
    }

    fn remember(&mut self, key: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Step<()> {
        match self.memo.get(&key) {
            Some(&id) => {
                self.stack.push(id);
                Ok(())
            }
            None => invalid(format!("memo {key} is used before it is set")),
        }
    }

    /// The next `N` bytes.
    fn take<const N: usize>(&mut self) -> Step<[u8; N]> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()) {
            Some(&chunk) => {
                self.at += N;
                Ok(chunk)
            }
            None => invalid("it ends early"),
        }
    }

    /// The next `len` bytes.
    fn take_slice(&mut self, len: u64) -> Step<&'a [u8]> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(slice) => {
                self.at += slice.len();
                Ok(slice)
            }
            None => invalid(format!("a value of {len} bytes runs past the end")),
        }
    }

    /// The bytes up to a line feed, which is skipped.
    fn line(&mut self) -> Step<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(len) = rest.iter().position(|&byte| byte == b'\n') else {
            return invalid("a name without an end");
        };
        self.at += len + 1;
        str::from_utf8(&rest[..len]).or_else(|_| invalid("a name that isn't UTF-8"))
    }

    fn string(&mut self, len: u64) -> Step<()> {
        match str::from_utf8(self.take_slice(len)?) {
            Ok(text) => {
                self.push(Node::Str(text));
                Ok(())
            }
            Err(_) => invalid("a string that isn't UTF-8"),
        }
    }

    fn byte_string(&mut self, len: u64) -> Step<()> {
        let bytes = self.take_slice(len)?;
        self.push(Node::Bytes(bytes));
        Ok(())
    }

    /// An integer in two's complement, little-endian.
    fn long(&mut self, len: u64) -> Step<()> {
        let bytes = self.take_slice(len)?;
        self.push(match signed(bytes.iter().copied()) {
            Some(number) => Node::Int(number),
            None => Node::Opaque("an integer of more than 64 bits"),
        });
        Ok(())
    }

    fn global(&mut self, module: &'a str, name: &'a str) -> Step<()> {
        let torch_type = TORCH_TYPES
            .iter()
            .find(|full| module == "torch" && full.strip_prefix("torch.") == Some(name));
        let node = match (torch_type, Global::find(module, name)) {
            (Some(full), _) => Node::Str(full),
            (None, Some(global)) => Node::Global(global),
            (None, None) => return Err(Stop::Refused(shown_name(module, name))),
        };
        self.push(node);
        Ok(())
    }

    /// Puts the value on the stack that `function` makes of `arguments`.
    ///
    /// Nothing is copied, so that no pickle makes much of little: a collection made of another is the other.
    fn reduce(&mut self, function: Id, arguments: Id) -> Step<()> {
        let &Node::Global(global) = self.node(function) else {
            return invalid(format!("{} is called, expected a type", self.node(function).kind()));
        };
        let Node::Tuple(items) = self.node(arguments) else {
            return invalid(format!("a call with {}, expected a tuple", self.node(arguments).kind()));
        };
        let unusable = || invalid(format!("a call of {global:?} with {} unusable arguments", items.len()));
        let made = match (global, items.as_slice()) {
            (Global::Dict, []) => Node::Dict(Vec::new()),
            (Global::Dict, &[factory]) => match self.node(factory) {
                Node::Global(Global::Factory | Global::Dict | Global::Collection) | Node::None => {
                    Node::Dict(Vec::new())
                }
                _ => return unusable(),
            },
            (Global::Collection, []) => Node::List(Vec::new()),
            (Global::Collection, &[items]) => match self.node(items) {
                Node::List(_) | Node::Tuple(_) | Node::Dict(_) => {
                    self.stack.push(items);
                    return Ok(());
                }
                _ => return unusable(),
            },
            (Global::Parameter, &[data, ..]) => match self.node(data) {
                Node::Tensor(_) => {
                    self.stack.push(data);
                    return Ok(());
                }
                _ => return unusable(),
            },
            (Global::Tensor, _) => Node::Tensor(arguments),
            (Global::Encode, &[text, encoding]) => match (self.node(text), self.node(encoding)) {
                (&Node::Str(text), Node::Str("latin1")) => Node::Latin1(text),
                _ => return unusable(),
            },
            (Global::NumpyType, &[code, ..]) => match *self.node(code) {
                Node::Str(code) => Node::NumpyType {
                    code,
                    big_endian: false,
                },
                _ => return unusable(),
            },
            (Global::NumpyScalar, &[kind, bytes]) => match (self.node(kind), self.node(bytes)) {
                (&Node::NumpyType { code, big_endian }, Node::Bytes(bytes)) => {
                    numpy_scalar(code, big_endian, bytes.iter().copied())
                }
                (&Node::NumpyType { code, big_endian }, Node::Latin1(text)) => {
                    // A character above Latin-1 can't occur; as 0 it is harmless.
                    numpy_scalar(code, big_endian, text.chars().map(|c| u8::try_from(c).unwrap_or(0)))
                }
                _ => return unusable(),
            },
            (Global::NumpyArray, _) => Node::Opaque("a NumPy array"),
            (Global::Opaque(kind), _) => Node::Opaque(kind),
            _ => return unusable(),
        };
        self.push(made);
        Ok(())
    }

    /// Gives the value on top of the stack its attributes. Only a NumPy type has any that matter.
    fn build(&mut self, state: Id) -> Step<()> {
        let top = self.top()?;
        let byte_order = match self.node(state) {
            Node::Tuple(items) => items.get(1).map(|&id| self.node(id)),
            _ => None,
        };
        let is_big = byte_order == Some(&Node::Str(">"));
        match &mut self.nodes[top.0 as usize] {
            Node::NumpyType { big_endian, .. } => *big_endian = is_big,
            // An OrderedDict's `_metadata`, or an array's contents.
            Node::Dict(_) | Node::Opaque(_) => {}
            other => return invalid(format!("attributes are given to {}", other.kind())),
        }
        Ok(())
    }
}

/// A name as shown in a message: not longer than names are, and without control characters.
fn shown_name(module: &str, name: &str) -> String {
    format!("{module}.{name}")
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(200)
        .collect()
}

/// An integer in two's complement, little-endian, if it fits in 64 bits.
fn signed(bytes: impl ExactSizeIterator<Item = u8>) -> Option<i64> {
    let len = bytes.len();
    if len > 8 {
        return None;
    }
    let unused = 64 - 8 * len as u32;
    // The shifts copy the sign into the unused bits. Of no bytes all 64 are unused.
    Some((unsigned(bytes).unbounded_shl(unused) as i64).unbounded_shr(unused))
}

/// An integer of at most 8 bytes, little-endian.
fn unsigned(bytes: impl ExactSizeIterator<Item = u8>) -> u64 {
    bytes
        .enumerate()
        .fold(0, |sum, (i, byte)| sum | u64::from(byte) << (8 * i))
}

/// A scalar of a NumPy type, from its bytes.
fn numpy_scalar(code: &str, big_endian: bool, bytes: impl Iterator<Item = u8>) -> Node<'static> {
    const OPAQUE: Node<'static> = Node::Opaque("a NumPy scalar");
    let mut bytes: Vec<u8> = bytes.take(9).collect();
    if big_endian {
        bytes.reverse();
    }
    let size = bytes.len().to_string();
    if code.get(1..) != Some(size.as_str()) {
        return OPAQUE;
    }
    match (code.as_bytes().first(), bytes.as_slice()) {
        (Some(b'f'), &[a, b]) => Node::Float(half::f16::from_le_bytes([a, b]).to_f64()),
        (Some(b'f'), &[a, b, c, d]) => Node::Float(f32::from_le_bytes([a, b, c, d]).into()),
        (Some(b'f'), &[a, b, c, d, e, f, g, h]) => Node::Float(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        (Some(b'b'), &[byte]) => Node::Bool(byte != 0),
        (Some(b'i'), bytes) => signed(bytes.iter().copied()).map_or(OPAQUE, Node::Int),
        (Some(b'u'), bytes) if bytes.len() <= 8 => {
            i64::try_from(unsigned(bytes.iter().copied())).map_or(OPAQUE, Node::Int)
        }
        _ => OPAQUE,
    }
}
