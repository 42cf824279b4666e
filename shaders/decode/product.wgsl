// Products of {{ rows }} rows a lane with the input: half of them from row `first` on, half from row `second` on. {{ lanes }} lanes
// share those rows, each taking every {{ lanes }}th group of 32 elements; what it reads of the input serves all its rows.
// `group_dot` comes from shaders/blocks.

struct Sums {
{%- for r in range(rows) %}
    s{{ r }}: f32,
{%- endfor %}
}

fn products(input: u32, first: u32, second: u32, lane: u32) -> Sums {
{%- for r in range(rows) %}
    let row{{ r }} = min({{ "first" if r < rows // 2 else "second" }} + {{ r % (rows // 2) }}u, {{ height - 1 }}u) * {{ groups }}u;
    var s{{ r }} = 0.0;
{%- endfor %}
    for (var k = lane; k < {{ groups }}u; k += {{ lanes }}u) {
        let at = input + 8u * k;
        let x0 = activations[at];
        let x1 = activations[at + 1u];
        let x2 = activations[at + 2u];
        let x3 = activations[at + 3u];
        let x4 = activations[at + 4u];
        let x5 = activations[at + 5u];
        let x6 = activations[at + 6u];
        let x7 = activations[at + 7u];
        let early = (x0 + x1) + (x2 + x3);
        let late = (x4 + x5) + (x6 + x7);
        let total = vec2<f32>(dot(early, vec4<f32>(1.0)), dot(late, vec4<f32>(1.0)));
{%- for r in range(rows) %}
        s{{ r }} += group_dot(row{{ r }} + k, x0, x1, x2, x3, x4, x5, x6, x7, total);
{%- endfor %}
    }
    return Sums({% for r in range(rows) %}s{{ r }}, {% endfor %});
}

// What the lanes have of the workgroup's {{ tile }} rows.
var<workgroup> sums: array<f32, {{ tile * lanes }}>;

fn share(lane: u32, first: u32, second: u32, own: Sums) {
{%- for r in range(rows) %}
    sums[lane * {{ tile }}u + {{ "first" if r < rows // 2 else "second" }} + {{ r % (rows // 2) }}u] = own.s{{ r }};
{%- endfor %}
    workgroupBarrier();
}

// Row `row` of the workgroup's, once they are shared.
fn whole(row: u32) -> f32 {
    var sum = sums[row];
{%- for l in range(1, lanes) %}
    sum += sums[{{ l * tile }}u + row];
{%- endfor %}
    return sum;
}
