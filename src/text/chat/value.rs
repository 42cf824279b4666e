//! The size limit of a template's values.
//!
//! minijinja's fuel counts a list by its items, however much each holds. A list that holds another
//! twice, which holds another twice, is small to make and endless to write or compare. A chain of
//! lists in lists is deeper than any stack. A template's values are therefore weighed when it keeps
//! them.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value};

/// Most values within a value, repeated ones counted each time.
const MOST: usize = 100_000;
/// Nesting limit of values.
const DEPTH: usize = 64;

/// The filter around every value that a template assigns: returns it, or fails if it holds too
/// much.
pub(super) fn weighed(state: &State<'_, '_>, value: Value) -> Result<Value, Error> {
    let mut left = MOST;
    weigh(&value, DEPTH, &mut left)?;
    state.consume_fuel((MOST - left) as u64)?;
    Ok(value)
}

/// Writes a template's value, unless it holds too much.
pub(super) fn written(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    weigh(value, DEPTH, &mut MOST.clone())?;
    minijinja::escape_formatter(output, state, value)
}

fn weigh(value: &Value, depth: usize, left: &mut usize) -> Result<(), Error> {
    let too_much = || Error::new(ErrorKind::InvalidOperation, "a value that holds too much");
    *left = left.checked_sub(1).ok_or_else(too_much)?;
    let deeper = depth.checked_sub(1).ok_or_else(too_much)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            for item in value.try_iter()? {
                weigh(&item, deeper, left)?;
            }
        }
        ValueKind::Map => {
            for key in value.try_iter()? {
                weigh(&value.get_item(&key)?, deeper, left)?;
                weigh(&key, deeper, left)?;
            }
        }
        _ => {}
    }
    Ok(())
}
