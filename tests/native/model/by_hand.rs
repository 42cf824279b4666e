//! The plain computation against cases worked out by hand.

use crate::support::plain_llama::{
    Matrix, PlainLayer, PlainLlama, Projection, Turning, attention, rms_norm,
};

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let near = a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(near, "{a:?} is not {b:?}");
}

fn diagonal(elements: [f64; 2]) -> Matrix {
    vec![vec![elements[0], 0.0], vec![0.0, elements[1]]]
}

fn projection(matrix: Matrix) -> Projection {
    Projection {
        matrix,
        bias: None,
        norm: None,
    }
}

/// One layer, one head of two elements, a vocabulary of two: e₀ = (1, 1), e₁ = (1, −1). Their root
/// mean square is 1.
fn small() -> PlainLlama {
    let zero = || diagonal([0.0, 0.0]);
    PlainLlama {
        head_dim: 2,
        epsilon: 0.0,
        turning: Turning {
            frequencies: vec![0.0],
            neighbours: true,
        },
        embedding: vec![vec![1.0, 1.0], vec![1.0, -1.0]],
        layers: vec![PlainLayer {
            attention_norm: vec![1.0, 1.0],
            query: projection(zero()),
            key: projection(zero()),
            value: projection(diagonal([0.0, 1.0])),
            attention_output: diagonal([1.0, 1.0]),
            feed_forward_norm: vec![1.0, 1.0],
            gate: zero(),
            up: zero(),
            down: zero(),
        }],
        norm: vec![1.0, 1.0],
        output: Some(diagonal([1.0, 1.0])),
    }
}

#[test]
fn a_row_is_divided_by_its_root_mean_square() {
    // (9 + 16) / 4 = 6.25, whose root is 2.5. (9 + 36) / 4 + 4.75 = 16, whose root is 4.
    close(
        &rms_norm(&[3.0, 4.0, 0.0, 0.0], &[1.0, 5.0, 1.0, 1.0], 0.0),
        &[1.2, 8.0, 0.0, 0.0],
    );
    close(
        &rms_norm(&[3.0, 6.0, 0.0, 0.0], &[1.0; 4], 4.75),
        &[0.75, 1.5, 0.0, 0.0],
    );
}

#[test]
fn a_quarter_turn_brings_x_to_y() {
    let quarter = std::f64::consts::FRAC_PI_2;
    let turning = |neighbours| Turning {
        frequencies: vec![quarter, 0.0],
        neighbours,
    };
    let head = vec![1.0, 2.0, 3.0, 4.0, 5.0];
    close(
        &turning(true).turn(head.clone(), 1),
        &[-2.0, 1.0, 3.0, 4.0, 5.0],
    );
    close(
        &turning(false).turn(head.clone(), 1),
        &[-3.0, 2.0, 1.0, 4.0, 5.0],
    );
    close(
        &turning(true).turn(head.clone(), 2),
        &[-1.0, -2.0, 3.0, 4.0, 5.0],
    );
    close(&turning(true).turn(head.clone(), 0), &head);
}

#[test]
fn attention_weighs_by_the_exponential_of_scores() {
    // Scores 2 · ln 3 / √4 and 0: weights 3 and 1 of 4.
    let query = [3.0_f64.ln(), 0.0, 0.0, 0.0];
    let keys = [vec![2.0, 0.0, 0.0, 0.0], vec![0.0; 4]];
    let values = [vec![4.0, 0.0, 8.0, 0.0], vec![0.0, 4.0, 0.0, 0.0]];
    close(&attention(&query, &keys, &values), &[3.0, 1.0, 6.0, 0.0]);
}

/// With queries of zero every position attends to those before it alike; only the second element is
/// attended to.
#[test]
fn positions_see_themselves_and_what_came_before() {
    let logits = small().logits(&[0, 1, 1]);
    // Position 0: (1, 1 + 1). Position 1: (1, −1 + 0). Position 2: (1, −1 − 1/3).
    for (row, second) in logits.iter().zip([2.0_f64, -1.0, -4.0 / 3.0]) {
        let root = ((1.0 + second * second) / 2.0).sqrt();
        close(row, &[1.0 / root, second / root]);
    }
}

#[test]
fn the_feed_forward_is_gated() {
    let mut model = small();
    model.layers[0].value = projection(diagonal([0.0, 0.0]));
    model.layers[0].gate = diagonal([3.0_f64.ln(), 0.0]);
    model.layers[0].up = diagonal([8.0, 1.0]);
    model.layers[0].down = diagonal([1.0 / 3.0_f64.ln(), 1.0]);
    // SiLU(ln 3) = ln 3 / (1 + 1/3) = 3/4 ln 3, times 8 / ln 3 is 6: (1 + 6, 1), whose mean square
    // is 25.
    let logits = model.logits(&[0]);
    close(&logits[0], &[7.0 / 5.0, 1.0 / 5.0]);
}

#[test]
fn biases_come_before_norms_of_heads() {
    let model = small();
    let with_both = Projection {
        matrix: diagonal([1.0, 1.0]),
        bias: Some(vec![2.0, 3.0]),
        norm: Some(vec![10.0, 5.0]),
    };
    // (1 + 2, 1 + 3), whose mean square is 12.5.
    let heads = model.heads(&with_both, &[1.0, 1.0]);
    close(&heads[0], &[30.0 / 12.5_f64.sqrt(), 20.0 / 12.5_f64.sqrt()]);
}

/// Two query heads on one KV head, four on two: heads in a row share.
#[test]
fn query_heads_in_a_row_share_a_kv_head() {
    let mut model = small();
    let zeros = |rows: usize| projection(vec![vec![0.0; 2]; rows]);
    // KV head 0 has the value (1, 1), KV head 1 (0, 0), from the input (1, 1).
    let mut value = vec![vec![0.0; 2]; 4];
    value[0][0] = 1.0;
    value[1][0] = 1.0;
    let layer = &mut model.layers[0];
    (layer.query, layer.key, layer.value) = (zeros(8), zeros(4), projection(value));
    // Adds query head 1's first element to the hidden state's first, and query head 2's to its
    // second.
    layer.attention_output = vec![vec![0.0; 8], vec![0.0; 8]];
    layer.attention_output[0][2] = 1.0;
    layer.attention_output[1][4] = 1.0;
    let root = 2.5_f64.sqrt();
    close(&model.logits(&[0])[0], &[2.0 / root, 1.0 / root]);
}

#[test]
fn the_embedding_serves_where_there_is_no_output() {
    let mut model = small();
    model.layers.clear();
    model.output = None;
    close(&model.logits(&[0])[0], &[2.0, 0.0]);
    close(&model.logits(&[1])[0], &[0.0, 2.0]);
}
