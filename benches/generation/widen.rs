//! A saved cache of one head, widened to the layers and heads of a model. Every head holds the same
//! positions, with random keys and values. The format is `kvscope::cache`'s (`src/cache/save.rs`).

use kvscope::model::LlamaConfig;
use serde_json::{Value, json};

use crate::Outcome;
use crate::spots::Spot;
use crate::thin::DIM;

/// Magic, version and the header's length.
const PREAMBLE: usize = 16;
const LENGTH_AT: usize = 12;
const CHECKSUM: usize = 4;

/// Bytes of an f16.
const F16: usize = 2;

/// Widens a spot's cache for a model: with its rows, or with others in f16.
pub fn to_model(spot: &Spot, model: &LlamaConfig) -> Outcome<Vec<u8>> {
    let thin = &spot.saved;
    let length: [u8; 4] = thin[LENGTH_AT..PREAMBLE].try_into()?;
    let (header, rows) = thin[PREAMBLE..].split_at(u32::from_le_bytes(length) as usize);
    let mut header: Value = serde_json::from_slice(header)?;
    let slots = header["layers"][0]["capacity"].as_u64().unwrap_or(0) as usize;
    let mut layer = Vec::new();
    match &spot.parts {
        Some(parts) => {
            let mut rest = rows;
            for &part in parts {
                let (of_head, others) = rest.split_at(part);
                layer.extend(of_head.repeat(model.kv_heads));
                rest = others;
            }
        }
        None => {
            header["config"]["cache_type"] = json!("f16");
            layer = random_f16(2 * model.kv_heads * slots * model.head_dim * F16);
            let columns = &rows[2 * slots * DIM * size_of::<f32>()..rows.len() - CHECKSUM];
            let (positions, scores) = columns.split_at(slots * size_of::<i32>());
            for column in [positions, scores] {
                layer.extend(column.repeat(model.kv_heads));
            }
        }
    }

    let header = serde_json::to_vec(&widened(header, model))?;
    let mut wide = thin[..LENGTH_AT].to_vec();
    wide.extend_from_slice(&u32::try_from(header.len())?.to_le_bytes());
    wide.extend_from_slice(&header);
    for _ in 0..model.layers {
        wide.extend_from_slice(&layer);
    }
    wide.extend_from_slice(&crc32fast::hash(&wide).to_le_bytes());
    Ok(wide)
}

fn widened(mut header: Value, model: &LlamaConfig) -> Value {
    let config = &mut header["config"];
    config["layers"] = json!(model.layers);
    config["query_heads"] = json!(model.query_heads);
    config["kv_heads"] = json!(model.kv_heads);
    config["head_dim"] = json!(model.head_dim);
    let mut layer = header["layers"][0].clone();
    let head = layer["state"]["heads"][0].clone();
    layer["state"]["heads"] = json!(vec![head; model.kv_heads]);
    layer["state"]["budgets"]["layers"] = json!(model.layers);
    header["layers"] = json!(vec![layer; model.layers]);
    header["full_capacities"] = json!(vec![header["full_capacities"][0].clone(); model.layers]);
    // Counted again by the load.
    for account in ["held", "full"] {
        header[account] = json!({ "now": 0, "high": 0 });
    }
    header
}

/// `bytes` bytes of f16 numbers from -1 to 1.
fn random_f16(bytes: usize) -> Vec<u8> {
    // Marsaglia's xorshift: any numbers will do, if they are the same each time.
    let mut state = 0x2545_f491_u32;
    let numbers = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        half::f16::from_f32(state as f32 / (u32::MAX / 2) as f32 - 1.0)
    });
    numbers
        .flat_map(half::f16::to_le_bytes)
        .take(bytes)
        .collect()
}
