"""Writes templates.json: what Jinja, set up as in transformers, makes of conversations by templates
of known shapes.

The templates are written for this test; they use what those of Llama 3, Qwen 2.5 and 3, Mistral,
Zephyr and ChatML use.
Run with jinja2 3.1: `python tests/native/text/templates.py`. The tests read the file alone.
"""

import datetime
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATES = {
    "chatml": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "llama 3": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{#- The system message first. -#}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start|>system<|end|>\\n\\nToday: " + date_string + "\\n" }}
{%- if tools is not none %}{{- "Tools" }}{%- endif %}
{{- system_message }}{{- "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start|>' + message['role'] + '<|end|>\\n\\n' + message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("One call at a time!") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", "parameters": ' }}{{- call.arguments | tojson }}{{- "}<|eot|>" }}
    {%- else %}
        {{- "<|start|>ipython<|end|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start|>assistant<|end|>\\n\\n' }}{%- endif %}
""",
    "qwen 3": """{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<response>') and message.content.endswith('</response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "assistant" %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thought = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or thought) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<response>\\n' + content + '\\n</response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- else %}
        {{- '<|im_start|>' ~ message.role ~ '\\n' ~ content ~ '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}""",
    "mistral": """{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/user/assistant/...!') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}{% endif %}{% endfor %}""",
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
    {% generation %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
    {% endgeneration %}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}
""",
    "others": """{%- macro said(message, width=2) -%}
{{ message.get('name', message.role | title) }}{{ ': ' if message.content else '' }}{{ message['content'].strip() | replace('ten', '10') | indent(width) }}
{%- endmacro -%}
{%- set users = messages | selectattr('role', 'equalto', 'user') | list -%}
{%- set roles = messages | map(attribute='role') -%}
{%- set fields = messages[0].items() -%}
{{ roles | join('+') }} {{ fields | length }} {{ users | length }} of {{ messages | map(attribute='role') | join(', ') | upper }}
{%- for message in messages if message.role != 'skip' %}
{% if message.content == 'next' %}{% continue %}{% endif %}
{%- if message.content == 'stop' %}{% break %}{% endif %}
{%- set outer = loop -%}
[{{ outer.index }}/{{ loop.length }}] {{ said(message) }}
{%- for key, value in message.items() if key not in ['role', 'content'] %} {{ key }}={{ value | tojson }}{% endfor %}
{%- endfor %}
{{ {'a': [1, 2.5, none, true], "b<": "é'\\"&"} | tojson }}{{ {'a': [], 'b': {}, 'c': [1]} | tojson(indent=2) }}
{{ messages[0].missing | default('nothing') }}{{ messages[-1].content[:3] }}{{ 7 // 2 }}{{ 'x' in 'xyz' }}{{ undefined_thing }}{{ none }}""",
}

# Keys are in the order of the alphabet, as serde_json has them.
CONVERSATIONS = [
    [{"role": "user", "content": "Hello there"}],
    [{"role": "user", "content": "  spaces and\nlines \n"}],
    [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Hi"}],
    [
        {"role": "user", "content": "one ten"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\ntwo"},
        {"role": "user", "content": "three", "name": "Ada"},
    ],
    [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "<think>\na\n</think>\n\nb"},
    ],
    [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "function": {
                        "arguments": {"city": "Köln <x>", "days": 2, "exact": True},
                        "name": "weather",
                    }
                }
            ],
        },
        {"role": "tool", "content": "rain & 'wind'"},
        {"role": "tool", "content": "18°"},
    ],
    [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "next"},
        {"role": "user", "content": "c"},
    ],
    [
        {"role": "user", "content": "a"},
        {"role": "skip", "content": "b"},
        {"role": "user", "content": "stop"},
    ],
    [{"role": "assistant", "content": "日本語 👩\u200d🚀"}],
    [],
]


class Generation(jinja2.ext.Extension):
    """transformers' block: what is in it is written."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = datetime.date(2024, 7, 26).strftime


def rendered(template, messages, add_generation_prompt):
    try:
        return template.render(
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            bos_token="<s>",
            eos_token="</s>",
        )
    except jinja2.exceptions.TemplateError:
        return None


recorded = [
    {
        "name": name,
        "template": source,
        "cases": [
            {
                "messages": messages,
                "prompt": prompt,
                "rendered": rendered(environment.from_string(source), messages, prompt),
            }
            for messages in CONVERSATIONS
            for prompt in [False, True]
        ],
    }
    for name, source in TEMPLATES.items()
]
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(recorded, ensure_ascii=False, indent=2) + "\n")
