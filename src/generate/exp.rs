//! The exponential function, the same to the last bit on every platform.
//!
//! Platforms' own differ in the last place, which could tip a draw. This one uses only operations
//! whose result IEEE 754 fixes.

use std::f64::consts::LOG2_E;

/// ln 2 in two parts: products of the first with small integers are exact.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1/k!, the largest k first. On |r| ≤ ln 2 / 2 the terms left out are below 2^-57.
const TAYLOR: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
    1.0,
    1.0,
];

/// e^x for x ≤ 0, within some 2 units in the last place. Subnormal results become 0.
pub(super) fn exp(x: f64) -> f64 {
    if x < -708.0 {
        return 0.0;
    }
    let powers = (x * LOG2_E).round();
    let rest = (x - powers * LN_2_HIGH) - powers * LN_2_LOW;
    let series = TAYLOR.into_iter().fold(0.0, |sum, term| sum * rest + term);
    let scale = f64::from_bits(((1023 + powers as i64) as u64) << 52);
    series * scale
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn it_is_the_exponential_function() {
        for step in 0..=708_000 {
            let x = f64::from(-step) / 1000.0;
            let (found, expected) = (exp(x), x.exp());
            assert!(
                (found - expected).abs() <= 4.0 * f64::EPSILON * expected,
                "e^{x} is {expected}, not {found}"
            );
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-709.0), 0.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
    }
}
