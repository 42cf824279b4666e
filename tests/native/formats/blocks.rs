//! Dequantisation against another implementation and against blocks computed by hand.

use kvscope::formats::BlockFormat;
use serde_json::Value;

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The blocks are random and the elements those of llama.cpp's Python package, see
/// `weights_blocks/reference.py`.
#[test]
fn every_format_equals_the_reference() {
    let text = include_str!("blocks/reference.json");
    let reference: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
    for format in BlockFormat::ALL {
        if format == BlockFormat::F32 {
            continue;
        }
        let recorded = &reference[format.name()];
        let blocks = unhex(recorded["blocks"].as_str().unwrap());
        let expected = recorded["elements"].as_array().unwrap();
        let elements = format.dequantise(&blocks).unwrap();
        assert_eq!(elements.len(), expected.len(), "{}", format.name());
        for (i, (element, expected)) in elements.iter().zip(expected).enumerate() {
            let expected = expected.as_f64().unwrap();
            // The two may round in another order: relative to the terms of the sum, which are below
            // 500 here.
            let difference = (f64::from(*element) - expected).abs();
            assert!(
                difference <= 1e-6 * expected.abs() + 3e-5,
                "{} element {i}: {element}, expected {expected}",
                format.name()
            );
        }
    }
}

#[test]
fn plain_floats_are_themselves() {
    let bytes: Vec<u8> = [1.5_f32, -0.0, f32::MIN_POSITIVE]
        .iter()
        .flat_map(|f| f.to_le_bytes())
        .collect();
    let elements = BlockFormat::F32.dequantise(&bytes).unwrap();
    assert_eq!(elements, [1.5, -0.0, f32::MIN_POSITIVE]);
}

/// f16 0.5 is 0x3800, f16 2.0 is 0x4000.
#[test]
fn blocks_of_32_by_hand() {
    // Low nibble 3 and high nibble 12 in the first byte, 0 and 15 in the last.
    let mut quants = [0x88_u8; 16];
    quants[0] = 0xc3;
    quants[15] = 0xf0;

    let block = [&[0x00, 0x38][..], &quants].concat();
    let q4_0 = BlockFormat::Q4_0.dequantise(&block).unwrap();
    assert_eq!([q4_0[0], q4_0[16]], [-2.5, 2.0]);
    assert_eq!([q4_0[15], q4_0[31]], [-4.0, 3.5]);
    assert!(q4_0[1..15].iter().chain(&q4_0[17..31]).all(|&e| e == 0.0));

    let block = [&[0x00, 0x38, 0x00, 0x40][..], &quants].concat();
    let q4_1 = BlockFormat::Q4_1.dequantise(&block).unwrap();
    assert_eq!([q4_1[0], q4_1[16]], [3.5, 8.0]);
    assert_eq!([q4_1[15], q4_1[31], q4_1[1]], [2.0, 9.5, 6.0]);

    // Fifth bits of elements 0 and 31.
    let fifth = [0x01, 0x00, 0x00, 0x80];
    let block = [&[0x00, 0x38][..], &fifth, &quants].concat();
    let q5_0 = BlockFormat::Q5_0.dequantise(&block).unwrap();
    assert_eq!([q5_0[0], q5_0[16]], [1.5, -2.0]);
    assert_eq!([q5_0[15], q5_0[31]], [-8.0, 7.5]);

    let block = [&[0x00, 0x38, 0x00, 0x40][..], &fifth, &quants].concat();
    let q5_1 = BlockFormat::Q5_1.dequantise(&block).unwrap();
    assert_eq!([q5_1[0], q5_1[16]], [11.5, 8.0]);
    assert_eq!([q5_1[15], q5_1[31]], [2.0, 17.5]);

    let mut block = vec![0x00, 0x38];
    block.extend((0..32).map(|i| (i - 16_i8) as u8));
    let q8_0 = BlockFormat::Q8_0.dequantise(&block).unwrap();
    let expected: Vec<f32> = (0..32).map(|i| (i as f32 - 16.0) / 2.0).collect();
    assert_eq!(q8_0, expected);
}

#[test]
fn partial_blocks_are_an_error() {
    for format in BlockFormat::ALL {
        let length = format.block_bytes();
        assert!(format.dequantise(&[]).unwrap().is_empty());
        for wrong in [1, length - 1, length + 1] {
            let error = format.dequantise(&vec![0; wrong]).unwrap_err();
            assert_eq!(error.code(), "invalid-argument", "{}", format.name());
        }
        let elements = format.dequantise(&vec![0; 3 * length]).unwrap();
        assert_eq!(elements.len(), 3 * format.block_elements());
    }
}
