//! Distance of what was computed from what was expected.

/// Greatest difference of an element, in units of the expected ones' root mean square. Elements
/// that are no finite numbers are an error.
pub fn difference<T, U>(found: &[T], expected: &[U]) -> f64
where
    T: Copy + Into<f64>,
    U: Copy + Into<f64>,
{
    assert_eq!(found.len(), expected.len());
    let square: f64 = expected.iter().map(|&it| it.into().powi(2)).sum();
    let pairs = found.iter().zip(expected);
    let most = pairs.fold(0.0_f64, |most, (&found, &expected)| {
        let off = (found.into() - expected.into()).abs();
        assert!(off.is_finite());
        most.max(off)
    });
    most / (square / expected.len() as f64).sqrt()
}
