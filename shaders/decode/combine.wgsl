// Merges the splits of one query head's attention; one lane per four of the head's elements. Also
// finds an empty slot for the next token, if there is one.

@group(0) @binding(_) var<storage, read> partials: array<f32>;
@group(0) @binding(_) var<storage, read_write> activations: array<vec4<f32>>;
@group(0) @binding(_) var<storage, read_write> next: array<u32>;
@group(0) @binding(_) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(_) var<uniform> step: array<vec4<u32>, {{ step_words }}>;
@group(0) @binding(_) var<uniform> place: vec4<u32>;

@compute @workgroup_size({{ dim // 4 }})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) quad: u32,
) {
    let head = workgroup.x;
    let kv = head / {{ group }}u;
    let member = head % {{ group }}u;
    let layer = step[{{ step_header }}u + 2u * place.x];
    let splits = (layer.y + {{ split - 1 }}u) / {{ split }}u;
    let first = kv * splits * {{ partial }}u;

    var most = -1.0e30;
    for (var split = 0u; split < splits; split += 1u) {
        most = max(most, partials[first + split * {{ partial }}u + 2u * member]);
    }
    var sum = 0.0;
    var out = vec4<f32>(0.0);
    for (var split = 0u; split < splits; split += 1u) {
        let at = first + split * {{ partial }}u;
        let weight = exp(partials[at + 2u * member] - most);
        sum += weight * partials[at + 2u * member + 1u];
        let from_output = at + {{ 2 * group + 1 }}u + member * {{ dim }}u + 4u * quad;
        out += weight * vec4<f32>(
            partials[from_output],
            partials[from_output + 1u],
            partials[from_output + 2u],
            partials[from_output + 3u],
        );
    }
    var attended = out / sum;
{%- if values_in_frame %}
    turning[quad] = attended;
    workgroupBarrier();
    attended = rotated(quad);
{%- endif %}
    activations[{{ at.attended }}u + head * {{ dim // 4 }}u + quad] = attended;

    if quad == 0u {
        stats[head] = vec2<f32>(most, sum);
    }
    if quad == 0u && member == 0u {
        // Slots beyond those that were looked at are empty.
        var slot = select({{ nothing }}u, layer.y, layer.y < layer.x);
        for (var split = 0u; split < splits; split += 1u) {
            slot = min(slot, u32(partials[first + split * {{ partial }}u + {{ 2 * group }}u]));
        }
        next[place.x * {{ kv_heads }}u + kv] = slot;
    }
}
