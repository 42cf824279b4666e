//! The library's model on the tests' terms: the one place that knows how it is loaded and called.

use burn::tensor::{Device, Tensor};
use kvscope::Error;
use kvscope::cache::CacheType;
use kvscope::formats::safetensors::SafetensorsFiles;
use kvscope::model::{Llama, LogitRows, ModelLoader};

/// Bytes handed over at once: no multiple of any block's, so that blocks are cut.
const PIECE: usize = 4_099;

pub fn load_gguf(file: &[u8], device: &Device) -> Result<Llama, Error> {
    read(ModelLoader::gguf(device.clone()), file)
}

pub fn load_safetensors(config: &[u8], file: &[u8], device: &Device) -> Result<Llama, Error> {
    let files = SafetensorsFiles::new(1);
    read(
        ModelLoader::safetensors(config, files, device.clone())?,
        file,
    )
}

fn read(mut loader: ModelLoader, file: &[u8]) -> Result<Llama, Error> {
    loader.begin_file(Some(file.len() as u64));
    for piece in file.chunks(PIECE) {
        loader.push(piece)?;
    }
    loader.end_file()?;
    loader.finish()
}

/// The logits at every position: of a prompt in pieces of these lengths, then of decode steps.
pub fn logits(
    model: &Llama,
    device: &Device,
    cache_type: CacheType,
    tokens: &[u32],
    pieces: &[usize],
) -> Vec<Vec<f32>> {
    let config = model.config().cache().with_cache_type(cache_type);
    let mut cache = config.init(device).unwrap();
    let mut rest = tokens;
    let mut rows = Vec::new();
    for &length in pieces {
        let (piece, after) = rest.split_at(length);
        rest = after;
        let logits = model.append(piece, &mut cache, LogitRows::All).unwrap();
        let [count, vocabulary] = logits.dims();
        assert_eq!(count, length);
        rows.extend(
            read_back(logits)
                .chunks_exact(vocabulary)
                .map(<[f32]>::to_vec),
        );
    }
    for layer in 0..model.config().layers {
        cache.finish_prefill(layer).unwrap();
    }
    for &token in rest {
        rows.push(read_back(model.step(token, &mut cache).unwrap()));
    }
    assert_eq!(cache.position(), tokens.len());
    rows
}

pub fn read_back<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_data().unwrap().try_to_vec().unwrap()
}
