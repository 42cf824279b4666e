//! Stop strings over text in pieces, against a plain search through the whole text.

use kvscope::generate::StopStrings;
use proptest::prelude::*;

/// Up to the stop string that is complete first, of several the longest.
fn plain(text: &str, stops: &[String]) -> Option<String> {
    (1..=text.len())
        .filter(|end| text.is_char_boundary(*end))
        .find_map(|end| {
            let complete = stops.iter().filter(|stop| text[..end].ends_with(*stop));
            let longest = complete.map(String::len).max()?;
            Some(text[..end - longest].to_owned())
        })
}

/// Few different characters, so that stop strings overlap each other and the text.
fn any_text(most: usize) -> impl Strategy<Value = String> {
    let char = prop::sample::select(vec!['a', 'b', '\n', 'é', '🦀']);
    prop::collection::vec(char, 0..most).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn pieces_give_what_a_search_through_the_whole_gives(
        pieces in prop::collection::vec(any_text(6), 0..12),
        stops in prop::collection::vec(any_text(5).prop_filter("not empty", |stop| !stop.is_empty()), 0..4),
    ) {
        let mut stream = StopStrings::new(stops.clone()).unwrap();
        let (mut passed, mut whole) = (String::new(), String::new());
        for piece in &pieces {
            whole.push_str(piece);
            passed.push_str(&stream.push(piece));
            match plain(&whole, &stops) {
                Some(expected) => {
                    prop_assert!(stream.stopped());
                    prop_assert_eq!(&passed, &expected);
                }
                None => {
                    prop_assert!(!stream.stopped());
                    prop_assert_eq!(passed.clone() + stream.held(), whole.clone());
                    // No more is held back than the longest end that begins a stop string.
                    let longest = whole
                        .char_indices()
                        .map(|(start, _)| &whole[start..])
                        .find(|end| stops.iter().any(|stop| stop.starts_with(*end)));
                    prop_assert_eq!(stream.held(), longest.unwrap_or(""));
                }
            }
        }
        passed.push_str(&stream.finish());
        prop_assert_eq!(passed, plain(&whole, &stops).unwrap_or(whole));
    }
}

#[test]
fn a_stop_string_may_come_in_any_pieces() {
    let mut stream = StopStrings::new(vec!["\n\nUser:".to_owned()]).unwrap();
    assert_eq!(stream.push("Yes.\n"), "Yes.");
    assert_eq!(stream.push("\n\nU"), "\n");
    assert_eq!(stream.push("se"), "");
    assert_eq!(stream.push("r: and"), "");
    assert!(stream.stopped());
    assert_eq!(stream.push("more"), "");
    assert_eq!(stream.finish(), "");
}

#[test]
fn what_is_looked_at_is_bounded() {
    for (stops, named) in [
        (vec![String::new()], "a string of 0 bytes"),
        (vec!["x".repeat(1025)], "a string of 1025 bytes"),
        (vec!["x".to_owned(); 65], "65 strings"),
    ] {
        let error = StopStrings::new(stops).unwrap_err();
        assert_eq!(error.code(), "invalid-config");
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(StopStrings::new(vec!["x".repeat(1024); 64]).is_ok());
}
