//! The format of `torch.save` before PyTorch 1.6, and of today's with `_use_new_zipfile_serialization=False`.
//!
//! Five pickles one after the other (a magic number, the protocol's version, the machine's properties, the object, and
//! the keys of its storages), then for each key, in that order, a count (`i64`) and as many numbers.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::Format;
use super::file::{Map, Part, WeightFile};
use super::pickle::{self, Node, Pickle};
use super::tensor::{Dtype, storage_of};
use super::torch::{self, Contents};
use crate::{Error, Result};

/// How the file starts: with the pickle of this magic number.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// The one version of the protocol.
const PROTOCOL: i64 = 1001;
/// The most bytes of each of the first three pickles, which have about 100, and of the last, which has 30 per storage:
/// so that they take little memory beside the object.
const MAX_HEAD_BYTES: usize = 4 << 10;
const MAX_KEYS_BYTES: usize = 2 << 20;

/// Reads the pickles, and finds where each storage is.
pub(super) fn read(map: Map) -> Result<(WeightFile, Contents)> {
    let path = map.path().to_owned();
    let damaged = |detail: String| Error::Archive {
        path: path.clone(),
        format: Format::Legacy,
        detail,
    };
    // Copied, because text must not change while it is read as such.
    let text = map.bytes()[..map.bytes().len().min(pickle::MAX_BYTES)].to_vec();
    let mut at = 0;
    let mut next = |max_bytes: usize| {
        let rest = text.get(at..).unwrap_or_default();
        let pickle = Pickle::read(&rest[..rest.len().min(max_bytes)])
            .map_err(|failure| failure.into_error(map.path(), "the file", at))?;
        at += pickle.len();
        Ok::<_, Error>(pickle)
    };
    // `MAGIC`, which is how this function was chosen.
    next(MAX_HEAD_BYTES)?;
    let protocol = next(MAX_HEAD_BYTES)?;
    if protocol.int(protocol.root()) != Some(PROTOCOL) {
        return Err(damaged(format!("expected protocol version {PROTOCOL}")));
    }
    check_byte_order(&next(MAX_HEAD_BYTES)?, &map)?;
    let object = next(pickle::MAX_BYTES)?;
    let keys = next(MAX_KEYS_BYTES)?;

    let Node::List(keys_list) = keys.node(keys.root()) else {
        return Err(damaged("the list of its storages is missing".to_owned()));
    };
    let sizes = storage_sizes(&object).map_err(damaged)?;
    let mut parts = Vec::new();
    for &key in keys_list {
        let found = keys.str(key).and_then(|key| sizes.get_key_value(key));
        let Some((key, &(dtype, capacity))) = found else {
            return Err(damaged(
                "its list of storages has one that the object doesn't use".to_owned(),
            ));
        };
        let shown = super::shown(key);
        let (count, rest) = match map.bytes().get(at..).and_then(|rest| rest.split_first_chunk()) {
            Some((&count, rest)) => (i64::from_le_bytes(count), rest),
            None => return Err(damaged(format!("it ends before storage `{shown}`"))),
        };
        if usize::try_from(count) != Ok(capacity) {
            return Err(damaged(format!(
                "storage `{shown}` has {count} numbers, expected {capacity}"
            )));
        }
        let size = capacity.checked_mul(dtype.size()).filter(|&size| size <= rest.len());
        let Some(size) = size else {
            return Err(damaged(format!(
                "it ends within storage `{shown}` of {capacity} numbers, with {} bytes left",
                rest.len()
            )));
        };
        let start = map.bytes().len() - rest.len();
        at = start + size;
        // Named as in the zip file.
        parts.push(Part::new(format!("data/{key}"), start..at));
    }
    if at != map.bytes().len() {
        return Err(damaged(format!(
            "{} bytes follow the last storage, expected none",
            map.bytes().len() - at
        )));
    }
    // Each storage comes once, so that its name says where it is.
    parts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some([part, _]) = parts.array_windows().find(|[part, next]| part.name == next.name) {
        return Err(damaged(format!("it has storage `{}` twice", super::shown(&part.name))));
    }

    let file = WeightFile::new(map, Format::Legacy, parts);
    let contents = torch::contents(&object, &file)?;
    Ok((file, contents))
}

/// The type and length of every storage that the object mentions, by key.
fn storage_sizes<'a>(object: &Pickle<'a>) -> Result<HashMap<&'a str, (Dtype, usize)>, String> {
    let mut sizes = HashMap::new();
    for id in object.storages() {
        let (dtype, key, capacity) = storage_of(object, id)?;
        let known = *sizes.entry(key).or_insert((dtype, capacity));
        if known != (dtype, capacity) {
            return Err(format!(
                "storage `{}` is {} numbers of type {} and {capacity} of type {dtype} at once",
                super::shown(key),
                known.1,
                known.0,
            ));
        }
    }
    Ok(sizes)
}

/// Checks what the file says of the machine that wrote it.
fn check_byte_order(machine: &Pickle<'_>, map: &Map) -> Result<()> {
    let little = machine.dict(machine.root()).is_some_and(|properties| {
        properties
            .iter()
            .any(|&(key, value)| machine.str(key) == Some("little_endian") && *machine.node(value) == Node::Bool(true))
    });
    if little {
        return Ok(());
    }
    Err(Error::ByteOrder {
        path: map.path().to_owned(),
        found: "not little_endian".to_owned(),
    })
}
