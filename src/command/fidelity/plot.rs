//! Quality against bytes, as an SVG that is legible on light and on dark ground.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::summary::{ALL, Row};
use crate::command::policies::{BuiltIn, named};

const WIDTH: f64 = 760.0;
/// Of one panel, and the margins around its axes.
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 46.0;

/// Decode strategies with their colours, which stand out on either ground.
const STRATEGIES: [(&str, &str); 8] = [
    ("slide", "#2f81f7"),
    ("adaptive", "#d9730d"),
    ("discontinuous", "#2da44e"),
    ("h2o", "#cf3f6b"),
    ("pyramidinfer", "#9a6ee0"),
    ("streamingllm", "#a08a2c"),
    ("decayed-slide", "#0e8a8a"),
    ("decayed-h2o", "#b5533c"),
];

/// Colour of all others.
const QUIET: &str = "#7d8590";

/// Prefill methods with the shapes of their marks.
const SHAPES: [(&str, Shape); 5] = [
    ("full", Shape::Circle),
    ("h2o", Shape::Square),
    ("snapkv", Shape::Triangle),
    ("pyramidkv", Shape::Diamond),
    ("other", Shape::Cross),
];

#[derive(Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    Cross,
}

/// Draws a panel per file of examples, one below the other: KL on a logarithmic scale against bytes
/// held, as a share of the full cache's. A policy without divergence has no place on that scale and
/// is left out.
pub fn svg(summary: &BTreeMap<String, Vec<Row>>) -> String {
    let panels: Vec<_> = summary.iter().filter(|(name, _)| *name != ALL).collect();
    let height = HEIGHT * panels.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Divergence from the full cache against bytes held, by policy\">\n<style>text {{ font: 12px \
         system-ui, sans-serif; fill: #57606a }} .name {{ font-weight: 600 }} .grid {{ stroke: #8c959f; stroke-opacity: 0.35 }} \
         @media (prefers-color-scheme: dark) {{ text {{ fill: #adbac7 }} }}</style>\n"
    );
    for (number, (name, rows)) in panels.into_iter().enumerate() {
        let _ = writeln!(
            svg,
            "<g transform=\"translate(0 {})\">",
            HEIGHT * number as f64
        );
        panel(&mut svg, name, rows);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, name: &str, rows: &[Row]) {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.kl.mean > 0.0).collect();
    let ends = |row: &&Row| match row.kl.interval {
        Some(interval) => [interval.low, interval.high, row.kl.mean],
        None => [row.kl.mean; 3],
    };
    let all: Vec<f64> = rows.iter().flat_map(ends).filter(|kl| *kl > 0.0).collect();
    let decade = |kl: f64| kl.log10().clamp(-9.0, 9.0);
    let low = all
        .iter()
        .copied()
        .map(decade)
        .fold(f64::INFINITY, f64::min);
    let high = all
        .iter()
        .copied()
        .map(decade)
        .fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = if low <= high {
        (low.floor(), high.ceil().max(low.floor() + 1.0))
    } else {
        (-1.0, 0.0)
    };
    let shares = rows.iter().map(|row| row.share());
    // Adaptive strategies may slightly exceed the full cache's blocks; the axis extends to them.
    let widest = shares.fold(1.0, f64::max);
    let x = |share: f64| LEFT + share / widest * (WIDTH - LEFT - RIGHT);
    let y = |kl: f64| {
        let share = (high - decade(kl.max(1e-9)).max(low)) / (high - low);
        TOP + share * (HEIGHT - TOP - BOTTOM)
    };

    let _ = writeln!(
        svg,
        "<text class=\"name\" x=\"{LEFT}\" y=\"18\">{}</text>",
        escaped(name)
    );
    axes(svg, low as i32..=high as i32, &x, &y);
    for row in rows {
        let (prefill, decode, pale) = kind(&row.policy);
        let colour = colour(decode);
        let (x, at) = (x(row.share()), y(row.kl.mean));
        let _ = writeln!(
            svg,
            "<g><title>{}: KL {:.4}</title>",
            escaped(&row.policy),
            row.kl
        );
        if let Some(interval) = row.kl.interval {
            let (low, high) = (y(interval.low), y(interval.high));
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.5\"/>"
            );
        }
        mark(svg, shape(prefill), (x, at), colour, pale);
        svg.push_str("</g>\n");
    }
    legend(svg);
}

fn axes(
    svg: &mut String,
    decades: std::ops::RangeInclusive<i32>,
    x: &impl Fn(f64) -> f64,
    y: &impl Fn(f64) -> f64,
) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for decade in decades {
        let kl = 10f64.powi(decade);
        let at = y(kl);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{kl}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for percent in [0, 25, 50, 75, 100] {
        let at = x(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{percent} \
             %</text>",
            bottom + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">most bytes held, of the full cache's</text>\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">KL, nats a token</text>",
        f64::midpoint(LEFT, right),
        bottom + 36.0,
        f64::midpoint(TOP, bottom)
    );
}

fn legend(svg: &mut String) {
    let x = WIDTH - RIGHT + 24.0;
    let mut y = TOP + 8.0;
    let mut line = |svg: &mut String, shape, colour: &str, text: &str| {
        mark(svg, shape, (x, y), colour, false);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\">{text}</text>",
            x + 12.0,
            y + 4.0
        );
        y += 19.0;
    };
    for (name, colour) in &STRATEGIES {
        line(svg, Shape::Circle, colour, name);
    }
    for (name, shape) in SHAPES {
        line(svg, shape, QUIET, &format!("{name} prefill"));
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\">hollow: budget below 25 %</text>",
        x - 6.0,
        y + 6.0
    );
}

/// Prefill method and decode strategy of a policy's name, and whether its mark is hollow.
fn kind(policy: &str) -> (&str, &str, bool) {
    let mut words = policy.split(' ');
    let name = words.next().unwrap_or_default();
    let ratio = words.next().and_then(|ratio| ratio.strip_suffix('%'));
    let ratio = ratio.and_then(|it| it.parse::<f64>().ok());
    match (named(name), ratio) {
        (Ok(BuiltIn { prefill, decode }), Some(ratio)) => {
            (prefill.name(), decode.name(), ratio < 25.0)
        }
        (Ok(BuiltIn { prefill, decode }), None) => (prefill.name(), decode.name(), false),
        _ => ("other", "other", false),
    }
}

fn colour(strategy: &str) -> &'static str {
    let found = STRATEGIES.iter().find(|(name, _)| *name == strategy);
    found.map_or(QUIET, |(_, colour)| colour)
}

fn shape(prefill: &str) -> Shape {
    let found = SHAPES.iter().find(|(name, _)| *name == prefill);
    found.map_or(Shape::Cross, |(_, shape)| *shape)
}

fn mark(svg: &mut String, shape: Shape, (x, y): (f64, f64), colour: &str, hollow: bool) {
    let path = match shape {
        Shape::Circle => "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z",
        Shape::Square => "M-4.5 -4.5h9v9h-9Z",
        Shape::Triangle => "M0 -5.5L5.5 4.5H-5.5Z",
        Shape::Diamond => "M0 -6L6 0L0 6L-6 0Z",
        Shape::Cross => "M-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3Z",
    };
    let opacity = if hollow { 0.0 } else { 0.8 };
    let _ = writeln!(
        svg,
        "<path transform=\"translate({x:.1} {y:.1})\" d=\"{path}\" fill=\"{colour}\" fill-opacity=\"{opacity}\" \
         stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
