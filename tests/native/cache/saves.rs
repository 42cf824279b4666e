//! Saved caches: damaged, forged or meaningless bytes give an error, or a cache that works.

use burn::tensor::Device;
use kvscope::cache::{CacheError, CacheType, ScopeCache};
use proptest::prelude::*;

use crate::support::plain_cache::drive::{Pair, Random, tensor};
use crate::support::plain_cache::plain::PlainRules;
use crate::support::plain_cache::suite::rules;

fn saved() -> Vec<u8> {
    let mut pair = Pair::new(&rules("snapkv", "slide"), &Device::flex(), 7);
    pollster::block_on(async {
        pair.prompt(&[20]).await;
        pair.steps(15).await;
        pair.cache.save().await.expect("no open prompt")
    })
}

#[test]
fn every_damaged_or_cut_save_is_refused() {
    let saved = saved();
    for length in 0..saved.len() {
        let error = ScopeCache::load(&saved[..length], &Device::flex()).expect_err("cut off");
        assert_eq!(error.code(), "cache-corrupt");
    }
    for byte in 0..saved.len() {
        let mut damaged = saved.clone();
        damaged[byte] ^= 0x10;
        let error = ScopeCache::load(&damaged, &Device::flex()).expect_err("damaged");
        let code = if (8..12).contains(&byte) {
            "cache-version"
        } else {
            "cache-corrupt"
        };
        assert_eq!(error.code(), code, "byte {byte}");
    }
}

/// `saved/version-1.kvscope` was written by the last release that wrote version 1, in the state
/// that the pair comes to here.
#[test]
fn a_cache_of_version_1_goes_on() {
    let device = Device::flex();
    let rules = rules("pyramidkv", "discontinuous");
    let mut pair = Pair::of(CacheType::F16, &rules, &device, 7);
    pollster::block_on(async {
        pair.prompt(&[31]).await;
        pair.steps(17).await;
        let saved = include_bytes!("saved/version-1.kvscope");
        let loaded = ScopeCache::load(saved, &device).expect("version 1");
        assert_eq!(loaded.config(), pair.cache.config());
        assert_eq!(loaded.memory(), pair.cache.memory());
        pair.cache = loaded;
        pair.compare("when it was loaded").await;
        pair.steps(12).await;
        pair.truncate(40).await;
        pair.steps(3).await;
    });
}

/// Version 2 had no exact rows, so no layer said from where.
#[test]
fn a_cache_of_version_2_goes_on() {
    let device = Device::flex();
    let mut pair = Pair::of(CacheType::F16, &rules("snapkv", "slide"), &device, 8);
    pollster::block_on(async {
        pair.prompt(&[20]).await;
        pair.steps(15).await;
        let mut saved = pair.cache.save().await.expect("no open prompt");
        for _ in 0..2 {
            saved = forged(&saved, ",\"exact_from\":0", "");
        }
        saved[8] = 2;
        let whole = saved.len() - 4;
        let checksum = crc32fast::hash(&saved[..whole]).to_le_bytes();
        saved[whole..].copy_from_slice(&checksum);
        pair.cache = ScopeCache::load(&saved, &device).expect("version 2");
        pair.compare("when it was loaded").await;
        pair.steps(12).await;
    });
}

/// Version 3 had other exact rows. Types without such are read.
#[test]
fn a_cache_of_version_3_goes_on_unless_it_has_exact_rows() {
    let device = Device::flex();
    let rules = PlainRules {
        head_dim: 32,
        ..rules("snapkv", "slide")
    };
    for cache_type in [CacheType::F16, CacheType::H8, CacheType::H4] {
        let mut pair = Pair::of(cache_type, &rules, &device, 8);
        let mut saved = pollster::block_on(async {
            pair.prompt(&[20]).await;
            pair.steps(15).await;
            pair.cache.save().await.expect("no open prompt")
        });
        saved[8] = 3;
        let whole = saved.len() - 4;
        let checksum = crc32fast::hash(&saved[..whole]).to_le_bytes();
        saved[whole..].copy_from_slice(&checksum);
        let loaded = ScopeCache::load(&saved, &device);
        if cache_type == CacheType::H4 {
            let (found, supported) = (3, 4);
            let refused = CacheError::Version { found, supported };
            assert_eq!(loaded.expect_err("other exact rows"), refused);
            continue;
        }
        pollster::block_on(async {
            pair.cache = loaded.expect("version 3");
            pair.compare("when it was loaded").await;
            pair.steps(12).await;
        });
    }
}

/// Any byte changed, and any length, of a save with a frame and exact rows.
#[test]
fn damaged_saves_of_rounded_rows_are_refused() {
    let rules = PlainRules {
        head_dim: 32,
        ..rules("snapkv", "slide")
    };
    let mut pair = Pair::of(CacheType::H4, &rules, &Device::flex(), 9);
    let saved = pollster::block_on(async {
        pair.prompt(&[20]).await;
        pair.steps(4).await;
        pair.cache.save().await.expect("no open prompt")
    });
    let refused = |bytes: &[u8]| {
        let error = ScopeCache::load(bytes, &Device::flex()).expect_err("damaged");
        assert!(["cache-corrupt", "cache-version"].contains(&error.code()));
    };
    for at in (0..saved.len()).step_by(37) {
        refused(&saved[..at]);
        let mut damaged = saved.clone();
        damaged[at] ^= 0x10;
        refused(&damaged);
    }
    for (from, to) in [
        ("\"cache_type\":\"h4\"", "\"cache_type\":\"h8\""),
        ("\"exact_from\":8", "\"exact_from\":25"),
    ] {
        refused(&forged(&saved, from, to));
    }
}

#[test]
fn a_version_to_come_is_refused_by_its_number() {
    let mut later = saved();
    let supported = later[8];
    later[8] = supported + 1;
    let refused = ScopeCache::load(&later, &Device::flex()).expect_err("a later version");
    let (found, supported) = (u32::from(supported) + 1, u32::from(supported));
    assert_eq!(refused, CacheError::Version { found, supported });
}

/// The save with one text of its header replaced by another, and a checksum that is right.
fn forged(saved: &[u8], from: &str, to: &str) -> Vec<u8> {
    let length = u32::from_le_bytes(saved[12..16].try_into().expect("four bytes")) as usize;
    let header = std::str::from_utf8(&saved[16..16 + length]).expect("JSON");
    assert!(header.contains(from), "{header}");
    let header = header.replacen(from, to, 1);
    let mut forged = saved[..12].to_vec();
    forged.extend((header.len() as u32).to_le_bytes());
    forged.extend(header.bytes());
    forged.extend(&saved[16 + length..saved.len() - 4]);
    forged.extend(crc32fast::hash(&forged).to_le_bytes());
    forged
}

#[test]
fn saves_that_contradict_themselves_are_refused() {
    let saved = saved();
    assert!(
        ScopeCache::load(
            &forged(&saved, "\"seen\":35", "\"seen\":35"),
            &Device::flex()
        )
        .is_ok()
    );
    for (from, to) in [
        ("\"seen\":35", "\"seen\":34"),
        ("\"seen\":35", "\"seen\":3500000000"),
        ("\"boundary\":20", "\"boundary\":21"),
        ("\"boundary\":20", "\"boundary\":36"),
        ("\"held\":23", "\"held\":22"),
        ("\"prefill\":14", "\"prefill\":13"),
        ("\"kv_heads\":2", "\"kv_heads\":1"),
        ("\"kv_heads\":2", "\"kv_heads\":3"),
        ("\"layers\":2", "\"layers\":3"),
        ("\"head_dim\":8", "\"head_dim\":4"),
        ("\"head_dim\":8", "\"head_dim\":4096"),
        ("\"capacity\":24", "\"capacity\":23"),
        ("\"capacity\":24", "\"capacity\":18446744073709551615"),
        ("\"unbroken\":3", "\"unbroken\":30"),
        ("\"turn\":null", "\"turn\":{\"width\":1,\"new\":1}"),
        ("\"start\":29", "\"start\":99"),
        ("\"full_capacities\":[", "\"full_capacities\":[1,"),
    ] {
        let error = ScopeCache::load(&forged(&saved, from, to), &Device::flex());
        assert_eq!(
            error.expect_err(to).code(),
            "cache-corrupt",
            "{from} to {to}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_without_meaning_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(ScopeCache::load(&bytes, &Device::flex()).is_err());
    }

    /// Whatever a header says, it is refused or gives a cache that works.
    #[test]
    fn digits_changed_in_the_header_do_no_harm(
        place in any::<prop::sample::Index>(),
        digit in 0..10_u8,
        seed in any::<u64>(),
    ) {
        let saved = saved();
        let length = u32::from_le_bytes(saved[12..16].try_into().expect("four bytes")) as usize;
        let header = 16..16 + length;
        let digits: Vec<usize> = header.filter(|byte| saved[*byte].is_ascii_digit()).collect();
        let mut changed = saved;
        changed[digits[place.index(digits.len())]] = b'0' + digit;
        let whole = changed.len() - 4;
        let checksum = crc32fast::hash(&changed[..whole]).to_le_bytes();
        changed[whole..].copy_from_slice(&checksum);
        if let Ok(mut cache) = ScopeCache::load(&changed, &Device::flex()) {
            let config = cache.config().clone();
            let mut random = Random(seed);
            for layer in 0..config.layers {
                let mut any = |heads| tensor(random.values(heads * 8), [heads, 8], &Device::flex());
                let query = any(config.query_heads);
                let (key, value) = (any(config.kv_heads), any(config.kv_heads));
                cache.step(layer, query, key, value).expect("a fitting token");
                let retained = pollster::block_on(cache.retained(layer)).expect("readable");
                for (held, retained) in cache.held(layer).expect("a layer").iter().zip(retained) {
                    prop_assert_eq!(held.held, retained.positions.len());
                }
            }
        }
    }
}
