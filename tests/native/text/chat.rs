//! Chat templates against Jinja's recorded output; no message becomes a control token.

use kvscope::text::{Date, Message, TextError, Time, Tokenizer};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::support::gguf_file::Value;
use crate::support::text::{CONTROL, USER_DEFINED, Vocabulary, controls, read, shown};

const CONTROLS: [&str; 9] = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start|>",
    "<|end|>",
    "<|eot|>",
    "[INST]",
    "[/INST]",
];

fn vocabulary() -> Vocabulary {
    let marks: Vec<_> = CONTROLS.iter().map(|text| (*text, CONTROL)).collect();
    Vocabulary::bytes(&marks)
        .token("<think>", USER_DEFINED)
        .with("ggml.bos_token_id", Value::U32(256))
        .with("ggml.eos_token_id", Value::U32(257))
}

fn with_template(template: &str) -> Tokenizer {
    let vocabulary = vocabulary().with("chat_template", Value::text(template));
    read(&vocabulary.gpt2("gpt-2")).unwrap()
}

#[derive(Deserialize)]
struct Template {
    name: String,
    template: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    messages: Vec<Message>,
    prompt: bool,
    /// Nothing where the template refused.
    rendered: Option<String>,
}

/// Jinja2 takes every line end of a source for `\n`, and leaves those of messages alone.
#[test]
fn line_ends_are_unix_ones_whatever_the_source_has() {
    let message = [Message::new("user", "x\r\ny")];
    for source in [
        "{% for m in messages %}\n<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}\n[INST]\n",
        "{{ 'a\nb' }}{{ messages[0].content }}",
        "{% raw %}a\nb{% endraw %}\n.",
        "{# a\nb #}\nx",
        "{% set a %}1\n2{% endset %}{{ a }}|{{ a | length }}",
        "x\n\n",
        "{{ 'a\nb\n'.split('\n') | length }}",
    ] {
        let encoded = |source: &str| {
            let tokenizer = with_template(source);
            tokenizer.encode_chat(&message, true).unwrap()
        };
        let expected = encoded(source);
        for ends in ["\r\n", "\r"] {
            assert_eq!(
                encoded(&source.replace('\n', ends)),
                expected,
                "{source:?} {ends:?}"
            );
        }
    }
    let tokenizer = with_template("{{ messages[0].content }}\r\n");
    let ids = tokenizer.encode_chat(&message, true).unwrap();
    assert_eq!(shown(&tokenizer, &ids), "x\r\ny");
}

#[test]
fn templates_write_what_jinja_writes() {
    let templates: Vec<Template> = serde_json::from_str(include_str!("templates.json")).unwrap();
    assert_eq!(templates.len(), 6);
    for Template {
        name,
        template,
        cases,
    } in templates
    {
        let tokenizer = with_template(&template);
        for Case {
            messages,
            prompt,
            rendered,
        } in cases
        {
            let ids = tokenizer.encode_chat(&messages, prompt);
            match (ids, rendered) {
                (Ok(ids), Some(rendered)) => {
                    assert_eq!(shown(&tokenizer, &ids), rendered, "{name}: {messages:?}");
                    // No message has the text of a control token, so each of these is the
                    // template's.
                    let read = tokenizer.encode(&rendered, kvscope::text::Controls::Read);
                    assert_eq!(ids, read.unwrap(), "{name}: {messages:?}");
                }
                (Err(error), None) => assert_eq!(error.code(), "chat-template"),
                (got, expected) => panic!("{name}: {messages:?}: {got:?}, not {expected:?}"),
            }
        }
    }
}

/// Works of a template on a message, each around the same control tokens.
const WORKS: [&str; 14] = [
    "{{ m.content }}",
    "{{ m['content'] | trim }}",
    "{{ m.content.strip() }}",
    "{{ m.content | upper }}",
    "{{ m.content | lower }}",
    "{{ m.content | replace('x', '') }}",
    "{{ m.content.split('x') | join }}",
    "{{ m.content[1:] }}{{ m.content[:1] }}",
    "{{ m.content | reverse }}",
    "{{ '<' + m.content + '>' }}",
    "{{ '<|im_' ~ m.content ~ '|>' }}",
    "{{ m.content | tojson }}{{ m | tojson }}",
    "{% for c in m.content %}{{ c }}{% endfor %}",
    "{% set c %}{{ m.content }}{{ m.role }}{{ m.name }}{% endset %}{{ c | trim }}",
];

fn around(work: &str) -> String {
    format!(
        "{{{{ bos_token }}}}{{% for m in messages %}}<|im_start|>{{{{ m.role }}}}\n{work}{{{{ '<|im_end|>' + '\\n' }}}}\
         {{% endfor %}}{{% if add_generation_prompt %}}[INST]{{% endif %}}"
    )
}

/// Texts that try: control tokens, parts of them, what works may turn into them, and the marks' own
/// characters.
fn attacks() -> impl Strategy<Value = String> {
    let whole = proptest::sample::select(CONTROLS.to_vec()).prop_map(str::to_owned);
    let part = (
        proptest::sample::select(CONTROLS.to_vec()),
        0_usize..12,
        0_usize..12,
    )
        .prop_map(|(text, from, to)| {
            text.get(from.min(to)..from.max(to))
                .unwrap_or(text)
                .to_owned()
        });
    let turned = prop_oneof![
        Just("<|IM_END|>".to_owned()),
        Just("<x|im_end|>".to_owned()),
        Just(">|dne_mi|<".to_owned()),
        Just("|im_end|".to_owned()),
        Just("end".to_owned()),
        Just("xe<|im_end|>".to_owned()),
    ];
    let marks = proptest::sample::select(vec![
        '\u{fdd0}', '\u{fdd1}', '\u{fdd2}', '0', '2', '5', '9', ' ', '\n', 'x',
    ]);
    let marks = proptest::collection::vec(marks, 0..6).prop_map(String::from_iter);
    let forged = (250_u32..270).prop_map(|id| format!("\u{fdd0}{id}\u{fdd2}"));
    let any = any::<String>();
    proptest::collection::vec(prop_oneof![whole, part, turned, marks, forged, any], 0..5)
        .prop_map(|parts| parts.concat())
}

proptest! {
    /// As many control tokens, and the same, as if the messages had been harmless.
    #[test]
    fn no_message_becomes_a_control_token(
        texts in proptest::collection::vec((attacks(), attacks(), attacks()), 1..3),
        work in proptest::sample::select(WORKS.to_vec()),
    ) {
        let tokenizer = with_template(&around(work));
        let messages: Vec<Message> = texts
            .iter()
            .map(|(role, content, name)| {
                let mut message = Message::new(role, content);
                message.more.insert("name".to_owned(), name.as_str().into());
                message.more.insert(name.clone(), vec![role.as_str()].into());
                message
            })
            .collect();
        let ids = tokenizer.encode_chat(&messages, true).unwrap();
        let mut expected = vec![256];
        expected.extend(messages.iter().flat_map(|_| [258, 259]));
        expected.push(263);
        prop_assert_eq!(controls(&tokenizer, &ids), expected);
    }

    /// And every character of a message is there.
    #[test]
    fn messages_are_written_as_they_are(role in attacks(), content in attacks()) {
        let tokenizer = with_template(&around("{{ m.content }}"));
        let ids = tokenizer.encode_chat(&[Message::new(&role, &content)], true).unwrap();
        let expected = format!("<s><|im_start|>{role}\n{content}<|im_end|>\n[INST]");
        prop_assert_eq!(shown(&tokenizer, &ids), expected);
        let user = tokenizer.encode(&content, kvscope::text::Controls::AsText).unwrap();
        prop_assert!(controls(&tokenizer, &user).is_empty());
    }
}

#[test]
fn user_defined_tokens_are_read_in_messages() {
    let tokenizer = with_template(&around("{{ m.content }}"));
    let ids = tokenizer
        .encode_chat(&[Message::new("user", "<think>")], false)
        .unwrap();
    let think = vocabulary().id("<think>");
    assert_eq!(ids.iter().filter(|&&id| id == think).count(), 1);
}

/// `<|` and a role and `|>`: what a user wrote could make the same.
#[test]
fn a_template_that_joins_control_tokens_is_refused() {
    let tokenizer = with_template(
        "{% for m in messages %}{{ '<|' + ('im_end' if m.role == 'user' else m.role) + '|>' + m.content }}{% endfor %}",
    );
    let error = tokenizer
        .encode_chat(&[Message::new("user", "Hi")], false)
        .unwrap_err();
    assert_eq!(error.code(), "chat-template");
    assert!(
        error.to_string().contains("\"<|im_end|>\" together"),
        "{error}"
    );
}

#[test]
fn the_bos_token_is_the_templates_or_the_models_but_never_both() {
    let message = [Message::new("user", "a")];
    for (template, add, begins) in [
        ("{{ bos_token }}{{ messages[0].content }}", true, true),
        ("{{ bos_token }}{{ messages[0].content }}", false, true),
        ("<s>{{ messages[0].content }}", true, true),
        ("{{ messages[0].content }}", true, true),
        ("{{ messages[0].content }}", false, false),
    ] {
        let vocabulary = vocabulary()
            .with("chat_template", Value::text(template))
            .with("ggml.add_bos_token", Value::Bool(add));
        let tokenizer = read(&vocabulary.gpt2("gpt-2")).unwrap();
        let ids = tokenizer.encode_chat(&message, false).unwrap();
        let expected: &[u32] = if begins { &[256, 97] } else { &[97] };
        assert_eq!(ids, expected, "{template} {add}");
    }
}

#[test]
fn templates_are_told_the_day_that_the_program_chose() {
    let tokenizer = with_template("{{ strftime_now('%d %b %Y') }}");
    let text =
        |tokenizer: &Tokenizer| shown(tokenizer, &tokenizer.encode_chat(&[], false).unwrap());
    assert_eq!(text(&tokenizer), "26 Jul 2024");
    let date = Date {
        year: 2031,
        month: 12,
        day: 5,
    };
    assert_eq!(text(&tokenizer.with_date(date)), "05 Dec 2031");
    let tokenizer = with_template("{{ strftime_now('%A %-d, %I:%M %p') }}");
    let time = Time {
        hour: 15,
        minute: 4,
        ..Time::from(date)
    };
    assert_eq!(text(&tokenizer.with_time(time)), "Friday 5, 03:04 PM");
    // A clock that shows another century than the test was written in is wrong.
    let tokenizer = with_template("{{ strftime_now('%C') }}").with_users_time();
    assert_eq!(text(&tokenizer), "20");
}

#[test]
fn a_model_without_a_template_says_so_and_takes_another() {
    let tokenizer = read(&vocabulary().gpt2("gpt-2")).unwrap();
    let messages = [Message::new("user", "Hi")];
    let error = tokenizer.encode_chat(&messages, true).unwrap_err();
    assert!(matches!(error, TextError::ChatTemplate { .. }), "{error:?}");
    let tokenizer = tokenizer
        .with_chat_template("<s>{{ messages[0].content }}")
        .unwrap();
    assert_eq!(
        tokenizer.encode_chat(&messages, true).unwrap(),
        [256, 72, 105]
    );
    assert!(tokenizer.with_chat_template("{% if %}").is_err());
}

/// A file's template that does not compile leaves the tokenizer usable.
#[test]
fn a_broken_template_is_an_error_of_chats_alone() {
    let tokenizer = with_template("{{ messages[0] ");
    assert!(tokenizer.encode("a", kvscope::text::Controls::Read).is_ok());
    let error = tokenizer
        .encode_chat(&[Message::new("user", "Hi")], true)
        .unwrap_err();
    assert_eq!(error.code(), "chat-template");
}

/// As `chat_template_kwargs` of other servers: what a caller names is there, and nothing is
/// replaced that every template has. A caller's text becomes no control token either.
#[test]
fn a_caller_gives_templates_further_values() {
    let tokenizer = with_template(
        "{{ messages[0].content }}{% if enable_thinking is defined and enable_thinking is false %}\
         <think></think>{% endif %}{{ reasoning_effort | default('') }}{{ tools is none }}",
    );
    let messages = [Message::new("user", "Hi")];
    let text = |values: serde_json::Value| {
        let values = values.as_object().unwrap();
        let ids = tokenizer.encode_chat_with(&messages, true, values).unwrap();
        assert!(controls(&tokenizer, &ids).is_empty(), "{values:?}");
        shown(&tokenizer, &ids)
    };
    assert_eq!(text(json!({})), "HiTrue");
    assert_eq!(
        text(json!({ "enable_thinking": false })),
        "Hi<think></think>True"
    );
    assert_eq!(text(json!({ "enable_thinking": true })), "HiTrue");
    let effort = json!({ "reasoning_effort": "<|im_end|>", "tools": [1], "messages": [] });
    assert_eq!(text(effort), "Hi<|im_end|>True");
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let values = json!({ "deep": deep });
    let refused = tokenizer.encode_chat_with(&messages, true, values.as_object().unwrap());
    assert_eq!(refused.unwrap_err().code(), "chat-template");
}
