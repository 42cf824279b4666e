// Products of {{ rows }} rows per lane with the input: half of them from row `first` on, half from
// row `second` on. {{ lanes }} lanes share those rows, and each takes every {{ lanes }}th group of
// 32 elements. Each load of the input serves all rows of a lane.
{%- if in_quads %}
// Quads load each element of the input once: each lane one of four, for all of them. `member` is a
// lane's number in its subgroup.
{%- endif %}
// `group_dot`, `group_product` and `quad_dot` come from shaders/blocks.

struct Sums {
{%- for r in range(rows) %}
    s{{ r }}: f32,
{%- endfor %}
}

fn products(
    input: u32,
    first: u32,
    second: u32,
    lane: u32,
{%- if in_quads %}
    member: u32,
{%- endif %}
) -> Sums {
{%- for r in range(rows) %}
    let place{{ r }} = {{ "first" if r < rows // 2 else "second" }} + {{ r % (rows // 2) }}u;
    let row{{ r }} = min(place{{ r }}, {{ height - 1 }}u) * {{ groups }}u;
    var s{{ r }} = 0.0;
{%- endfor %}
{%- if own_first %}
    let places = places_of(member);
{%- endif %}
{%- if lanes == 1 %}
    // Left at its end: adapters on a CPU run a loop that is left at its head once more, to no
    // effect.
    var k = 0u;
    loop {
{%- if own_first %}
{%- for r in range(rows) %}
    let factor{{ r }} = group_factors(row{{ r }} + k);
{%- endfor %}
{%- if sharing > 1 %}
    // Groups that have these factors in common.
    let end = k + {{ sharing }}u;
    loop {
{%- endif %}
{%- endif %}
{%- else %}
    for (var k = lane; k < {{ groups }}u; k += {{ lanes }}u) {
{%- endif %}
        let at = input + 8u * k;
{%- for i in range(8) %}
{%- if in_quads %}
        let x{{ i }} =
            {{ "from_quad" if own_first else "of_quad" }}(activations[at + {{ i }}u][member % 4u]);
{%- else %}
        let x{{ i }} = activations[at + {{ i }}u];
{%- endif %}
{%- endfor %}
{%- if integers %}
        let x = fixed_point(x0, x1, x2, x3, x4, x5, x6, x7);
{%- for r in range(rows) %}
        s{{ r }} += group_product(row{{ r }} + k, x);
{%- endfor %}
{%- else %}
        let early = (x0 + x1) + (x2 + x3);
        let late = (x4 + x5) + (x6 + x7);
        let total = vec2<f32>(dot(early, vec4<f32>(1.0)), dot(late, vec4<f32>(1.0)));
{%- if own_first %}
        let topmost = quadBroadcast(vec2<f32>(early.x, late.x), 3u);
{%- endif %}
{%- for r in range(rows) %}
{%- if own_first %}
        s{{ r }} +=
            quad_dot(row{{ r }} + k, factor{{ r }}, x0, x1, x2, x3, x4, x5, x6, x7, total, topmost,
                places);
{%- else %}
        s{{ r }} += group_dot(row{{ r }} + k, x0, x1, x2, x3, x4, x5, x6, x7, total);
{%- endif %}
{%- endfor %}
{%- endif %}
{%- if own_first and sharing > 1 %}
        continuing {
            k += 1u;
            break if k >= end;
        }
    }
        continuing {
            break if k >= {{ groups }}u;
        }
{%- elif lanes == 1 %}
        continuing {
            k += 1u;
            break if k >= {{ groups }}u;
        }
{%- endif %}
    }
    return Sums({% for r in range(rows) %}s{{ r }}, {% endfor %});
}

// Sums of the workgroup's {{ tile }} rows per lane{% if joined > 1 %}, or per {{ joined }} joined
// lanes{% endif %}.
var<workgroup> sums: array<f32, {{ tile * lanes // joined }}>;

fn share(lane: u32, first: u32, second: u32, own: Sums) {
{%- if joined > 1 %}
    // Assumes that neighbouring lanes are neighbours in a subgroup. WGSL does not promise it:
    // measuring the tunings finds devices on which they are not.
{%- for r in range(rows) %}
    var s{{ r }} = own.s{{ r }};
{%- for distance in [1, 2, 4, 8, 16, 32, 64] if distance < joined %}
    s{{ r }} += subgroupShuffleXor(s{{ r }}, {{ distance }}u);
{%- endfor %}
{%- endfor %}
    if lane % {{ joined }}u == 0u {
{%- for r in range(rows) %}
        sums[lane / {{ joined }}u * {{ tile }}u + {{ "first" if r < rows // 2 else "second" }}
            + {{ r % (rows // 2) }}u] = s{{ r }};
{%- endfor %}
    }
{%- else %}
{%- for r in range(rows) %}
    sums[lane * {{ tile }}u + {{ "first" if r < rows // 2 else "second" }}
        + {{ r % (rows // 2) }}u] = own.s{{ r }};
{%- endfor %}
{%- endif %}
    workgroupBarrier();
}

// Sum of the workgroup's row `row`, after `share`.
fn whole(row: u32) -> f32 {
    var sum = sums[row];
{%- for l in range(1, lanes // joined) %}
    sum += sums[{{ l * tile }}u + row];
{%- endfor %}
    return sum;
}
