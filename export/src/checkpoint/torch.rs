//! What a checkpoint of PyTorch has in it, by its pickle: the state dict, and a few values of the training.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::file::WeightFile;
use super::pickle::{Id, Node, Pickle};
use super::tensor::TensorInfo;
use super::value::Value;
use super::{MAX_NAMES, check_name};
use crate::{Error, Result};

/// Where a training script keeps the state dict, in the order looked for.
const STATE_DICT_KEYS: [&str; 3] = ["model_state_dict", "state_dict", "model"];

/// The tensors of a file by name, and what is known of their training.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    pub(super) epoch: Option<i64>,
    pub(super) best_eer: Option<f64>,
    pub(super) config: BTreeMap<String, Value>,
}

/// Finds the state dict in the pickle, and checks the descriptions of its tensors against the file.
pub(super) fn contents(pickle: &Pickle<'_>, file: &WeightFile) -> Result<Contents> {
    let path = || file.path().to_owned();
    let state_dict_error = |detail| Error::StateDict { path: path(), detail };
    let (state_dict, others) = find_state_dict(pickle).map_err(state_dict_error)?;
    let mut contents = Contents::default();
    for (name, id) in named(pickle, state_dict).map_err(state_dict_error)? {
        if let Node::Tensor(arguments) = *pickle.node(id) {
            let tensor = TensorInfo::of_pickle(pickle, arguments, file).map_err(|detail| Error::InvalidTensor {
                path: path(),
                name: name.to_owned(),
                detail,
            })?;
            contents.tensors.insert(name.to_owned(), tensor);
        }
    }
    if contents.tensors.is_empty() {
        return Err(state_dict_error("it has no tensor".to_owned()));
    }

    for &(key, id) in others {
        match (pickle.str(key), pickle.node(id)) {
            (Some("epoch"), &Node::Int(epoch)) => contents.epoch = Some(epoch),
            (Some("best_eer"), &Node::Float(eer)) => contents.best_eer = Some(eer),
            (Some("best_eer"), &Node::Int(eer)) => contents.best_eer = Some(eer as f64),
            (Some(key @ "config"), Node::Dict(_)) => {
                let value = Value::copy(pickle, id).map_err(|detail| Error::Values {
                    path: path(),
                    key: key.to_owned(),
                    detail,
                })?;
                if let Value::Map(map) = value {
                    contents.config = map;
                }
            }
            _ => {}
        }
    }
    Ok(contents)
}

type Items<'p> = &'p [(Id, Id)];

/// The items of the state dict, and those of the dict that it is in (none if it is on its own).
fn find_state_dict<'p>(pickle: &'p Pickle<'_>) -> Result<(Items<'p>, Items<'p>), String> {
    let root = pickle.root();
    let Some(top) = pickle.dict(root) else {
        return Err(format!("the checkpoint is {}", pickle.node(root).kind()));
    };
    for wanted in STATE_DICT_KEYS {
        let mut found = top
            .iter()
            .filter(|&&(key, _)| pickle.str(key) == Some(wanted))
            .filter_map(|&(_, value)| pickle.dict(value));
        if let Some(state_dict) = found.next() {
            return match found.next() {
                None => Ok((state_dict, top)),
                Some(_) => Err(format!("there are two under `{wanted}`")),
            };
        }
    }
    if top
        .iter()
        .any(|&(_, value)| matches!(pickle.node(value), Node::Tensor(_)))
    {
        return Ok((top, &[]));
    }
    let keys: Vec<String> = top.iter().take(8).map(|&(key, _)| shown(pickle, key)).collect();
    Err(format!(
        "the checkpoint is a dict with {} keys: {}",
        top.len(),
        keys.join(", ")
    ))
}

/// The items of a state dict with their names, which are unique.
fn named<'a>(pickle: &Pickle<'a>, items: Items<'_>) -> Result<BTreeMap<&'a str, Id>, String> {
    if items.len() > MAX_NAMES {
        return Err(format!(
            "it has {} keys, more than the {MAX_NAMES} expected",
            items.len()
        ));
    }
    let mut named = BTreeMap::new();
    for &(key, value) in items {
        let Some(name) = pickle.str(key) else {
            return Err(format!("one of its keys is {}, not a string", pickle.node(key).kind()));
        };
        check_name(name).map_err(|detail| format!("its key {} {detail}", shown(pickle, key)))?;
        if named.insert(name, value).is_some() {
            return Err(format!("it has {} twice", shown(pickle, key)));
        }
    }
    Ok(named)
}

/// A key, for a message.
fn shown(pickle: &Pickle<'_>, key: Id) -> String {
    match pickle.str(key) {
        Some(text) => format!("`{}`", super::shown(text)),
        None => pickle.node(key).kind().to_owned(),
    }
}
