//! Names of the files of a model that comes in several: `name-00001-of-00003` and so on.

/// Names of all files of the set that `name` belongs to, itself included. `None` if it isn't named
/// as one of a set that ends in `extension`.
pub(super) fn names(name: &str, extension: &str) -> Option<Vec<String>> {
    let stem = name.strip_suffix(extension)?;
    let (front, count) = stem.rsplit_once("-of-")?;
    let (prefix, number) = front.rsplit_once('-')?;
    let five_digits = |text: &str| {
        let digits = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (number, count) = (five_digits(number)?, five_digits(count)?);
    (1..=count).contains(&number).then(|| {
        (1..=count)
            .map(|number| format!("{prefix}-{number:05}-of-{count:05}{extension}"))
            .collect()
    })
}
