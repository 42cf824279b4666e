//! Templates and texts beyond the limits: errors, and soon.

use kvscope::text::{Controls, MAX_TEMPLATE_BYTES, MAX_TEXT_BYTES, Message, TextError, Tokenizer};

use crate::support::counting::peak;
use crate::support::gguf_file::Value;
use crate::support::text::{CONTROL, Vocabulary, read};

fn with_template(template: &str) -> Tokenizer {
    let vocabulary = Vocabulary::bytes(&[("<s>", CONTROL)]);
    let vocabulary = vocabulary.with("chat_template", Value::text(template));
    read(&vocabulary.gpt2("gpt-2")).unwrap()
}

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    [open.repeat(times), inner.to_owned(), close.repeat(times)].concat()
}

/// Programs that would run or grow for ever.
fn hostile() -> Vec<String> {
    let all = [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{% set n = namespace(s='x') %}{% for a in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
        "{% set n = namespace(s='x') %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}",
        "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
        "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | tojson }}",
        "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | string | length }}",
        "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s | pprint }}",
        "{% set n = namespace(s=[1]) %}{% for a in range(99) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s == [n.s] }}",
        "{{ 'x' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 'x' * 99999999999999999999 }}",
        "{{ range(999999999999) | list }}",
        "{{ 'x'.replace('', 'y' * 100000).replace('y', 'y' * 100000) }}",
        "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
        "{{ ('x,' * 100000).split(',') | join('y' * 100000) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ 'x' | indent(999999999) }}",
        "{{ [1] | batch(999999999, 0) | list }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ {'a': 1} | tojson(indent=999999999) }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(0) }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ 2 ** 99999999 }}",
        "{{ 9223372036854775807 + 1 }}{{ 1 // 0 }}{{ 1 % 0 }}",
        "{% include 'chat_template' %}",
        "{% extends 'chat_template' %}",
        "{{ raise_exception('x' * 1000000) }}",
        "{{ messages[0].content * 10000000 }}",
        "{{ strftime_now('%Y' * 9999999) }}",
    ];
    let mut all: Vec<String> = all.map(str::to_owned).to_vec();
    for times in [100, 499, 999, 1999, 20_000] {
        all.push(format!("{{{{ {} }}}}", nested("(", "1", ")", times)));
        all.push(format!("{{{{ {} }}}}", nested("[", "1", "]", times)));
        all.push(format!("{{{{ {} }}}}", nested("{'a':", "1", "}", times)));
        all.push(format!("{{{{ {} }}}}", nested("not ", "1", "", times)));
        all.push(format!("{{{{ {} }}}}", nested("-", "1", "", times)));
        all.push(format!("{{{{ 1{} }}}}", "+1".repeat(times)));
        all.push(format!("{{{{ 1{} }}}}", "~1".repeat(times)));
        all.push(format!("{{{{ 1{} }}}}", "|string".repeat(times)));
        all.push(format!("{{{{ a{} }}}}", ".a".repeat(times)));
        all.push(format!("{{{{ a{} }}}}", "[0]".repeat(times)));
        all.push(format!("{{{{ 1{} }}}}", " if 1 else 1".repeat(times)));
        all.push(format!("{{{{ 1{} }}}}", " and 1".repeat(times)));
        all.push(nested("{% if 1 %}", "x", "{% endif %}", times.min(9000)));
        all.push(nested(
            "{% for a in [1] %}",
            "x",
            "{% endfor %}",
            times.min(7000),
        ));
        all.push(format!(
            "{{% if 0 %}}{}{{% endif %}}",
            "{% elif 0 %}".repeat(times)
        ));
    }
    all.retain(|template| template.len() <= MAX_TEMPLATE_BYTES);
    all
}

/// Lists in lists in lists: nothing that walks them may run out of stack.
const DEEP: [&str; 8] = [
    "",
    "{{ n.s }}",
    "{{ n.s | tojson }}",
    "{{ n.s | string | length }}",
    "{{ n.s == n.t }}",
    "{{ n.s | pprint }}",
    "{{ [n.s, n.t] | sort }}",
    "{{ n.s in {n.t: 1} }}",
];

fn deep(end: &str) -> String {
    format!(
        "{{% set n = namespace(s=[1], t=[1]) %}}{{% for a in range(300) %}}{{% for b in range(300) %}}\
         {{% set n.s = [n.s] %}}{{% set n.t = [n.t] %}}{{% endfor %}}{{% endfor %}}{end}"
    )
}

/// On a stack as large as a module's is in a browser.
#[test]
fn hostile_templates_are_errors_or_short() {
    let small = std::thread::Builder::new().stack_size(1 << 20);
    small.spawn(run_hostile).unwrap().join().unwrap();
}

fn run_hostile() {
    let message = [Message::new("user", "Hi")];
    let templates = hostile().into_iter().chain(DEEP.map(deep));
    for template in templates {
        let shown: String = template.chars().take(120).collect();
        let mut outcome = Ok(Vec::new());
        let held = peak(|| outcome = with_template(&template).encode_chat(&message, true));
        match &outcome {
            Ok(ids) => assert!(ids.len() <= MAX_TEXT_BYTES),
            Err(error) => {
                assert_eq!(error.code(), "chat-template", "{shown}: {error}");
                assert!(error.to_string().len() < 2000, "{shown}: {error}");
            }
        }
        assert!(held < 96 << 20, "{held} bytes for {shown}");
    }
}

#[test]
fn too_much_text_is_an_error_with_both_numbers() {
    let tokenizer = with_template("{{ messages[0].content }}{{ messages[0].content }}");
    let text = "a".repeat(MAX_TEXT_BYTES + 1);
    let too_long = |bytes| TextError::TooLong {
        bytes,
        most: MAX_TEXT_BYTES,
    };
    for controls in [Controls::Read, Controls::AsText] {
        let error = tokenizer.encode(&text, controls).unwrap_err();
        assert_eq!(error, too_long(text.len()));
        assert_eq!(error.code(), "invalid-argument");
    }
    let chat = |content: &str| tokenizer.encode_chat(&[Message::new("user", content)], false);
    assert!(matches!(chat(&text), Err(TextError::TooLong { .. })));
    let half = &text[..MAX_TEXT_BYTES / 2 + 1];
    assert_eq!(chat(half).unwrap_err(), too_long(2 * half.len()));
    let source = "x".repeat(MAX_TEMPLATE_BYTES + 1);
    assert!(tokenizer.with_chat_template(&source).is_err());
}

/// One word as long as a text may be, and words without end.
#[test]
fn the_longest_texts_are_tokenized() {
    let vocabulary = Vocabulary::bytes(&[("<s>", CONTROL)])
        .merge("a", "a")
        .merge("Ġ", "Ġ");
    for name in ["gpt-2", "llama-bpe", "qwen2", "tekken", "starcoder"] {
        let tokenizer = read(&vocabulary.gpt2(name)).unwrap();
        for (unit, part) in [
            ("a", 1),
            (" ", 1),
            ("\n", 8),
            ("'", 8),
            ("1", 32),
            ("a\u{301}", 8),
            ("<s", 32),
        ] {
            let text = unit.repeat(MAX_TEXT_BYTES / unit.len() / part);
            match tokenizer.encode(&text, Controls::Read) {
                Ok(ids) => assert!(ids.len() <= text.len()),
                Err(error) => panic!("{name} {unit:?}: {error}"),
            }
        }
    }
}
